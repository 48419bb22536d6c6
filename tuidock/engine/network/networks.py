"""The networks of an instance: rows of the table, with bridge, host and none always there."""

from __future__ import annotations

import time

from tuidock.engine.errors import NotFound, SystemFailure
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.network import links
from tuidock.engine.network.ipv4 import dotted, mac, number, overlap, split
from tuidock.engine.state import pack, unpack
from tuidock.engine.types import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from typing import Any, Final

DEFAULT: Final = "bridge"
PREDEFINED: Final = ("bridge", "host", "none")
#: docker's names of the options that count here.
BRIDGE_NAME: Final = "com.docker.network.bridge.name"
ICC: Final = "com.docker.network.bridge.enable_icc"
MASQUERADE: Final = "com.docker.network.bridge.enable_ip_masquerade"
HOST_BINDING: Final = "com.docker.network.bridge.host_binding_ipv4"
MTU: Final = "com.docker.network.driver.mtu"
#: Modes that are no network of ours and need no address.
_WITHOUT: Final = ("host", "none")


class NetworkRow(Named):
    """A network; bridge, subnet and gateway are "" for the drivers host and null, bridge also for macvlan and ipvlan.

    ip_range: where addresses come from when nobody asks for one; "" is the whole subnet. configured: 1 when a person
    chose the subnet, 2 subnet6, 3 both.
    """

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
    ip_range: str = ""
    subnet6: str = ""
    gateway6: str = ""
    configured: int = 0

    @property
    def mtu(self) -> int:
        """Bytes of the largest packet; 1500 unless somebody said otherwise."""
        return int(self.options.get(MTU) or 1500)

    def is_on(self, option: str, default: bool) -> bool:
        """A yes or no among the options."""
        value = self.options.get(option)
        return default if value is None else value.lower() in ("1", "t", "true")


_COLUMNS: Final = (
    "id, name, driver, bridge, subnet, gateway, created, internal, labels, options, ip_range, subnet6, gateway6, "
    "configured"
)


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


def insert(db: sqlite3.Connection, network: NetworkRow) -> None:
    """A new row; one with the same id or name stays as it is."""
    db.execute(
        f"INSERT OR IGNORE INTO networks({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *network[:7], int(network.internal), pack(dict(network.labels)), pack(dict(network.options)), *network[10:],
        ),
    )  # fmt: skip


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
        places = (bridge, subnet, gateway) if own else ("", "", "")
        insert(db, NetworkRow(_default_id(instance, name), name, driver, *places, time.time_ns(), False, {}, {}))
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
            tuple((name, dotted(address)) for _, name, address in members(db, row.id)), row.subnet6, row.options,
        )
        for row in all_networks(db)
    ]  # fmt: skip


def endpoint_id(network_id: str, container_id: str) -> str:
    """docker's name for a container's place in a network. Follows from both, so nobody has to keep it."""
    from hashlib import sha256

    return sha256(f"tuidock endpoint {network_id} {container_id}".encode()).hexdigest()


def inspect(db: sqlite3.Connection, reference: str) -> dict[str, Any]:
    """A network in docker's JSON. Raises NotFound."""
    row = find(db, reference)
    seconds, nanoseconds = divmod(row.created, 1_000_000_000)
    created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"
    options = dict(row.options)
    if row.bridge:
        options.setdefault(BRIDGE_NAME, row.bridge)
    return {
        "Name": row.name,
        "Id": row.id,
        "Created": created,
        "Scope": "local",
        "Driver": row.driver,
        "EnableIPv4": True,
        "EnableIPv6": bool(row.subnet6),
        "IPAM": {"Driver": "default", "Options": None if row.name == DEFAULT else {}, "Config": _pools(row)},
        "Internal": row.internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": _places(db, row),
        "Options": options,
        "Labels": dict(row.labels),
    }


def _pools(row: NetworkRow) -> list[dict[str, str]]:
    pools = []
    for subnet, ip_range, gateway in ((row.subnet, row.ip_range, row.gateway), (row.subnet6, "", row.gateway6)):
        pool = {"Subnet": subnet, "IPRange": ip_range, "Gateway": gateway}
        if subnet:
            pools.append({key: value for key, value in pool.items() if value})
    return pools


def _places(db: sqlite3.Connection, row: NetworkRow) -> dict[str, dict[str, str]]:
    prefix, prefix6 = row.subnet.rpartition("/")[2], row.subnet6.rpartition("/")[2]
    return {
        str(container_id): {
            "Name": str(name),
            "EndpointID": endpoint_id(row.id, str(container_id)),
            "MacAddress": str(asked) or mac(int(address)),
            "IPv4Address": f"{dotted(int(address))}/{prefix}",
            "IPv6Address": f"{address6}/{prefix6}" if address6 else "",
        }
        for container_id, name, address, address6, asked in db.execute(
            "SELECT a.container_id, c.name, a.address, a.address6, a.mac FROM addresses a JOIN containers c "
            "ON c.id = a.container_id WHERE a.network_id = ? ORDER BY a.address",
            (row.id,),
        )
    }


def restore(db: sqlite3.Connection, instance: Instance, old: str) -> int:
    """Take the networks over from an older database, if it can still be read; returns how many there are then."""
    import sqlite3

    rows: list[tuple[object, ...]] = []
    try:
        source = sqlite3.connect(old)
        try:
            names = {column[1] for column in source.execute("PRAGMA table_info(networks)")}
            known = ", ".join(name if name in names else _ABSENT.get(name, name) for name in _COLUMNS.split(", "))
            rows = source.execute(f"SELECT {known} FROM networks").fetchall()
        finally:
            source.close()
    except sqlite3.Error:
        pass
    for row in rows:
        insert(db, _row(row))
    ensure_defaults(db, instance.id, instance.bridge)
    return len(all_networks(db))


#: What stands for columns that the third version of the database brought.
_ABSENT: Final = {"ip_range": "''", "subnet6": "''", "gateway6": "''", "configured": "0"}


def _row(row: tuple[Any, ...]) -> NetworkRow:
    id_, name, driver, bridge, subnet, gateway, created, internal, labels, options, *more = row
    return NetworkRow(
        str(id_), str(name), str(driver), str(bridge), str(subnet), str(gateway), int(str(created)), bool(internal),
        unpack(str(labels).removeprefix("{}")), unpack(str(options).removeprefix("{}")), *more,
    )  # fmt: skip
