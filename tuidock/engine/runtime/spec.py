"""From what was asked to what the shim does: the runtime spec of a container, as a launch record. Pure.

Everything that needs the disk, the network or the database was decided before and comes in as a value; so a test can
read off what any `run` line means, and a policy restart in the shim needs no Python.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named
from tuidock.engine.runtime import defaults, health, userns
from tuidock.engine.runtime.record import RecordWriter
from tuidock.engine.types import MountPoint, PortBinding

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
    from typing import Any
else:
    import _signal as signal  # the module around it turns numbers into enums

MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_BIND = 16384, 1 << 18, 1 << 19, 1 << 20, 4096
_PROPAGATION = {
    "": MS_PRIVATE | MS_REC, "rprivate": MS_PRIVATE | MS_REC, "private": MS_PRIVATE, "rslave": MS_SLAVE | MS_REC,
    "slave": MS_SLAVE, "rshared": MS_SHARED | MS_REC, "shared": MS_SHARED,
}  # fmt: skip
_MOUNT_WORDS = {
    "ro": defaults.MS_RDONLY, "nosuid": defaults.MS_NOSUID, "nodev": defaults.MS_NODEV, "noexec": defaults.MS_NOEXEC,
    "noatime": 1024, "nodiratime": 2048, "strictatime": 1 << 24,
}  # fmt: skip
#: Words that take a flag back, and words that are the kernel's default anyway.
_MOUNT_CLEAR = {
    "rw": defaults.MS_RDONLY, "suid": defaults.MS_NOSUID, "dev": defaults.MS_NODEV, "exec": defaults.MS_NOEXEC,
    "atime": 1024, "diratime": 2048, "relatime": 0, "defaults": 0,
}  # fmt: skip


class Rootfs(Named):
    """lower directories topmost first; plain is a ready directory where overlay is refused ("" = overlay)."""

    lower: tuple[str, ...]
    upper: str
    work: str
    plain: str = ""


class Interface(Named):
    """A link of the container: a veth pair and the bridge it hangs on, or (driver) a macvlan or ipvlan of the host's link
    `bridge`, in a mode. addresses with prefix length; isolated: neighbours on the bridge are out of reach.
    """

    name: str
    bridge: str
    veth: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    mac: str
    mtu: int = 1500
    driver: str = ""
    mode: str = ""
    isolated: bool = False


class CgroupPlan(Named):
    """Where the container is accounted: mode v1 or v2, `pairs` as they stand in the record (cgroup, set, value ...).

    binds are NAME=PATH of what /sys/fs/cgroup shows on v1.
    """

    mode: str
    namespace: str
    pairs: Sequence[tuple[str, str]]
    memory: str = ""
    binds: tuple[str, ...] = ()
    device_rules: tuple[str, ...] = ()


class Launch(Named):
    """Everything that a start needs, decided."""

    id: str
    name: str
    image: str
    instance: str
    generation: int
    directory: str
    run: str
    journal: str
    config: Mapping[str, Any]
    host_config: Mapping[str, Any]
    rootfs: Rootfs
    mounts: Sequence[MountPoint]
    interfaces: Sequence[Interface]
    network_namespace: str
    ports: Sequence[PortBinding]
    nft_table: str
    cgroup: CgroupPlan
    seccomp: str
    apparmor: str
    rootless: bool
    steps: Sequence[tuple[str, int]]
    reap: Sequence[str]
    capabilities_available: int = -1
    tty_size: tuple[int, int] = (0, 0)
    pid_namespace: str = "private"
    ipc_namespace: str = "private"
    restore: Sequence[str] = ()  # the command that makes a flushed nftables table anew
    published: tuple[str, str] = ("", "")  # the addresses that ports lead to, IPv4 and IPv6
    tty_group_mapped: bool = True
    user_network: tuple[str, ...] = ()  # the program that carries the packets where there are no bridges
    bound: bool = False  # to the process that started it: it does not outlive it


def command_line(config: Mapping[str, Any]) -> list[str]:
    """Entrypoint and Cmd together, as the init process gets them.

    Raises InvalidArgument when there is neither.
    """
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    if not words or words == [""]:
        raise InvalidArgument("no command specified: the image has none, so name one after the image")
    return words


def environment(config: Mapping[str, Any], hostname: str, links: Sequence[str] = ()) -> list[str]:
    """docker's order: PATH, HOSTNAME, TERM, links, then what image and user say; nothing of the host's."""
    base = [f"PATH={defaults.PATH}", f"HOSTNAME={hostname}"]
    if config.get("Tty"):
        base.append("TERM=xterm")
    merged: dict[str, str] = {}
    for item in [*base, *links, *(config.get("Env") or [])]:
        key, equals, value = item.partition("=")
        if equals:
            merged[key] = value
        else:
            merged.pop(key, None)  # `-e NAME` without a value in the caller's environment takes it away
    return [f"{key}={value}" for key, value in merged.items()]


def stop_signal(config: Mapping[str, Any]) -> int:
    """The number of a stop signal; an invalid one is SIGTERM, as docker does."""
    return signal_number(str(config.get("StopSignal") or "")) or int(signal.SIGTERM)


def signal_number(name: str) -> int:
    """15, TERM, SIGTERM, RTMIN+3 -> number; 0 when it is none."""
    word = name.upper().strip()
    if len(word) > 16 or not word.isascii():
        return 0
    if word.isdigit():
        return int(word) if 0 < int(word) < 65 else 0
    word = word.removeprefix("SIG")
    for base in ("RTMIN", "RTMAX"):
        if word.startswith(base) and word[len(base) + 1 :].isdigit() and word[len(base)] in "+-":
            number = int(getattr(signal, "SIG" + base)) + int(word[len(base) :])
            return number if signal.SIGRTMIN <= number <= signal.SIGRTMAX else 0
    found = getattr(signal, "SIG" + word, 0) if word.isalnum() else 0  # not SIG_IGN, which is no signal
    return int(found) if isinstance(found, int) else 0


def encode(launch: Launch) -> bytes:
    """The launch record's bytes. Raises InvalidArgument for options that make no sense together."""
    writer = RecordWriter()
    config, host = launch.config, launch.host_config
    privileged = bool(host.get("Privileged"))
    _identity(writer, launch)
    _rootfs(writer, launch)
    _mounts(writer, launch, privileged)
    _confinement(writer, launch, privileged)
    _cgroup(writer, launch.cgroup)
    _network(writer, launch)
    _process(writer, launch, config, host)
    _policy(writer, launch, host)
    return writer.encode()


