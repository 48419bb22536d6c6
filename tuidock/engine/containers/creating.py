"""create: from a request to a container that can start. Nothing of it is visible before the one transaction.

The move lock is held throughout, which tells a sweep that the half-made directory is somebody's work and not a ruin.
create.json is written before the transaction ends and gets its name after it: so a full disk refuses the whole create,
and a kill between the two leaves a row from which a sweep writes the file anew.
"""

from __future__ import annotations

import os
import time

from tuidock.engine import fastjson
from tuidock.engine.containers import inspecting, mounting, names, placing, rootfs, rows
from tuidock.engine.containers.merge import merge_config
from tuidock.engine.containers.moves import move_lock
from tuidock.engine.errors import EngineError, InUse, InvalidArgument, NotFound, SystemFailure
from tuidock.engine.events import append
from tuidock.engine.files import Undo, refuse, remove_tree, sync_directory, write_all
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.network import addresses
from tuidock.engine.runtime import health, spec, userns
from tuidock.engine.store import volumes
from tuidock.engine.types import CreateRequest, MountPoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Version of create.json, from which `system rebuild` makes the database anew.
CREATE_VERSION = 1


class ImageView(Named):
    """What a container needs of its image. lower: layer directories, topmost first; config: the image's `config`."""

    id: str
    reference: str
    config: Mapping[str, Any]
    lower: tuple[str, ...]
    top_chain_id: str


def create(instance: Instance, request: CreateRequest, image: ImageView) -> str:
    """Makes a container and returns its id; undo is complete when anything fails.

    Raises InvalidArgument, NameTaken, NotFound or SystemFailure.
    """
    container_id = names.new_id()
    with move_lock(instance, container_id, gone=True), Undo() as undo:
        undo.add(remove_tree, instance.paths.container_run(container_id))
        name = _create(instance, container_id, request, image, undo)
        undo.keep()
    image_name = str(request.config.get("Image") or image.reference)
    labels = {**(image.config.get("Labels") or {}), **(request.config.get("Labels") or {})}
    append(instance.paths.journal, "container", "create", container_id, name, image=image_name, labels=labels)
    return container_id


def _create(instance: Instance, container_id: str, request: CreateRequest, image: ImageView, undo: Undo) -> str:
    """The steps, each with its undo; returns the name."""
    host_config = dict(request.host_config)
    config = merge_config(image.config, request.config, container_id[:12])
    config["Image"] = request.config.get("Image") or image.reference
    _name_host(instance, config, host_config, request)
    _validate(config, host_config)
    userns.settle(instance.state.read(), host_config, rootless=instance.rootless)
    paths = instance.paths
    directory = paths.container(container_id)
    try:
        os.mkdir(directory, 0o700)
        undo.add(remove_tree, directory)
        os.mkdir(directory + "/logs", 0o700)
        rootfs.make_layer(directory, image.lower, instance.idmap)
    except OSError as error:
        raise refuse(error, f"make the directory of the container in {paths.containers}") from error
    instance.notices += mounting.remarks(host_config)
    wanted = mounting.collect(config, host_config, lambda reference: _mounts_of(instance, reference))
    points, made = _realise(instance, container_id, wanted, image)
    for volume in made:
        undo.add(_drop_volume, instance, container_id, volume)
    endpoints = request.networking.get("EndpointsConfig") or {}
    return _commit(instance, container_id, request.name, config, host_config, image, points, endpoints)


def _name_host(
    instance: Instance, config: dict[str, Any], host_config: Mapping[str, Any], request: CreateRequest
) -> None:
    """The host name goes with the UTS or network namespace, unless it was asked for; the MAC address is kept."""
    mode = str(host_config.get("NetworkMode") or "")
    if host_config.get("UTSMode") == "host" or (mode == "host" and not request.config.get("Hostname")):
        config["Hostname"] = os.uname().nodename
    elif mode.startswith("container:"):
        donor = inspecting.request_of(instance, rows.resolve(instance.state.read(), mode[10:]))[0]
        config["Hostname"], config["Domainname"] = donor.get("Hostname", ""), donor.get("Domainname", "")
    endpoint = (request.networking.get("EndpointsConfig") or {}).get(mode or "default") or {}
    if endpoint.get("MacAddress"):
        config["MacAddress"] = endpoint["MacAddress"]


def document_of(instance: Instance, container_id: str) -> str:
    """The text of create.json for a container that has its row."""
    db = instance.state.read()
    name, created, image, image_id, mounts, request = db.execute(
        "SELECT name, created, image, image_id, mounts, request FROM containers WHERE id = ?", (container_id,)
    ).fetchone()
    asked = fastjson.loads(request)
    document = {
        "Version": CREATE_VERSION, "Id": container_id, "Name": name, "Created": created, "Image": image,
        "ImageId": image_id, "Config": asked["Config"], "HostConfig": asked["HostConfig"],
        "Mounts": [list(point) for point in rows.unpack_mounts(mounts)],
        "Addresses": addresses.document(db, container_id),
    }  # fmt: skip
    return fastjson.dumps(document)


