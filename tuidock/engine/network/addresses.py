"""IPv4 addresses: which container has which one in which network.

An address belongs to its container from create to rm, over stops and reboots, so that neighbours' caches and people's
notes stay right. The next one is the highest ever given plus one; only then gaps are filled, so an address that was
given back is not somebody else's a moment later.
"""

from __future__ import annotations

from tuidock.engine.errors import Conflict, InvalidArgument, SystemFailure
from tuidock.engine.network.ipv4 import dotted, number, split
from tuidock.engine.network.networks import NetworkRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

_GAP = """
WITH taken(address) AS (SELECT address FROM addresses WHERE network_id = ? UNION SELECT ? UNION SELECT ?)
SELECT min(a) FROM (SELECT address + 1 AS a FROM taken EXCEPT SELECT address FROM taken) WHERE a <= ?
"""


def allocate(db: sqlite3.Connection, network: NetworkRow, container_id: str, wanted: str = "") -> str:
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
    gateway, last = number(network.gateway), base + (1 << (32 - prefix)) - 2
    if wanted:
        chosen = number(wanted)
        if not base < chosen <= last or chosen == gateway:
            raise InvalidArgument(f"no address {wanted} for a container in network {network.name} ({network.subnet})")
        holder = holder_of(db, network.id, chosen)
        if holder:
            raise Conflict(f"address {wanted} of network {network.name} belongs to container {holder}")
    else:
        chosen = _next(db, network, base, last, gateway)
    db.execute(
        "INSERT INTO addresses(network_id, address, container_id) VALUES (?, ?, ?)", (network.id, chosen, container_id)
    )
    return dotted(chosen)


def _next(db: sqlite3.Connection, network: NetworkRow, base: int, last: int, gateway: int) -> int:
    highest = db.execute("SELECT max(address) FROM addresses WHERE network_id = ?", (network.id,)).fetchone()[0]
    candidate = max(highest or base, base) + 1
    candidate += candidate == gateway
    if candidate <= last:
        return candidate
    gap = db.execute(_GAP, (network.id, base, gateway, last)).fetchone()[0]
    if gap is None:
        raise SystemFailure(f"no free address in network {network.name} ({network.subnet}); remove unused containers")
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


def release(db: sqlite3.Connection, container_id: str) -> None:
    """Give all addresses of a container back; at rm."""
    db.execute("DELETE FROM addresses WHERE container_id = ?", (container_id,))
