"""One control group for everything that a run of the benchmark starts, so that nothing of it can stay behind.

All engines run inside a cgroup namespace whose root is this group. It is named after the pid of the outermost process:
what a killed run left is swept by the next one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import time

ROOT = "/sys/fs/cgroup"
PREFIX = "tuidock-bench-"
_CLONE_NEWCGROUP = 0x02000000


def hierarchies() -> list[tuple[str, str]]:
    """(directory, mount options) of each v1 hierarchy; of the single v2 one the options are empty."""
    with open("/proc/cgroups") as stream:
        known = {line.split()[0] for line in stream if not line.startswith("#")}
    found: dict[str, str] = {}
    with open("/proc/self/mountinfo") as stream:
        for line in stream:
            before, _, after = line.partition(" - ")
            where, (kind, _, options) = before.split()[4], after.split()[:3]
            if kind == "cgroup2" and where == ROOT:
                found[where] = ""
            elif kind == "cgroup":
                words = [word for word in options.split(",") if word in known]
                named = [word for word in options.split(",") if word.startswith("name=")]
                found[where] = ",".join([*(words or ["none"]), *named])
    return list(found.items())


def make(pid: int) -> None:
    for directory, _ in hierarchies():
        path = f"{directory}/{PREFIX}{pid}"
        os.makedirs(path, exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # a v1 cpuset takes no process before these are set
            if os.path.exists(f"{path}/tasks") and os.path.exists(f"{path}/{name}"):
                with open(f"{directory}/{name}") as source, open(f"{path}/{name}", "w") as target:
                    target.write(source.read())


def enter(pid: int) -> None:
    """Moves this process into the group and makes the group the root that it and its children see."""
    mounted = hierarchies()
    for directory, options in mounted:
        with open(f"{directory}/{PREFIX}{pid}/{'tasks' if options else 'cgroup.procs'}", "w") as stream:
            stream.write("0")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWCGROUP):
        raise OSError(ctypes.get_errno(), "unshare of the cgroup namespace")
    _remount(mounted)


def _remount(mounted: list[tuple[str, str]]) -> None:
    """A fresh /sys for this network namespace, with the cgroup hierarchies seen from the new root.

    The unified hierarchy that hybrid machines have beside the v1 ones is left out: crun refuses to run there, and it
    has no controllers that an engine could use.
    """

    def mount(*words: str) -> None:
        subprocess.run(["mount", *words], check=True)

    subprocess.run(["umount", "--recursive", "--lazy", "/sys"], check=True)
    mount("-t", "sysfs", "sysfs", "/sys")
    if mounted and not mounted[0][1]:
        mount("-t", "cgroup2", "cgroup2", ROOT)
        _make_room()
        return
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", ROOT)
    for directory, options in mounted:
        os.makedirs(directory, exist_ok=True)
        mount("-t", "cgroup", "-o", options, "cgroup", directory)
        for controller in options.split(",") if "," in options else ():
            link = f"{ROOT}/{controller}"
            if controller != "none" and "=" not in controller and not os.path.lexists(link):
                os.symlink(directory, link)


def _make_room() -> None:
    """A v2 group whose children have controllers holds no processes itself: this one moves to a leaf."""
    os.makedirs(f"{ROOT}/bench")
    with open(f"{ROOT}/bench/cgroup.procs", "w") as stream:
        stream.write("0")
    with open(f"{ROOT}/cgroup.controllers") as stream:
        controllers = stream.read().split()
    for controller in controllers:
        with contextlib.suppress(OSError), open(f"{ROOT}/cgroup.subtree_control", "w") as stream:
            stream.write(f"+{controller}")


def remove(pid: int) -> None:
    """Takes the group away. Its processes have ended, but the kernel may need a moment to forget them."""
    for directory, _ in hierarchies():
        top = f"{directory}/{PREFIX}{pid}"
        for _ in range(100):
            for path, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)
            if not os.path.exists(top):
                break
            time.sleep(0.05)


def sweep() -> None:
    """Groups of runs that were killed."""
    for directory, _ in hierarchies():
        for name in os.listdir(directory):
            pid = name.removeprefix(PREFIX)
            if name.startswith(PREFIX) and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
                remove(int(pid))
