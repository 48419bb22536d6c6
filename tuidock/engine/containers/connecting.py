"""network connect and disconnect: a container's place in another network, also while it runs.

A running one gets a veth pair (or a macvlan, ipvlan) into its network namespace by `tuidock-shim network`, as a start would
have made it. The move lock is held throughout, so no restart comes in between. Row and create.json say what the next start
does; the kernel is changed before the row goes and after it has come, so that a kill in between leaves a container of
which the same command, given again, knows what is left to do.
"""

from __future__ import annotations

import os
import signal

from tuidock.engine.containers import placing, wiring
from tuidock.engine.containers.creating import document_of
from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.moves import move_lock, send_signal
from tuidock.engine.containers.rows import one_container, resolve
from tuidock.engine.errors import Conflict, NotFound, WrongState
from tuidock.engine.events import append
from tuidock.engine.files import Undo, is_alive, write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.network import addresses, files, linking, links, networks, zones
from tuidock.engine.network.addresses import Place
from tuidock.engine.network.networks import NetworkRow
from tuidock.engine.runtime import shim
from tuidock.engine.runtime.spec import Interface
from tuidock.engine.runtime.status import read_pid
from tuidock.engine.types import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

_LINKED: Final = """SELECT id FROM containers WHERE request LIKE '%"Links":["%'"""
#: The network namespace is there, and stays over a restart by policy.
_RUNNING = ("running", "paused")


def connect(instance: Instance, network: NetworkRow, container_id: str, settings: Mapping[str, Any]) -> None:
    """settings are docker's EndpointSettings. Raises Conflict, InvalidArgument, SystemFailure, WrongState."""
    with move_lock(instance, container_id), Undo() as undo:
        row = one_container(instance, container_id)
        config, host_config = request_of(instance, container_id)
        _check(row, network, str(host_config.get("NetworkMode") or "default"))
        before = addresses.places(instance.state.read(), container_id)
        there = next((place for place in before if place.network.id == network.id), None)
        if there is not None and not _is_cut_short(instance, row, there):
            raise Conflict(f"endpoint with name {row.name} already exists in network {network.name}")
        if there is None:
            with instance.state.write() as db:
                placing.place(instance, db, container_id, network, settings)
            undo.add(_forget, instance, container_id, network.id)
        places = addresses.places(instance.state.read(), container_id)
        place = next(each for each in places if each.network.id == network.id)
        if row.status in _RUNNING:
            undo.add(_follow, instance, row, config, host_config, places, before)
            _plug(instance, row, place, places, undo)
            _follow(instance, row, config, host_config, before, places)
        _write_document(instance, container_id)
        undo.keep()
    if row.status in _RUNNING:
        refresh_links(instance, container_id)
    append(
        instance.paths.journal, "network", "connect", network.id, network.name, container=container_id,
        type=network.driver,
    )  # fmt: skip


def disconnect(instance: Instance, network: NetworkRow, container_id: str, *, force: bool = False) -> None:
    """Raises NotFound for one that is not in the network (unless force), WrongState for the host's."""
    with move_lock(instance, container_id):
        row = one_container(instance, container_id)
        config, host_config = request_of(instance, container_id)
        if network.name == "host" or str(host_config.get("NetworkMode")) == "host":
            raise WrongState("container cannot be disconnected from host network or connected to host network")
        before = addresses.places(instance.state.read(), container_id)
        place = next((each for each in before if each.network.id == network.id), None)
        if place is None:
            raise Conflict(f"container {row.id} is not connected to network {network.name}")
        places = [each for each in before if each != place]
        if row.status in _RUNNING and row.ports and placing.published_place(before) == place:
            _refuse_published(row, network, force)
        zones.leave(instance.paths, container_id, network.id)
        if row.status in _RUNNING:
            _unplug(instance, row, place, places)
            _follow(instance, row, config, host_config, before, places)
        with instance.state.write() as db:
            addresses.release(db, container_id, network.id)
        _write_document(instance, container_id)
    append(
        instance.paths.journal, "network", "disconnect", network.id, network.name, container=container_id,
        type=network.driver,
    )  # fmt: skip


def _is_cut_short(instance: Instance, row: Container, place: Place) -> bool:
    """A connect that was killed between its row and its link."""
    veth = instance.veth(row.id, place.position)
    return row.status in _RUNNING and place.network.driver == "bridge" and not links.exists(veth)