def _identity(writer: RecordWriter, launch: Launch) -> None:
    for key, value in (
        ("id", launch.id), ("name", launch.name), ("instance", launch.instance), ("generation", launch.generation),
        ("container-dir", launch.directory), ("run-dir", launch.run), ("events", launch.journal),
        ("actor", actor(launch.name, launch.image, launch.config.get("Labels"))),
    ):  # fmt: skip
        writer.add(key, value)
    for name, duration in launch.steps:
        writer.add("step", f"{name} {duration}")
    hostname = str(launch.config.get("Hostname") or "")
    uts = str(launch.host_config.get("UTSMode") or "")
    writer.add("ns-uts", "host" if uts == "host" else "private")
    writer.add("hostname", "" if uts == "host" else hostname)
    writer.add("domainname", str(launch.config.get("Domainname") or ""))


def actor(name: str, image: str, labels: Mapping[str, object] | None) -> str:
    """What the shim's events say of the container: members of a JSON object."""
    text = f'"name":{_json(name)},"image":{_json(image)}'
    if not labels:
        return text
    return text + ',"labels":{' + ",".join(f"{_json(key)}:{_json(str(labels[key]))}" for key in labels) + "}"


def _json(text: str) -> str:
    """A JSON string without importing json; names and references hold no control characters, others are escaped."""
    escaped = "".join(
        c if " " <= c < "\x7f" and c not in '"\\' else f"\\u{ord(c):04x}" for c in text if ord(c) < 0x10000
    )
    return f'"{escaped}"'


def _rootfs(writer: RecordWriter, launch: Launch) -> None:
    rootfs = launch.rootfs
    writer.add("rootfs", "plain" if rootfs.plain else "overlay")
    writer.add_all("lower", rootfs.lower)
    if rootfs.plain:
        writer.add("plain", rootfs.plain)
    else:
        writer.add("upper", rootfs.upper)
        writer.add("work", rootfs.work)
    writer.add("readonly", bool(launch.host_config.get("ReadonlyRootfs")))
    if launch.rootless:
        writer.add("userxattr", True)
    users, groups = userns.maps(launch.host_config)
    if launch.rootless or users:
        writer.add("in-userns", True)
    writer.add_all("uid-map", users)
    writer.add_all("gid-map", groups)


def _add_mount(
    writer: RecordWriter, type_: str, source: str, target: str, flags: int, propagation: int = 0, data: str = "",
    kind: str = "dir",
) -> None:  # fmt: skip
    writer.add("mount", type_)
    writer.add("source", source)
    writer.add("target", target)
    writer.add("flags", flags)
    writer.add("propagation", propagation)
    writer.add("data", data)
    writer.add("kind", kind)


