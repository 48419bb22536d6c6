"""start: claims, files, launch record, shim - each with its undo, all under the container's lock."""

from __future__ import annotations

import os
import sys
import time

import tuidock
from tuidock.engine.containers import rootfs, wiring
from tuidock.engine.containers.creating import ImageView
from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.moves import move_lock, read_intent, status_of, wait_for_end, write_intent
from tuidock.engine.errors import EngineError, StartFailed, WrongState
from tuidock.engine.files import Undo, is_locked, refuse, write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.runtime import apparmor, defaults, seccomp, shim, spec
from tuidock.engine.runtime.cgroup import as_record, cgroups_for_start
from tuidock.engine.runtime.status import Status, read_pid, read_status
from tuidock.engine.types import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tuidock.engine.types import MountPoint

_ENOENT, _EINVAL = 2, 22
#: The container's whole root file system where overlay cannot be used.
_PLAIN = "/rootfs"
#: How long a start waits for the previous run's shim to clean up (s).
_SETTLE = 15
_PACKAGE_PARENT = os.path.dirname(os.path.dirname(os.path.abspath(tuidock.__file__)))


def start(
    instance: Instance, row: Container, image: ImageView, *, owner: int = -1, tty_size: tuple[int, int] = (0, 0),
    bound: bool = False,
) -> int:  # fmt: skip
    """Starts a container and returns the pid of its init process; 0 when it was running already.

    owner is a stream socket whose other end gets all output with back-pressure (SHIM contract in main.c); bound: the
    container is killed when that hangs up.
    Raises StartFailed (exit code 125, 126 or 127), PortTaken, WrongState, NotFound or SystemFailure; what was claimed is
    given back, and the failure stays readable in `inspect`.
    """
    began = time.monotonic_ns()
    config, host_config = request_of(instance, row.id)
    with move_lock(instance, row.id) as lock:
        state = _settled(instance, row.id)
        if state.status == "paused":
            raise WrongState(f"cannot start a paused container, try unpause instead: {row.name}")
        if state.status in ("running", "restarting"):
            return 0
        if read_intent(instance, row.id) == "remove":
            raise WrongState(f"container {row.name} is marked for removal and cannot be started")
        if state.needs_shim or state.orphaned:
            from tuidock.engine.containers.sweep import heal

            heal(instance, row.id, state)
        generation = time.time_ns() // 1_000_000  # tells this start's records from all others of the container
        with Undo() as undo:
            try:
                lower = rootfs.with_init_layer(instance.paths, image.top_chain_id, image.lower)
                place = wiring.prepare(instance, row, config, host_config)
                if place.warning:
                    instance.notices.append(place.warning)
                undo.add(wiring.release, instance, row, host_config)
                launch = plan_launch(instance, row, config, host_config, lower, place, generation, tty_size, began)
                pid = _launch(instance, launch._replace(bound=bound), lock, owner)
            except OSError as error:
                raise refuse(error, f"start container {row.name}") from error
            except EngineError as error:
                _remember(instance, row.id, str(error), 128 if error.exit_code in (1, 125) else error.exit_code)
                raise
            undo.keep()
        if row.error:
            _remember(instance, row.id, "", 0)
    return pid


def _settled(instance: Instance, container_id: str) -> Status:
    """The state when no shim is at the end of its work any more: the new one needs its lock."""
    deadline = time.monotonic() + _SETTLE
    while True:
        state = status_of(instance, container_id)
        ending = state.status == "exited" and is_locked(instance.paths.container_run(container_id) + "/shim.lock")
        if not ending or time.monotonic() > deadline:
            return state
        wait_for_end(instance, [container_id], 0.1)


def _launch(instance: Instance, launch: spec.Launch, lock: int, owner: int) -> int:
    """Writes the record and starts the shim, twice when somebody has flushed our nftables table meanwhile."""
    write_intent(instance, launch.id, f"run {launch.generation}")
    try:
        _write_record(launch)
        try:
            return shim.start(launch.directory, launch.run, lock=lock, owner=owner)
        except StartFailed as error:
            if (error.step, error.errno) == ("port", _ENOENT):
                wiring.restore_table(instance)
            elif (error.step, error.errno) == ("overlay", _EINVAL) and not launch.rootfs.plain:
                _write_record(launch._replace(rootfs=_plain_copy(instance, launch)))
            else:
                raise
        return shim.start(launch.directory, launch.run, lock=lock, owner=owner)
    except shim.NoAnswer:
        pid = _after_kill(instance, launch)
        if pid:
            return pid
        raise


