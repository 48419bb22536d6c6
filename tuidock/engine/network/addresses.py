"""Places in networks: which container has which address, IPv4 and IPv6, on which interface.

An address belongs to its container from create to rm, over stops and reboots, so that neighbours' caches and people's
notes stay right. The next one is the highest ever given plus one; only then gaps are filled, so an address that was
given back is not somebody else's a moment later.
"""

from __future__ import annotations

from tuidock.engine import fastjson
from tuidock.engine.errors import Conflict, InvalidArgument, SystemFailure
from tuidock.engine.named import Named
from tuidock.engine.network import networks
from tuidock.engine.network.ipv4 import dotted, number, split
from tuidock.engine.network.networks import NetworkRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Final

_GAP = """
WITH taken(address) AS (SELECT address FROM addresses WHERE network_id = ? UNION SELECT ? UNION SELECT ?)
SELECT min(a) FROM (SELECT address + 1 AS a FROM taken EXCEPT SELECT address FROM taken) WHERE a BETWEEN ? AND ?
"""


#: Interfaces of one container; the last digit of a link's name is the interface's number.
MOST_PLACES: Final = 16
_PLACE: Final = "network_id, address, position, address6, mac, settings"


class Place(Named):
    """A container's place in a network. position is the number of its interface; settings docker's EndpointSettings as
    they were asked for; addresses without prefix length, address6 "" without IPv6."""

    network: NetworkRow
    address: str
    position: int
    address6: str
    mac: str
    settings: Mapping[str, Any]


def allocate(
    db: sqlite3.Connection, network: NetworkRow, container_id: str, wanted: str = "", wanted6: str = "", mac: str = "",
    settings: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """Give the container an address in the network (the one it has, if it has one) and return it.

    Runs in the caller's write transaction. Raises Conflict for a wanted address that is taken, InvalidArgument for one
    outside of the subnet, SystemFailure when all are in use.
    """
    row = db.execute(
        "SELECT address FROM addresses WHERE network_id = ? AND container_id = ?", (network.id, container_id)
    ).fetchone()
    if row and (not wanted or number(wanted) == row[0]):
        return dotted(row[0])
    base, prefix = split(network.subnet)
    gateway, last = number(network.gateway) if network.gateway else 0, base + (1 << (32 - prefix)) - 2
    if wanted:
        chosen = number(wanted)
        if not base < chosen <= last or chosen == gateway:
            raise InvalidArgument(f"no address {wanted} for a container in network {network.name} ({network.subnet})")
        holder = holder_of(db, network.id, chosen)
        if holder:
            raise Conflict(f"address {wanted} of network {network.name} belongs to container {holder}")
    else:
        chosen = _next(db, network, base, last, gateway)
    address6 = _second(db, network, chosen - base, wanted6)
    db.execute(
        f"INSERT INTO addresses({_PLACE}, container_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            network.id, chosen, _position(db, container_id), address6, mac,
            fastjson.dumps(dict(settings)) if settings else "{}", container_id,
        ),
    )  # fmt: skip
    return dotted(chosen)


def _position(db: sqlite3.Connection, container_id: str) -> int:
    """The lowest number that none of the container's interfaces has."""
    taken = {row[0] for row in db.execute("SELECT position FROM addresses WHERE container_id = ?", (container_id,))}
    for position in range(MOST_PLACES):
        if position not in taken:
            return position
    raise Conflict(
        f"container {container_id[:12]} is in {MOST_PLACES} networks already, which is the most there can be"
    )


def _second(db: sqlite3.Connection, network: NetworkRow, offset: int, wanted: str) -> str:
    """The IPv6 address, which lies as far from its subnet's beginning as the IPv4 one, unless somebody asked for that."""
    if not network.subnet6:
        if wanted:
            raise InvalidArgument(
                f"no address {wanted} in network {network.name}: it has no IPv6; create it with --ipv6"
            )
        return ""
    from tuidock.engine.network import ipv6

    base, prefix = ipv6.split(network.subnet6)
    size = 1 << (128 - prefix)
    gateway = ipv6.number(network.gateway6)
    if wanted:
        chosen = ipv6.number(wanted)
        if not base < chosen < base + size or chosen == gateway:
            raise InvalidArgument(f"no address {wanted} for a container in network {network.name} ({network.subnet6})")
        candidates: Iterable[int] = (chosen,)
    else:
        candidates = (base + (offset + step) % size for step in range(min(size, 1 << 16)))
    for candidate in candidates:
        text = ipv6.text(candidate)
        query = "SELECT 1 FROM addresses WHERE network_id = ? AND address6 = ?"
        if candidate not in (base, gateway) and not db.execute(query, (network.id, text)).fetchone():
            return text
    if wanted:
        raise Conflict(f"address {wanted} of network {network.name} belongs to another container")
    raise SystemFailure(f"no free address in network {network.name} ({network.subnet6}); remove unused containers")


