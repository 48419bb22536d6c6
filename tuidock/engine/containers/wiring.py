"""A container's place in the network, made ready for its start: bridge, address, port claims, and the three files.

The shim makes the link, the routes and the port elements from the launch record; here is everything that needs the
database or another container.
"""

from __future__ import annotations

from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.rows import one_container, resolve
from tuidock.engine.errors import Conflict, InvalidArgument, Unsupported, WrongState
from tuidock.engine.files import is_locked, locked
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.network import addresses, bridge, files, linking, networks, nftables, ports
from tuidock.engine.network.ipv4 import mac, number
from tuidock.engine.runtime.spec import Interface
from tuidock.engine.runtime.status import read_pid, read_status
from tuidock.engine.types import Container, PortBinding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol
else:
    Protocol = object

_RUNNING = ("running", "paused")


class Wiring(Named):
    """What the launch record says about the network. namespace: private, host or a /proc path."""

    namespace: str
    interfaces: tuple[Interface, ...] = ()
    ports: tuple[PortBinding, ...] = ()
    environment: tuple[str, ...] = ()
    warning: str = ""


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
    provider = PROVIDERS.get(mode.partition(":")[0], _bridge)
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


def _bridge(
    instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any], mode: str
) -> Wiring:
    network, address = _place(instance, row.id, mode)
    warning = bridge.ensure(
        network, instance.nft_table, instance.paths.run + "/network.lock",
        lambda: networks.all_networks(instance.state.read()),
        lambda: ports.elements(instance.state.read(), _living(instance, row.id)),
    )  # fmt: skip
    targets = _links(instance, row, host_config, network.id)
    environment = [line for target in targets for line in linking.environment(row.name, target)]
    bindings = _claim(instance, row, host_config)
    _write_files(
        instance.paths.container(row.id), config, host_config, address=address, gateway=network.gateway,
        linked=[linking.host_line(target) for target in targets],
    )  # fmt: skip
    prefix = network.subnet.partition("/")[2]
    interface = Interface(
        "eth0", network.bridge, instance.veth(row.id), (f"{address}/{prefix}",),
        () if network.internal else (network.gateway,), str(config.get("MacAddress") or mac(number(address))),
    )  # fmt: skip
    return Wiring("private", (interface,), tuple(bindings), tuple(environment), warning)


#: By the first word of NetworkMode; any other word is the name of a bridge network.
PROVIDERS: dict[str, Provider] = {"host": _host, "none": _none, "container": _container}


def _place(instance: Instance, container_id: str, mode: str) -> tuple[networks.NetworkRow, str]:
    """The network and the container's address in it, which it has since its creation."""
    db = instance.state.read()
    network = networks.find(db, networks.DEFAULT if mode in ("", "default") else mode)
    address = addresses.address_of(db, network.id, container_id)
    if not address or bridge.clash(network):
        with instance.state.write() as transaction:
            network = bridge.move_if_clashing(transaction, network, instance.id)
            address = addresses.allocate(transaction, network, container_id)
    return network, address


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


def _claim(instance: Instance, row: Container, host_config: Mapping[str, Any]) -> list[PortBinding]:
    wanted = ports.wishes(host_config, row.exposed)
    if not wanted:
        return []
    with instance.state.write(durable=False) as db:
        return ports.claim(
            db, row.id, wanted, _living(instance, row.id), cursor=instance.paths.run + "/port.cursor",
            automatic=instance.port_range,
        )  # fmt: skip


def release(instance: Instance, row: Container, host_config: Mapping[str, Any]) -> None:
    """Gives the claims of a start that failed back."""
    if ports.wishes(host_config, row.exposed):
        with instance.state.write(durable=False) as db:
            ports.release(db, row.id)


def stray_ports(instance: Instance) -> set[str]:
    """Published ports in the nftables table that no living container claims, as `nftables.remove_ports` takes them."""
    present = nftables.listed(instance.nft_table)  # first: who adds one has claimed it before
    if not present:
        return present
    claimed = ports.elements(instance.state.read(), _living(instance, ""))
    return present - {nftables.key_of(element) for element in claimed}


def restore_table(instance: Instance) -> None:
    """Makes the nftables table anew, with the ports of all that run: somebody has flushed it."""
    db = instance.state.read()
    with locked(instance.paths.run + "/network.lock"):
        if not nftables.exists(instance.nft_table):  # else somebody was faster, and shims may have added elements
            nftables.create(instance.nft_table, networks.all_networks(db), ports.elements(db, _living(instance, "")))


def _join(instance: Instance, reference: str, directory: str) -> str:
    """The network namespace of another running container, with copies of its files."""
    other = one_container(instance, resolve(instance.state.read(), reference))
    record = read_pid(instance.paths, other.id)
    if other.status not in _RUNNING or record is None:
        raise WrongState(f"cannot join network of a non running container: {other.name}")
    for name in ("hosts", "hostname", "resolv.conf"):
        files.write(directory, name, files.host_file(f"{instance.paths.container(other.id)}/{name}"))
    return f"/proc/{record.init[0]}/ns/net"


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
    directory: str, config: Mapping[str, Any], host_config: Mapping[str, Any], *, own: bool = True, address: str = "",
    gateway: str = "", linked: list[files.HostLine] | None = None,
) -> None:  # fmt: skip
    """hosts, hostname and resolv.conf; what somebody changed inside the container stays."""
    hostname = str(config.get("Hostname") or "")
    domain = str(config.get("Domainname") or "")
    extra = files.extra_hosts(host_config.get("ExtraHosts") or (), gateway)
    if own or extra:
        names = files.own_names(hostname, domain)
        text = files.hosts(names, [address] if address else [], extra, linked or (), ipv6=files.ipv6_enabled())
    else:
        with open("/etc/hosts", encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    files.write(directory, "hosts", text)  # always anew, as docker does: links and addresses change
    files.write_unless_edited(directory, "hostname", hostname + "\n")
    resolv = files.resolv_conf(
        files.host_resolv_conf(), servers=host_config.get("Dns") or (), search=host_config.get("DnsSearch") or (),
        options=host_config.get("DnsOptions") or (), own_network=own,
    )  # fmt: skip
    files.write_unless_edited(directory, "resolv.conf", resolv)


def allocate(instance: Instance, db: Any, container_id: str, mode: str, wanted: str = "") -> None:
    """The address of a new container, inside the transaction that creates it."""
    network = networks.named(db, mode, instance)
    if network is None:
        return
    if network.driver != "bridge":
        raise Unsupported(
            f"network {network.name} has the driver {network.driver}, which this version cannot attach to"
        )
    addresses.allocate(db, network, container_id, wanted)
