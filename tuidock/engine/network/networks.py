"""The networks of an instance: rows of the table, with bridge, host and none always there."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from tuidock.engine.errors import NotFound, SystemFailure
from tuidock.engine.network import links
from tuidock.engine.state import unpack

DEFAULT: Final = "bridge"
#: Modes that are no network of ours and need no address.
_WITHOUT: Final = ("host", "none")


class NetworkRow(NamedTuple):
    """A network; bridge, subnet and gateway are "" for the drivers host and null."""

    id: str
    name: str
    driver: str
    bridge: str
    subnet: str
    gateway: str
    created: int
    internal: bool
    labels: Mapping[str, str]
    options: Mapping[str, str]


_COLUMNS: Final = "id, name, driver, bridge, subnet, gateway, created, internal, labels, options"


def all_networks(db: sqlite3.Connection) -> list[NetworkRow]:
    """Every network, oldest first."""
    return [_row(row) for row in db.execute(f"SELECT {_COLUMNS} FROM networks ORDER BY created, name")]


def find(db: sqlite3.Connection, reference: str) -> NetworkRow:
    """A network by name or (unambiguous start of its) id. Raises NotFound."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM networks WHERE name = ?", (reference,)).fetchall()
    if not rows and reference:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM networks WHERE id >= ? AND id < ? LIMIT 2", (reference, reference + "g")
        ).fetchall()
    if len(rows) != 1:
        raise NotFound("network", reference)
    return _row(rows[0])


def named(db: sqlite3.Connection, mode: str) -> NetworkRow | None:
    """The network for a NetworkMode; None for host, none and container:ID, which need no address. Raises NotFound."""
    if mode in _WITHOUT or mode.startswith("container:"):
        return None
    return find(db, DEFAULT if mode in ("", "default") else mode)


def ensure_defaults(db: sqlite3.Connection, instance: str, bridge: str) -> NetworkRow:
    """Make the rows of bridge, host and none when they are missing; returns that of bridge.

    Costs one query when they are there. Runs in a write transaction the first time.
    """
    row = db.execute(f"SELECT {_COLUMNS} FROM networks WHERE name = ?", (DEFAULT,)).fetchone()
    if row:
        return _row(row)
    subnet, gateway = choose_subnet(instance, bridge, [n.subnet for n in all_networks(db)])
    for name, driver in ((DEFAULT, "bridge"), ("host", "host"), ("none", "null")):
        own = driver == "bridge"
        db.execute(
            "INSERT OR IGNORE INTO networks(id, name, driver, bridge, subnet, gateway, options, labels, created, internal) "
            "VALUES (?, ?, ?, ?, ?, ?, '', '', ?, 0)",
            (
                os.urandom(32).hex(), name, driver, bridge if own else "", subnet if own else "", gateway if own else "",
                time.time_ns(),
            ),
        )  # fmt: skip
    return find(db, DEFAULT)


def choose_subnet(instance: str, bridge: str, taken: list[str]) -> tuple[str, str]:
    """(subnet, gateway) that no route of the host and no network of ours uses.

    tuidock0 gets 10.88.0.0/16 if it can. Other instances begin at a place that follows from their id, because two that
    are made at the same moment cannot see each other.
    """
    from tuidock.engine.network.addresses import dotted, overlap, split

    used = [(network, prefix) for network, prefix, link in links.routes() if link != bridge]
    used += [split(subnet) for subnet in taken if subnet]
    for network, prefix in _candidates(instance, bridge):
        if not any(overlap((network, prefix), other) for other in used):
            return f"{dotted(network)}/{prefix}", dotted(network + 1)
    raise SystemFailure("no free private subnet is left for a network: the routes of this machine cover all of them")


def _candidates(instance: str, bridge: str) -> list[tuple[int, int]]:
    ten = 10 << 24
    fine = [(ten | 89 << 16) + (n << 12) for n in range(39 * 16)]  # 10.89.0.0 - 10.127.255.255 by /20
    start = int(instance, 16) % len(fine)
    pools = [(network, 20) for network in fine[start:] + fine[:start]]
    pools += [((172 << 24) | (n << 16), 16) for n in range(17, 32)]
    pools += [((192 << 24) | (168 << 16) | (n << 12), 20) for n in range(16)]
    return [(ten | 88 << 16, 16), *pools] if bridge == "tuidock0" else pools


def rename_subnet(db: sqlite3.Connection, network: NetworkRow, subnet: str, gateway: str) -> NetworkRow:
    """Move a network in which nobody has an address to another subnet."""
    db.execute("UPDATE networks SET subnet = ?, gateway = ? WHERE id = ?", (subnet, gateway, network.id))
    return network._replace(subnet=subnet, gateway=gateway)


def members(db: sqlite3.Connection, network_id: str) -> list[tuple[str, str, int]]:
    """(container id, name, address) of everybody who has an address in it."""
    return [
        (str(row[0]), str(row[1]), int(row[2]))
        for row in db.execute(
            "SELECT a.container_id, c.name, a.address FROM addresses a JOIN containers c ON c.id = a.container_id "
            "WHERE a.network_id = ? ORDER BY a.address",
            (network_id,),
        )
    ]


def _row(row: tuple[object, ...]) -> NetworkRow:
    id_, name, driver, bridge, subnet, gateway, created, internal, labels, options = row
    return NetworkRow(
        str(id_), str(name), str(driver), str(bridge), str(subnet), str(gateway), int(str(created)), bool(internal),
        unpack(str(labels).removeprefix("{}")), unpack(str(options).removeprefix("{}")),
    )  # fmt: skip
