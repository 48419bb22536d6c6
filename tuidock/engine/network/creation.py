"""Making and removing networks: docker's rules and words, before anything is written.

A network is a row and a small file of its definition (for `system rebuild`); its bridge is made when the first container
starts in it, and again after a reboot.
"""

from __future__ import annotations

import os
import time

from tuidock.engine import fastjson
from tuidock.engine.errors import Conflict, InvalidArgument, NameTaken, SystemFailure, Unsupported, WrongState
from tuidock.engine.files import read_text, refuse, write_atomic
from tuidock.engine.named import Named
from tuidock.engine.network import ipv4, ipv6, links, networks
from tuidock.engine.network.networks import NetworkRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from typing import Final

    from tuidock.engine.instance import Instance

DRIVERS: Final = ("bridge", "macvlan", "ipvlan")
_YES_NO: Final = (networks.ICC, networks.MASQUERADE)
_FIRST: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_NAME: Final = _FIRST | frozenset("_.-")
_MODES: Final = {
    "macvlan": ("macvlan_mode", "bridge", ("bridge", "private", "vepa", "passthru")),
    "ipvlan": ("ipvlan_mode", "l2", ("l2", "l3", "l3s")),
}
#: Linux: a link's name is at most 15 bytes.
_LINK_NAME: Final = 15


class Wish(Named):
    """What `network create` asks for: texts as they were typed; options have docker's names."""

    name: str
    driver: str = "bridge"
    subnets: Sequence[str] = ()
    gateways: Sequence[str] = ()
    ranges: Sequence[str] = ()
    internal: bool = False
    ipv6: bool = False
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}


def create(db: sqlite3.Connection, instance: Instance, wish: Wish) -> NetworkRow:
    """The row of a new network, inside the caller's write transaction; its definition is on the disk then.

    Raises InvalidArgument, NameTaken, Conflict for what overlaps, Unsupported for a driver that this kernel lacks.
    """
    networks.ensure_defaults(db, instance.id, instance.bridge)
    _check_name(db, wish.name)
    if wish.driver not in DRIVERS:
        raise InvalidArgument(
            f"could not find plugin {wish.driver} in v2 plugin registry: there are {', '.join(DRIVERS)}"
        )
    others = networks.all_networks(db)
    identity = os.urandom(32).hex()
    bridge = _bridge_name(instance, wish, identity, others) if wish.driver == "bridge" else ""
    options = _check_options(wish)
    pools = _pools(wish)
    configured = bool(pools.subnet) + 2 * bool(pools.subnet6)
    if pools.subnet:
        _check_free(ipv4.split(pools.subnet), others, wish.driver)
        subnet, gateway = pools.subnet, pools.gateway or ipv4.dotted(ipv4.split(pools.subnet)[0] + 1)
    else:
        # another's place in the pools than the default bridge's, so that that one can still be made
        subnet, gateway = networks.choose_subnet(identity[:8], bridge or "-", [n.subnet for n in others])
    subnet6, gateway6 = pools.subnet6, pools.gateway6
    if wish.ipv6 and not subnet6:
        subnet6 = ipv6.unique_local(instance.id, identity)
    if subnet6:
        parts = ipv6.split(subnet6)
        if any(other.subnet6 and ipv6.overlap(parts, ipv6.split(other.subnet6)) for other in others):
            raise Conflict("invalid pool request: Pool overlaps with other one on this address space")
        gateway6 = gateway6 or ipv6.text(parts[0] + 1)
    network = NetworkRow(
        identity, wish.name, wish.driver, bridge, subnet, gateway, time.time_ns(), wish.internal, dict(wish.labels),
        options, pools.ip_range, subnet6, gateway6, configured,
    )  # fmt: skip
    networks.insert(db, network)
    _define(instance, network)
    return network


def _check_name(db: sqlite3.Connection, name: str) -> None:
    if not name or name[0] not in _FIRST or not _NAME.issuperset(name) or len(name) > 255:
        raise InvalidArgument(
            f"invalid network name {name!r:.300}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, at most 255 of them"
        )
    if name in (*networks.PREDEFINED, "default"):
        raise WrongState(f"operation is not permitted on predefined {name} network")
    if db.execute("SELECT 1 FROM networks WHERE name = ?", (name,)).fetchone():
        raise NameTaken(f"network with name {name} already exists")


