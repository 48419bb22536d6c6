"""The mounts of a container as they are at a start: volumes with a file system of their own become it, and a tmpfs that
containers share is there for as long as one of them uses it.
"""

from __future__ import annotations

import os
import stat

from tuidock import native
from tuidock.engine.errors import InvalidArgument, SystemFailure, Unsupported
from tuidock.engine.files import is_locked
from tuidock.engine.instance import Instance
from tuidock.engine.runtime.status import read_status
from tuidock.engine.types import MountPoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LIVING = ("running", "paused", "restarting")
_SUBPATH = "subpath="


def living(instance: Instance, points: tuple[MountPoint, ...]) -> tuple[MountPoint, ...]:
    """What the launch record says. Raises InvalidArgument when the source of a bind has gone since create, Unsupported
    or SystemFailure for a volume that cannot be mounted."""
    found = []
    for point in points:
        if point.type == "bind" and not os.path.lexists(point.source):
            raise InvalidArgument(f"bind source path does not exist: {point.source}")
        found.append(_volume(instance, point) if point.type == "volume" else point)
    return tuple(found)


def _volume(instance: Instance, point: MountPoint) -> MountPoint:
    from tuidock.engine.store import volume_mounts

    options = volume_mounts.options_of(instance.state, point.name)
    if options:
        from tuidock.engine.options import volume_driver

        found = volume_driver.file_system(options)
        if found is not None and found.type == "tmpfs":
            volume_mounts.attach_memory(instance.paths, point.name, found)
        elif found is not None and found.type == "bind":
            found = volume_mounts.resolved(found, point.name)
            words = [word for word in ("nonrecursive",) if word in found.words]
            point = point._replace(
                type="bind", source=found.device, read_only=point.read_only or "ro" in found.words,
                options=",".join([*words, point.options] if point.options else words),
            )  # fmt: skip
        elif found is not None:
            if point.options:
                raise Unsupported(
                    f"volume {point.name} is mounted for each container by itself, so there is no volume-subpath of it"
                )
            found = volume_mounts.resolved(found, point.name)
            return point._replace(type=found.type, source=found.device, options=",".join(found.words))
    return _of_subpath(point) if _SUBPATH in point.options else point


def _of_subpath(point: MountPoint) -> MountPoint:
    """With the word `file` when the path within the volume is none of a directory. The shim opens it again, as safely."""
    path = point.options.partition(_SUBPATH)[2]
    try:
        root = os.open(point.source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            place = native.open_in_root(root, path, native.O_PATH)
        finally:
            os.close(root)
    except OSError as error:
        raise SystemFailure(
            f"cannot access path {path} of volume {point.name}: {os.strerror(error.errno or 0)}; make it in the volume first"
        ) from None
    try:
        is_directory = stat.S_ISDIR(os.fstat(place).st_mode)
    finally:
        os.close(place)
    return point if is_directory else point._replace(options="file," + point.options)


def release_idle(instance: Instance, names: Iterable[str] | None = None) -> list[str]:
    """Takes away what is mounted of volumes that no living container uses; answers their names."""
    from tuidock.engine.store import volume_mounts

    if not has_options(instance):
        return []

    def busy(name: str) -> bool:
        users = instance.state.read().execute("SELECT container_id FROM volume_uses WHERE volume = ?", (name,))
        return any(_lives(instance, container_id) for (container_id,) in users)

    known = volume_mounts.memory_volumes(instance.state) if names is None else names
    return [name for name in known if volume_mounts.detach_memory(instance.paths, name, lambda name=name: busy(name))]  # type: ignore[misc]


def has_options(instance: Instance) -> bool:
    """Whether any volume is more than a directory; most data roots have none."""
    query = "SELECT 1 FROM volumes WHERE options NOT IN ('', '{}')"
    return instance.state.read().execute(query).fetchone() is not None


def _lives(instance: Instance, container_id: str) -> bool:
    run = instance.paths.container_run(container_id)
    if is_locked(run + "/shim.lock") or is_locked(run + "/lock"):
        return True
    return read_status(instance.paths, container_id).status in _LIVING


def mounted(instance: Instance) -> set[str]:
    """The directories on which something is rightly mounted now."""
    from tuidock.engine.store import volume_mounts

    users = instance.state.read().execute("SELECT volume, container_id FROM volume_uses").fetchall()
    living_volumes = {volume for volume, container_id in users if _lives(instance, container_id)}
    return {
        volume_mounts.data_path(instance.paths, name)
        for name in volume_mounts.memory_volumes(instance.state)
        if name in living_volumes
    }
