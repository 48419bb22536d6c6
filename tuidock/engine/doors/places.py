"""Volumes."""

from __future__ import annotations

from tuidock.engine.doors.networks import Networks
from tuidock.engine.errors import NotFound
from tuidock.engine.events import append
from tuidock.engine.types import Volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


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

    def _has_volume(self, name: str) -> bool:
        found = self.instance.state.read().execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone()
        return found is not None

    def inspect_volume(self, name: str) -> dict[str, Any]:
        """docker's JSON."""
        from tuidock.engine.store import volumes

        return volumes.inspect(self.instance.state, self.instance.paths, name)

    def volume_size(self, name: str) -> int:
        """Bytes of its files."""
        from tuidock.engine.system.usage import tree_size

        return tree_size(self.volume(name).mountpoint)
