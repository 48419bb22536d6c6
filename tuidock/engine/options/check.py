"""What is refused of a request before anything is made: rules that docker's daemon applies to its API objects."""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.networks import is_user_defined
from tuidock.engine.options.userns import check_together
from tuidock.engine.options.volumes import check_bind, check_volume_name
from tuidock.engine.types import CreateRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_LEAST_MEMORY = 6 << 20
#: Go, and the kernel: numbers have 64 bits and a sign.
_MOST = (1 << 63) - 1
_CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
CAPABILITIES = tuple(_CAPABILITIES.split(" "))


def check_request(request: CreateRequest) -> None:
    """Raises InvalidArgument with the first rule that the request breaks."""
    if request.name:
        check_name(request.name)
    config, host = request.config, request.host_config
    check_restart(host.get("RestartPolicy") or {})
    _check_mounts(config, host)
    check_resources(host)
    _check_network(host)
    _check_names(request)
    _check_isolation(host)
    check_together(host)
    for key in ("CapAdd", "CapDrop"):
        for name in host.get(key) or ():
            if name.upper().removeprefix("CAP_") not in (*CAPABILITIES, "ALL"):
                raise InvalidArgument(f'invalid {key}: unknown capability: "{name}"')
    hostname = config.get("Hostname") or ""
    if len(hostname) > 64 or any(char <= " " or char == "/" for char in hostname):
        raise InvalidArgument(f"invalid hostname: {hostname}: at most 64 characters, without blanks")
    domain = config.get("Domainname") or ""
    if len(domain) > 64 or any(char <= " " or char == "/" for char in domain):
        raise InvalidArgument(f"invalid domain name: {domain}: at most 64 characters, without blanks")
    directory = config.get("WorkingDir") or ""
    if directory and not directory.startswith("/"):
        raise InvalidArgument(f"the working directory '{directory}' is invalid, it needs to be an absolute path")
    _check_log(host.get("LogConfig") or {})


def check_name(name: str) -> str:
    """A container's name; a leading slash, as docker's API has it, is allowed."""
    bare = name.removeprefix("/")
    rest = bare.translate({ord(char): "a" for char in "_.-"})
    if len(bare) < 2 or not bare.isascii() or not rest.isalnum() or not bare[0].isalnum():
        raise InvalidArgument(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, two characters at least"
        )
    return bare


def check_restart(policy: Mapping[str, Any]) -> None:
    """A restart policy that docker would refuse."""
    name, count = policy.get("Name", ""), policy.get("MaximumRetryCount", 0)
    if name not in ("", "no", "always", "on-failure", "unless-stopped"):
        raise InvalidArgument(
            f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or "
            "'unless-stopped'"
        )
    if count < 0:
        raise InvalidArgument("invalid restart policy: maximum retry count cannot be negative")
    if count and name != "on-failure":
        raise InvalidArgument("invalid restart policy: maximum retry count can only be used with 'on-failure'")


def _check_mounts(config: dict[str, Any], host: dict[str, Any]) -> None:
    taken: set[str] = set()

    def claim(target: str, what: str) -> None:
        if target in taken:
            raise InvalidArgument(f"Duplicate mount point: {what}")
        taken.add(target)

    for bind in host.get("Binds") or ():
        target = check_bind(bind)
        claim(target, target)
    for path in config.get("Volumes") or {}:
        check_bind(path)
    for mount in host.get("Mounts") or ():
        target = _check_mount(mount)
        claim(target, target)
    for path in host.get("Tmpfs") or {}:
        if not path.startswith("/") or not path.strip("/"):
            raise InvalidArgument(f"invalid tmpfs: '{path}': mount path must be absolute and not '/'")
        claim(os.path.normpath(path), path)


