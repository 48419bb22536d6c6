"""Networks: what containers talk over."""

from __future__ import annotations

from tuidock.engine.doors.base import LIVING, Door
from tuidock.engine.errors import EngineError, NotFound
from tuidock.engine.events import append
from tuidock.engine.types import Network, NetworkMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from tuidock.engine.network.networks import NetworkRow


class Networks(Door):
    """create, remove, prune, connect, disconnect, and looks at them."""

    def networks(self) -> list[Network]:
        """All of them: bridge, host, none, and what people made."""
        from tuidock.engine.network import networks

        return networks.list_networks(self.instance.state.read(), self.instance)

    def network(self, reference: str) -> Network:
        """By name, id or prefix. Raises NotFound."""
        known = self.networks()
        found = [n for n in known if n.name == reference] or [n for n in known if n.id.startswith(reference)]
        if not found or not reference:
            raise NotFound("network", reference)
        return found[0]

    def inspect_network(self, reference: str) -> dict[str, Any]:
        """docker's JSON; containers that do not run keep their address, but are no members."""
        from tuidock.engine.network import networks
        from tuidock.engine.runtime.status import read_status

        document = networks.inspect(self.instance.state.read(), self.network(reference).id)
        paths = self.instance.paths
        document["Containers"] = {
            key: value for key, value in document["Containers"].items() if read_status(paths, key).status in LIVING
        }
        return document

    def network_map(self) -> list[NetworkMap]:
        """Every network with its members, their addresses, published ports and traffic counters, by name.

        Costs a few small files for each member: fit for a look every second.
        """
        from tuidock.engine.containers import mapping

        return mapping.network_map(self.instance, self.networks())

    def network_neighbours(self) -> list[tuple[str, str, bool]]:
        """Other firewalls and engines on this machine: (name, a sentence, whether it cuts containers off)."""
        from tuidock.engine.network.neighbours import neighbours

        return [(each.name, each.sentence, each.blocks) for each in neighbours()]

    def restore_network_rules(self) -> bool:
        """Makes the nftables tables anew when somebody has flushed them while containers run; whether it did."""
        from tuidock.engine.containers import wiring

        self._change("restore the network rules")
        return wiring.heal_table(self.instance)

    def create_network(
        self, name: str, *, driver: str = "bridge", subnets: Sequence[str] = (), gateways: Sequence[str] = (),
        ranges: Sequence[str] = (), internal: bool = False, ipv6: bool = False, labels: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Network:  # fmt: skip
        """A network of the driver bridge, macvlan or ipvlan; options have docker's names.

        Raises InvalidArgument, NameTaken, Conflict for what overlaps, Unsupported.
        """
        from tuidock.engine.network import creation

        self._change("create a network")
        wish = creation.Wish(name, driver, subnets, gateways, ranges, internal, ipv6, labels or {}, options or {})
        with self.instance.state.write() as db:
            made = creation.create(db, self.instance, wish)
        append(self.instance.paths.journal, "network", "create", made.id, made.name, type=made.driver)
        return self.network(made.id)

    def remove_network(self, reference: str) -> str:
        """Removes a network in which nothing runs, and its bridge; returns its name.

        Raises NotFound, WrongState for a predefined one, Conflict with the names of those that run in it.
        """
        from tuidock.engine.files import locked
        from tuidock.engine.network import bridge, creation, networks, nftables, zones

        self._change("remove a network")
        instance = self.instance
        if reference in networks.PREDEFINED:
            self.networks()  # these rows are made when they are first needed
        with instance.state.write() as db:
            row = networks.find(db, reference)
            creation.check_removal(row, self._active(row))
            # the row goes last: killed before, the next start in the network makes anew what it needs
            with locked(instance.paths.run + "/network.lock"):
                bridge.remove(row)
                if row.bridge:
                    nftables.expel(instance.nft_table, row)
            zones.forget_zone(instance.paths, row.id)
            creation.remove(db, instance, row)
        append(instance.paths.journal, "network", "destroy", row.id, row.name, type=row.driver)
        return row.name

    def _active(self, network: NetworkRow) -> list[tuple[str, str]]:
        """(name, id) of the containers that run in it, or are being started."""
        from tuidock.engine.files import is_locked
        from tuidock.engine.network import networks
        from tuidock.engine.runtime.status import read_status

        paths = self.instance.paths
        return [
            (name, container_id)
            for container_id, name, _ in networks.members(self.instance.state.read(), network.id)
            if read_status(paths, container_id).status in LIVING
            or is_locked(paths.container_run(container_id) + "/lock")
        ]

    def unused_networks(self) -> list[Network]:
        """What prune would remove: networks that people made and in which no container, running or not, has a place."""
        from tuidock.engine.network.networks import PREDEFINED

        return [network for network in self.networks() if network.name not in PREDEFINED and not network.members]

    def prune_networks(self, names: Sequence[str]) -> list[tuple[str, EngineError | None]]:
        """Removes networks and tells for each what went wrong."""
        done: list[tuple[str, EngineError | None]] = []
        for name in names:
            try:
                self.remove_network(name)
            except EngineError as error:
                done.append((name, error))
            else:
                done.append((name, None))
        return done

    def connect_network(
        self, network: str, container: str, *, ip: str = "", ip6: str = "", aliases: Sequence[str] = (),
        links: Sequence[str] = (), driver_options: Mapping[str, str] | None = None, gateway_priority: int = 0,
    ) -> None:  # fmt: skip
        """Gives a container a place in another network, also while it runs.

        Raises NotFound, Conflict (it is there already, address taken), InvalidArgument, WrongState, SystemFailure.
        """
        from tuidock.engine.containers import connecting
        from tuidock.engine.network import networks

        self._change("connect a container")
        pool = {key: value for key, value in (("IPv4Address", ip), ("IPv6Address", ip6)) if value}
        settings = {
            "IPAMConfig": pool or None, "Aliases": list(aliases), "Links": list(links),
            "DriverOpts": dict(driver_options or {}), "GwPriority": gateway_priority,
        }  # fmt: skip
        found = networks.find(self.instance.state.read(), self.network(network).id)
        connecting.connect(self.instance, found, self._id(container), settings)

    def disconnect_network(self, network: str, container: str, *, force: bool = False) -> None:
        """Takes a container out of a network, also while it runs.

        Raises NotFound, Conflict (it is not there, or its published ports lead there and force is off), WrongState.
        """
        from tuidock.engine.containers import connecting
        from tuidock.engine.network import networks

        self._change("disconnect a container")
        found = networks.find(self.instance.state.read(), self.network(network).id)
        connecting.disconnect(self.instance, found, self._id(container), force=force)