def _mounts(writer: RecordWriter, launch: Launch, privileged: bool) -> None:
    host = launch.host_config
    user_targets = {mount.destination.rstrip("/") or "/" for mount in launch.mounts}
    hides_dev = "/dev" in user_targets
    shm_size = int(host.get("ShmSize") or 0) or defaults.SHM_SIZE
    ipc = str(host.get("IpcMode") or "")
    users, groups = userns.maps(host)
    mapped = userns.has_group(groups, defaults.TTY_GROUP) if users else launch.tty_group_mapped
    tty_group = defaults.TTY_GROUP if mapped else None
    for mount in defaults.mounts(
        shm_size=shm_size, privileged=privileged, shm=ipc not in ("none", "host"), tty_group=tty_group
    ):
        if mount.target in user_targets or (hides_dev and mount.target.startswith("/dev")):
            continue
        flags = mount.flags
        _add_mount(writer, mount.type, mount.source, mount.target, flags, data=mount.data)
        if mount.type == "cgroup":
            writer.add_all("cgroup-bind", launch.cgroup.binds)
    if ipc == "host" and "/dev/shm" not in user_targets and not hides_dev:
        _add_mount(writer, "bind", "/dev/shm", "/dev/shm", 0, MS_PRIVATE | MS_REC)
    ordered = sorted(launch.mounts, key=lambda m: m.destination.rstrip("/").count("/"))
    etc = [point for point in ordered if point.destination.rstrip("/") == "/etc"]
    for point in etc:  # else it would hide the three files
        _user_mount(writer, point, bool(users))
    for name, target in (("resolv.conf", "/etc/resolv.conf"), ("hostname", "/etc/hostname"), ("hosts", "/etc/hosts")):
        if target not in user_targets:
            _add_mount(writer, "bind", f"{launch.directory}/{name}", target, 0, MS_PRIVATE | MS_REC, kind="file")
            if users:
                writer.add("idmap", True)
    for point in ordered:
        if point not in etc:
            _user_mount(writer, point, bool(users))


def _user_mount(writer: RecordWriter, point: MountPoint, mapped: bool) -> None:
    """mapped: a volume's files keep the container's own ids; those of the host stay what they are, nobody's inside."""
    if point.type not in ("bind", "volume"):
        _file_system(writer, point)
        return
    propagation = _PROPAGATION.get(point.propagation)
    if propagation is None:
        raise InvalidArgument(f"invalid mount propagation {point.propagation!r} for {point.destination}")
    words, _, subpath = point.options.partition("subpath=")
    given = words.split(",")
    flags = defaults.MS_RDONLY if point.read_only else 0
    if "nonrecursive" not in given:
        flags |= MS_REC
    _add_mount(
        writer, "bind", point.source, point.destination, flags, propagation, kind="file" if "file" in given else "dir"
    )
    if mapped and point.type == "volume":
        writer.add("idmap", True)
    if "ro-nonrecursive" in given:
        writer.add("readonly-top", True)
    if subpath:
        writer.add("subpath", subpath)


def _file_system(writer: RecordWriter, point: MountPoint) -> None:
    """A tmpfs, or a volume with a file system of its own: what is about the mount goes into its flags."""
    flags, words = defaults.TMPFS_FLAGS if point.type == "tmpfs" else 0, []
    for word in filter(None, point.options.split(",")):
        if word in _MOUNT_WORDS:
            flags |= _MOUNT_WORDS[word]
            if word == "ro" and point.type != "tmpfs":
                words.append(word)  # else the file system would replay its journal
        elif word in _MOUNT_CLEAR:
            flags &= ~_MOUNT_CLEAR[word]
        else:
            words.append(word)
    if point.read_only:
        flags |= defaults.MS_RDONLY
    _add_mount(writer, point.type, point.source or point.type, point.destination, flags, data=",".join(words))


