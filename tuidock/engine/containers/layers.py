"""A container's files as a layer: where they lie, how its whole tree is seen, and what in it is not its own.

The own layer of a running container is read where it lies, its whole tree through its own mount namespace, so that nobody
mounts the same upper directory twice.
"""

from __future__ import annotations

import os
import stat

from tuidock import native
from tuidock.engine.containers import rootfs
from tuidock.engine.errors import NotFound
from tuidock.engine.files import is_alive, refuse
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.runtime.status import read_pid
from tuidock.engine.store import images, merged
from tuidock.engine.store.images import ImageRecord
from tuidock.engine.types import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN = "/rootfs"


class Place(Named):
    """Where a container's files lie. upper: its own layer; plain: all of it, where overlay could not be used ("" else);
    lower: the image's layers, topmost first."""

    upper: str
    plain: str
    image: ImageRecord

    @property
    def lower(self) -> tuple[str, ...]:
        return self.image.lower


def place_of(instance: Instance, container: Container) -> Place:
    """Raises NotFound when the image's row has gone."""
    directory = instance.paths.container(container.id)
    plain = directory + _PLAIN if os.path.isdir(directory + _PLAIN) else ""
    return Place(directory + "/upper", plain, images.get(instance.state, instance.paths, container.image_id))


def open_root(instance: Instance, container: Container, place: Place, *, stubs: bool = True) -> int:
    """A descriptor of the container's whole tree, sealed and without anything that is mounted in it. Raises SystemFailure.

    stubs: with the mountpoints of every container (/etc/hosts and the like), as it sees them itself.
    """
    try:
        if place.plain:
            return merged.sealed(place.plain)
        if stubs and (running := _running_root(instance, container)) >= 0:
            return running
        lower: Sequence[str] = place.lower
        if stubs:
            lower = rootfs.with_init_layer(instance.paths, place.image.top_chain_id, place.lower)
        return merged.open_layers(instance.paths, (place.upper, *lower))
    except FileNotFoundError:
        raise NotFound("container", container.name) from None
    except OSError as error:
        raise refuse(error, f"look at the files of container {container.name}") from error


def _running_root(instance: Instance, container: Container) -> int:
    """Its root mount, cloned out of its mount namespace; -1 when it does not run."""
    record = read_pid(instance.paths, container.id)
    if record is None or not record.init[0]:
        return -1
    try:
        namespace = os.open(f"/proc/{record.init[0]}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        if not is_alive(*record.init):
            return -1
        return merged.seal(native.clone_root(namespace))
    finally:
        os.close(namespace)


def stubs_of(instance: Instance, container: Container, place: Place) -> list[str]:
    """Paths in the own layer that are only there because something is mounted on them: empty, and not in the image."""
    if not container.mounts and not place.plain:
        return []
    root = open_root(instance, container, place)
    try:
        paths = [_resolved(root, point.destination) for point in container.mounts]
    finally:
        os.close(root)
    found: set[str] = set()
    for path in [*paths, *(rootfs.STUBS if place.plain else ())]:
        while path and path not in found and _is_stub(place, path, found):
            found.add(path)
            path = path.rpartition("/")[0]
    return sorted(found)


def _resolved(root: int, destination: str) -> str:
    """The path that a mount point has without links; "" when it is not there."""
    try:
        fd = native.open_in_root(root, destination.lstrip("/") or ".", native.O_PATH)
    except OSError:
        return ""
    try:
        return os.readlink(f"/proc/self/fd/{fd}").strip("/")
    finally:
        os.close(fd)


def _is_stub(place: Place, path: str, stubs: set[str]) -> bool:
    own = f"{place.plain or place.upper}/{path}"
    try:
        status = os.lstat(own)
        if stat.S_ISDIR(status.st_mode):
            empty = all(f"{path}/{name}" in stubs for name in os.listdir(own))
        else:
            empty = stat.S_ISREG(status.st_mode) and status.st_size == 0
    except OSError:
        return False
    return empty and rootfs.look_up(place.lower, path).kind == "missing"
