"""`system doctor`: what this machine lacks to run containers well, and how to get it. It needs no data root.

Each line is about one thing that somebody would otherwise learn of from an error in the middle of something else. What
can be tried without leaving anything is tried (an overlay in a directory of its own, nft), the rest is read from files
of the kernel. Nothing is changed.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import tempfile

from tuidock import native
from tuidock.engine.errors import EngineError
from tuidock.engine.options.platforms import architecture_of
from tuidock.engine.paths import Paths
from tuidock.engine.system import doctor_network, doctor_users, kernel_options
from tuidock.engine.system.remedies import PATH, install
from tuidock.engine.types import Finding
from tuidock.engine.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

#: By the system calls that are used: mount_setattr and overlay by descriptor.
_OLDEST: Final = (5, 12)
_MACHINES: Final = ("x86_64", "aarch64")
#: Limits of control groups, and the flags that do nothing without their controller.
_CONTROLLERS: Final = {
    "cpu": "--cpus and --cpu-shares", "cpuset": "--cpuset-cpus", "io": "--blkio-weight and --device-read-bps",
    "memory": "--memory", "pids": "--pids-limit",
}  # fmt: skip
_V1_NAMES: Final = {"io": "blkio"}
_GOOD: Final = ("ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs")
#: Less room than this is soon used up by an image (bytes).
_LITTLE: Final = 2_000_000_000
#: Limits of inotify, the least and what is enough: a live view watches a dozen directories, editors and desktops share it.
_INOTIFY: Final = (("watches", 4096, 524288), ("instances", 32, 512))
_FEW_FILES: Final = 4096


def examine(root: str = "") -> Iterator[Finding]:
    """What there is to say, one finding for each thing; root "": the default data root of whoever asks."""
    paths = Paths(root or doctor_users.own_root())
    yield from _kernel()
    yield from kernel_options.examine()
    yield _program()
    yield from _storage(paths.root)
    yield from _groups()
    yield from _walls()
    yield from doctor_network.examine()
    yield from doctor_users.examine()
    yield from _limits()
    yield from _helpers()


def _kernel() -> Iterator[Finding]:
    system = os.uname()
    version = tuple(int(part) for part in system.release.split("-")[0].split(".")[:2] if part.isdecimal())
    if version < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        yield Finding(
            "kernel", "fail", f"Linux {system.release} is too old, {wanted} is needed: install a newer kernel"
        )
    else:
        yield Finding("kernel", "ok", f"Linux {system.release}")
    if system.machine in _MACHINES:
        yield Finding("processor", "ok", architecture_of(system.machine))
    else:
        why = f"there is no table of system calls for {system.machine}, so nothing can be confined: use x86-64 or arm64"
        yield Finding("processor", "fail", why)


def _program() -> Finding:
    path = native.shim_path()
    if os.access(path, os.X_OK):
        return Finding("program", "ok", path)
    return Finding("program", "fail", f"{path}, which stays beside each container, is missing: install tuidock again")


# ---- storage ---------------------------------------------------------------------------------------------------------


def _storage(root: str) -> Iterator[Finding]:
    place = root
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    kind = filesystem_of(place)
    yield _overlay(root, place, kind)
    try:
        found = os.statvfs(place)
    except OSError as error:
        yield Finding("disk", "fail", f"cannot ask for the free space of {place}: {error.strerror}")
        return
    free, inodes = found.f_bavail * found.f_frsize, found.f_favail
    if free < _LITTLE:
        yield Finding(
            "disk", "warn", f"{human_size(free)} are free at {place}: see `tuidock system df` and `image prune`",
            "tuidock system df",
        )  # fmt: skip
    elif found.f_files and inodes < found.f_files // 50:
        yield Finding("disk", "warn", f"{inodes} inodes are free at {place}: remove small files, or use another disk")
    else:
        yield Finding("disk", "ok", f"{human_size(free)} are free at {place}")


def filesystem_of(place: str, mounts: str = "/proc/self/mountinfo") -> str:
    """The type of the file system that a directory lies on, as the kernel calls it."""
    wanted = os.stat(place).st_dev
    found = ""
    with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            before, _, after = line.partition(" - ")
            major, _, minor = before.split()[2].partition(":")
            at = before.split()[4].encode("ascii", "surrogateescape").decode("unicode_escape", "replace")
            inside = place == at or place.startswith(at.rstrip("/") + "/")
            if os.makedev(int(major), int(minor)) == wanted or (not found and inside):
                found = after.split()[0]
    return found


def _overlay(root: str, place: str, kind: str) -> Finding:
    if kind == "tmpfs":
        return Finding(
            "storage", "warn", f"{root} lies on tmpfs: all of it is gone after a reboot; choose a disk (--root)"
        )
    if os.geteuid() != 0:
        state = "ok" if kind in _GOOD else "warn"
        return Finding("storage", state, f"{root} lies on {kind}; only root can try whether overlay works there")
    why = _try_overlay(place)
    if not why:
        return Finding("storage", "ok", f"overlay works at {root} ({kind})")
    if kind == "overlay":
        advice = "each container gets a copy of its image: choose a directory on a disk with --root"
        return Finding("storage", "warn", f"{root} lies on an overlay itself, so {advice}")
    return Finding(
        "storage", "fail", f"overlay does not work at {root} ({kind}): {why}; use ext4, xfs or btrfs (--root)"
    )


def _try_overlay(place: str) -> str:
    """Mounts one that nobody sees and lets it go; says why that failed, "" when it went well."""
    from tuidock.engine.build import merging

    try:
        directory = tempfile.mkdtemp(prefix=".tuidock-doctor-", dir=place)
    except OSError as error:
        return f"{place} cannot be written ({error.strerror})"
    try:
        lower, upper, work = (f"{directory}/{name}" for name in ("lower", "upper", "work"))
        for path in (lower, upper, work):
            os.mkdir(path)
        with open(f"{lower}/file", "w"):
            pass
        root = merging.open_writable((lower,), upper, work)
        try:
            os.unlink("file", dir_fd=root)  # a whiteout, which not every file system can hold
        finally:
            os.close(root)
    except (OSError, EngineError) as error:
        return str(error.strerror if isinstance(error, OSError) else error)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return ""


# ---- control groups, walls, limits -----------------------------------------------------------------------------------


def _groups(root: str = "/sys/fs/cgroup", known: str = "/proc/cgroups") -> Iterator[Finding]:
    unified = f"{root}/cgroup.controllers"
    if os.path.exists(unified):
        with open(unified, encoding="ascii") as file:
            yield _controllers("version 2", set(file.read().split()), "turn them on at boot (cgroup_enable=NAME)")
        return
    mounted = {name for name in (*_CONTROLLERS, "blkio", "freezer", "devices") if os.path.isdir(f"{root}/{name}")}
    if not mounted:
        remedy = f"mount -t cgroup2 none {root}"
        yield Finding("cgroups", "fail", f"no control groups are mounted: {remedy}", remedy)
        return
    has = {name for name in _CONTROLLERS if _V1_NAMES.get(name, name) in mounted}
    yield _controllers("version 1", has, f"mount their hierarchies below {root}")
    for name, lost in (
        ("freezer", "`pause` does not work"),
        ("devices", "containers may use every device they can make"),
    ):
        if name not in mounted:
            yield Finding("cgroups", "warn", f"the hierarchy {name} is not mounted: {lost}")
    if "memory" in mounted and not os.path.exists(f"{root}/memory/memory.memsw.limit_in_bytes"):
        yield Finding("cgroups", "warn", "swap is not counted, so --memory-swap does nothing: boot with swapaccount=1")


def _controllers(version: str, has: set[str], advice: str) -> Finding:
    missing = [name for name in _CONTROLLERS if name not in has]
    if not missing:
        return Finding("cgroups", "ok", f"{version} with {', '.join(_CONTROLLERS)}")
    lost = ", ".join(_CONTROLLERS[name] for name in missing)
    return Finding("cgroups", "warn", f"{version} without {', '.join(missing)}: {lost} do nothing; {advice}")


def _walls() -> Iterator[Finding]:
    if os.path.exists("/proc/sys/kernel/seccomp/actions_avail"):
        yield Finding("seccomp", "ok", "system calls of containers are filtered")
    else:
        yield Finding("seccomp", "fail", "the kernel has no seccomp filters: use one with CONFIG_SECCOMP_FILTER")
    from tuidock.engine.runtime import apparmor

    if not apparmor.is_enabled():
        yield Finding("apparmor", "ok", "not in this kernel; containers are confined by seccomp and capabilities")
    elif shutil.which("apparmor_parser", path=PATH) is None:
        why = "the kernel has it, but apparmor_parser is missing, so containers run without a profile: install apparmor"
        yield Finding("apparmor", "warn", why, install("apparmor"))
    else:
        yield Finding("apparmor", "ok", f"containers run under the profile {apparmor.DEFAULT}")
    if os.path.exists("/sys/fs/selinux/enforce"):
        yield Finding(
            "selinux", "warn", "it is on, but containers get no labels of their own: label=... is not applied"
        )


def _limits() -> Iterator[Finding]:
    values = {}
    for name, _, _ in _INOTIFY:
        with open(f"/proc/sys/fs/inotify/max_user_{name}", encoding="ascii") as file:
            values[name] = int(file.read())
    low = [f"fs.inotify.max_user_{name} is {values[name]}" for name, few, _ in _INOTIFY if values[name] < few]
    if low:
        remedy = "sysctl -w " + " ".join(
            f"fs.inotify.max_user_{name}={max(values[name], good)}" for name, _, good in _INOTIFY
        )
        yield Finding("inotify", "warn", f"{' and '.join(low)}: raise it with sysctl, or live views stop", remedy)
    else:
        yield Finding("inotify", "ok", f"{values['watches']} watches, {values['instances']} instances for each user")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 0 <= hard < _FEW_FILES:
        why = f"no process may have more than {hard} open files: raise the hard limit (ulimit -Hn, LimitNOFILE=)"
        yield Finding("open files", "warn", why)
    else:
        yield Finding("open files", "ok", "no limit" if hard < 0 else f"up to {hard} in a container")


def _helpers() -> Iterator[Finding]:
    if shutil.which("git"):
        yield Finding("git", "ok", "contexts of `build` may be repositories")
    else:
        why = "it is missing, so `build` cannot fetch a context from a repository: install git"
        yield Finding("git", "warn", why, install("git"))
    if shutil.which("busybox", path=PATH):
        yield Finding("busybox", "ok", "host/base gets its programs")
    else:
        why = "host/base has no httpd and nc without it: install busybox-static"
        yield Finding("busybox", "warn", why, install("busybox-static"))
    if platform.system() == "Linux" and os.path.isdir("/run/systemd/system"):
        enabled = os.path.lexists("/etc/systemd/system/multi-user.target.wants/tuidock.service")
        how = "`tuidock boot --install-unit`, then `systemctl enable tuidock`"
        remedy = "tuidock boot --install-unit && systemctl enable tuidock"
    else:
        enabled, remedy = False, "tuidock boot --unit"
        how = "let the init system call `tuidock boot`, as the unit does that `tuidock boot --unit` prints"
    if enabled:
        yield Finding("boot", "ok", "restart policies are applied after a reboot")
    else:
        yield Finding("boot", "warn", f"after a reboot no container starts by itself: {how}", remedy)
