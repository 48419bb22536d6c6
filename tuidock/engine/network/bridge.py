"""The bridge that a network's containers hang on, with the host as their gateway.

A link has a name only, so a bridge bears the id of its network as its alias.

`ensure` stands in every start: it looks (microseconds) and makes only what a reboot or a person has taken away.
"""

from __future__ import annotations

import os

from tuidock.engine.errors import SystemFailure
from tuidock.engine.files import locked
from tuidock.engine.network import links, networks, nftables
from tuidock.engine.network.ipv4 import mac, number, overlap, split
from tuidock.engine.network.networks import BRIDGE_NAME, NetworkRow
from tuidock.engine.network.nftables import PortElement

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

_FORWARD = "/proc/sys/net/ipv4/ip_forward"
_FORWARD6 = "/proc/sys/net/ipv6/conf/all/forwarding"


def is_ready(network: NetworkRow) -> bool:
    """Whether the bridge is up and has the gateway's addresses."""
    if links.ipv4_of(network.bridge) != (network.gateway, split(network.subnet)[1]):
        return False
    if not network.subnet6:
        return True
    from tuidock.engine.network import ipv6

    return links.has_ipv6(network.bridge, network.gateway6, ipv6.split(network.subnet6)[1])


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
    if is_ready(network) and nftables.is_complete(table, network) and _forwards(network):
        return ""
    with locked(lock):
        known = nftables.exists(table)
        if known and not (is_ready(network) and nftables.is_complete(table, network)):
            nftables.admit(table, network)  # before the bridge: one that stands has its rules
        if not is_ready(network):
            _create(network)
        if not _forwards(network):
            _enable_forwarding(network)
        if known:
            return ""
        nftables.create(table, every(), ports())
    return nftables.describe(nftables.foreign_drops())


def _forwards(network: NetworkRow) -> bool:
    return _is_on(_FORWARD) and (not network.subnet6 or _is_on(_FORWARD6))


def _is_on(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(1) == b"1"


def _enable_forwarding(network: NetworkRow) -> None:
    _set(_FORWARD, "1")
    if not network.subnet6 or _is_on(_FORWARD6):
        return
    # a machine that forwards no longer listens to its router, unless each link is told to go on (2)
    for name in os.listdir("/proc/sys/net/ipv6/conf"):
        path = f"/proc/sys/net/ipv6/conf/{name}/accept_ra"
        if name not in ("all", "lo") and _is_on(path):
            _set(path, "2")
    _set(_FORWARD6, "1")


def _set(path: str, value: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
    except OSError as error:
        raise SystemFailure(f"cannot set {path} to {value}, which containers need: {error.strerror}") from error


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
    _refuse_foreign(network)
    try:
        with IPRoute() as route:
            if not links.exists(network.bridge):
                # an address of its own, or the bridge would change it with every port that comes and goes
                route.link("add", ifname=network.bridge, kind="bridge", address=mac(number(network.gateway)))
            index = route.link_lookup(ifname=network.bridge)[0]
            route.link("set", index=index, ifalias=_mark(network), mtu=network.mtu)
            if _addresses(route, index)[:1] != [(network.gateway, prefix)]:
                route.flush_addr(index=index, family=2)
                route.addr("add", index=index, address=network.gateway, prefixlen=prefix)
            if network.subnet6:
                _add_ipv6(route, index, network)
            route.link("set", index=index, state="up")
    except (NetlinkError, OSError, IndexError) as error:
        raise SystemFailure(f"cannot make the bridge {network.bridge}: {error}") from error


def _mark(network: NetworkRow) -> str:
    """What a bridge of ours bears as its alias: a name that a person chose says nothing of who made it."""
    return f"tuidock network {network.id}"


def _is_ours(network: NetworkRow) -> bool:
    if not os.path.isdir(f"/sys/class/net/{network.bridge}/bridge"):
        return False
    return links.alias_of(network.bridge) == _mark(network) or not network.options.get(BRIDGE_NAME)


def _refuse_foreign(network: NetworkRow) -> None:
    if links.exists(network.bridge) and not _is_ours(network):
        raise SystemFailure(
            f"cannot make the bridge {network.bridge} of network {network.name}: somebody else's link has that name now; "
            "rename that, or make the network anew with another"
        )


def _add_ipv6(route: object, index: int, network: NetworkRow) -> None:
    from tuidock.engine.network import ipv6

    prefix = ipv6.split(network.subnet6)[1]
    if not os.path.isdir("/proc/sys/net/ipv6"):
        raise SystemFailure(f"cannot give network {network.name} its subnet {network.subnet6}: this kernel has no IPv6")
    settings = f"/proc/sys/net/ipv6/conf/{network.bridge}"
    _set(settings + "/disable_ipv6", "0")
    _set(settings + "/accept_ra", "0")
    if not links.has_ipv6(network.bridge, network.gateway6, prefix):
        # 2: without asking the neighbours first whether somebody has it, which would take a second
        route.addr("add", index=index, address=network.gateway6, prefixlen=prefix, family=10, flags=2)  # type: ignore[attr-defined]


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
    """Delete the network's bridge; none is fine, and a link of that name that is no bridge of ours is somebody else's."""
    if network.bridge and _is_ours(network):
        links.delete_link(network.bridge)


def remove_unknown(instance: str, default: str) -> None:
    """Delete the bridges that bear an instance's names and that of its default network, whatever its database knows."""
    for name in (default, *made_by(instance)):
        if os.path.isdir(f"/sys/class/net/{name}/bridge"):
            links.delete_link(name)


def made_by(instance: str) -> list[str]:
    """The bridges with names that an instance gives to networks of people (`creation`)."""
    prefix = f"tdk{instance[:4]}"
    return [name for name in os.listdir("/sys/class/net") if name.startswith(prefix) and len(name) == len(prefix) + 8]