def _confinement(writer: RecordWriter, launch: Launch, privileged: bool) -> None:
    host = launch.host_config
    for device in defaults.DEVICES:
        writer.add(
            "device",
            f"{device.type} {device.major} {device.minor} {device.mode:o} {device.uid} {device.gid} {device.path}",
        )
    for line in host.get("DeviceNodes") or ():
        writer.add("device", line)
    masked, read_only = host.get("MaskedPaths"), host.get("ReadonlyPaths")
    if masked is None:
        masked = () if privileged else defaults.masked_paths()
    if read_only is None:
        read_only = () if privileged else defaults.READONLY_PATHS
    writer.add_all("masked", masked)
    writer.add_all("readonly-path", read_only)
    private_net = launch.network_namespace == "private"
    asked = tuple((str(k), str(v)) for k, v in (host.get("Sysctls") or {}).items())
    for key, value in defaults.sysctls(
        asked, private_network=private_net, private_ipc=launch.ipc_namespace == "private",
        user_namespace=launch.rootless or bool(userns.maps(host)[0]),
    ):  # fmt: skip
        writer.add("sysctl", f"{key}={value}")
    mask = defaults.capability_mask(
        host.get("CapAdd") or (), host.get("CapDrop") or (), privileged=privileged,
        available=launch.capabilities_available,
    )  # fmt: skip
    writer.add("caps", f"{mask:x}")
    options = host.get("SecurityOpt") or ()
    nnp = any(o in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true") for o in options)
    writer.add("no-new-privs", nnp)
    writer.add("seccomp", launch.seccomp)
    writer.add("apparmor", launch.apparmor)


def _cgroup(writer: RecordWriter, plan: CgroupPlan) -> None:
    writer.add("cgroup-mode", plan.mode)
    writer.add("ns-cgroup", plan.namespace)
    for key, value in plan.pairs:
        writer.add(key, value)
    if plan.memory:
        writer.add("cgroup-memory", plan.memory)
    writer.add_all("device-rule", plan.device_rules)


def _network(writer: RecordWriter, launch: Launch) -> None:
    writer.add("ns-pid", launch.pid_namespace)
    writer.add("ns-ipc", launch.ipc_namespace)
    writer.add("ns-net", launch.network_namespace)
    writer.add_all("user-network", launch.user_network)
    for interface in launch.interfaces:
        writer.add("interface", interface.name)
        writer.add("bridge", interface.bridge)
        writer.add("veth", interface.veth)
        writer.add_all("address", interface.addresses)
        writer.add_all("gateway", interface.gateways)
        writer.add("mac", interface.mac)
        writer.add("mtu", interface.mtu)
        if interface.driver:
            writer.add("driver", interface.driver)
            writer.add("mode", interface.mode)
        if interface.isolated:
            writer.add("isolated", interface.isolated)
    address, address6 = launch.published
    if launch.interfaces:
        writer.add("nft-table", launch.nft_table)
        writer.add_all("restore", launch.restore)
    for port in launch.ports:
        writer.add("port", port.protocol)
        writer.add("host-ip", port.host_ip)
        writer.add("host-port", port.host_port)
        writer.add("container-port", port.container_port)
        writer.add("address", address)
        if address6:
            writer.add("address6", address6)


def _process(writer: RecordWriter, launch: Launch, config: Mapping[str, Any], host: Mapping[str, Any]) -> None:
    writer.add("user", str(config.get("User") or ""))
    writer.add_all("group-add", host.get("GroupAdd") or ())
    writer.add_all("arg", command_line(config))
    writer.add_all("env", environment(config, str(config.get("Hostname") or ""), host.get("LinkEnv") or ()))
    writer.add("cwd", str(config.get("WorkingDir") or "") or "/")
    writer.add("umask", "22")
    writer.add("tty", bool(config.get("Tty")))
    rows, columns = launch.tty_size
    writer.add("rows", rows)
    writer.add("cols", columns)
    writer.add("stdin", bool(config.get("OpenStdin")))
    writer.add("stdin-once", bool(config.get("StdinOnce")))
    given = {str(limit["Name"]).lower(): limit for limit in host.get("Ulimits") or ()}
    for name, limit in given.items():
        writer.add("rlimit", f"{name} {limit['Soft']} {limit['Hard']} user")
    writer.add("oom-score-adj", int(host.get("OomScoreAdj") or 0))
    writer.add("init", bool(host.get("Init")))


def _policy(writer: RecordWriter, launch: Launch, host: Mapping[str, Any]) -> None:
    log = host.get("LogConfig") or {}
    options = log.get("Config") or {}
    writer.add("log-driver", "none" if log.get("Type") == "none" else "file")
    writer.add("log-max-size", _size(str(options.get("max-size") or "10m")))
    writer.add("log-max-file", int(options.get("max-file") or 3))
    writer.add("stop-signal", stop_signal(launch.config))
    policy = host.get("RestartPolicy") or {}
    writer.add("restart-policy", str(policy.get("Name") or "no"))
    writer.add("restart-max", int(policy.get("MaximumRetryCount") or 0))
    writer.add("auto-remove", bool(host.get("AutoRemove")))
    writer.add_all("reap", launch.reap)
    if launch.bound:
        writer.add("bound", launch.bound)
    check = health.check_of(launch.config)
    if check is not None:
        writer.add_all("health", check.command)
        for key, value in (
            ("interval", check.interval), ("timeout", check.timeout), ("start-period", check.start_period),
            ("start-interval", check.start_interval), ("retries", check.retries),
        ):  # fmt: skip
            writer.add("health-" + key, value)


def _size(text: str) -> int:
    """A log size such as 10m; -1 means no limit."""
    if text == "-1":
        return -1
    units = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    number = text.lower().removesuffix("b")
    factor = units.get(number[-1:], 1)
    digits = number[:-1] if factor > 1 else number
    if not digits.isdigit():
        raise InvalidArgument(f"invalid log max-size {text!r}: write a number with k, m or g, or -1 for no limit")
    return int(digits) * factor
