"""`run` and `create`: from argument list to the objects of docker's API.

Two stages, as docker has them: `read_request` is what its command line makes of the flags (recorded cases of it are
the tests), `check.check_request` what its daemon refuses afterwards. `parse_run` is both.
"""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named
from tuidock.engine.options import flags as grammar
from tuidock.engine.options import userns
from tuidock.engine.options.check import check_request
from tuidock.engine.options.devices import is_cdi_device, merge_ulimits, parse_device
from tuidock.engine.options.env_file import read_env, read_pairs
from tuidock.engine.options.flags import BadOptions, CannotAttach, UsageError, Values, WrongArguments
from tuidock.engine.options.networks import EndpointFlags, make_endpoints
from tuidock.engine.options.ports import parse_expose, parse_port_specs
from tuidock.engine.options.resource_flags import read_resources
from tuidock.engine.options.run_flags import CREATE_FLAGS, RUN_FLAGS
from tuidock.engine.options.values import parse_mac, parse_restart_policy, to_mapping
from tuidock.engine.options.volumes import absolute_bind, parse_volume
from tuidock.engine.types import CreateRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class RunCommand(Named):
    """A whole `run` or `create`: what is created and how the caller takes part in it."""

    request: CreateRequest
    image: str
    command: list[str]
    name: str = ""
    detach: bool = False
    bound: bool = False
    interactive: bool = False
    tty: bool = False
    rm: bool = False
    attach: tuple[str, ...] = ("stdout", "stderr")
    cidfile: str = ""
    sig_proxy: bool = True
    detach_keys: str = ""
    pull: str = "missing"
    quiet: bool = False


def parse_run(argv: Sequence[str], *, verb: str = "run", environ: Mapping[str, str] = os.environ) -> RunCommand:
    """Everything behind the verb, checked. Raises UsageError, or InvalidArgument for what contradicts itself."""
    values, words = grammar.parse(RUN_FLAGS if verb == "run" else CREATE_FLAGS, argv, interspersed=False)
    return make_command(values, words, verb=verb, environ=environ)


def make_command(
    values: Values, words: Sequence[str], *, verb: str = "run", environ: Mapping[str, str] = os.environ
) -> RunCommand:
    """The command of flags that are parsed already."""
    if not words:
        raise WrongArguments(f"'tuidock {verb}' requires at least 1 argument")
    if values.on("use-api-socket"):
        raise InvalidArgument("--use-api-socket has no meaning here: there is no daemon and no API socket")
    try:
        request = read_request(values, words[0], list(words[1:]), environ)
    except UsageError:
        raise
    except InvalidArgument as error:
        raise BadOptions(str(error)) from None
    detach = bool(values.get("detach", False))
    bound = bool(values.get("bound", False))
    if detach:
        if bound:
            raise BadOptions("conflicting options: cannot specify both --bound and --detach")
        if values.items("attach"):
            raise CannotAttach("conflicting options: cannot specify both --attach and --detach")
        request.config.update(AttachStdin=False, AttachStdout=False, AttachStderr=False, StdinOnce=False)
    check_request(request)
    streams = ("stdin", "stdout", "stderr")
    return RunCommand(
        request=request,
        image=words[0],
        command=list(words[1:]),
        name=request.name,
        detach=detach,
        bound=bound,
        interactive=values.on("interactive"),
        tty=values.on("tty"),
        rm=values.on("rm"),
        attach=tuple(stream for stream in streams if request.config["Attach" + stream.capitalize()]),
        cidfile=values.text("cidfile"),
        sig_proxy=bool(values.get("sig-proxy", True)),
        detach_keys=values.get("detach-keys", ""),
        pull=values.text("pull"),
        quiet=values.on("quiet"),
    )


def read_request(
    values: Values, image: str, command: list[str], environ: Mapping[str, str] = os.environ
) -> CreateRequest:
    """Config, HostConfig and NetworkingConfig as docker's command line sends them."""
    exposed, bindings = parse_port_specs(values.items("publish"))
    exposed.update(parse_expose(values.items("expose")))
    binds, anonymous = _volumes(values.items("volume"))
    host_config = _host_config(values, binds, bindings)
    config = _config(values, image, command, environ)
    config["Volumes"] = {path: {} for path in anonymous}
    if exposed:
        config["ExposedPorts"] = exposed
    if values["mac-address"]:
        parse_mac(values["mac-address"])
    endpoints = make_endpoints(
        values.items("network"),
        EndpointFlags(
            aliases=values.items("network-alias"),
            links=values.items("link"),
            ipv4=values["ip"],
            ipv6=values["ip6"],
            link_local_ips=values.items("link-local-ip"),
            mac=values["mac-address"],
        ),
    )
    return CreateRequest(
        name=values.text("name"),
        config=config,
        host_config=host_config,
        networking={"EndpointsConfig": endpoints},
        platform=values.text("platform"),
        pull=values.text("pull"),
    )


