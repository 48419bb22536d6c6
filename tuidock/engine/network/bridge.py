"""The bridge that a network's containers hang on, with the host as their gateway.

`ensure` stands in every start: it looks (microseconds) and makes only what a reboot or a person has taken away.
"""

from __future__ import annotations

import os

from tuidock.engine.errors import SystemFailure
from tuidock.engine.files import locked
from tuidock.engine.network import links, networks, nftables
from tuidock.engine.network.ipv4 import mac, number, overlap, split
from tuidock.engine.network.networks import NetworkRow
from tuidock.engine.network.nftables import PortElement

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

_FORWARD = "/proc/sys/net/ipv4/ip_forward"


def is_ready(network: NetworkRow) -> bool:
    """Whether the bridge is up and has the gateway's address."""
    return links.ipv4_of(network.bridge) == (network.gateway, split(network.subnet)[1])


def ensure(
    network: NetworkRow,
    table: str,
    lock: str,
    every: Callable[[], Sequence[NetworkRow]],
    ports: Callable[[], Sequence[PortElement]],
) -> str:
    """Make bridge, forwarding and nftables table when they are missing. Returns a warning, or "".

    lock is the path of the instance's network lock; `every` and `ports` are asked for all networks and for the ports of
    living containers only when the table has to be made.
    """
    if is_ready(network) and nftables.exists(table) and _forwards():
        return ""
    with locked(lock):
        if not is_ready(network):
            _create(network)
        if not _forwards():
            _enable_forwarding()
        if nftables.exists(table):
            return ""
        nftables.create(table, every(), ports())
    return nftables.describe(nftables.foreign_drops())


def _forwards() -> bool:
    with open(_FORWARD, "rb") as file:
        return file.read(1) == b"1"


def _enable_forwarding() -> None:
    try:
        with open(_FORWARD, "w", encoding="ascii") as file:
            file.write("1")
    except OSError as error:
        raise SystemFailure(f"cannot set {_FORWARD} to 1, which containers need: {error.strerror}") from error


def _create(network: NetworkRow) -> None:
    from pyroute2 import IPRoute  # type: ignore[import-untyped]
    from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

    prefix = split(network.subnet)[1]
    blocker = clash(network)
    if blocker:
        raise SystemFailure(
            f"cannot make the bridge {network.bridge}: its subnet {network.subnet} is now used by {blocker}; "
            "free it, or remove the containers of this network so that it can move"
        )
    try:
        with IPRoute() as route:
            if not links.exists(network.bridge):
                # an address of its own, or the bridge would change it with every port that comes and goes
                route.link("add", ifname=network.bridge, kind="bridge", address=mac(number(network.gateway)))
            index = route.link_lookup(ifname=network.bridge)[0]
            if _addresses(route, index)[:1] != [(network.gateway, prefix)]:
                route.flush_addr(index=index)
                route.addr("add", index=index, address=network.gateway, prefixlen=prefix)
            route.link("set", index=index, state="up")
    except (NetlinkError, OSError, IndexError) as error:
        raise SystemFailure(f"cannot make the bridge {network.bridge}: {error}") from error


def _addresses(route: object, index: int) -> list[tuple[str, int]]:
    found = []
    for message in route.get_addr(index=index, family=2):  # type: ignore[attr-defined]
        found.append((str(message.get_attr("IFA_ADDRESS")), int(message["prefixlen"])))
    return found


def clash(network: NetworkRow) -> str:
    """The link whose route overlaps the network's subnet, "" when there is none."""
    wanted = split(network.subnet)
    for base, prefix, link in links.routes():
        if link != network.bridge and overlap(wanted, (base, prefix)):
            return link
    return ""


def move_if_clashing(db: sqlite3.Connection, network: NetworkRow, instance: str) -> NetworkRow:
    """Give a network whose bridge is missing, whose subnet somebody else took and in which nobody lives another subnet.

    Runs in a write transaction; returns the network as it is then.
    """
    if links.exists(network.bridge) or not clash(network) or networks.members(db, network.id):
        return network
    taken = [other.subnet for other in networks.all_networks(db) if other.id != network.id]
    subnet, gateway = networks.choose_subnet(instance, network.bridge, taken)
    return networks.rename_subnet(db, network, subnet, gateway)


def remove(network: NetworkRow) -> None:
    """Delete the network's bridge; none is fine, and a link of that name that is no bridge is somebody else's."""
    if network.bridge and os.path.isdir(f"/sys/class/net/{network.bridge}/bridge"):
        links.delete_link(network.bridge)
