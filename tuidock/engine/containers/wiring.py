"""A container's place in the network, made ready for its start: bridge, address, port claims, and the three files.

The shim makes the link, the routes and the port elements from the launch record; here is everything that needs the
database or another container.
"""

from __future__ import annotations

from tuidock.engine.containers import placing
from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.rows import one_container, resolve
from tuidock.engine.errors import Conflict, InvalidArgument, WrongState
from tuidock.engine.files import is_locked, locked
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.network import addresses, bridge, files, links, networks, nftables, ports, zones
from tuidock.engine.network.addresses import Place
from tuidock.engine.runtime.spec import Interface
from tuidock.engine.runtime.status import read_pid, read_status
from tuidock.engine.types import Container, PortBinding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    from tuidock.engine.network import linking
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
    from tuidock.engine.network import usermode

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
    gateway = placing.gateway_place(places)
    published = placing.published_place(places)
    default = next((place for place in places if place.network.name == networks.DEFAULT), None)
    targets = _links(instance, row, host_config, default.network.id) if default else []
    environment, linked = _told(row, targets) if targets else ([], [])
    bindings = _claim(instance, row, host_config, published)
    _write_files(
        instance.paths.container(row.id), config, host_config,
        addresses=[each for place in places for each in (place.address, place.address6) if each],
        gateway=gateway.network.gateway if gateway else "", linked=linked,
        resolver=placing.has_resolver(places),
    )  # fmt: skip
    placing.announce(instance, row, config, host_config, places)
    interfaces = tuple(
        placing.interface(instance, row.id, place, gateway, str(config.get("MacAddress") or "")) for place in places
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
        found = placing.published_place(addresses.known_places(db, container_id))
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
    if not host_config.get("Links"):
        return []
    from tuidock.engine.network import linking

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


def _told(row: Container, targets: Sequence[linking.Target]) -> tuple[list[str], list[files.HostLine]]:
    """What a container is told of those it is linked to: variables, and lines of its hosts file."""
    from tuidock.engine.network import linking

    environment = [line for target in targets for line in linking.environment(row.name, target)]
    return environment, [linking.host_line(target) for target in targets]


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
