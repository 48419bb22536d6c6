"""A container's places in networks: given at create or connect, and what a start makes of them - its interfaces, its way
out, and the names by which its neighbours find it."""

from __future__ import annotations

from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.errors import Conflict, InvalidArgument
from tuidock.engine.instance import Instance
from tuidock.engine.network import addresses, bridge, files, linking, networks, zones
from tuidock.engine.network.addresses import Place
from tuidock.engine.network.ipv4 import mac, number
from tuidock.engine.runtime.spec import Interface
from tuidock.engine.types import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from typing import Any


def gateway_place(places: Sequence[Place]) -> Place | None:
    """Whose gateway is the container's way out: the highest priority, then the first interface; no internal network."""
    able = [place for place in places if not place.network.internal and place.network.gateway]
    return min(able, key=lambda place: (-int(place.settings.get("GwPriority") or 0), place.position), default=None)


def published_place(places: Sequence[Place]) -> Place | None:
    """At which of its addresses the container's ports are published: on the bridge that is its way out, and on none in
    internal networks, which nobody reaches from outside."""
    return gateway_place([place for place in places if place.network.driver == "bridge"])


def has_resolver(places: Sequence[Place]) -> bool:
    """Whether names are answered for the container: in networks that somebody made, as docker does."""
    return any(place.network.name != networks.DEFAULT for place in places)


def interface(
    instance: Instance, container_id: str, place: Place, gateway: Place | None, asked_mac: str = ""
) -> Interface:
    """The launch record's interface of one place; gateway is the place whose gateway becomes the default route."""
    network = place.network
    prefix, prefix6 = network.subnet.partition("/")[2], network.subnet6.partition("/")[2]
    own = [f"{place.address}/{prefix}"] + ([f"{place.address6}/{prefix6}"] if place.address6 else [])
    ways = [way for way in (network.gateway, network.gateway6) if way] if place == gateway else []
    first = asked_mac if place.position == 0 else ""
    link = instance.veth(container_id, place.position) if network.driver == "bridge" else ""
    mode = ""
    if network.driver != "bridge":
        mode = network.options.get(f"{network.driver}_mode", "bridge" if network.driver == "macvlan" else "l2")
    return Interface(
        f"eth{place.position}", network.bridge or network.options.get("parent", ""), link, tuple(own), tuple(ways),
        place.mac or first or ("" if network.driver == "ipvlan" else mac(number(place.address))), network.mtu,
        network.driver if network.driver != "bridge" else "", mode, not network.is_on(networks.ICC, True),
    )  # fmt: skip


def announce(
    instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any],
    places: Sequence[Place],
) -> None:  # fmt: skip
    """Puts the container's names where its neighbours' resolvers find them, and tells its own what to ask."""
    if not has_resolver(places):
        zones.leave_all(instance.paths, row.id)
        return
    hostname = str(config.get("Hostname") or "")
    aliases: list[tuple[str, str]] = []
    wanted = {place.network.id for place in places}
    for left in set(zones.joined(instance.paths, row.id)) - wanted:
        zones.leave(instance.paths, row.id, left)
    for place in places:
        if place.network.name == networks.DEFAULT:
            continue  # there names are for --link only
        names = zones.names_of(row.id, row.name, hostname, place.settings.get("Aliases") or ())
        zones.enter(instance.paths, row.id, place, names)
        for link in place.settings.get("Links") or ():
            name, alias = linking.parse(str(link))
            aliases.append((zones.check_name(alias), name))
    servers: list[str] = []
    if gateway_place(places):  # nothing of an internal network leaves the machine, questions neither
        servers = [str(server) for server in host_config.get("Dns") or ()] or files.servers_of_host()
    zones.direct(instance.paths, row.id, servers, aliases)


def reannounce(instance: Instance, row: Container) -> None:
    """The same for a running container that is called something else now."""
    places = addresses.places(instance.state.read(), row.id)
    if has_resolver(places):
        announce(instance, row, *request_of(instance, row.id), places)


def allocate(
    instance: Instance, db: sqlite3.Connection, container_id: str, mode: str,
    endpoints: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:  # fmt: skip
    """The places of a new container, inside the transaction that creates it: NetworkMode's first, then all others."""
    if instance.rootless:
        return  # no network has members that could be given an address
    asked = dict(endpoints or {})
    first = networks.named(db, mode, instance)
    if first is None:
        if set(asked) - {mode, "default"}:
            raise InvalidArgument(
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes"
            )
        return
    settings = asked.pop(mode, None) or asked.pop("default", None) or {}
    place(instance, db, container_id, first, settings)
    for name in asked:
        place(instance, db, container_id, networks.find(db, name), asked[name])


def place(
    instance: Instance, db: sqlite3.Connection, container_id: str, network: networks.NetworkRow,
    settings: Mapping[str, Any],
) -> None:  # fmt: skip
    """Gives a container its place in one network. Raises InvalidArgument, Conflict, or SystemFailure when it is full."""
    if network.driver not in ("bridge", "macvlan", "ipvlan"):
        raise Conflict(f"container cannot be connected to network {network.name}: it is no network of its own")
    network = bridge.move_if_clashing(db, network, instance.id)
    pool = settings.get("IPAMConfig") or {}
    wanted, wanted6 = str(pool.get("IPv4Address") or ""), str(pool.get("IPv6Address") or "")
    if network.name == networks.DEFAULT and (wanted or wanted6):
        raise InvalidArgument("user specified IP address is supported on user defined networks only")
    if (wanted and not network.configured & 1) or (wanted6 and network.subnet6 and not network.configured & 2):
        raise InvalidArgument(
            "invalid endpoint settings: user specified IP address is supported only when connecting to networks with user "
            "configured subnets"
        )
    if network.name == networks.DEFAULT and settings.get("Aliases"):
        raise InvalidArgument("network-scoped aliases are only supported for user-defined networks")
    for alias in settings.get("Aliases") or ():
        zones.check_name(str(alias))
    for link in settings.get("Links") or ():
        zones.check_name(linking.parse(str(link))[1])
    kept = {key: value for key, value in settings.items() if value and key in _KEPT}
    addresses.allocate(db, network, container_id, wanted, wanted6, str(settings.get("MacAddress") or ""), kept)


#: What is kept of docker's EndpointSettings; the rest is what the engine finds out.
_KEPT = ("Aliases", "DriverOpts", "GwPriority", "IPAMConfig", "Links", "MacAddress")
