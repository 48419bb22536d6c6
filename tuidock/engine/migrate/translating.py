"""From what `inspect` says of a container there to a request of ours. Pure: no network, no disk.

Both engines write defaults and things of their own into their answers (paths that are masked, the host name that is the
id); those are left out, so that ours apply. What cannot be carried over is said in a note.
"""

from __future__ import annotations

from tuidock.engine.named import Named
from tuidock.engine.types import CreateRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from tuidock.engine.migrate.inventory import Inventory, TheirContainer, TheirNetwork

_CONFIG_KEYS = (
    "Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce Env Cmd Healthcheck "
    "Volumes WorkingDir Entrypoint Labels StopSignal StopTimeout Shell"
)
_HOST_KEYS = (
    "Binds Mounts Tmpfs PortBindings PublishAllPorts RestartPolicy CapAdd CapDrop Dns DnsOptions DnsSearch ExtraHosts "
    "GroupAdd OomScoreAdj Privileged ReadonlyRootfs SecurityOpt UTSMode ShmSize Sysctls Init Annotations CpuShares Memory "
    "NanoCpus CgroupParent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps "
    "BlkioDeviceWriteIOps CpuPeriod CpuQuota CpusetCpus CpusetMems DeviceCgroupRules MemoryReservation MemorySwap "
    "MemorySwappiness OomKillDisable PidsLimit Ulimits Devices DeviceRequests"
)
_OWN_LOGS = ("json-file", "local", "none", "")
#: podman's words for "the default network of this user".
_DEFAULT_MODES = ("", "default", "bridge", "podman", "slirp4netns", "pasta")
_SHORT = 12
#: Linux: fs.nr_open, podman's limit of files; that of processes is higher.
_MANY = 1 << 20
#: podman spells out what is the default of every bind.
_DEFAULT_WORDS = frozenset(("rw", "rprivate", "rbind", "nosuid", "nodev"))


class Translated(Named):
    """A request, what it needs to be there first (names of containers), and what was not carried over."""

    request: CreateRequest
    needs: tuple[str, ...]
    notes: tuple[str, ...]


def translate(container: TheirContainer, inventory: Inventory) -> Translated:
    """The request that makes this container here."""
    theirs: Mapping[str, Any] = container.document
    notes: list[str] = []
    names = {one.id: one.name for one in inventory.containers}
    config = _config(container, inventory)
    given: Mapping[str, Any] = theirs.get("HostConfig") or {}
    host = {key: given[key] for key in _HOST_KEYS.split(" ") if given.get(key) not in (None, "", [], {})}
    if "Binds" in host:
        host["Binds"] = [_bind(str(bind)) for bind in host["Binds"]]
    if given.get("Privileged") and "SecurityOpt" in host:  # docker adds this by itself to every one of them
        host["SecurityOpt"] = [one for one in host["SecurityOpt"] if str(one).replace(":", "=") != "label=disable"]
    limits = [one for one in host.pop("Ulimits", ()) if not _is_default_limit(one)]
    if limits:
        host["Ulimits"] = [{**one, "Name": _limit_name(one)} for one in limits]
    host["AutoRemove"] = False
    host["LogConfig"] = _logs(given.get("LogConfig") or {}, notes)
    needs: list[str] = []
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        mode = _mode(str(given.get(key) or ""), names, needs)
        if mode and not (key == "IpcMode" and mode in ("private", "shareable")):
            host[key] = mode
    if given.get("CgroupnsMode") == "host" and inventory.cgroup_v2:
        host["CgroupnsMode"] = "host"  # on cgroup v1 it is docker's default, so nobody may have asked for it
    if given.get("MaskedPaths") == [] and not given.get("Privileged"):
        host["MaskedPaths"] = host["ReadonlyPaths"] = []
    links = [_link(str(link)) for link in given.get("Links") or ()]
    if links:
        host["Links"] = links
        needs += [link.partition(":")[0] for link in links]
    donors = [_named(str(donor), names) for donor in given.get("VolumesFrom") or ()]
    if donors:
        host["VolumesFrom"] = donors
        needs += [donor.partition(":")[0] for donor in donors]
    _add_volumes(container, inventory, host, donors)
    endpoints = _networks(theirs, inventory, host, notes)
    runtime = str(given.get("Runtime") or "")
    if runtime not in ("", "runc", "crun", "oci", "io.containerd.runc.v2"):
        notes.append(f"its runtime {runtime} is left out")
    request = CreateRequest(container.name, config, host, {"EndpointsConfig": endpoints})
    return Translated(request, tuple(dict.fromkeys(needs)), tuple(notes))


def without_addresses(request: CreateRequest, moved: Collection[str]) -> tuple[CreateRequest, tuple[str, ...]]:
    """The request without the fixed addresses in networks whose subnets are others here; a sentence for each that goes."""
    endpoints: dict[str, Any] = dict((request.networking or {}).get("EndpointsConfig") or {})
    notes = []
    for name, endpoint in endpoints.items():
        fixed = (endpoint or {}).get("IPAMConfig")
        if name in moved and fixed:
            endpoints[name] = {**endpoint, "IPAMConfig": None}
            asked = ", ".join(str(address) for address in fixed.values())
            notes.append(f"it gets another address than {asked}, since network {name} has another subnet here")
    return request._replace(networking={"EndpointsConfig": endpoints}), tuple(notes)


def subnets_of(network: TheirNetwork) -> list[str]:
    """The subnets that a network of theirs has, as it writes them."""
    pools = (network.document.get("IPAM") or {}).get("Config") or ()
    return [str(pool["Subnet"]) for pool in pools if pool.get("Subnet")]


