"""The files of a container as it sees them, volumes included, behind one descriptor.

A running container is frozen and its own root is taken. The layers of a stopped one are put together with what would be
mounted in them, in a mount namespace that nobody else sees and that goes with the descriptors; the container's lock keeps
it from starting meanwhile, because two mounts of one writable layer spoil it. Whatever is done then goes by
openat2(RESOLVE_IN_ROOT) from that descriptor, so no link of the container leads out (CVE-2018-15664, CVE-2019-14271).
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, contextmanager

from tuidock import native
from tuidock.engine.containers import rootfs
from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.layers import Place, place_of
from tuidock.engine.containers.living_mounts import living
from tuidock.engine.containers.moves import open_root
from tuidock.engine.containers.standstill import standstill
from tuidock.engine.errors import Conflict
from tuidock.engine.files import refuse
from tuidock.engine.instance import Instance
from tuidock.engine.options import volume_driver
from tuidock.engine.runtime.status import read_pid
from tuidock.engine.store import merged, volume_mounts
from tuidock.engine.types import Container, MountPoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ETC = ("hosts", "hostname", "resolv.conf")


@contextmanager
def files_of(instance: Instance, container: Container) -> Iterator[int]:
    """A descriptor of the root; nothing in the container runs during the block. Raises SystemFailure, Conflict."""
    with standstill(instance, container), ExitStack() as held:
        try:
            root = _running(instance, container)
            if root < 0:
                root = _stopped(instance, container, held)
            held.callback(os.close, root)
        except OSError as error:
            raise refuse(error, f"look at the files of container {container.name}") from error
        yield root


def _running(instance: Instance, container: Container) -> int:
    """The root of its init process; -1 when it does not run."""
    record = read_pid(instance.paths, container.id)
    if record is None or not record.init[0]:
        return -1
    try:
        return open_root(record)
    except FileNotFoundError:
        return -1
    except ProcessLookupError:
        raise Conflict(f"container {container.name} has just ended; try again") from None


def _stopped(instance: Instance, container: Container, held: ExitStack) -> int:
    place = place_of(instance, container)
    tree = _layers(instance, place, instance.paths.container(container.id))
    held.callback(os.close, tree)
    mounts: list[tuple[int, str]] = []
    for point in _points(instance, container):
        if (source := _source(point)) >= 0:
            held.callback(os.close, source)
            _make_target(tree, point.destination, stat.S_ISDIR(os.fstat(source).st_mode))
            mounts.append((source, point.destination))
    if request_of(instance, container.id)[1].get("ReadonlyRootfs"):
        native.mount_setattr(tree, "", native.AT_EMPTY_PATH, set=native.MOUNT_ATTR_RDONLY)
    root, namespace = native.furnished_root(tree, instance.paths.container(container.id), mounts)
    held.callback(os.close, namespace)
    return root


def _layers(instance: Instance, place: Place, directory: str) -> int:
    if place.plain:
        return native.open_tree(native.AT_FDCWD, place.plain)
    lower = rootfs.with_init_layer(instance.paths, place.image.top_chain_id, place.lower)
    return merged.open_writable(directory, lower, place.upper, directory + "/work")


def _points(instance: Instance, container: Container) -> list[MountPoint]:
    """What has files while the container stands, outer ones first; a tmpfs has none."""
    directory = instance.paths.container(container.id)
    points = [
        MountPoint("bind", "", f"{directory}/{name}", f"/etc/{name}")
        for name in _ETC
        if os.path.exists(f"{directory}/{name}")
    ]
    taken = {point.destination.rstrip("/") for point in container.mounts}
    points = [point for point in points if point.destination not in taken and "/etc" not in taken]
    points += [point for point in living(instance, container.mounts) if point.type != "tmpfs"]
    return sorted(points, key=lambda point: point.destination.rstrip("/").count("/"))


def _source(point: MountPoint) -> int:
    """A detached mount of it, -1 when it has gone."""
    if point.type not in ("bind", "volume"):  # a volume with a file system of its own
        words = tuple(word for word in point.options.split(",") if word)
        system = volume_driver.FileSystem(point.type, point.source, words)
        return volume_mounts.detached(system, point.name, read_only=point.read_only)
    try:
        root = os.open(point.source, native.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    try:
        subpath = point.options.partition("subpath=")[2]
        if subpath:
            outer, root = root, native.open_in_root(root, subpath, native.O_PATH)
            os.close(outer)
        flags = native.OPEN_TREE_CLONE | native.OPEN_TREE_CLOEXEC | native.AT_EMPTY_PATH
        tree = native.open_tree(root, "", flags | native.AT_RECURSIVE)
    finally:
        os.close(root)
    attributes = native.MOUNT_ATTR_NODEV | (native.MOUNT_ATTR_RDONLY if point.read_only else 0)
    native.mount_setattr(tree, "", native.AT_EMPTY_PATH | native.AT_RECURSIVE, set=attributes)
    return tree


def _make_target(root: int, path: str, is_directory: bool) -> None:
    """A mountpoint, as a start would make it."""
    names = [name for name in path.split("/") if name]
    for count in range(1, len(names) + 1):
        parent = native.open_in_root(root, "/".join(names[: count - 1]) or ".", native.O_PATH | os.O_DIRECTORY)
        try:
            if count < len(names) or is_directory:
                os.mkdir(names[count - 1], 0o755, dir_fd=parent)
            else:
                os.close(os.open(names[-1], os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=parent))
        except FileExistsError:
            pass
        finally:
            os.close(parent)
