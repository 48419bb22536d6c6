"""Volumes."""

from __future__ import annotations

from collections.abc import Iterator

from tuidock.engine.doors.networks import Networks
from tuidock.engine.errors import NotFound
from tuidock.engine.events import append
from tuidock.engine.types import Container, Progress, Volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from tuidock.engine.image_types import TreeEntry


class Places(Networks):
    """What containers share."""

    def volumes(self) -> list[Volume]:
        """By name, with the names of the containers that use each."""
        from tuidock.engine.store import volumes

        return volumes.list_volumes(self.instance.state, self.instance.paths)

    def volume(self, name: str) -> Volume:
        """Raises NotFound."""
        for volume in self.volumes():
            if volume.name == name:
                return volume
        raise NotFound("volume", name)

    def create_volume(
        self, name: str = "", labels: dict[str, str] | None = None, options: dict[str, str] | None = None
    ) -> Volume:
        """A named or anonymous volume; an existing one is returned as it is."""
        from tuidock.engine.containers.names import new_id
        from tuidock.engine.store import volumes

        self._change("create a volume")
        chosen = name or new_id()
        if volumes.ensure(
            self.instance.state,
            self.instance.paths,
            chosen,
            labels=labels or {},
            options=options or {},
            anonymous=not name,
        ):
            append(self.instance.paths.journal, "volume", "create", chosen, driver="local")
        return self.volume(chosen)

    def remove_volume(self, name: str, force: bool = False, *, now: bool = False, batch: str = "") -> None:
        """It goes to the trash; now: for good. Raises InUse with the users' names, NotFound unless force."""
        from tuidock.engine.store import volumes

        self._change("remove a volume")
        missing = force and not self._has_volume(name)
        keeping = self._keeping(now, batch)
        volumes.remove(self.instance.state, self.instance.paths, name, force=force, keeping=keeping)
        if not missing:
            append(self.instance.paths.journal, "volume", "destroy", name, driver="local")
        self._limit_trash(keeping)

    def export_volume(self, name: str, target: BinaryIO) -> Iterator[Progress]:
        """Writes it as a tar to a file with a descriptor; the last progress is `exported`. A notice when it is in use.

        Raises NotFound, SystemFailure, BrokenPipeError.
        """
        from tuidock.engine.store import volume_archives

        users = [c.name for c in self._users_of_volume(name)]
        if users:
            self.instance.notices.append(
                f"volume {name} is in use by {', '.join(users)}: what they write meanwhile may be in the tar or not; pause "
                "them for one moment's state"
            )
        yield from volume_archives.export(self.instance.state, self.instance.paths, name, target)
        append(self.instance.paths.journal, "volume", "export", name, driver="local")

    def import_volume(
        self, name: str, source: BinaryIO, *, labels: dict[str, str] | None = None, replace: bool = False
    ) -> Iterator[Progress]:
        """Makes a volume of a tar, or fills an empty one; the last progress is `imported`. replace: what an existing one
        holds goes to the trash.

        Raises Conflict, InUse, BadContent, SystemFailure; nothing is left of it then.
        """
        from tuidock.engine.store import volume_archives

        self._change("import a volume")
        state, paths = self.instance.state, self.instance.paths
        keeping = self._keeping(False, "") if replace else None
        yield from volume_archives.import_volume(
            state, paths, name, source, labels=labels, replace=replace, keeping=keeping
        )
        append(paths.journal, "volume", "import", name, driver="local")

    def _users_of_volume(self, name: str) -> list[Container]:
        """The running containers that have it mounted."""
        from tuidock.engine.containers import rows

        return [
            container
            for container in rows.list_containers(self.instance, all_=False)
            if any(point.type == "volume" and point.name == name for point in container.mounts)
        ]

    def _has_volume(self, name: str) -> bool:
        found = self.instance.state.read().execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone()
        return found is not None

    def inspect_volume(self, name: str, size: bool = False) -> dict[str, Any]:
        """docker's JSON; with size UsageData, too."""
        from tuidock.engine.store import volumes

        document = volumes.inspect(self.instance.state, self.instance.paths, name)
        if size:
            document["UsageData"] = {"RefCount": len(self.volume(name).users), "Size": self.volume_size(name)}
        return document

    def volume_size(self, name: str) -> int:
        """Bytes of its files; -1 when its file system cannot be mounted now."""
        from tuidock.engine.errors import EngineError
        from tuidock.engine.store import volume_mounts
        from tuidock.engine.system.usage import tree_size

        volume = self.volume(name)
        if not volume.options:
            return tree_size(volume.mountpoint)
        import os

        try:
            root = volume_mounts.open_root(self.instance.state, self.instance.paths, name, read_only=True)
        except EngineError:
            return -1
        try:
            return tree_size(f"/proc/self/fd/{root}/.")
        finally:
            os.close(root)

    def volume_files(self, name: str, path: str = "") -> list[TreeEntry]:
        """What lies in one directory of a volume, by name; links are not followed. Raises NotFound, SystemFailure."""
        from tuidock.engine.containers import volume_files

        return volume_files.listed(self.instance, name, path)

    def read_volume_file(self, name: str, path: str, limit: int = 1 << 20) -> bytes:
        """The beginning of a regular file, at most limit bytes. Raises NotFound, InvalidArgument, SystemFailure."""
        from tuidock.engine.containers import volume_files

        return volume_files.read(self.instance, name, path, limit)

    def copy_out_of_volume(
        self, name: str, path: str, target: str | BinaryIO, *, archive: bool = False
    ) -> Iterator[Progress]:
        """As copy_out of a container: to a path of this machine or as a tar to a stream; archive: owners stay."""
        from tuidock.engine.containers import volume_files

        return volume_files.copy_out(self.instance, name, path, target, archive=archive)

    def copy_into_volume(self, name: str, source: str | BinaryIO, path: str) -> Iterator[Progress]:
        """As copy_in of a container: from a path of this machine or a tar in a stream; owners stay."""
        from tuidock.engine.containers import volume_files

        self._change("copy into a volume")
        return volume_files.copy_in(self.instance, name, source, path)