def image_reference(container: TheirContainer, inventory: Inventory) -> str:
    """The name that it was made with if that is still this image's, else the image's id."""
    asked = str((container.document.get("Config") or {}).get("Image") or "")
    named = asked if ":" in asked.rpartition("/")[2] or "@" in asked else asked + ":latest"
    for image in inventory.images:
        if image.id == container.image_id:
            known = {ref for one in image.references for ref in (one, one.removeprefix("docker.io/library/"))}
            return asked if named in known else image.id
    return container.image_id


def _config(container: TheirContainer, inventory: Inventory) -> dict[str, Any]:
    theirs: Mapping[str, Any] = container.document.get("Config") or {}
    config = {key: theirs[key] for key in _CONFIG_KEYS.split(" ") if theirs.get(key) is not None}
    hostname = str(theirs.get("Hostname") or "")
    if hostname and hostname != container.id[:_SHORT]:
        config["Hostname"] = hostname
    if isinstance(config.get("Entrypoint"), str):  # podman's older answers
        config["Entrypoint"] = [config["Entrypoint"]] if config["Entrypoint"] else None
    if isinstance(config.get("StopSignal"), int):
        config["StopSignal"] = str(config["StopSignal"])
    config["Env"] = [entry for entry in config.get("Env") or () if not entry.startswith(("container=", "HOSTNAME="))]
    config["Image"] = image_reference(container, inventory)
    return config


def _logs(theirs: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    driver = str(theirs.get("Type") or "")
    if driver in _OWN_LOGS:
        kept = {key: value for key, value in (theirs.get("Config") or {}).items() if key in ("max-size", "max-file")}
        return {"Type": driver or "json-file", "Config": kept}
    if driver not in ("k8s-file", "journald"):  # podman's defaults
        notes.append(f"its log driver {driver} is not here, so its log is kept in files")
    return {"Type": "json-file", "Config": {}}


def _mode(mode: str, names: Mapping[str, str], needs: list[str]) -> str:
    if mode.startswith("container:"):
        name = names.get(mode[10:], mode[10:])
        needs.append(name)
        return f"container:{name}"
    return "" if mode.partition(":")[0] in _DEFAULT_MODES else mode


def _named(donor: str, names: Mapping[str, str]) -> str:
    reference, colon, how = donor.partition(":")
    return names.get(reference, reference) + colon + how


def _link(link: str) -> str:
    """docker keeps "/target:/this/alias"."""
    target, _, alias = link.partition(":")
    return f"{target.removeprefix('/')}:{alias.rpartition('/')[2]}"


def _add_volumes(container: TheirContainer, inventory: Inventory, host: dict[str, Any], donors: list[str]) -> None:
    """Volumes that no flag names, because the image asked for them: by name, or new and empty ones would come."""
    named = {_target(str(bind)) for bind in host.get("Binds") or ()}
    named |= {str(mount.get("Target")) for mount in host.get("Mounts") or ()}
    owners = {donor.partition(":")[0] for donor in donors}
    for other in inventory.containers:
        if other.name in owners:
            named |= {str(mount.get("Destination")) for mount in other.document.get("Mounts") or ()}
    added = [
        f"{mount['Name']}:{mount['Destination']}" + ("" if mount.get("RW") else ":ro")
        for mount in container.document.get("Mounts") or ()
        if mount.get("Type") == "volume" and mount.get("Name") and mount.get("Destination") not in named
    ]
    if added:
        host["Binds"] = [*(host.get("Binds") or ()), *added]


def _limit_name(limit: Mapping[str, Any]) -> str:
    return str(limit.get("Name") or "").lower().removeprefix("rlimit_")


def _is_default_limit(limit: Mapping[str, Any]) -> bool:
    """podman lists what it sets by itself: as many files and processes as the kernel lets anybody have."""
    return _limit_name(limit) in ("nofile", "nproc") and int(limit.get("Hard") or 0) >= _MANY


def _bind(bind: str) -> str:
    source, colon, rest = bind.partition(":")
    target, _, words = rest.partition(":")
    kept = ",".join(word for word in words.split(",") if word and word not in _DEFAULT_WORDS)
    return source + colon + target + (f":{kept}" if kept else "")


def _target(bind: str) -> str:
    return bind.split(":")[1] if ":" in bind else bind


def _networks(
    theirs: Mapping[str, Any], inventory: Inventory, host: dict[str, Any], notes: list[str]
) -> dict[str, Any]:
    """EndpointsConfig of networks that people made; addresses only where somebody asked for one."""
    known = {one.name for one in inventory.networks} | {one.id for one in inventory.networks}
    by_id = {one.id: one for one in inventory.networks}
    mode = str(host.get("NetworkMode") or "")
    if mode in by_id:
        host["NetworkMode"] = mode = by_id[mode].name
    endpoints: dict[str, Any] = {}
    attached = (theirs.get("NetworkSettings") or {}).get("Networks") or {}
    for name, endpoint in attached.items():
        if name not in known:
            continue
        network = next(one for one in inventory.networks if name in (one.name, one.id))
        if network.driver != "bridge":
            notes.append(f"its network {network.name} ({network.driver}) is left out")
            continue
        own = (str(theirs.get("Id"))[:_SHORT], str(theirs.get("Name") or "").removeprefix("/"))
        aliases = [alias for alias in endpoint.get("Aliases") or () if alias not in own]
        endpoints[network.name] = {
            "Aliases": aliases or None,
            "IPAMConfig": {key: value for key, value in (endpoint.get("IPAMConfig") or {}).items() if value} or None,
            "Links": [_link(str(link)) for link in endpoint.get("Links") or ()] or None,
        }
    if endpoints and mode not in endpoints:
        host["NetworkMode"] = next(iter(endpoints))
    elif not endpoints and mode in known:
        host.pop("NetworkMode", None)
    return endpoints
