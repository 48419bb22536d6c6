"""Moving in from docker or podman: what would be taken, and taking it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from tuidock.engine.doors.images import Images
from tuidock.engine.doors.looking import Looking
from tuidock.engine.doors.moving import Moving
from tuidock.engine.doors.networks import Networks
from tuidock.engine.doors.places import Places
from tuidock.engine.errors import Conflict, InvalidArgument, NameTaken
from tuidock.engine.events import append
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tuidock.engine.migrate.inventory import Inventory
    from tuidock.engine.migrate.source import Source
    from tuidock.engine.types import MigrationItem


class MovingIn(Looking, Moving, Images, Places, Networks):
    """Takes over what another engine on this machine has; that one is only looked at."""

    def migration_sockets(self) -> dict[str, str]:
        """docker and podman as far as they are here, each with its socket; "" for a podman that would be asked to serve."""
        from tuidock.engine.migrate.source import sockets

        return sockets()

    def migration_source(self, kind: str, host: str = "") -> Source:
        """kind: docker or podman; host: unix:///socket, "" for the usual places. Close it.

        Raises InvalidArgument, NotFound, SystemFailure.
        """
        from tuidock.engine.migrate.source import Source

        return Source(kind, host)

    def migration_plan(self, source: Source) -> tuple[Inventory, list[MigrationItem]]:
        """Everything that the other engine has, and what would be done with each. Raises SystemFailure."""
        from tuidock.engine.migrate import inventory, planning
        from tuidock.engine.oci.reference import parse_tagged

        found = inventory.read(source)
        images = self.images()
        here = planning.Here(
            frozenset(image.id for image in images),
            {str(parse_tagged(name)): image.id for image in images for name in image.references},
            {volume.name: volume.mountpoint for volume in self.volumes()},
            {network.name: network for network in self.networks()},
            frozenset(container.name for container in self.containers()),
            self._is_unfilled,
            self._holder_of,
            self.inspect_container,
        )
        return found, planning.plan(found, here)

    def migrate(self, source: Source, inventory: Inventory, items: Sequence[MigrationItem]) -> Iterator[Progress]:
        """Takes the items whose action is `take`; the last progress of each has action `taken` or `failed`.

        What was taken when it is stopped stays; the item under way leaves nothing.
        """
        from tuidock.engine.migrate import taking

        self._change(f"take over from {source.kind}")
        return taking.take(self, source, inventory, items)

    def _holder_of(self, subnet: str) -> str:
        """Who has addresses of a subnet already, "" for nobody, and for a subnet that is none: taking it says why."""
        from tuidock.engine.network import creation, ipv4, networks

        if ":" in subnet:
            return ""
        try:
            parts = ipv4.split(subnet)
        except InvalidArgument:
            return ""
        return creation.holder_of(parts, networks.all_networks(self.instance.state.read()))

    def _is_unfilled(self, name: str) -> bool:
        volume = self.volume(name)
        return not volume.users and not volume.options and not os.listdir(volume.mountpoint)

    def take_volume(self, name: str, source: int, labels: Mapping[str, str], options: Mapping[str, str]) -> None:
        """A volume with a copy of the directory behind the descriptor `source`, or (-1) only with these options.

        Raises Conflict when it has files or users already, SystemFailure.
        """
        from tuidock.engine.files import refuse
        from tuidock.engine.store import copyup, volumes

        state, paths = self.instance.state, self.instance.paths
        if volumes.ensure(state, paths, name, labels=labels, options=options):
            append(paths.journal, "volume", "create", name, driver="local")
        elif source < 0 or not self._is_unfilled(name):
            raise Conflict(f"cannot fill volume {name}: it is there with files or users; remove it first")
        if source < 0:
            return
        try:
            copyup.fill_from(os.path.dirname(volumes.data_directory(paths, name)), source)
        except BaseException as error:
            volumes.remove(state, paths, name, force=True)
            if isinstance(error, OSError):
                raise refuse(error, f"copy volume {name}") from error
            raise

    def take_network(self, document: Mapping[str, Any]) -> str:
        """A bridge network like that of docker's JSON; a sentence when its subnet is not free here. Raises EngineError."""
        name = str(document.get("Name"))
        pools = (document.get("IPAM") or {}).get("Config") or ()
        subnets, gateways, ranges = (
            [str(pool[key]) for pool in pools if pool.get(key)] for key in ("Subnet", "Gateway", "IPRange")
        )
        options = {
            key: str(value)
            for key, value in (document.get("Options") or {}).items()
            if key.startswith("com.docker.network.") and key != "com.docker.network.bridge.name"
        }
        internal, ipv6 = bool(document.get("Internal")), bool(document.get("EnableIPv6"))
        labels = dict(document.get("Labels") or {})
        try:
            self.create_network(
                name, subnets=subnets, gateways=gateways, ranges=ranges, internal=internal, ipv6=ipv6, labels=labels,
                options=options,
            )  # fmt: skip
        except NameTaken:
            raise
        except Conflict as error:
            self.create_network(name, internal=internal, ipv6=ipv6, labels=labels, options=options)
            return f"it has another subnet here: {error}"
        return ""
