"""Control groups: one interface, with cgroup v2 or the older v1 hierarchies (pure or hybrid) behind it.

Every container has one directory (v2) or one per hierarchy (v1) below the instance's parent, `tuidock-INSTANCE`, so
that a sweep finds everything that is ours and nothing else. The shim creates and removes the container's directories;
the parent is prepared here because a cpuset of v1 and the controllers of v2 have to be handed down before.
"""

from __future__ import annotations

import os
import time

from tuidock.engine import rootless
from tuidock.engine.errors import SystemFailure, Unsupported
from tuidock.engine.named import Named
from tuidock.engine.runtime import cgroup_files as files
from tuidock.engine.runtime import cgroup_settings
from tuidock.engine.runtime.cgroup_settings import Setting, as_record
from tuidock.engine.runtime.defaults import DeviceRule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Final

    from tuidock.engine.instance import Instance

__all__ = ["Cgroups", "Setting", "Usage", "as_record", "cgroups_of", "detect"]

ROOT: Final = "/sys/fs/cgroup"
_SIGKILL: Final = 9
_V1_CONTROLLERS: Final = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "name=systemd")
_V2_CONTROLLERS: Final = ("cpu", "cpuset", "io", "memory", "pids")
#: v1 says "no limit" with the largest number of whole pages.
_NO_LIMIT: Final = 1 << 60


#: What no container gets without control groups, as docker's HostConfig and as the command line call it.
_LIMITS: Final = (
    ("Memory", "--memory"), ("MemorySwap", "--memory-swap"), ("MemoryReservation", "--memory-reservation"),
    ("NanoCpus", "--cpus"), ("CpuQuota", "--cpu-quota"), ("CpuShares", "--cpu-shares"), ("CpusetCpus", "--cpuset-cpus"),
    ("CpusetMems", "--cpuset-mems"), ("PidsLimit", "--pids-limit"), ("BlkioWeight", "--blkio-weight"),
    ("DeviceCgroupRules", "--device-cgroup-rule"),
)  # fmt: skip


class Usage(Named):
    """What a container uses now; limits 0 = none."""

    cpu_ns: int
    memory: int
    memory_limit: int
    pids: int
    pids_limit: int
    block_read: int
    block_write: int
    throttled_ns: int


def detect(instance: str, root: str = ROOT, mounts: str = "/proc/self/mounts") -> Cgroups:
    """What this machine has. A unified hierarchy beside v1 ones (hybrid) has no controllers of use and counts as v1."""
    if root == ROOT and rootless.is_active():
        from tuidock.engine.runtime import delegation

        base = delegation.base_of(root)
        return Cgroups(instance, {"": base} if base else {})
    if os.path.exists(f"{root}/cgroup.controllers"):
        return Cgroups(instance, {"": root})
    hierarchies: dict[str, str] = {}
    with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            fields = line.split(" ")
            if fields[2] != "cgroup":
                continue
            for option in fields[3].split(","):
                if option in _V1_CONTROLLERS:
                    hierarchies.setdefault(option, fields[1])
    if not hierarchies:
        raise SystemFailure(
            f"no cgroups are mounted at {root}; mount them (mount -t cgroup2 none {root}) to run containers"
        )
    return Cgroups(instance, hierarchies)


def cgroups_for_start(instance: Instance) -> Cgroups:
    """Those that a container which is started now can be put into: without root perhaps none."""
    found = cgroups_of(instance)
    if instance.rootless and found.version == 2:
        from tuidock.engine.runtime import delegation

        if not delegation.may_be_joined(found.base, ROOT):
            return Cgroups(instance.id, {})
    return found


def cgroups_of(instance: Instance) -> Cgroups:
    """Those of an instance, with the parents that --cgroup-parent has given to some containers."""
    found = detect(instance.id)
    parents = instance.paths.run + "/cgroup-parents"
    return found.with_parents(parents) if os.path.isdir(parents) else found


