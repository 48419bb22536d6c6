"""Docker's defaults for what a container's init process may see and do: mounts, devices, masks, capabilities.

Pure data with a little arithmetic, in one place because each line of it is a promise to images that were built against
docker. What a person asks for is laid over it by the runtime spec; nothing here touches a container.
"""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument, Unsupported
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_STRICTATIME: Final = 1 << 24

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHM_SIZE: Final = 64 << 20
#: Less than this and the init process cannot even exec.
MEMORY_MINIMUM: Final = 6 << 20
STOP_SIGNAL: Final = 15
STOP_TIMEOUT: Final = 10
TMPFS_FLAGS: Final = MS_NOSUID | MS_NODEV | MS_NOEXEC
TTY_GROUP: Final = 5


class Mount(Named):
    """A file system that is mounted at target; flags are MS_* bits, data is for the file system."""

    type: str
    source: str
    target: str
    flags: int
    data: str = ""


class Device(Named):
    """A node to make; type is b, c or p."""

    type: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int
    path: str

    def record(self) -> str:
        """`c 1 3 666 0 0 /dev/null`: the words of the launch record."""
        return f"{self.type} {self.major} {self.minor} {self.mode:o} {self.uid} {self.gid} {self.path}"


class DeviceRule(Named):
    """What the device cgroup lets through. type a, b or c; major and minor -1 mean any; access is made of r, w, m."""

    allow: bool
    type: str
    major: int
    minor: int
    access: str

    def numbers(self) -> str:
        """`c 1:3 rwm`: the words of devices.allow and devices.deny of cgroup v1."""
        return f"{self.type} {_number(self.major)}:{_number(self.minor)} {self.access}"

    def record(self) -> str:
        """`allow c 1 3 rwm`: the words of the launch record."""
        word = "allow" if self.allow else "deny"
        return f"{word} {self.type} {_number(self.major)} {_number(self.minor)} {self.access}"


def _number(value: int) -> str:
    return "*" if value < 0 else str(value)


def mounts(
    *, shm_size: int = SHM_SIZE, privileged: bool = False, shm: bool = True, tty_group: int | None = TTY_GROUP
) -> tuple[Mount, ...]:
    """The default mounts in their order. A privileged container gets sysfs and the cgroups writable.

    The mqueue shows the queues of whichever IPC namespace the container is in; shm False leaves /dev/shm to the caller.
    tty_group None leaves the group of terminals out, for user namespaces that do not map it.
    """
    hidden = MS_NOSUID | MS_NOEXEC | MS_NODEV
    read_only = 0 if privileged else MS_RDONLY
    pts = "newinstance,ptmxmode=0666,mode=0620" + ("" if tty_group is None else f",gid={tty_group}")
    wanted = [
        Mount("proc", "proc", "/proc", hidden),
        Mount("tmpfs", "tmpfs", "/dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"),
        Mount("devpts", "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, pts),
        Mount("sysfs", "sysfs", "/sys", hidden | read_only),
        Mount("cgroup", "cgroup", "/sys/fs/cgroup", hidden | read_only),
        Mount("mqueue", "mqueue", "/dev/mqueue", hidden),
    ]
    if shm:
        wanted.append(Mount("tmpfs", "shm", "/dev/shm", hidden, f"mode=1777,size={shm_size}"))
    return tuple(wanted)


DEVICES: Final = (
    Device("c", 1, 3, 0o666, 0, 0, "/dev/null"),
    Device("c", 1, 5, 0o666, 0, 0, "/dev/zero"),
    Device("c", 1, 7, 0o666, 0, 0, "/dev/full"),
    Device("c", 1, 8, 0o666, 0, 0, "/dev/random"),
    Device("c", 1, 9, 0o666, 0, 0, "/dev/urandom"),
    Device("c", 5, 0, 0o666, 0, 0, "/dev/tty"),
)

DEVICE_RULES: Final = (
    DeviceRule(False, "a", -1, -1, "rwm"),
    DeviceRule(True, "c", -1, -1, "m"),
    DeviceRule(True, "b", -1, -1, "m"),
    DeviceRule(True, "c", 1, 3, "rwm"),
    DeviceRule(True, "c", 1, 5, "rwm"),
    DeviceRule(True, "c", 1, 7, "rwm"),
    DeviceRule(True, "c", 1, 8, "rwm"),
    DeviceRule(True, "c", 1, 9, "rwm"),
    DeviceRule(True, "c", 5, 0, "rwm"),
    DeviceRule(True, "c", 5, 1, "rwm"),
    DeviceRule(True, "c", 5, 2, "rwm"),
    DeviceRule(True, "c", 136, -1, "rwm"),
)
PRIVILEGED_DEVICE_RULES: Final = (DeviceRule(True, "a", -1, -1, "rwm"),)


def device_rules(extra: Iterable[DeviceRule] = (), *, privileged: bool = False) -> tuple[DeviceRule, ...]:
    """The rules in the order in which they are to be applied; later ones win."""
    if privileged:
        return PRIVILEGED_DEVICE_RULES
    return (*DEVICE_RULES, *extra)


def parse_device_rule(text: str) -> DeviceRule:
    """A `--device-cgroup-rule`: `c 10:229 rwm`."""
    words = text.split(" ")
    numbers = words[1].split(":") if len(words) == 3 else []
    valid = (
        len(words) == 3
        and len(numbers) == 2
        and words[0] in ("a", "b", "c")
        and all(n == "*" or (n.isascii() and n.isdigit() and len(n) <= 10) for n in numbers)
        and 1 <= len(words[2]) <= 3
        and not set(words[2]) - set("rwm")
    )
    if not valid:
        raise InvalidArgument(f"invalid device cgroup format '{text}': write it as in 'c 10:229 rwm'")
    major, minor = (-1 if n == "*" else int(n) for n in numbers)
    return DeviceRule(True, words[0], major, minor, words[2])


MASKED_PATHS: Final = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def masked_paths(cpu_directory: str = "/sys/devices/system/cpu") -> tuple[str, ...]:
    """MASKED_PATHS and, where they exist, the counters of CPU throttling, which tell about the neighbours."""
    throttle = "thermal_throttle"
    if not os.path.isdir(f"{cpu_directory}/cpu0/{throttle}"):
        return MASKED_PATHS
    cpus = sorted(int(n[3:]) for n in os.listdir(cpu_directory) if n.startswith("cpu") and n[3:].isdigit())
    return MASKED_PATHS + tuple(f"{cpu_directory}/cpu{cpu}/{throttle}" for cpu in cpus)


#: With a network namespace of their own, containers may open low ports and ping without a capability.
NETWORK_SYSCTLS: Final = (
    ("net.ipv4.ip_unprivileged_port_start", "0"),
    ("net.ipv4.ping_group_range", "0 2147483647"),
)

_IPC_SYSCTLS: Final = frozenset(
    "kernel." + name for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)


def sysctls(
    asked: Iterable[tuple[str, str]] = (),
    *,
    private_network: bool = True,
    private_ipc: bool = True,
    user_namespace: bool = False,
) -> tuple[tuple[str, str], ...]:
    """Default and asked-for sysctls; an asked-for one must belong to a namespace of the container."""
    values: dict[str, str] = {}
    if private_network:
        values.update((k, v) for k, v in NETWORK_SYSCTLS if not (user_namespace and k.endswith("ping_group_range")))
    for key, value in asked:
        name = key.replace("/", ".")
        if name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
            allowed, namespace = private_ipc, "IPC"
        elif name.startswith("net."):
            allowed, namespace = private_network, "network"
        elif name in ("kernel.domainname", "kernel.hostname"):
            raise InvalidArgument(f"sysctl '{key}' is set with --domainname or --hostname instead")
        else:
            raise InvalidArgument(f"sysctl '{key}' is not allowed: it belongs to the whole machine")
        if not allowed or ".." in name:
            raise InvalidArgument(f"sysctl '{key}' is not allowed with the {namespace} namespace of the host")
        values[name] = value
    return tuple(values.items())


_NAMES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
_DEFAULT_NAMES = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE"
)
#: Index = number in linux/capability.h.
CAPABILITIES: Final = tuple("CAP_" + name for name in _NAMES.split())
DEFAULT_CAPABILITIES: Final = tuple("CAP_" + name for name in _DEFAULT_NAMES.split())


