"""A container's place in the network, made ready for its start: bridge, address, port claims, and the three files.

The shim makes the link, the routes and the port elements from the launch record; here is everything that needs the
database or another container.
"""

from __future__ import annotations

from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.rows import one_container, resolve
from tuidock.engine.errors import Conflict, InvalidArgument, WrongState
from tuidock.engine.files import is_locked, locked
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.network import addresses, bridge, files, linking, links, networks, nftables, ports, usermode, zones
from tuidock.engine.network.addresses import Place
from tuidock.engine.network.ipv4 import mac, number
from tuidock.engine.runtime.spec import Interface
from tuidock.engine.runtime.status import read_pid, read_status
from tuidock.engine.types import Container, PortBinding

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol
else:
    Protocol = object

_RUNNING = ("running", "paused")


class Wiring(Named):
    """What the launch record says about the network. namespace: private, host or a /proc path.

    address and address6 are where published ports lead to, "" for none.
    """

    namespace: str
    interfaces: tuple[Interface, ...] = ()
    ports: tuple[PortBinding, ...] = ()
    environment: tuple[str, ...] = ()
    warning: str = ""
    address: str = ""
    address6: str = ""
    user_network: tuple[str, ...] = ()


class Provider(Protocol):
    """How a kind of network gives a starting container its place in it.

    bridge, host, none and another container's are here; a user-mode one for rootless use is one more entry of
    PROVIDERS. Called under the container's lock; what it claims is given back by `release` when the start fails.
    """

    def __call__(
        self, instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any], mode: str
    ) -> Wiring: ...


def prepare(instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any]) -> Wiring:
    """Everything for a start under the container's lock. Raises PortTaken, WrongState, NotFound, SystemFailure."""
    mode = str(host_config.get("NetworkMode") or "default")
    provider = PROVIDERS.get(mode.partition(":")[0], _user_mode if instance.rootless else _networks)
    return provider(instance, row, config, host_config, mode)


def _host(
    instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any], mode: str
) -> Wiring:
    _write_files(instance.paths.container(row.id), config, host_config, own=False)
    return Wiring("host")


def _none(
    instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any], mode: str
) -> Wiring:
    _write_files(instance.paths.container(row.id), config, host_config)
    return Wiring("private")


def _container(
    instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any], mode: str
) -> Wiring:
    return Wiring(_join(instance, mode.partition(":")[2], instance.paths.container(row.id)))


def _user_mode(
    instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any], mode: str
) -> Wiring:
    """Without root: the container alone with a program that carries its packets to this user's sockets."""
    program = usermode.command(mode, host_config)
    wanted = ports.wishes(host_config, row.exposed)
    bindings: list[PortBinding] = []
    if wanted:
        with instance.state.write(durable=False) as db:
            bindings = ports.claim(
                db, row.id, wanted, _living(instance, row.id), cursor=instance.paths.run + "/port.cursor",
                automatic=instance.port_range,
            )  # fmt: skip
    asked = {**host_config, "Dns": host_config.get("Dns") or [usermode.RESOLVER]}
    _write_files(
        instance.paths.container(row.id), config, asked, addresses=[usermode.ADDRESS], gateway=usermode.GATEWAY
    )
    return Wiring("private", (), tuple(bindings), address=usermode.ADDRESS, user_network=program)


def _networks(
    instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any], mode: str
) -> Wiring:
    places = addresses.places(instance.state.read(), row.id)
    warnings = [warning for place in places if (warning := ensure(instance, place.network, row.id))]
    gateway = gateway_place(places)
    published = published_place(places)
    default = next((place for place in places if place.network.name == networks.DEFAULT), None)
    targets = _links(instance, row, host_config, default.network.id) if default else []
    environment = [line for target in targets for line in linking.environment(row.name, target)]
    bindings = _claim(instance, row, host_config, published)
    _write_files(
        instance.paths.container(row.id), config, host_config,
        addresses=[each for place in places for each in (place.address, place.address6) if each],
        gateway=gateway.network.gateway if gateway else "", linked=[linking.host_line(target) for target in targets],
        resolver=has_resolver(places),
    )  # fmt: skip
    announce(instance, row, config, host_config, places)
    interfaces = tuple(
        interface(instance, row.id, place, gateway, str(config.get("MacAddress") or "")) for place in places
    )
    addressed = (published.address, published.address6) if published else ("", "")
    return Wiring("private", interfaces, tuple(bindings), tuple(environment), " ".join(warnings), *addressed)


