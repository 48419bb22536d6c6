"""create: from a request to a container that can start. Nothing of it is visible before the one transaction."""

from __future__ import annotations

import os
import time

from tuidock.engine import fastjson
from tuidock.engine.containers import mounting, names, rootfs, rows, wiring
from tuidock.engine.containers.merge import merge_config
from tuidock.engine.errors import EngineError, InUse, InvalidArgument, NotFound
from tuidock.engine.events import append
from tuidock.engine.files import Undo, refuse, remove_tree, write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.runtime import spec
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
    began = time.monotonic_ns()
    container_id = names.new_id()
    host_config = dict(request.host_config)
    config = merge_config(image.config, request.config, container_id[:12])
    config["Image"] = request.config.get("Image") or image.reference
    if host_config.get("UTSMode") == "host":
        config["Hostname"] = os.uname().nodename
    _validate(config, host_config)
    paths = instance.paths
    directory = paths.container(container_id)
    with Undo() as undo:
        try:
            os.mkdir(directory, 0o700)
            undo.add(remove_tree, directory)
            os.mkdir(directory + "/logs", 0o700)
            rootfs.make_layer(directory, image.lower, instance.idmap)
        except OSError as error:
            raise refuse(error, f"make the directory of the container in {paths.containers}") from error
        wanted = mounting.collect(config, host_config, lambda reference: _mounts_of(instance, reference))
        points, made = _realise(instance, wanted, image)
        for volume in made:
            undo.add(_drop_volume, instance, volume)
        name = _commit(instance, container_id, request.name, config, host_config, image, points)
        undo.keep()
    document = {
        "Version": CREATE_VERSION, "Id": container_id, "Name": name, "Created": time.time_ns(),
        "Image": config["Image"], "ImageId": image.id, "Config": config, "HostConfig": host_config,
        "NetworkingConfig": request.networking, "Mounts": [list(point) for point in points],
        "Addresses": [list(pair) for pair in _addresses(instance, container_id)],
        "CreateDurationNs": time.monotonic_ns() - began,
    }  # fmt: skip
    write_atomic(directory + "/create.json", fastjson.dumps(document), 0o600)
    append(paths.journal, "container", "create", container_id, name, image=str(config["Image"]))
    return container_id


def _addresses(instance: Instance, container_id: str) -> list[tuple[str, int]]:
    query = "SELECT network_id, address FROM addresses WHERE container_id = ?"
    return list(instance.state.read().execute(query, (container_id,)))


def _validate(config: Mapping[str, Any], host_config: Mapping[str, Any]) -> None:
    """Refuses at create what would fail at start, with docker's words where it has them."""
    spec.command_line(config)
    policy = host_config.get("RestartPolicy") or {}
    if host_config.get("AutoRemove") and policy.get("Name") not in (None, "", "no"):
        raise InvalidArgument("can't create 'AutoRemove' container with restart policy")
    signal = str(config.get("StopSignal") or "")
    if signal and not spec.signal_number(signal):
        raise InvalidArgument(f"invalid signal: {signal}")


def _mounts_of(instance: Instance, reference: str) -> tuple[MountPoint, ...]:
    return rows.one_container(instance, rows.resolve(instance.state.read(), reference)).mounts


def _realise(instance: Instance, wanted: list[mounting.Wanted], image: ImageView) -> tuple[list[MountPoint], list[str]]:
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
                if volumes.ensure(instance.state, instance.paths, name, labels=want.labels, anonymous=anonymous):
                    made.append(name)
                source = volumes.data_directory(instance.paths, name)
                if want.copy and image.lower:
                    _copy_up(instance, image, point.destination, name)
                point = point._replace(name=name, source=source)
            points.append(point)
    except OSError as error:
        for name in made:
            _drop_volume(instance, name)
        raise refuse(error, f"prepare the mount at {point.destination}") from error
    except EngineError:
        for name in made:
            _drop_volume(instance, name)
        raise
    return points, made


def _copy_up(instance: Instance, image: ImageView, destination: str, volume: str) -> None:
    """The image's content at the mount point goes into a new, empty volume."""
    if rootfs.look_up(image.lower, destination.strip("/")).kind != "missing":
        volumes.copy_up(instance.paths, volume, image.lower, destination)


def _drop_volume(instance: Instance, name: str) -> None:
    try:
        volumes.remove(instance.state, instance.paths, name, force=True)
    except InUse:
        pass  # another container took it meanwhile, so it stays


def _commit(
    instance: Instance, container_id: str, name: str, config: Mapping[str, Any], host_config: Mapping[str, Any],
    image: ImageView, points: list[MountPoint],
) -> str:  # fmt: skip
    mode = str(host_config.get("NetworkMode") or "default")
    with instance.state.write() as db:
        chosen = names.claim_name(db, name) if name else names.free_name(db)
        if not db.execute("SELECT 1 FROM images WHERE id = ?", (image.id,)).fetchone():
            raise NotFound("image", image.reference)  # removed while this create was under way
        rows.insert(
            db, container_id, chosen, str(config["Image"]), image.id, time.time_ns(), config, host_config, tuple(points)
        )
        wiring.allocate(instance, db, container_id, mode)
    return chosen