def _write_record(launch: spec.Launch) -> None:
    write_atomic(launch.directory + "/record", spec.encode(launch), 0o600, durable=False)


def _plain_copy(instance: Instance, launch: spec.Launch) -> spec.Rootfs:
    """A container of its own copy of the image, for data roots on which overlay refuses to write (another overlay).

    Dear in time and space, so it is said in one sentence each time such a copy is made.
    """
    from tuidock.engine.store import copyup

    instance.notices.append(
        f"overlay cannot write below {instance.paths.root} (it lies on an overlay itself), so the container has a copy of "
        "its image; a data root on ext4, xfs, btrfs or tmpfs (--root) avoids that"
    )
    target = launch.directory + _PLAIN
    copyup.copy_image(launch.directory, launch.rootfs.lower, target)
    return spec.Rootfs((), "", "", target)


def _living(instance: Instance, row: Container) -> tuple[MountPoint, ...]:
    if not row.mounts:
        return ()
    from tuidock.engine.containers.living_mounts import living

    return living(instance, row.mounts)


def _after_kill(instance: Instance, launch: spec.Launch) -> int:
    """The shim was killed during the start. The pid when its recorder got the container to run, else 0 and no trace."""
    shim.adopt(launch.directory, launch.run)  # takes over what runs, clears away what does not
    state = read_status(instance.paths, launch.id)
    if state.status in ("running", "paused", "restarting"):
        return state.pid
    from tuidock.engine.containers.sweep import clean_kernel

    clean_kernel(instance, launch.id)
    try:
        os.unlink(launch.directory + "/.exit")
    except FileNotFoundError:
        pass
    return 0


def plan_launch(
    instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any],
    lower: tuple[str, ...], place: wiring.Wiring, generation: int, tty_size: tuple[int, int], began: int,
) -> spec.Launch:  # fmt: skip
    """Everything that the launch record of a container says, decided."""
    directory = instance.paths.container(row.id)
    privileged = bool(host_config.get("Privileged"))
    _told_labels(instance, host_config)
    available = defaults.available_capabilities()
    mask = defaults.capability_mask(
        host_config.get("CapAdd") or (), host_config.get("CapDrop") or (), privileged=privileged, available=available
    )
    return spec.Launch(
        id=row.id, name=row.name, image=row.image, instance=instance.id, generation=generation, directory=directory,
        run=instance.paths.container_run(row.id), journal=instance.paths.journal, config=config,
        host_config={
            **host_config, "LinkEnv": place.environment, "DeviceNodes": _device_nodes(host_config, privileged),
        },
        rootfs=_rootfs(directory, lower),
        mounts=_living(instance, row), interfaces=place.interfaces, network_namespace=place.namespace,
        published=(place.address, place.address6),
        ports=place.ports, nft_table="" if instance.rootless else instance.nft_table,
        cgroup=cgroup_plan(instance, row.id, host_config),
        seccomp=_seccomp(instance, host_config, mask, privileged),
        apparmor=apparmor.profile(
            host_config.get("SecurityOpt") or (), privileged=privileged, notices=instance.notices
        ),
        user_network=place.user_network, rootless=instance.rootless,
        tty_group_mapped=instance.idmap.gid(defaults.TTY_GROUP) >= 0,
        steps=(("image", 0), ("container", time.monotonic_ns() - began)),
        reap=_command(instance, "_reap", row.id), restore=_command(instance, "_rules"),
        capabilities_available=available, tty_size=tty_size,
        pid_namespace=_namespace(instance, host_config, "PidMode", "pid"),
        ipc_namespace=_namespace(instance, host_config, "IpcMode", "ipc"),
    )  # fmt: skip


def _rootfs(directory: str, lower: tuple[str, ...]) -> spec.Rootfs:
    if os.path.isdir(directory + _PLAIN):
        return spec.Rootfs((), "", "", directory + _PLAIN)
    return spec.Rootfs(lower, directory + "/upper", directory + "/work")


def _command(instance: Instance, *words: str) -> tuple[str, ...]:
    """A command for the shim, which runs it with an empty environment, so it names where we were found."""
    program = f"import sys; sys.path.insert(0, {_PACKAGE_PARENT!r}); from tuidock.__main__ import main; main()"
    return (sys.executable, "-c", program, "--root", instance.paths.root, *words)