def ensure(instance: Instance, network: networks.NetworkRow, starting: str = "") -> str:
    """The network's bridge, which a reboot or a person may have taken away; returns a warning, or ""."""
    if network.driver != "bridge":
        return ""
    return bridge.ensure(
        network, instance.nft_table, instance.paths.run + "/network.lock",
        lambda: networks.all_networks(instance.state.read()),
        lambda: _elements(instance, starting),
    )  # fmt: skip


def gateway_place(places: Sequence[Place]) -> Place | None:
    """Whose gateway is the container's way out: the highest priority, then the first interface; no internal network."""
    able = [place for place in places if not place.network.internal and place.network.gateway]
    return min(able, key=lambda place: (-int(place.settings.get("GwPriority") or 0), place.position), default=None)


def published_place(places: Sequence[Place]) -> Place | None:
    """At which of its addresses the container's ports are published."""
    bridges = [place for place in places if place.network.driver == "bridge"]
    return gateway_place(bridges) or (bridges[0] if bridges else None)


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


#: By the first word of NetworkMode; any other word is the name of a bridge network.
PROVIDERS: dict[str, Provider] = {"host": _host, "none": _none, "container": _container}


def _living(instance: Instance, starting: str) -> Callable[[str], bool]:
    """Whether a container holds its ports: it has a shim, or somebody is starting it just now."""

    def living(container_id: str) -> bool:
        if container_id == starting:
            return False
        run = instance.paths.container_run(container_id)
        return (
            is_locked(run + "/shim.lock")
            or read_status(instance.paths, container_id).status in ("running", "paused", "restarting")
            or is_locked(run + "/lock")
        )

    return living


def _claim(
    instance: Instance, row: Container, host_config: Mapping[str, Any], place: Place | None
) -> list[PortBinding]:
    wanted = ports.wishes(host_config, row.exposed)
    if not wanted or place is None:
        return []
    bound_to = place.network.options.get(networks.HOST_BINDING, "")
    if bound_to:
        wanted = [wish if wish.host_ip else wish._replace(host_ip=bound_to) for wish in wanted]
    with instance.state.write(durable=False) as db:
        return ports.claim(
            db, row.id, wanted, _living(instance, row.id), cursor=instance.paths.run + "/port.cursor",
            automatic=instance.port_range,
        )  # fmt: skip


def release(instance: Instance, row: Container, host_config: Mapping[str, Any]) -> None:
    """Gives the claims and names of a start that failed back."""
    zones.leave_all(instance.paths, row.id)
    if ports.wishes(host_config, row.exposed):
        with instance.state.write(durable=False) as db:
            ports.release(db, row.id)


def _elements(instance: Instance, starting: str = "") -> list[nftables.PortElement]:
    """The published ports of all that live, but for the one that is starting, whose shim will add its own."""
    db = instance.state.read()

    def address_of(container_id: str) -> tuple[str, str]:
        found = published_place(addresses.known_places(db, container_id))
        return (found.address, found.address6) if found else ("", "")

    return ports.elements(db, _living(instance, starting), address_of)


def stray_ports(instance: Instance) -> set[str]:
    """Published ports in the nftables table that no living container claims, as `nftables.remove_ports` takes them."""
    present = nftables.listed(instance.nft_table)  # first: who adds one has claimed it before
    if not present:
        return present
    claimed = _elements(instance)
    return present - {key for element in claimed for key in nftables.keys_of(instance.nft_table, element)}


def stray_bridges(instance: Instance) -> list[str]:
    """Bridges of networks that have gone: a start came in between, or the database is another."""
    known = {network.bridge for network in networks.all_networks(instance.state.read())}
    return [name for name in bridge.made_by(instance.id) if name not in known]