def _bridge_name(instance: Instance, wish: Wish, identity: str, others: Sequence[NetworkRow]) -> str:
    name = wish.options.get(networks.BRIDGE_NAME, "")
    if not name:
        return f"tdk{instance.id[:4]}{identity[:8]}"
    if len(name) > _LINK_NAME or name[0] not in _FIRST or not _NAME.issuperset(name):
        raise InvalidArgument(
            f"invalid bridge name {name!r:.60}: a link has at most {_LINK_NAME} characters of [a-zA-Z0-9_.-], the first a "
            "letter or digit"
        )
    for other in others:
        if other.bridge == name:
            raise Conflict(f"cannot create network {wish.name}: network {other.name} has the bridge {name} already")
    if links.exists(name):
        raise Conflict(
            f"cannot create network {wish.name}: this machine has a link {name} that is not ours; name another"
        )
    return name


def _check_options(wish: Wish) -> dict[str, str]:
    options = dict(wish.options)
    for key in _YES_NO:
        if options.get(key, "true").lower() not in ("1", "t", "true", "0", "f", "false"):
            raise InvalidArgument(f"invalid value for {key}: {options[key]!r:.60} is neither true nor false")
    mtu = options.get(networks.MTU, "1500")
    lowest = 1280 if wish.ipv6 else 68  # RFC 8200 and RFC 791
    if not (mtu.isascii() and mtu.isdecimal() and len(mtu) < 6 and lowest <= int(mtu) <= 65535):
        raise InvalidArgument(f"invalid value for {networks.MTU}: {mtu!r:.60} is not a number from {lowest} to 65535")
    binding = options.get(networks.HOST_BINDING, "")
    if binding:
        ipv4.number(binding)
    if wish.driver != "bridge":
        _check_parent(wish, options)
    return options


def _check_parent(wish: Wish, options: Mapping[str, str]) -> None:
    key, default, modes = _MODES[wish.driver]
    if options.get(key, default) not in modes:
        raise InvalidArgument(
            f"requested {wish.driver} mode '{options[key]!r:.40}' is not valid; there are {', '.join(modes)}"
        )
    parent = options.get("parent", "")
    if parent and not links.exists(parent):
        raise InvalidArgument(
            f"cannot create network {wish.name}: this machine has no link {parent!r:.40} for its parent"
        )
    if not parent:
        raise InvalidArgument(f"cannot create network {wish.name}: name the link it hangs on with -o parent=LINK")
    if not links.can_make(wish.driver):
        raise Unsupported(
            f"cannot create network {wish.name}: this kernel has no {wish.driver} links (module {wish.driver})"
        )


class _Pools(Named):
    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    subnet6: str = ""
    gateway6: str = ""


def _pools(wish: Wish) -> _Pools:
    """One subnet of each family at most, each gateway and range inside of one."""
    pools = _Pools()
    for subnet in wish.subnets:
        field, split = ("subnet6", ipv6.split) if ":" in subnet else ("subnet", ipv4.split)
        prefix = split(subnet)[1]
        if prefix > (126 if ":" in subnet else 30):
            raise InvalidArgument(f"invalid subnet {subnet}: it has no room for a gateway and a container")
        if getattr(pools, field):
            raise InvalidArgument("multiple overlapping subnet configuration is not supported")
        pools = pools._replace(**{field: subnet})
    if pools.subnet6 and not wish.ipv6:
        raise InvalidArgument(f"invalid subnet {pools.subnet6}: IPv6 is not enabled; add --ipv6")
    for gateway in wish.gateways:
        six = ":" in gateway
        subnet = pools.subnet6 if six else pools.subnet
        if not subnet:
            raise InvalidArgument(f"no matching subnet for gateway {gateway}")
        base, prefix = ipv6.split(subnet) if six else ipv4.split(subnet)
        value = ipv6.number(gateway) if six else ipv4.number(gateway)
        if not base < value < base + (1 << ((128 if six else 32) - prefix)) - (not six):
            raise InvalidArgument(f"no matching subnet for gateway {gateway}: it is no address of {subnet}")
        pools = pools._replace(**{"gateway6" if six else "gateway": ipv6.text(value) if six else gateway})
    for ip_range in wish.ranges:
        if ":" in ip_range:
            raise Unsupported(f"invalid range {ip_range}: ranges are for IPv4; IPv6 addresses follow from those")
        base, prefix = ipv4.split(ip_range)
        if (
            not pools.subnet
            or prefix < ipv4.split(pools.subnet)[1]
            or not ipv4.overlap((base, prefix), ipv4.split(pools.subnet))
        ):
            raise InvalidArgument(f"no matching subnet for range {ip_range}")
        if pools.ip_range:
            raise InvalidArgument("multiple ranges for one subnet are not supported")
        pools = pools._replace(ip_range=ip_range)
    return pools