def _volumes(specs: Sequence[str]) -> tuple[list[str], list[str]]:
    binds: list[str] = []
    anonymous: list[str] = []
    for spec in dict.fromkeys(specs):
        if parse_volume(spec).get("source"):
            binds.append(absolute_bind(spec))
        else:
            anonymous.append(spec)
    return binds, anonymous


def _config(values: Values, image: str, command: list[str], environ: Mapping[str, str]) -> dict[str, Any]:
    attach = values.items("attach")
    interactive = values.on("interactive")
    stdin = "stdin" in attach or (not attach and interactive)
    labels = read_pairs("--label-file", values.items("label-file")) + values.items("label")
    entrypoint: list[str] | None = [values["entrypoint"]] if values.given("entrypoint") else None
    config: dict[str, Any] = {
        "Hostname": values["hostname"],
        "Domainname": values["domainname"],
        "User": values["user"],
        "AttachStdin": stdin,
        "AttachStdout": "stdout" in attach or not attach,
        "AttachStderr": "stderr" in attach or not attach,
        "Tty": values.on("tty"),
        "OpenStdin": interactive,
        "StdinOnce": interactive and stdin,
        "Env": read_env(values.items("env-file"), values.items("env"), environ) or None,
        "Cmd": command or None,
        "Image": image,
        "Volumes": {},
        "WorkingDir": values["workdir"],
        "Entrypoint": entrypoint,
        "Labels": to_mapping(labels),
    }
    if values["stop-signal"]:
        config["StopSignal"] = values["stop-signal"]
    if values.given("stop-timeout"):
        config["StopTimeout"] = values["stop-timeout"]
    health = _health(values)
    if health:
        config["Healthcheck"] = health
    return config