def sweep_bridges(instance: Instance) -> list[str]:
    """Removes them; a sentence for each."""
    done = []
    for name in stray_bridges(instance):
        links.delete_link(name)
        done.append(f"bridge {name} removed")
    return done


def restore_table(instance: Instance) -> None:
    """Makes the nftables tables anew, with the ports of all that run: somebody has flushed them."""
    known = networks.all_networks(instance.state.read())
    with locked(instance.paths.run + "/network.lock"):
        # else somebody was faster, and shims may have added elements
        if not all(nftables.is_complete(instance.nft_table, network) for network in known):
            nftables.create(instance.nft_table, known, _elements(instance))


def heal_table(instance: Instance) -> bool:
    """The same when a bridge stands, so that there is something to guard; True when the tables were made."""
    known = [n for n in networks.all_networks(instance.state.read()) if n.bridge and links.exists(n.bridge)]
    if not known or all(nftables.is_complete(instance.nft_table, network) for network in known):
        return False
    restore_table(instance)
    return True


def _join(instance: Instance, reference: str, directory: str) -> str:
    """The network namespace of another running container, with copies of its files."""
    other = one_container(instance, resolve(instance.state.read(), reference))
    record = read_pid(instance.paths, other.id)
    if other.status not in _RUNNING or record is None:
        raise WrongState(f"cannot join network of a non running container: {other.name}")
    for name in ("hosts", "hostname", "resolv.conf"):
        files.write(directory, name, files.host_file(f"{instance.paths.container(other.id)}/{name}"))
    return f"/proc/{record.init[0]}/ns/net@{record.init[1]}"


def _links(instance: Instance, row: Container, host_config: Mapping[str, Any], network_id: str) -> list[linking.Target]:
    """The targets of --link, which have to run. Raises Conflict, NotFound or InvalidArgument."""
    found = []
    db = instance.state.read()
    for link in host_config.get("Links") or ():
        name, alias = linking.parse(str(link))
        other = one_container(instance, resolve(db, name))
        if other.status not in _RUNNING:
            raise Conflict(f"Cannot link to a non running container: /{other.name} AS /{row.name}/{alias}")
        address = addresses.address_of(db, network_id, other.id)
        if not address:
            raise InvalidArgument(f"cannot link {row.name} to {other.name}: it is not in the same network")
        config, _ = request_of(instance, other.id)
        found.append(
            linking.Target(
                other.name, alias, address, str(config.get("Hostname") or other.id[:12]), other.exposed,
                config.get("Env") or (),
            )
        )  # fmt: skip
    return found


def _write_files(
    directory: str, config: Mapping[str, Any], host_config: Mapping[str, Any], *, own: bool = True,
    addresses: Sequence[str] = (), gateway: str = "", linked: list[files.HostLine] | None = None, resolver: bool = False,
) -> None:  # fmt: skip
    """hosts, hostname and resolv.conf; what somebody changed inside the container stays."""
    hostname = str(config.get("Hostname") or "")
    domain = str(config.get("Domainname") or "")
    extra = files.extra_hosts(host_config.get("ExtraHosts") or (), gateway)
    if own or extra:
        names = files.own_names(hostname, domain)
        text = files.hosts(names, addresses, extra, linked or (), ipv6=files.ipv6_enabled())
    else:
        with open("/etc/hosts", encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    files.write(directory, "hosts", text)  # always anew, as docker does: links and addresses change
    files.write_unless_edited(directory, "hostname", hostname + "\n")
    files.write_unless_edited(directory, "resolv.conf", resolv_conf(host_config, own=own, resolver=resolver))


def resolv_conf(host_config: Mapping[str, Any], *, own: bool = True, resolver: bool = False) -> str:
    """The text of resolv.conf; own: the container has its own network, resolver: somebody answers for names in it."""
    return files.resolv_conf(
        files.host_resolv_conf(), servers=host_config.get("Dns") or (), search=host_config.get("DnsSearch") or (),
        options=host_config.get("DnsOptions") or (), own_network=own, resolver=resolver,
    )  # fmt: skip


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