def mask_of(names: Iterable[str]) -> int:
    mask = 0
    for name in names:
        mask |= 1 << CAPABILITIES.index(name)
    return mask


def names_of(mask: int) -> tuple[str, ...]:
    return tuple(name for number, name in enumerate(CAPABILITIES) if mask >> number & 1)


DEFAULT_CAPABILITY_MASK: Final = mask_of(DEFAULT_CAPABILITIES)


def normalise_capabilities(names: Sequence[str]) -> list[str]:
    """Upper case with the CAP_ prefix; "ALL" stays; an unknown one is refused."""
    normal = []
    for given in names:
        name = given.upper()
        if name in ("ALL", "CAP_ALL"):
            normal.append("ALL")
            continue
        if not name.startswith("CAP_"):
            name = "CAP_" + name
        if name not in CAPABILITIES:
            raise InvalidArgument(f'unknown capability: "{given}"')
        normal.append(name)
    return normal


def capability_mask(
    add: Sequence[str] = (), drop: Sequence[str] = (), *, privileged: bool = False, available: int = -1
) -> int:
    """The bits of the bounding, permitted and effective sets of a container's init process.

    `available` is what this process has itself (-1: everything). Sets that nobody spelled out (the default, ALL,
    --privileged) shrink to it silently; a capability that was named and is missing is an error.
    """
    everything = (1 << len(CAPABILITIES)) - 1
    ceiling = everything if available < 0 else available & everything
    if privileged:
        return ceiling
    added, dropped = normalise_capabilities(add), normalise_capabilities(drop)
    named = mask_of(name for name in added if name != "ALL")
    removed = mask_of(name for name in dropped if name != "ALL")
    if "ALL" in added:
        return ceiling & ~removed
    if missing := named & ~ceiling:
        names = ", ".join(names_of(missing))
        raise Unsupported(f"--cap-add {names}: tuidock itself runs without it and cannot pass it on")
    if "ALL" in dropped:
        return named
    return (DEFAULT_CAPABILITY_MASK & ~removed & ceiling) | named


def available_capabilities(status: str = "/proc/self/status") -> int:
    """The capabilities that this process may pass on: permitted and not taken from its bounding set."""
    mask = (1 << len(CAPABILITIES)) - 1
    with open(status, "rb") as lines:
        for line in lines:
            if line.startswith((b"CapPrm:", b"CapBnd:")):
                mask &= int(line.split()[1], 16)
    return mask