def _health(values: Values) -> dict[str, Any]:
    health: dict[str, Any] = {}
    if values["health-cmd"]:
        health["Test"] = ["CMD-SHELL", values["health-cmd"]]
    for flag, key in (
        ("health-interval", "Interval"),
        ("health-timeout", "Timeout"),
        ("health-start-period", "StartPeriod"),
        ("health-start-interval", "StartInterval"),
        ("health-retries", "Retries"),
    ):
        if values[flag]:
            health[key] = values[flag]
    if values.on("no-healthcheck"):
        if health:
            raise InvalidArgument("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    if values["health-retries"] < 0:
        raise InvalidArgument("--health-retries cannot be negative")
    return health


def _host_config(values: Values, binds: list[str], bindings: dict[str, Any]) -> dict[str, Any]:
    restart = parse_restart_policy(values["restart"])
    if values.on("rm") and restart["Name"] not in ("", "no"):
        raise InvalidArgument("conflicting options: cannot specify both --restart and --rm")
    networks = values.items("network")
    devices = [device for device in values.items("device") if not is_cdi_device(device)]
    cdi = [device for device in values.items("device") if is_cdi_device(device)]
    requests: list[dict[str, Any]] = values.items("gpus")
    if cdi:
        requests.append({"Driver": "cdi", "Count": 0, "DeviceIDs": cdi, "Capabilities": None, "Options": None})
    maps = userns.mappings(values.text("userns"), values.items("uidmap"), values.items("gidmap"))
    security, masked, read_only = _security(values.items("security-opt"))
    config: dict[str, Any] = {
        "Binds": binds or None,
        "ContainerIDFile": values["cidfile"],
        "LogConfig": _log_config(values["log-driver"], values.items("log-opt")),
        "NetworkMode": networks[0]["Target"] if networks else "default",
        "PortBindings": bindings,
        "RestartPolicy": restart,
        "AutoRemove": values.on("rm"),
        "VolumeDriver": values["volume-driver"],
        "VolumesFrom": values.items("volumes-from") or None,
        "ConsoleSize": [0, 0],
        "CapAdd": values.items("cap-add") or None,
        "CapDrop": values.items("cap-drop") or None,
        "CgroupnsMode": _mode(values, "cgroupns", "cgroup", ("host", "private")),
        "Dns": values.items("dns") or None,
        "DnsOptions": values.items("dns-option"),
        "DnsSearch": values.items("dns-search"),
        "ExtraHosts": values.items("add-host") or None,
        "GroupAdd": values.items("group-add") or None,
        "IpcMode": values["ipc"],
        "Cgroup": "",
        "Links": values.items("link") or None,
        "OomScoreAdj": values["oom-score-adj"],
        "PidMode": _mode(values, "pid", "PID", ("host",), container=True),
        "Privileged": values.on("privileged"),
        "PublishAllPorts": values.on("publish-all"),
        "ReadonlyRootfs": values.on("read-only"),
        "SecurityOpt": security or None,
        "UTSMode": _mode(values, "uts", "UTS", ("host",)),
        "UsernsMode": userns.check_mode(values.text("userns")),
        "ShmSize": values["shm-size"] or 0,
        "Isolation": values["isolation"],
        **_resources(values),
        "Devices": [parse_device(device) for device in devices],
        "DeviceRequests": requests or None,
        "MaskedPaths": masked,
        "ReadonlyPaths": read_only,
        **({"IDMappings": maps} if maps else {}),
    }
    config.update(_optional(values))
    return config


def _resources(values: Values) -> dict[str, Any]:
    swappiness = values.number("memory-swappiness")
    if swappiness != -1 and not 0 <= swappiness <= 100:
        raise InvalidArgument(f"invalid value: {swappiness}. Valid memory swappiness range is 0-100")
    return {
        **read_resources(values),
        "CgroupParent": values["cgroup-parent"],
        "BlkioWeightDevice": values.items("blkio-weight-device"),
        "BlkioDeviceReadBps": values.items("device-read-bps"),
        "BlkioDeviceWriteBps": values.items("device-write-bps"),
        "BlkioDeviceReadIOps": values.items("device-read-iops"),
        "BlkioDeviceWriteIOps": values.items("device-write-iops"),
        "DeviceCgroupRules": values.items("device-cgroup-rule") or None,
        "MemorySwappiness": swappiness,
        "OomKillDisable": values.on("oom-kill-disable"),
        "Ulimits": merge_ulimits(values.items("ulimit")),
        "CpuCount": values["cpu-count"],
        "CpuPercent": values["cpu-percent"],
        "IOMaximumIOps": values["io-maxiops"],
        "IOMaximumBandwidth": values["io-maxbandwidth"] or 0,
    }


def _optional(values: Values) -> dict[str, Any]:
    """What docker's API leaves out when nobody asked for it."""
    optional: dict[str, Any] = {}
    if values.given("init"):
        optional["Init"] = values.on("init")
    if values["runtime"]:
        optional["Runtime"] = values["runtime"]
    if values.items("mount"):
        optional["Mounts"] = values.items("mount")
    if values.items("tmpfs"):
        tmpfs = (item.partition(":") for item in values.items("tmpfs"))
        optional["Tmpfs"] = {path: options for path, _, options in tmpfs}
    for flag, key in (("sysctl", "Sysctls"), ("annotation", "Annotations"), ("storage-opt", "StorageOpt")):
        if values.items(flag):
            optional[key] = to_mapping(values.items(flag))
    return optional


def _mode(values: Values, flag: str, word: str, allowed: tuple[str, ...], *, container: bool = False) -> str:
    mode = values.text(flag)
    if mode and mode not in allowed and not (container and mode.startswith("container:") and mode[10:]):
        raise InvalidArgument(f"--{flag}: invalid {word} mode")
    return mode


def _log_config(driver: str, options: Sequence[str]) -> dict[str, Any]:
    if driver == "none" and options:
        raise InvalidArgument("invalid logging opts for driver none")
    return {"Type": driver, "Config": to_mapping(options)}


def _security(options: Sequence[str]) -> tuple[list[str], list[str] | None, list[str] | None]:
    """SecurityOpt with the seccomp file read in, and the empty lists that systempaths=unconfined means."""
    kept: list[str] = []
    paths: list[str] | None = None
    for option in options:
        separator = "=" if "=" in option else ":"
        key, given, value = option.partition(separator)
        if option == "systempaths=unconfined":
            paths = []
            continue
        if not given and key != "no-new-privileges":
            raise InvalidArgument(f"Invalid --security-opt: {option}")
        if key == "seccomp" and value not in ("unconfined", "builtin"):
            try:
                with open(value, "rb") as file:
                    option = "seccomp=" + file.read().decode("utf-8", "replace")
            except OSError as error:
                raise InvalidArgument(
                    f"opening seccomp profile ({value}) failed: {(error.strerror or str(error)).lower()}"
                ) from None
        kept.append(option)
    return kept, paths, list(paths) if paths is not None else None