def _check_free(wanted: tuple[int, int], others: Sequence[NetworkRow], driver: str) -> None:
    owner = holder_of(wanted, others, driver)
    if owner:
        raise Conflict(f"invalid pool request: Pool overlaps with other one on this address space: {owner}")


def holder_of(wanted: tuple[int, int], others: Sequence[NetworkRow], driver: str = "bridge") -> str:
    """Who has addresses of an IPv4 subnet (base, prefix) already: "network NAME has SUBNET", a link; "" when it is free."""
    for other in others:
        if other.subnet and ipv4.overlap(wanted, ipv4.split(other.subnet)):
            return f"network {other.name} has {other.subnet}"
    if driver != "bridge":
        return ""  # these live in the subnet of their parent
    for base, prefix, link in links.routes():
        if ipv4.overlap(wanted, (base, prefix)):
            return f"{link} has {ipv4.dotted(base)}/{prefix}"
    return ""


def check_removal(network: NetworkRow, active: Sequence[tuple[str, str]]) -> None:
    """active are (name, id) of those that run in it.

    Raises WrongState for a predefined network, Conflict while somebody runs in it.
    """
    if network.name in networks.PREDEFINED:
        raise WrongState(f"{network.name} is a pre-defined network and cannot be removed")
    if active:
        names = ", ".join(f'name:"{name}" id:"{identity[:12]}"' for name, identity in active)
        raise Conflict(
            f"error while removing network: network {network.name} has active endpoints ({names}); stop or disconnect them"
        )


def remove(db: sqlite3.Connection, instance: Instance, network: NetworkRow) -> None:
    """Deletes the row, inside the caller's write transaction, and the definition."""
    db.execute("DELETE FROM networks WHERE id = ?", (network.id,))
    try:
        os.unlink(f"{instance.paths.networks}/{network.id}")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise refuse(error, f"delete the definition of network {network.name}") from error


def _define(instance: Instance, network: NetworkRow) -> None:
    try:
        os.makedirs(instance.paths.networks, mode=0o700, exist_ok=True)
        document = {**network._asdict(), "labels": dict(network.labels), "options": dict(network.options)}
        write_atomic(f"{instance.paths.networks}/{network.id}", fastjson.dumps(document), 0o600)
    except OSError as error:
        raise refuse(error, f"write the definition of network {network.name}") from error


def sweep(instance: Instance) -> list[str]:
    """Deletes definitions of networks that never came to be: their create was killed. A sentence for each."""
    if not _strays(instance.state.read(), instance):
        return []
    with instance.state.write() as db:  # whoever creates one just now holds the same transaction
        strays = _strays(db, instance)
        for name in strays:
            os.unlink(f"{instance.paths.networks}/{name}")
    return [f"half-made network {name[:12]} removed" for name in strays]


def _strays(db: sqlite3.Connection, instance: Instance) -> list[str]:
    try:
        names = os.listdir(instance.paths.networks)
    except FileNotFoundError:
        return []
    known = {network.id for network in networks.all_networks(db)}
    return sorted(name for name in names if name not in known)


def take_in(db: sqlite3.Connection, instance: Instance) -> list[str]:
    """The networks of the definitions that a new database does not know yet; their names."""
    found = []
    try:
        identities = sorted(os.listdir(instance.paths.networks))
    except FileNotFoundError:
        return []
    for identity in identities:
        if len(identity) != 64 or db.execute("SELECT 1 FROM networks WHERE id = ?", (identity,)).fetchone():
            continue
        try:
            network = NetworkRow(**fastjson.loads(read_text(f"{instance.paths.networks}/{identity}") or ""))
        except (ValueError, TypeError, SystemFailure):
            continue  # damaged: what the old database says of it counts
        networks.insert(db, network)
        found.append(network.name)
    return found