class Cgroups:
    """The control groups of one instance. `hierarchies` maps v1 controllers to mount points, or "" to that of v2.

    A container may have been given a group of somebody else's to lie in: then ours is below that one. Which one says a
    file with the container's id in a directory of the instance, "" when no container has.
    """

    __slots__ = ("_hierarchies", "_parents", "_usable", "parent", "version")

    def __init__(self, instance: str, hierarchies: Mapping[str, str]) -> None:
        self.parent = f"tuidock-{instance}"
        self.version = 2 if "" in hierarchies else 1
        self._hierarchies = dict(hierarchies)
        self._parents = ""
        self._usable: frozenset[str] | None = None

    @property
    def base(self) -> str:
        """v2: the directory that the instance's parent lies in."""
        return self._hierarchies.get("", "")

    # --- where

    def with_parents(self, directory: str) -> Cgroups:
        self._parents = directory
        return self

    def _place(self, container_id: str) -> str:
        """The container's directory within a hierarchy."""
        above = files.read(f"{self._parents}/{container_id}") if self._parents else ""
        return f"{above}{self.parent}/{container_id}"

    def lie_below(self, container_id: str, parent: str) -> None:
        """Puts a container that is about to start below another group (--cgroup-parent), which is made when missing.

        Raises SystemFailure. Call it before everything else that is about this start.
        """
        above = parent.strip("/") + "/"
        place = f"{self._parents}/{container_id}"
        if files.read(place) != above:
            with open(place, "w") as file:
                file.write(above)
        levels = (above + self.parent).split("/")
        for mount in set(self._hierarchies.values()):
            for count in range(1, len(levels) + 1):
                self._pass_on(f"{mount}/{'/'.join(levels[: count - 1])}".rstrip("/"), levels[count - 1])

    def _pass_on(self, upper: str, name: str) -> None:
        """One level of the way: what has to be handed down before a container can live below it."""
        directory = f"{upper}/{name}"
        try:
            os.makedirs(directory, exist_ok=True)
            if os.path.exists(f"{directory}/cpuset.mems") and self.version == 1:
                files.write(f"{directory}/cgroup.clone_children", "1")
                for file in ("cpuset.cpus", "cpuset.mems"):
                    if not files.read(f"{directory}/{file}").strip():
                        files.write(f"{directory}/{file}", files.read(f"{upper}/{file}").strip())
        except OSError as error:
            raise SystemFailure(f"cannot prepare the control group {directory}: {error.strerror}") from error
        if self.version == 2:
            for controller in set(files.read(f"{upper}/cgroup.controllers").split()) & set(_V2_CONTROLLERS):
                files.try_write(f"{upper}/cgroup.subtree_control", f"+{controller}")
                files.try_write(f"{directory}/cgroup.subtree_control", f"+{controller}")

    def forget(self, container_id: str) -> None:
        """A container has gone for good: where it lay is said no more, and our group there goes when it was the last."""
        above = files.read(f"{self._parents}/{container_id}") if self._parents else ""
        if not above:
            return
        for mount in set(self._hierarchies.values()):
            try:
                os.rmdir(f"{mount}/{above}{self.parent}")
            except OSError:
                pass  # others of ours lie there, or somebody has taken it away
        os.unlink(f"{self._parents}/{container_id}")

    def directories(self, container_id: str) -> tuple[str, ...]:
        """Every directory of a container, each once (hierarchies may hold several controllers)."""
        place = self._place(container_id)
        return tuple(dict.fromkeys(f"{mount}/{place}" for mount in self._hierarchies.values()))

    def directory(self, controller: str, container_id: str) -> str:
        """The container's directory with the files of a controller, named as in v1; "" when there is none."""
        mount = self._hierarchies.get("" if self.version == 2 else controller, "")
        return mount and f"{mount}/{self._place(container_id)}"

    def binds(self, container_id: str) -> list[tuple[str, str]]:
        """v1: (name below /sys/fs/cgroup, directory of the host) of what a container may look at."""
        if self.version == 2:
            return []
        binds: dict[str, str] = {}
        place = self._place(container_id)
        for controller, mount in self._hierarchies.items():
            here = f"{mount}/{place}"
            binds.setdefault(os.path.basename(mount), here)
            binds.setdefault(controller.removeprefix("name="), here)
        return list(binds.items())

    # --- before a start

    def prepare(self) -> None:
        """Make the instance's parent ready; costs one read when it already is."""
        if self._usable is not None:
            return
        if self.version == 2:
            self._usable = self._prepare_v2(self._hierarchies[""])
            return
        if mount := self._hierarchies.get("cpuset"):
            self._prepare_cpuset(mount)
        self._usable = frozenset(self._hierarchies)

    def _prepare_cpuset(self, mount: str) -> None:
        # a cpuset of v1 starts without CPUs and nothing can join it; clone_children lets the containers inherit
        parent = f"{mount}/{self.parent}"
        if files.read(f"{parent}/cpuset.mems").strip():
            return
        try:
            os.makedirs(parent, exist_ok=True)
            files.write(f"{parent}/cgroup.clone_children", "1")
            for name in ("cpuset.cpus", "cpuset.mems"):
                files.write(f"{parent}/{name}", files.read(f"{mount}/{name}").strip())
        except OSError as error:
            raise SystemFailure(f"cannot prepare the control group {parent}: {error.strerror}") from error

    def _prepare_v2(self, root: str) -> frozenset[str]:
        parent = f"{root}/{self.parent}"
        wanted = set(files.read(f"{root}/cgroup.controllers").split()) & set(_V2_CONTROLLERS)
        enabled = set(files.read(f"{parent}/cgroup.subtree_control").split())
        if wanted <= enabled:
            return frozenset(wanted)
        try:
            os.makedirs(parent, exist_ok=True)
        except OSError as error:
            raise SystemFailure(f"cannot create the control group {parent}: {error.strerror}") from error
        for directory in (root, parent):
            have = set(files.read(f"{directory}/cgroup.subtree_control").split())
            for controller in sorted(wanted - have):
                try:
                    # one by one: a controller that cannot be had (EBUSY in a nested namespace) must not cost the others
                    files.write(f"{directory}/cgroup.subtree_control", f"+{controller}")
                except OSError:
                    wanted.discard(controller)
        return frozenset(wanted)

    def settings(
        self, container_id: str, resources: Mapping[str, Any], rules: Iterable[DeviceRule] = ()
    ) -> list[Setting]:
        """What the shim writes for docker's HostConfig. On v2 the rules are not here but go into the record."""
        if self.version == 2:
            self.prepare()
            return cgroup_settings.v2(self.directory("", container_id), self._usable or (), resources)
        directories = {name: self.directory(name, container_id) for name in self._hierarchies}
        return cgroup_settings.v1(directories, resources, rules)

    def verify(self, resources: Mapping[str, Any]) -> None:
        """Refuse CPUs and memory nodes that this machine has not got."""
        if not self._hierarchies and (asked := [flag for key, flag in _LIMITS if resources.get(key)]):
            raise Unsupported(
                f"cannot limit with {', '.join(asked)}: without root that takes a control group that systemd delegates (on a "
                "machine with cgroup v2, `systemd-run --user --scope tuidock ...`); leave it out or run as root"
            )
        if not any(resources.get(key) for key in ("NanoCpus", "CpusetCpus", "CpusetMems")):
            return
        online, nodes = files.read("/sys/devices/system/cpu/online"), files.read("/sys/devices/system/node/online")
        cgroup_settings.verify(resources, online.strip(), nodes.strip() or "0")

    # --- a living container

    def pids(self, container_id: str) -> list[int]:
        """Every process in the container, nested control groups included."""
        found: list[int] = []
        for directory in self._tree(self._processes(container_id)):
            found += map(int, files.read(f"{directory}/cgroup.procs").split())
        return found

    def can_freeze(self, container_id: str) -> bool:
        """False for a container without a control group: one that was started without root."""
        directory = self._processes(container_id)
        return bool(directory) and (not rootless.is_active() or os.path.isdir(directory))

    def freeze(self, container_id: str, timeout: float = 10.0) -> None:
        """Stop every process where it is, and return when they stand still."""
        directory = self._processes(container_id)
        if not self.can_freeze(container_id):
            raise Unsupported(
                f"cannot pause container {container_id[:12]}: it has no control group that could stand still, as it was "
                "started without root"
            )
        try:
            if self.version == 2:
                files.write(f"{directory}/cgroup.freeze", "1")
                frozen = files.wait_event(directory, "frozen 1", timeout)
            else:
                frozen = files.freeze_v1(directory, timeout)
        except OSError as error:
            raise SystemFailure(f"cannot pause container {container_id[:12]}: {error.strerror}") from error
        if not frozen:
            self.thaw(container_id)
            raise SystemFailure(
                f"cannot pause container {container_id[:12]}: its processes did not stop in {timeout:g} s"
            )

    def thaw(self, container_id: str) -> None:
        """Let the processes go on."""
        directory = self._processes(container_id)
        try:
            if self.version == 2:
                files.write(f"{directory}/cgroup.freeze", "0")
            else:
                files.write(f"{directory}/freezer.state", "THAWED")
        except OSError as error:
            raise SystemFailure(f"cannot unpause container {container_id[:12]}: {error.strerror}") from error

    def loosen(self, container_id: str) -> None:
        """Let the processes go on if they stand still, so that a signal arrives; one without a group is left alone."""
        try:
            if self.frozen(container_id):
                self.thaw(container_id)
        except (OSError, SystemFailure):
            pass  # it has ended meanwhile, or has no control group that could stand still

    def frozen(self, container_id: str) -> bool:
        directory = self._processes(container_id)
        if self.version == 2:
            return files.read(f"{directory}/cgroup.freeze").strip() == "1"
        return files.read(f"{directory}/freezer.state").strip() in ("FROZEN", "FREEZING")

    def kill_all(self, container_id: str, timeout: float = 10.0) -> bool:
        """SIGKILL to everything in the container; True when nothing lives in it any more."""
        if self.version == 2 and files.try_write(f"{self._processes(container_id)}/cgroup.kill", "1"):
            return files.wait_gone(self.pids(container_id), timeout)
        deadline = time.monotonic() + timeout
        while victims := self.pids(container_id):
            # frozen, nobody can fork faster than it is killed
            directory = self._processes(container_id)
            stopped = self.version == 1 and files.try_write(f"{directory}/freezer.state", "FROZEN")
            for pid in self.pids(container_id):
                try:
                    os.kill(pid, _SIGKILL)
                except ProcessLookupError:
                    pass
            if stopped:
                files.try_write(f"{directory}/freezer.state", "THAWED")
            left = deadline - time.monotonic()
            if left <= 0 or not files.wait_gone(victims, left):
                return False
        return True

    def oom_kills(self, container_id: str) -> int:
        """How many processes the kernel has killed in it for want of memory."""
        directory = self.directory("memory", container_id)
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        return files.keyed(files.read(f"{directory}/{name}"), "oom_kill")

    def sample(self, container_id: str) -> Usage | None:
        """What the container uses now; None when it has no control groups (any more)."""
        return self._sample_v2(container_id) if self.version == 2 else self._sample_v1(container_id)

    def _sample_v1(self, container_id: str) -> Usage | None:
        end = f"/{self._place(container_id)}/"
        memory, cpuacct, cpu, pids, blkio = (
            self._hierarchies.get(name, "") + end for name in ("memory", "cpuacct", "cpu", "pids", "blkio")
        )
        usage = files.glance(memory + "memory.usage_in_bytes")
        if not usage:
            return None
        inactive = files.keyed(files.glance(memory + "memory.stat"), "total_inactive_file")
        limit = files.number(files.glance(memory + "memory.limit_in_bytes"))
        read, written = files.transferred_v1(files.read(blkio + "blkio.throttle.io_service_bytes_recursive"))
        return Usage(
            files.number(files.glance(cpuacct + "cpuacct.usage")),
            max(int(usage) - inactive, 0),
            0 if limit >= _NO_LIMIT else limit,
            files.number(files.glance(pids + "pids.current")),
            files.number(files.glance(pids + "pids.max")),
            read,
            written,
            files.keyed(files.glance(cpu + "cpu.stat"), "throttled_time"),
        )

    def _sample_v2(self, container_id: str) -> Usage | None:
        directory = self._processes(container_id)
        cpu = files.glance(f"{directory}/cpu.stat")
        if not cpu:
            return None
        inactive = files.keyed(files.glance(f"{directory}/memory.stat"), "inactive_file")
        read, written = files.transferred_v2(files.read(f"{directory}/io.stat"))
        return Usage(
            files.keyed(cpu, "usage_usec") * 1000,
            max(files.number(files.glance(f"{directory}/memory.current")) - inactive, 0),
            files.number(files.glance(f"{directory}/memory.max")),
            files.number(files.glance(f"{directory}/pids.current")),
            files.number(files.glance(f"{directory}/pids.max")),
            read,
            written,
            files.keyed(cpu, "throttled_usec") * 1000,
        )

    # --- the end

    def containers(self) -> set[str]:
        """The ids that have a directory anywhere below the parent; for sweeps."""
        found: set[str] = set()
        for mount in set(self._hierarchies.values()):
            found.update(name for name in files.children(f"{mount}/{self.parent}") if len(name) == 64)
        if self._parents:
            given = (name for name in os.listdir(self._parents) if len(name) == 64)
            found.update(name for name in given if any(os.path.isdir(path) for path in self.directories(name)))
        return found

    def remove(self, container_id: str, timeout: float = 5.0) -> None:
        """Remove the container's directories; whatever still lives in them keeps them and is named."""
        deadline = time.monotonic() + timeout
        for top in self.directories(container_id):
            for directory in reversed(self._tree(top)):
                if not files.remove_directory(directory, deadline):
                    who = files.read(f"{directory}/cgroup.procs").split()
                    raise SystemFailure(
                        f"cannot remove the control group {directory}: processes {' '.join(who)} live in it"
                    )

    def remove_parent(self) -> None:
        """Remove the instance's parent when nothing is in it any more."""
        for container_id in os.listdir(self._parents) if self._parents else ():
            self.forget(container_id)
        for mount in set(self._hierarchies.values()):
            for directory in reversed(self._tree(f"{mount}/{self.parent}")):
                files.remove_directory(directory, time.monotonic() + 1)
        self._usable = None

    def _processes(self, container_id: str) -> str:
        if not self._hierarchies:
            return ""
        for controller in ("freezer", "pids", "memory"):
            if directory := self.directory(controller, container_id):
                return directory
        return self.directories(container_id)[0]

    def _tree(self, directory: str) -> list[str]:
        """The directory and all below it, parents first."""
        found = [directory] if os.path.isdir(directory) else []
        for place in found:
            found += [f"{place}/{name}" for name in files.children(place)]
        return found