def _check(row: Container, network: NetworkRow, mode: str) -> None:
    if network.name == "host" or mode == "host":
        raise WrongState("container cannot be disconnected from host network or connected to host network")
    if network.name == "none" or mode == "none":
        raise WrongState(
            "container cannot be connected to multiple networks with one of the networks in private (none) mode"
        )
    if mode.startswith("container:"):
        raise WrongState(
            "container sharing network namespace with another container or host cannot be connected to any other network"
        )
    if row.status in ("removing", "dead"):
        raise WrongState(f"container {row.name} is marked for removal and cannot be connected to a network")
    if row.status == "restarting":
        raise WrongState(f"container {row.name} is restarting; wait until it runs, or stop it, and connect it then")


def _refuse_published(row: Container, network: NetworkRow, force: bool) -> None:
    """The ports of a running container lead to one address; another would need them published anew."""
    if not force:
        raise Conflict(
            f"cannot disconnect {row.name} from network {network.name}: its published ports lead there; stop it first, or "
            "use --force and restart it to publish them in another network"
        )


def _forget(instance: Instance, container_id: str, network_id: str) -> None:
    zones.leave(instance.paths, container_id, network_id)
    with instance.state.write() as db:
        addresses.release(db, container_id, network_id)


def _write_document(instance: Instance, container_id: str) -> None:
    path = instance.paths.container(container_id) + "/create.json"
    write_atomic(path, document_of(instance, container_id), 0o600)


def _plug(instance: Instance, row: Container, place: Place, places: Sequence[Place], undo: Undo) -> None:
    warning = wiring.ensure(instance, place.network)
    if warning:
        instance.notices.append(warning)
    gateway = placing.gateway_place(places)
    interface = placing.interface(instance, row.id, place, gateway)
    _shim(instance, row, "add", interface)
    undo.add(_shim, instance, row, "remove", interface)


def _unplug(instance: Instance, row: Container, place: Place, places: Sequence[Place]) -> None:
    """Takes the link away, and gives the way out to another network when it went through this one."""
    _shim(instance, row, "remove", placing.interface(instance, row.id, place, None))
    if place.network.driver == "bridge":
        links.delete_link(instance.veth(row.id, place.position))
    gateway = placing.gateway_place(places)
    if gateway:
        _shim(instance, row, "route", placing.interface(instance, row.id, gateway, gateway))


def _shim(instance: Instance, row: Container, verb: str, interface: Interface) -> None:
    """Runs `tuidock-shim network` on the container's network namespace. Raises SystemFailure."""
    record = read_pid(instance.paths, row.id)
    if record is None:
        raise WrongState(f"container {row.name} has ended meanwhile")
    namespace = os.open(f"/proc/{record.init[0]}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not is_alive(*record.init):  # asked after the open: the number was not another process's
            raise WrongState(f"container {row.name} has ended meanwhile")
        shim.plug(verb, namespace, interface)
    finally:
        os.close(namespace)


def _follow(
    instance: Instance, row: Container, config: Mapping[str, Any], host_config: Mapping[str, Any],
    before: Sequence[Place], places: Sequence[Place],
) -> None:  # fmt: skip
    """Names, hosts and resolv.conf of a running container after its places have changed."""
    directory = instance.paths.container(row.id)
    placing.announce(instance, row, config, host_config, places)
    record = read_pid(instance.paths, row.id)
    if record is not None:  # its shim makes a resolver when it has none yet
        send_signal(record._replace(init=record.shim), signal.SIGHUP)
    names = files.own_names(str(config.get("Hostname") or ""), str(config.get("Domainname") or ""))
    files.replace_addresses(directory, names, _addresses(before), _addresses(places))
    if placing.has_resolver(before) != placing.has_resolver(places):
        text = wiring.resolv_conf(host_config, resolver=placing.has_resolver(places))
        files.write_unless_edited(directory, "resolv.conf", text)


def _addresses(places: Sequence[Place]) -> list[str]:
    return [each for place in places for each in (place.address, place.address6) if each]


def refresh_links(instance: Instance, target_id: str) -> None:
    """The lines of /etc/hosts of running containers with a --link to one that has another address now."""
    db = instance.state.read()
    target = one_container(instance, target_id)
    default = next((end for end in target.networks if end.network == networks.DEFAULT), None)
    if default is None:
        return
    for (container_id,) in db.execute(_LINKED).fetchall():
        _, host_config = request_of(instance, container_id)
        for link in host_config.get("Links") or ():
            name, alias = linking.parse(str(link))
            try:
                linked = resolve(db, name) == target_id
            except NotFound:
                continue
            if linked and one_container(instance, container_id).status in _RUNNING:
                files.replace_link(instance.paths.container(container_id), alias, default.address)
