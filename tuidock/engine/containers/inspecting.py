"""`inspect` of a container: docker's JSON, key for key, and the timeline of its last start beside it."""

from __future__ import annotations

import time

from tuidock.engine import fastjson
from tuidock.engine.containers.rows import one_container, sizes
from tuidock.engine.files import read_pairs
from tuidock.engine.instance import Instance
from tuidock.engine.network import addresses, zones
from tuidock.engine.network import networks as networks_room
from tuidock.engine.network.networks import endpoint_id
from tuidock.engine.runtime import apparmor, defaults, health, spec
from tuidock.engine.types import Container, Endpoint, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

ZERO_TIME = "0001-01-01T00:00:00Z"


def rfc3339(moment: int) -> str:
    """ns since the epoch as docker prints it; 0 is Go's zero time."""
    if not moment:
        return ZERO_TIME
    seconds, rest = divmod(moment, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"


def request_of(instance: Instance, container_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Config and HostConfig as they were asked for and merged with the image."""
    row = instance.state.read().execute("SELECT request FROM containers WHERE id = ?", (container_id,)).fetchone()
    document = fastjson.loads(row[0]) if row else {}
    return document.get("Config", {}), document.get("HostConfig", {})


def timeline(instance: Instance, container_id: str) -> list[Step]:
    """The timed steps of the last start, in order."""
    pairs = read_pairs(instance.paths.container(container_id) + "/timeline") or {}
    return [Step(name, int(duration)) for name, duration in pairs.items() if duration.isdigit()]


def inspect(instance: Instance, container_id: str, *, size: bool = False) -> dict[str, Any]:
    """The document. Raises NotFound when the container has gone."""
    row = one_container(instance, container_id)
    config, host_config = request_of(instance, container_id)
    directory = instance.paths.container(container_id)
    command = spec.command_line(config)
    document: dict[str, Any] = {
        "Id": row.id,
        "Created": rfc3339(row.created),
        "Path": command[0],
        "Args": command[1:],
        "State": _state(row, directory),
        "Image": row.image_id,
        "ResolvConfPath": directory + "/resolv.conf",
        "HostnamePath": directory + "/hostname",
        "HostsPath": directory + "/hosts",
        "LogPath": directory + "/logs",
        "Name": "/" + row.name,
        "RestartCount": row.restarts,
        "Driver": "overlay",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": apparmor.shown(
            host_config.get("SecurityOpt") or (), privileged=bool(host_config.get("Privileged"))
        ),
        "ExecIDs": None,
        "HostConfig": _host_config(host_config),
        "GraphDriver": {
            "Data": {"UpperDir": directory + "/upper", "WorkDir": directory + "/work"},
            "Name": "overlay",
        },
        "Mounts": _mounts(row, host_config),
        "Config": {**config, "Volumes": config.get("Volumes") or None},
        "NetworkSettings": _network(
            row, host_config, config, addresses.settings_of(instance.state.read(), container_id)
        ),
        "LogDropped": row.log_dropped,
        "Timeline": [{"Name": step.name, "DurationNs": step.duration_ns} for step in timeline(instance, row.id)],
    }
    if size:
        document["SizeRw"], document["SizeRootFs"] = sizes(instance, [row.id]).get(row.id, (0, 0))
    return document


#: States in which the interface is there; the network namespace stays over a restart.
_CONNECTED = ("running", "paused", "restarting")


def _host_config(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, with the defaults that count where nothing was said."""
    shown = dict(asked)
    memory = asked.get("Memory") or 0
    for key, value in (
        ("ShmSize", defaults.SHM_SIZE), ("IpcMode", "private"), ("CgroupnsMode", "private"),
        ("MemorySwap", 2 * memory), ("PidsLimit", None),
    ):  # fmt: skip
        shown[key] = asked.get(key) or value
    log = asked.get("LogConfig") or {}
    shown["LogConfig"] = {"Type": log.get("Type") or "file", "Config": log.get("Config") or {}}
    if not asked.get("Privileged"):
        for key, paths in (("MaskedPaths", defaults.masked_paths()), ("ReadonlyPaths", defaults.READONLY_PATHS)):
            if asked.get(key) is None:  # [] is systempaths=unconfined
                shown[key] = list(paths)
    shown["Runtime"] = asked.get("Runtime") or "runc"
    for key in ("CapAdd", "CapDrop"):
        if asked.get(key):
            shown[key] = defaults.normalise_capabilities(asked[key])
    if asked.get("MemorySwappiness") == -1:
        shown["MemorySwappiness"] = None
    return shown


def _state(row: Container, directory: str) -> dict[str, Any]:
    running = row.status in ("running", "paused", "restarting")
    state: dict[str, Any] = {
        "Status": row.status,
        "Running": running,
        "Paused": row.status == "paused",
        "Restarting": row.status == "restarting",
        "OOMKilled": row.oom_killed,
        "Dead": row.status == "dead",
        "Pid": row.pid,
        "ExitCode": row.exit_code or 0,
        "Error": row.error,
        "StartedAt": rfc3339(row.started),
        "FinishedAt": rfc3339(row.finished),
    }
    found = health.read(directory) if row.health else None
    if found is not None:
        state["Health"] = {
            "Status": row.health,
            "FailingStreak": found.streak,
            "Log": [
                {
                    "Start": rfc3339(probe.start), "End": rfc3339(probe.end), "ExitCode": probe.code,
                    "Output": probe.output,
                }
                for probe in found.probes
            ],
        }  # fmt: skip
    return state


def _mounts(row: Container, host_config: dict[str, Any]) -> list[dict[str, Any]]:
    """docker's MountPoints, in its order of fields; what --tmpfs asked for stands in HostConfig alone."""
    from tuidock.engine.store.volumes import looks_anonymous

    modes = _modes(host_config.get("Binds") or ())
    by_mount = {str(mount.get("Target")) for mount in host_config.get("Mounts") or ()}
    found = []
    for point in row.mounts:
        if point.type == "tmpfs" and point.destination in (host_config.get("Tmpfs") or {}):
            continue
        has_name = point.type == "volume" and not looks_anonymous(point.name)
        mode = modes.get(point.destination, "")
        if not mode and point.read_only and point.destination not in by_mount:
            mode = "ro"
        found.append(
            {
                "Type": point.type,
                **({"Name": point.name} if point.type == "volume" else {}),
                "Source": point.source,
                "Destination": point.destination,
                **({"Driver": "local"} if point.type == "volume" else {}),
                "Mode": mode or ("z" if has_name else ""),  # whoever names a volume asks for its shared label
                "RW": not point.read_only,
                "Propagation": point.propagation,
            }
        )
    return found


def _modes(binds: Sequence[str]) -> dict[str, str]:
    """What stands behind the destinations of -v, by destination."""
    specs = (spec.split(":") for spec in binds)
    return {words[1].rstrip("/") or "/": words[2] for words in specs if len(words) == 3}


def _endpoint(row: Container, end: Endpoint, asked: dict[str, Any], mac: str, hostname: str) -> dict[str, Any]:
    """docker's EndpointSettings; the mac that was asked for the container counts for its first network."""
    named = end.network != networks_room.DEFAULT
    return {
        "IPAMConfig": asked.get("IPAMConfig"), "Links": asked.get("Links"), "Aliases": asked.get("Aliases"),
        "DriverOpts": asked.get("DriverOpts"), "GwPriority": asked.get("GwPriority", 0), "MacAddress": mac or end.mac,
        "NetworkID": end.network_id, "EndpointID": endpoint_id(end.network_id, row.id) if end.address else "",
        "Gateway": end.gateway, "IPAddress": end.address, "IPPrefixLen": end.prefix_length, "IPv6Gateway": end.gateway6,
        "GlobalIPv6Address": end.address6, "GlobalIPv6PrefixLen": end.prefix_length6,
        "DNSNames": zones.names_of(row.id, row.name, hostname, asked.get("Aliases") or ()) if named else None,
    }  # fmt: skip


def _network(
    row: Container, host_config: dict[str, Any], config: dict[str, Any], asked: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    mac, hostname = str(config.get("MacAddress") or ""), str(config.get("Hostname") or "")
    ports: dict[str, Any] = {name if "/" in name else name + "/tcp": None for name in row.exposed}
    for binding in row.ports:
        key = f"{binding.container_port}/{binding.protocol}"
        ips = [binding.host_ip] if binding.host_ip else ["0.0.0.0", "::"]
        known = ports.get(key) or []
        ports[key] = known + [{"HostIp": ip, "HostPort": str(binding.host_port)} for ip in ips]
    first = row.networks[0] if row.networks else None
    if row.status not in _CONNECTED:  # the address stays its own until it is removed, but nothing answers there
        row = row._replace(
            networks=tuple(
                end._replace(
                    address="", prefix_length=0, gateway="", mac="", address6="", prefix_length6=0, gateway6=""
                )
                for end in row.networks
            )
        )
        first = row.networks[0] if row.networks else None
    networks = {
        end.network: _endpoint(row, end, asked.get(end.network_id) or {}, mac if end == first else "", hostname)
        for end in row.networks
    }
    mode = str(host_config.get("NetworkMode") or "default")
    if mode in ("host", "none"):
        networks[mode] = {"NetworkID": mode, "IPAddress": "", "Gateway": "", "MacAddress": ""}
    return {
        "Bridge": "",
        "SandboxID": "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "GlobalIPv6Address": first.address6 if first else "",
        "GlobalIPv6PrefixLen": first.prefix_length6 if first else 0,
        "IPv6Gateway": first.gateway6 if first else "",
        "SandboxKey": f"/proc/{row.pid}/ns/net" if row.pid else "",
        "Ports": ports,
        "EndpointID": endpoint_id(first.network_id, row.id) if first and row.status in _CONNECTED else "",
        "Gateway": first.gateway if first else "",
        "IPAddress": first.address if first else "",
        "IPPrefixLen": first.prefix_length if first else 0,
        "MacAddress": (mac or first.mac) if first else "",
        "Networks": networks,
    }