def _check_mount(mount: dict[str, Any]) -> str:
    kind: str = mount["Type"]
    source: str = mount.get("Source", "")
    target: str = mount.get("Target", "")
    where = f'invalid mount config for type "{kind}"'
    if kind not in ("bind", "volume", "tmpfs"):
        raise InvalidArgument(f"{where}: mount type unknown here; use bind, volume or tmpfs")
    if not target.startswith("/") or not target.strip("/"):
        raise InvalidArgument(f"{where}: invalid mount path: '{target}' mount path must be absolute and not '/'")
    if kind == "bind" and not source:
        raise InvalidArgument(f"{where}: field Source must not be empty")
    if kind == "bind" and not source.startswith("/"):
        raise InvalidArgument(f"{where}: invalid mount path: '{source}' mount path must be absolute")
    if kind == "tmpfs" and source:
        raise InvalidArgument(f"{where}: field Source must not be specified")
    if kind == "volume" and source:
        check_volume_name(source)
    return os.path.normpath(target)


def check_resources(host: Mapping[str, Any], *, update: bool = False) -> None:
    """Limits that contradict themselves. An update may give the swap of a container that has no limit of memory."""
    for key, value in host.items():
        if type(value) is int and not -_MOST <= value <= _MOST:
            raise InvalidArgument(f"invalid value for {key}: numbers go up to {_MOST}")
    memory, swap = host.get("Memory") or 0, host.get("MemorySwap") or 0
    reservation = host.get("MemoryReservation") or 0
    if 0 < memory < _LEAST_MEMORY:
        raise InvalidArgument("Minimum memory limit allowed is 6MB")
    if swap > 0 and not memory and not update:
        raise InvalidArgument("You should always set the Memory limit when using Memoryswap limit, see usage")
    if 0 < swap < memory:
        raise InvalidArgument("Minimum memoryswap limit should be larger than memory limit, see usage")
    if memory and reservation > memory:
        raise InvalidArgument("Minimum memory limit can not be less than memory reservation limit, see usage")
    if host.get("NanoCpus") and (host.get("CpuPeriod") or host.get("CpuQuota")):
        raise InvalidArgument("Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set")
    if (host.get("NanoCpus") or 0) < 0:
        raise InvalidArgument("the number of CPUs cannot be negative")
    period, quota = host.get("CpuPeriod") or 0, host.get("CpuQuota") or 0
    if period and not 1000 <= period <= 1_000_000:
        raise InvalidArgument("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < quota < 1000:
        raise InvalidArgument("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if (host.get("CpuShares") or 0) < 0:
        raise InvalidArgument("the CPU shares cannot be negative")
    if not -1000 <= (host.get("OomScoreAdj") or 0) <= 1000:
        raise InvalidArgument(f"Invalid value {host['OomScoreAdj']}, range for oom score adj is [-1000, 1000]")
    if (host.get("ShmSize") or 0) < 0:
        raise InvalidArgument("SHM size can not be less than 0")
    for key in ("CpusetCpus", "CpusetMems"):
        _check_set(host.get(key) or "", key)


def _check_set(raw: str, key: str) -> None:
    for part in raw.split(",") if raw else ():
        first, dash, last = part.partition("-")
        bounds = (first, last) if dash else (first,)
        if not all(bound.isascii() and bound.isdecimal() for bound in bounds) or (dash and int(last) < int(first)):
            raise InvalidArgument(f"Invalid value {raw} for {'cpuset cpus' if key == 'CpusetCpus' else 'cpuset mems'}")


def _check_network(host: dict[str, Any]) -> None:
    mode = host.get("NetworkMode") or "default"
    if mode.startswith("container:"):
        if not mode[10:]:
            raise InvalidArgument("Invalid network mode: invalid container format container:<name|id>")
        if host.get("PortBindings") or host.get("PublishAllPorts"):
            raise InvalidArgument(
                "conflicting options: port publishing and the container type network mode; publish the ports of the "
                "container whose network it is"
            )
        for key, word in (("Links", "links"), ("ExtraHosts", "custom host-to-IP mapping"), ("Dns", "dns")):
            if host.get(key):
                raise InvalidArgument(f"conflicting options: {word} and the network mode")
    if mode == "host" and host.get("Links"):
        raise InvalidArgument("conflicting options: host type networking can't be used with links, it would break them")
    if is_user_defined(mode) and not mode.strip():
        raise InvalidArgument("no name set for network")
    ipc = host.get("IpcMode") or ""
    if ipc not in ("", "none", "private", "shareable", "host") and not (ipc.startswith("container:") and ipc[10:]):
        raise InvalidArgument(f"invalid IPC mode: {ipc}")


def _check_names(request: CreateRequest) -> None:
    """Names and addresses that the chosen network or UTS namespace does not leave to the container."""
    host = request.host_config
    if request.config.get("Hostname"):
        if host.get("UTSMode") == "host":
            raise InvalidArgument("conflicting options: hostname and the UTS mode")
        if str(host.get("NetworkMode") or "").startswith("container:"):
            raise InvalidArgument("conflicting options: hostname and the network mode")
    for name, endpoint in (request.networking.get("EndpointsConfig") or {}).items():
        asked = endpoint.get("IPAMConfig") or {}
        if not is_user_defined(name) and any(asked.get(key) for key in ("IPv4Address", "IPv6Address")):
            raise InvalidArgument("user specified IP address is supported on user defined networks only")


def _check_isolation(host: dict[str, Any]) -> None:
    """What would run with less isolation, or without what it needs, if it were only ignored."""
    for option in host.get("SecurityOpt") or ():
        key, _, value = option.replace(":", "=", 1).partition("=")
        if key not in ("apparmor", "label", "no-new-privileges", "seccomp"):
            raise InvalidArgument(f'invalid --security-opt: "{option}"')
        if key == "no-new-privileges" and value not in ("", "true", "false"):
            raise InvalidArgument(f'invalid --security-opt: "{option}": no-new-privileges is true or false')
    runtime = host.get("Runtime") or ""
    if runtime not in ("", "runc", "crun", "io.containerd.runc.v2"):
        raise InvalidArgument(f"unknown runtime {runtime}: the engine has its own, for which runc is accepted")
    parent = str(host.get("CgroupParent") or "")
    if parent and (not parent.strip("/") or ".." in parent.split("/") or any(char < " " for char in parent)):
        raise InvalidArgument(f"invalid --cgroup-parent: {parent!r} is no path of a control group")
    if host.get("DeviceRequests"):
        raise InvalidArgument("could not select a device driver: GPUs and CDI devices are not supported; use --device")
    for option in host.get("StorageOpt") or {}:
        raise InvalidArgument(f"--storage-opt {option} is not supported: layers have no size of their own")
    driver = host.get("VolumeDriver") or ""
    if driver not in ("", "local"):
        raise InvalidArgument(f"volume driver '{driver}' does not exist here; there is only local")
    for item in host.get("VolumesFrom") or ():
        mode = item.partition(":")[2]
        if mode not in ("", "ro", "rw", "z", "Z"):
            raise InvalidArgument(f"invalid --volumes-from {item}: invalid mode: {mode}")


def _check_log(log: dict[str, Any]) -> None:
    from tuidock.engine.options.values import parse_size

    driver = log.get("Type") or ""
    if driver not in ("", "none", "file", "json-file", "local", "k8s-file"):
        raise InvalidArgument(f"log driver '{driver}' does not exist here; use file or none")
    for key, value in (log.get("Config") or {}).items():
        if key == "max-size":
            if value != "-1":
                parse_size(value)
        elif key == "max-file":
            if not value.isdecimal() or int(value) < 1:
                raise InvalidArgument(f"max-file must be a positive number, not '{value}'")
        elif key not in ("compress", "mode", "max-buffer-size", "labels", "labels-regex", "env", "env-regex", "tag"):
            raise InvalidArgument(f"unknown log opt '{key}' for the log driver file")
