"""Volumes and networks."""

from __future__ import annotations

from tuidock.engine.doors.base import LIVING, Door
from tuidock.engine.errors import NotFound
from tuidock.engine.events import append
from tuidock.engine.types import Network, Volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Places(Door):
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

    def remove_volume(self, name: str, force: bool = False) -> None:
        """Raises InUse with the users' names, NotFound unless force."""
        from tuidock.engine.store import volumes

        self._change("remove a volume")
        missing = force and not self._has_volume(name)
        volumes.remove(self.instance.state, self.instance.paths, name, force=force)
        if not missing:
            append(self.instance.paths.journal, "volume", "destroy", name, driver="local")

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

    def networks(self) -> list[Network]:
        """bridge, host and none."""
        from tuidock.engine.network import networks

        return networks.list_networks(self.instance.state.read(), self.instance)

    def network(self, reference: str) -> Network:
        """By name, id or prefix. Raises NotFound."""
        found = [n for n in self.networks() if n.name == reference or (reference and n.id.startswith(reference))]
        if not found:
            raise NotFound("network", reference)
        return found[0]

    def inspect_network(self, reference: str) -> dict[str, Any]:
        """docker's JSON; containers that do not run keep their address, but are no members."""
        from tuidock.engine.network import networks
        from tuidock.engine.runtime.status import read_status

        document = networks.inspect(self.instance.state.read(), self.network(reference))
        paths = self.instance.paths
        document["Containers"] = {
            key: value for key, value in document["Containers"].items() if read_status(paths, key).status in LIVING
        }
        return document