def _next(db: sqlite3.Connection, network: NetworkRow, base: int, last: int, gateway: int) -> int:
    pool, pool_prefix = split(network.ip_range or network.subnet)
    first, final = max(pool, base + 1), min(pool + (1 << (32 - pool_prefix)) - 1, last)
    highest = db.execute(
        "SELECT max(address) FROM addresses WHERE network_id = ? AND address BETWEEN ? AND ?",
        (network.id, first, final),
    ).fetchone()[0]
    candidate = max(highest or 0, first - 1) + 1
    candidate += candidate == gateway
    if candidate <= final:
        return candidate
    gap = db.execute(_GAP, (network.id, first - 1, gateway, first, final)).fetchone()[0]
    if gap is None:
        raise SystemFailure(
            f"no free address in network {network.name} ({network.ip_range or network.subnet}); remove unused containers"
        )
    return int(gap)


def holder_of(db: sqlite3.Connection, network_id: str, address: int) -> str:
    """The name of the container that has the address, or its id when the row has gone, or ""."""
    row = db.execute(
        "SELECT coalesce(c.name, a.container_id) FROM addresses a LEFT JOIN containers c ON c.id = a.container_id "
        "WHERE a.network_id = ? AND a.address = ?",
        (network_id, address),
    ).fetchone()
    return str(row[0]) if row else ""


def address_of(db: sqlite3.Connection, network_id: str, container_id: str) -> str:
    """The container's address in the network, "" when it has none."""
    row = db.execute(
        "SELECT address FROM addresses WHERE network_id = ? AND container_id = ?", (network_id, container_id)
    ).fetchone()
    return dotted(row[0]) if row else ""


def places(db: sqlite3.Connection, container_id: str) -> list[Place]:
    """Where the container is, by interface. Raises NotFound for a network that was removed under a stopped container."""
    return [_place(networks.find(db, row[0]), row) for row in _rows(db, container_id)]


def known_places(db: sqlite3.Connection, container_id: str) -> list[Place]:
    """The same without those in networks that have gone."""
    known = {network.id: network for network in networks.all_networks(db)}
    return [_place(known[row[0]], row) for row in _rows(db, container_id) if row[0] in known]


def _rows(db: sqlite3.Connection, container_id: str) -> list[tuple[Any, ...]]:
    query = f"SELECT {_PLACE} FROM addresses WHERE container_id = ? ORDER BY position, network_id"
    return db.execute(query, (container_id,)).fetchall()


def _place(network: NetworkRow, row: tuple[Any, ...]) -> Place:
    _, address, position, address6, mac, settings = row
    return Place(network, dotted(address), position, address6, mac, fastjson.loads(settings))


def settings_of(db: sqlite3.Connection, container_id: str) -> dict[str, dict[str, Any]]:
    """What was asked for in each of the container's networks, by network id."""
    return {
        str(row[0]): fastjson.loads(row[1])
        for row in db.execute("SELECT network_id, settings FROM addresses WHERE container_id = ?", (container_id,))
    }


def release(db: sqlite3.Connection, container_id: str, network_id: str = "") -> None:
    """Give the container's addresses back, or the one in a network."""
    only, more = ("AND network_id = ?", (network_id,)) if network_id else ("", ())
    db.execute(f"DELETE FROM addresses WHERE container_id = ? {only}", (container_id, *more))


def document(db: sqlite3.Connection, container_id: str) -> list[list[Any]]:
    """The places as create.json keeps them, for `restore`."""
    query = f"SELECT {_PLACE} FROM addresses WHERE container_id = ? ORDER BY position"
    return [list(row) for row in db.execute(query, (container_id,))]


def restore(db: sqlite3.Connection, container_id: str, place: Sequence[Any]) -> None:
    """Takes one place of `document` in again; older ones hold network and address only."""
    values = [*place, *(0, "", "", "{}")[len(place) - 2 :]]
    db.execute(
        f"INSERT OR IGNORE INTO addresses({_PLACE}, container_id) VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, container_id)
    )
