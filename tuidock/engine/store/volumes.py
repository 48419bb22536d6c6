"""Volumes: named directories that outlive containers, volumes/NAME/_data.

A new volume is first filled with what the image has at its place: into a temporary directory beside it, then one rename,
so that a crash leaves an empty volume and never half of one. The image is read through a detached overlay mount and
resolved inside it: VOLUME paths with links or `..` copied host files in another engine (CVE-2022-23648).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tuidock.engine.errors import InUse, InvalidArgument, NotFound
from tuidock.engine.events import append
from tuidock.engine.files import locked, refuse, sync_directory
from tuidock.engine.oci.image_config import format_time
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import trash
from tuidock.engine.types import Volume

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


def check_name(name: str) -> str:
    """The name, safe as a directory's. Raises InvalidArgument."""
    if not _NAME.fullmatch(name) or len(name) > 255:
        raise InvalidArgument(
            f'"{name[:300]}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are '
            "allowed. If you intended to pass a host directory, use absolute path"
        )
    return name


def data_directory(paths: Paths, name: str) -> str:
    """What is mounted into containers."""
    return f"{paths.volumes}/{check_name(name)}/_data"


def ensure(
    state: State,
    paths: Paths,
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    anonymous: bool = False,
) -> bool:
    """Makes the volume when it is not there; answers whether it was made now.

    Raises InvalidArgument for a bad name, SystemFailure when the disk refuses.
    """
    data = data_directory(paths, name)
    if state.read().execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone() and os.path.isdir(data):
        return False
    try:
        os.makedirs(os.path.dirname(data), mode=0o710, exist_ok=True)
        if not os.path.isdir(data):
            os.mkdir(data, 0o755)
            os.chmod(data, 0o755)
        sync_directory(os.path.dirname(data))
        sync_directory(paths.volumes)
    except OSError as error:
        raise refuse(error, f"make volume {name}") from error
    with state.write() as db:
        made = db.execute(
            "INSERT INTO volumes(name, driver, created, labels, options, anonymous) VALUES (?, 'local', ?, ?, ?, ?)"
            " ON CONFLICT(name) DO NOTHING",
            (name, time.time_ns(), json.dumps(dict(labels or {})), json.dumps(dict(options or {})), int(anonymous)),
        ).rowcount
    if made:
        append(paths.journal, "volume", "create", name, name, driver="local")
    return bool(made)


def list_volumes(state: State, paths: Paths) -> list[Volume]:
    """By name, with the names of the containers that use each."""
    db = state.read()
    users: dict[str, list[str]] = {}
    for volume, container in db.execute(
        "SELECT u.volume, c.name FROM volume_uses u JOIN containers c ON c.id = u.container_id ORDER BY c.name"
    ):
        users.setdefault(volume, []).append(container)
    return [
        Volume(
            name,
            driver,
            data_directory(paths, name),
            created,
            json.loads(labels),
            json.loads(options),
            bool(anonymous),
            tuple(users.get(name, ())),
        )
        for name, driver, created, labels, options, anonymous in db.execute(
            "SELECT name, driver, created, labels, options, anonymous FROM volumes ORDER BY name"
        )
    ]


def inspect(state: State, paths: Paths, name: str) -> dict[str, Any]:
    """docker's JSON. Raises NotFound."""
    for volume in list_volumes(state, paths):
        if volume.name == name:
            return {
                "CreatedAt": format_time(volume.created - volume.created % 1_000_000_000),
                "Driver": volume.driver,
                "Labels": dict(volume.labels) or None,
                "Mountpoint": volume.mountpoint,
                "Name": volume.name,
                "Options": dict(volume.options) or None,
                "Scope": "local",
            }
    raise NotFound("volume", name)


def remove(state: State, paths: Paths, name: str, *, force: bool = False) -> None:
    """Removes an unused volume with its files. Raises InUse with its users' names; NotFound unless force."""
    with state.write() as db:
        if not db.execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone():
            if force:
                return
            raise NotFound("volume", name)
        users = [
            row[0]
            for row in db.execute(
                "SELECT c.name FROM volume_uses u JOIN containers c ON c.id = u.container_id"
                " WHERE u.volume = ? ORDER BY c.name",
                (name,),
            )
        ]
        if users:
            raise InUse(f"remove {name}: volume is in use - [{', '.join(users)}]; remove these containers first")
        try:
            target = trash.discard(paths, os.path.dirname(data_directory(paths, name)))
        except OSError as error:
            raise refuse(error, f"remove volume {name}") from error
        db.execute("DELETE FROM volumes WHERE name = ?", (name,))
    trash.empty(target)
    append(paths.journal, "volume", "destroy", name, name, driver="local")


def copy_up(paths: Paths, name: str, lower: Sequence[str], destination: str) -> bool:
    """Fills an empty volume with what the image has at the destination, owner and mode too; answers whether it did.

    lower: the image's layers, topmost first. Raises SystemFailure; the volume is empty then.
    """
    from tuidock.engine.store.merged import MergedImage
    from tuidock.engine.store.treecopy import copy_tree
    from tuidock.native import syncfs

    data = data_directory(paths, name)
    directory = os.path.dirname(data)
    with locked(directory + "/.lock"):
        if os.listdir(data):
            return False
        temporary = f"{directory}/.new-{secrets.token_hex(8)}"
        try:
            with MergedImage(lower) as image:
                source = image.open_directory(destination)
                if source < 0:
                    return False
                try:
                    os.mkdir(temporary, 0o700)
                    target = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                    try:
                        copy_tree(source, target)
                        if os.listdir(target):
                            syncfs(target)
                    finally:
                        os.close(target)
                finally:
                    os.close(source)
            os.rename(temporary, data)
            sync_directory(directory)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise refuse(error, f"copy {destination} of the image into volume {name}") from error
    return True