def _validate(config: Mapping[str, Any], host_config: Mapping[str, Any]) -> None:
    """Refuses at create what would fail at start, with docker's words where it has them."""
    spec.command_line(config)
    health.validate(config.get("Healthcheck"))
    policy = host_config.get("RestartPolicy") or {}
    if host_config.get("AutoRemove") and policy.get("Name") not in (None, "", "no"):
        raise InvalidArgument("can't create 'AutoRemove' container with restart policy")
    signal = str(config.get("StopSignal") or "")
    if signal and not spec.signal_number(signal):
        raise InvalidArgument(f"invalid signal: {signal}")


def _mounts_of(instance: Instance, reference: str) -> tuple[MountPoint, ...]:
    return rows.one_container(instance, rows.resolve(instance.state.read(), reference)).mounts


def _realise(
    instance: Instance, container_id: str, wanted: list[mounting.Wanted], image: ImageView
) -> tuple[list[MountPoint], list[str]]:
    """Makes volumes and host directories. Returns the mount points and the names of the volumes made for this one."""
    points: list[MountPoint] = []
    made: list[str] = []
    try:
        for want in wanted:
            point = want.point
            if point.type == "bind":
                points.append(mounting.prepare_bind(point))
                continue
            if point.type == "volume":
                anonymous = not point.name
                name = point.name or names.new_id()
                if volumes.ensure(
                    instance.state, instance.paths, name, labels=want.labels, options=want.options,
                    anonymous=anonymous, user=container_id,
                ):  # fmt: skip
                    made.append(name)
                    append(instance.paths.journal, "volume", "create", name, driver="local")
                source = volumes.data_directory(instance.paths, name)
                if want.copy and image.lower:
                    _copy_up(instance, image, point.destination, name)
                point = point._replace(name=name, source=source)
            points.append(point)
    except OSError as error:
        for name in made:
            _drop_volume(instance, container_id, name)
        raise refuse(error, f"prepare the mount at {point.destination}") from error
    except EngineError:
        for name in made:
            _drop_volume(instance, container_id, name)
        raise
    return points, made


def _copy_up(instance: Instance, image: ImageView, destination: str, volume: str) -> None:
    """The image's content at the mount point goes into a new, empty volume."""
    if rootfs.look_up(image.lower, destination.strip("/")).kind != "missing":
        volumes.copy_up(instance.state, instance.paths, volume, image.lower, destination)


def _drop_volume(instance: Instance, container_id: str, name: str) -> None:
    try:
        volumes.remove(instance.state, instance.paths, name, force=True, user=container_id)
    except InUse:
        pass  # another container took it meanwhile, so it stays
    except SystemFailure:
        pass  # the disk that refused the create refuses this too; a sweep removes what nobody came to use


def _commit(
    instance: Instance, container_id: str, name: str, config: Mapping[str, Any], host_config: Mapping[str, Any],
    image: ImageView, points: list[MountPoint], endpoints: Mapping[str, Any],
) -> str:  # fmt: skip
    mode = str(host_config.get("NetworkMode") or "default")
    final = instance.paths.container(container_id) + "/create.json"
    fd = -1
    try:
        fd = os.open(final + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        chosen = _insert(instance, container_id, name, config, host_config, image, points, mode, endpoints, fd)
        if not host_config.get("AutoRemove"):
            os.fdatasync(fd)
        os.rename(final + ".new", final)
        if not host_config.get("AutoRemove"):
            sync_directory(instance.paths.container(container_id))
    except OSError as error:
        raise refuse(error, f"write {final}") from error
    finally:
        if fd >= 0:
            os.close(fd)
    return chosen


def _insert(
    instance: Instance, container_id: str, name: str, config: Mapping[str, Any], host_config: Mapping[str, Any],
    image: ImageView, points: list[MountPoint], mode: str, endpoints: Mapping[str, Any], fd: int,
) -> str:  # fmt: skip
    """The one transaction. What it knows of the container goes to fd before it is committed.

    A --rm container does not outlive a power cut, so nobody waits for the disk to have it.
    """
    with instance.state.write(durable=not host_config.get("AutoRemove")) as db:
        chosen = names.claim_name(db, name) if name else names.free_name(db)
        if not db.execute("SELECT 1 FROM images WHERE id = ?", (image.id,)).fetchone():
            raise NotFound("image", image.reference)  # removed while this create was under way
        rows.insert(
            db, container_id, chosen, str(config["Image"]), image.id, time.time_ns(), config, host_config, tuple(points)
        )
        for point in points:
            if point.type == "volume":
                volumes.keep(db, instance.paths, point.name)  # somebody may have removed it since it was looked up
        placing.allocate(instance, db, container_id, mode, endpoints)
        write_all(fd, document_of(instance, container_id).encode())
    return chosen