def _device_nodes(host_config: Mapping[str, Any], privileged: bool) -> list[str]:
    """Nodes beside the default ones, as lines of the launch record: --device, or everything for --privileged."""
    if not privileged and not host_config.get("Devices"):
        return []
    from tuidock.engine.runtime import devices

    nodes = devices.requested(host_config.get("Devices") or ())[0]
    known = {node.path for node in nodes}
    if privileged:
        nodes += [node for node in devices.of_host() if node.path not in known]
    return [node.record() for node in nodes]


def cgroup_plan(instance: Instance, container_id: str, host_config: Mapping[str, Any]) -> spec.CgroupPlan:
    """Where a container is accounted, with which limits. Raises InvalidArgument for what this machine has not got."""
    parent = str(host_config.get("CgroupParent") or "")
    if parent:
        os.makedirs(instance.paths.run + "/cgroup-parents", mode=0o700, exist_ok=True)
    cgroups = cgroups_for_start(instance)
    cgroups.verify(host_config)
    cgroups.prepare()
    if parent:
        cgroups.lie_below(container_id, parent)
    privileged = bool(host_config.get("Privileged"))
    extra = [defaults.parse_device_rule(text) for text in host_config.get("DeviceCgroupRules") or ()]
    if host_config.get("Devices"):
        from tuidock.engine.runtime import devices

        extra += devices.requested(host_config["Devices"])[1]
    rules = defaults.device_rules(extra, privileged=privileged)
    directories = cgroups.directories(container_id)
    pairs = as_record(directories, cgroups.settings(container_id, host_config, rules))
    v2 = cgroups.version == 2
    asked = str(host_config.get("CgroupnsMode") or "")
    return spec.CgroupPlan(
        mode="v2" if v2 else "v1",
        namespace=asked or "private",
        pairs=pairs,
        memory=cgroups.directory("memory", container_id),
        binds=tuple(f"{name}={path}" for name, path in cgroups.binds(container_id)),
        device_rules=tuple(rule.record() for rule in rules) if v2 and not instance.rootless else (),
    )


def _told_labels(instance: Instance, host_config: Mapping[str, Any]) -> None:
    """SELinux labels are accepted, so that docker's lines go on working, but not in silence."""
    for option in host_config.get("SecurityOpt") or ():
        if str(option).startswith("label"):
            instance.notices.append(f"--security-opt {option} has no effect: containers get no SELinux labels")


def _seccomp(instance: Instance, host_config: Mapping[str, Any], mask: int, privileged: bool) -> str:
    for option in host_config.get("SecurityOpt") or ():
        key, value = seccomp.split_option(str(option))
        if key == "seccomp" and value == "unconfined":
            return ""
        if key == "seccomp" and value:
            text = value if value.lstrip().startswith("{") else seccomp.read_profile(value)
            return seccomp.filter_path(instance.paths.cache, mask, text)
    return "" if privileged else seccomp.filter_path(instance.paths.cache, mask)


def _namespace(instance: Instance, host_config: Mapping[str, Any], key: str, name: str) -> str:
    """private, host, or the /proc path of another container's namespace."""
    mode = str(host_config.get(key) or "")
    if mode == "host":
        return "host"
    if mode.startswith("container:"):
        from tuidock.engine.containers.rows import resolve

        other = resolve(instance.state.read(), mode.partition(":")[2])
        if read_status(instance.paths, other).status not in ("running", "paused"):
            raise WrongState(f"cannot join the {name} namespace of a non running container: {other[:12]}")
        if key == "IpcMode" and request_of(instance, other)[1].get("IpcMode") not in ("shareable", "host"):
            raise WrongState(
                f"cannot join the IPC namespace of container {other[:12]}: it is private; start it with --ipc shareable"
            )
        record = read_pid(instance.paths, other)
        assert record is not None
        return f"/proc/{record.init[0]}/ns/{name}@{record.init[1]}"
    return "private"


def _remember(instance: Instance, container_id: str, message: str, code: int) -> None:
    """Why the start failed stays with the container, which stays `created`."""
    with instance.state.write() as db:
        db.execute("UPDATE containers SET error = ?, error_code = ? WHERE id = ?", (message, code, container_id))
