"""Who is in which network, for a map: places from the database, counters from the kernel."""

from __future__ import annotations

from tuidock.engine.containers import placing
from tuidock.engine.containers.rows import list_containers
from tuidock.engine.instance import Instance
from tuidock.engine.network import addresses, links
from tuidock.engine.network.addresses import Place
from tuidock.engine.network.ipv4 import mac, number
from tuidock.engine.types import Container, Member, Network, NetworkMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_RUNNING = ("running", "paused")


def network_map(instance: Instance, networks: Sequence[Network]) -> list[NetworkMap]:
    """The networks given, by name, each with its members in the order of their addresses."""
    members: dict[str, list[Member]] = {}
    for container in list_containers(instance):
        if container.networks:
            _add(instance, container, members)
    return [
        NetworkMap(
            network, bool(network.bridge) and links.exists(network.bridge),
            tuple(sorted(members.get(network.id, ()), key=lambda member: number(member.address))),
        )
        for network in sorted(networks, key=lambda each: each.name)
    ]  # fmt: skip


def _add(instance: Instance, container: Container, members: dict[str, list[Member]]) -> None:
    places = addresses.known_places(instance.state.read(), container.id)
    published = placing.published_place(places)
    running = container.status in _RUNNING
    for place in places:
        counters = _counters(instance, container, place) if running else (0, 0, 0, 0)
        members.setdefault(place.network.id, []).append(
            Member(
                container.id, container.name, running, f"eth{place.position}", place.address, place.address6,
                place.mac or mac(number(place.address)), tuple(place.settings.get("Aliases") or ()),
                container.ports if place == published else (), *counters,
            )
        )  # fmt: skip


def _counters(instance: Instance, container: Container, place: Place) -> tuple[int, int, int, int]:
    """(rx bytes, tx bytes, rx packets, tx packets) as the container has them; zeros when it ends just now."""
    if place.network.driver == "bridge":  # what the host's end sends comes to the container
        return links.traffic(instance.veth(container.id, place.position), from_inside=False)
    return links.traffic_inside(container.pid, f"eth{place.position}")
