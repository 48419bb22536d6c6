"""The networks of an instance: rows of the table, with bridge, host and none always there."""

from __future__ import annotations

import time

from tuidock.engine.errors import NotFound, SystemFailure
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.network import links
from tuidock.engine.network.ipv4 import dotted, mac, number, overlap, split
from tuidock.engine.state import unpack
from tuidock.engine.types import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from typing import Any, Final

DEFAULT: Final = "bridge"
#: Modes that are no network of ours and need no address.
_WITHOUT: Final = ("host", "none")


class NetworkRow(Named):
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


def named(db: sqlite3.Connection, mode: str, instance: Instance) -> NetworkRow | None:
    """The network for a NetworkMode; None for host, none and container:ID, which need no address.

    Runs in a write transaction, because the default networks are made when they are first needed. Raises NotFound.
    """
    if mode in _WITHOUT or mode.startswith("container:"):
        return None
    default = ensure_defaults(db, instance.id, instance.bridge)
    return default if mode in ("", "default", DEFAULT) else find(db, mode)


def ensure_defaults(db: sqlite3.Connection, instance: str, bridge: str) -> NetworkRow:
    """Make the rows of bridge, host and none when they are missing; returns that of bridge.

    Costs one query when they are there. Runs in a write transaction the first time.
    """
    row = db.execute(f"SELECT {_COLUMNS} FROM networks WHERE name = ?", (DEFAULT,)).fetchone()
    if row:
        return _row(row)
    # a bridge that stands already belongs to a database that was lost: containers may hang on it
    standing = links.ipv4_of(bridge)
    if standing:
        subnet, gateway = _subnet_of(*standing), standing[0]
    else:
        subnet, gateway = choose_subnet(instance, bridge, [n.subnet for n in all_networks(db)])
    for name, driver in ((DEFAULT, "bridge"), ("host", "host"), ("none", "null")):
        own = driver == "bridge"
        db.execute(
            "INSERT OR IGNORE INTO networks(id, name, driver, bridge, subnet, gateway, options, labels, created, internal) "
            "VALUES (?, ?, ?, ?, ?, ?, '', '', ?, 0)",
            (
                _default_id(instance, name), name, driver, bridge if own else "", subnet if own else "",
                gateway if own else "", time.time_ns(),
            ),
        )  # fmt: skip
    return find(db, DEFAULT)


def _subnet_of(address: str, prefix: int) -> str:
    return f"{dotted(number(address) >> (32 - prefix) << (32 - prefix))}/{prefix}"


def _default_id(instance: str, name: str) -> str:
    """Follows from the instance, so that a rebuilt database fits the addresses in create.json files."""
    from hashlib import sha256

    return sha256(f"tuidock network {instance} {name}".encode()).hexdigest()


def choose_subnet(instance: str, bridge: str, taken: list[str]) -> tuple[str, str]:
    """(subnet, gateway) that no route of the host and no network of ours uses.

    tuidock0 gets 10.88.0.0/16 if it can. Other instances begin at a place that follows from their id, because two that
    are made at the same moment cannot see each other.
    """
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


def list_networks(db: sqlite3.Connection, instance: Instance) -> list[Network]:
    """All networks with their members, for people. In read-only mode the defaults may not exist yet."""
    if not instance.read_only and not db.execute("SELECT 1 FROM networks WHERE name = ?", (DEFAULT,)).fetchone():
        with instance.state.write() as writing:
            ensure_defaults(writing, instance.id, instance.bridge)
    return [
        Network(
            row.id, row.name, row.driver, row.subnet, row.gateway, row.bridge, row.created, row.internal, row.labels,
            tuple((name, dotted(address)) for _, name, address in members(db, row.id)),
        )
        for row in all_networks(db)
    ]  # fmt: skip


def inspect(db: sqlite3.Connection, network: Network) -> dict[str, Any]:
    """A network in docker's JSON."""
    row = find(db, network.id)
    prefix = network.subnet.rpartition("/")[2]
    seconds, nanoseconds = divmod(network.created, 1_000_000_000)
    created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"
    options = dict(row.options)
    if row.bridge:
        options.setdefault("com.docker.network.bridge.name", row.bridge)
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": created,
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {
            "Driver": "default",
            "Options": None,
            "Config": [{"Subnet": network.subnet, "Gateway": network.gateway}] if network.subnet else [],
        },
        "Internal": network.internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            container_id: {
                "Name": name,
                "EndpointID": "",
                "MacAddress": mac(address),
                "IPv4Address": f"{dotted(address)}/{prefix}",
                "IPv6Address": "",
            }
            for container_id, name, address in members(db, network.id)
        },
        "Options": options,
        "Labels": dict(network.labels),
    }


def restore(db: sqlite3.Connection, instance: Instance, old: str) -> int:
    """Take the networks over from an older database, if it can still be read; returns how many there are then."""
    import sqlite3

    rows: list[tuple[object, ...]] = []
    try:
        source = sqlite3.connect(old)
        try:
            rows = source.execute(f"SELECT {_COLUMNS} FROM networks").fetchall()
        finally:
            source.close()
    except sqlite3.Error:
        pass
    db.executemany(f"INSERT OR IGNORE INTO networks({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    ensure_defaults(db, instance.id, instance.bridge)
    return len(all_networks(db))


def _row(row: tuple[object, ...]) -> NetworkRow:
    id_, name, driver, bridge, subnet, gateway, created, internal, labels, options = row
    return NetworkRow(
        str(id_), str(name), str(driver), str(bridge), str(subnet), str(gateway), int(str(created)), bool(internal),
        unpack(str(labels).removeprefix("{}")), unpack(str(options).removeprefix("{}")),
    )  # fmt: skip
