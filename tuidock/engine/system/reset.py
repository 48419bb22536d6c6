"""`system reset` and `system rebuild`: away with everything, or the database anew from what lies on disk."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time

from tuidock.engine.containers import rows
from tuidock.engine.containers.removing import remove_many
from tuidock.engine.errors import SystemFailure
from tuidock.engine.files import locked
from tuidock.engine.instance import Instance
from tuidock.engine.network import bridge, networks, nftables
from tuidock.engine.state import State
from tuidock.engine.types import MountPoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def reset(instance: Instance) -> None:
    """Removes all containers, images, volumes and networks of this data root, and the root itself.

    Raises SystemFailure when a container cannot be killed; nothing else is removed then.
    """
    targets = [(row[0], row[1]) for row in instance.state.read().execute("SELECT id, name FROM containers")]
    failed = [error for _, error in remove_many(instance, targets, force=True) if error is not None]
    if failed:
        raise SystemFailure(f"cannot reset {instance.paths.root}: {failed[0]}")
    from tuidock.engine.runtime.cgroup import detect

    for network in networks.all_networks(instance.state.read()):
        bridge.remove(network)
    if nftables.exists(instance.nft_table):
        nftables.remove(instance.nft_table)
    detect(instance.id).remove_parent()
    instance.state.close()
    shutil.rmtree(instance.paths.run, ignore_errors=True)
    shutil.rmtree(instance.paths.root, ignore_errors=True)


def rebuild(instance: Instance) -> list[str]:
    """Makes state.db anew from create.json files, volumes and the content store; returns what was taken in.

    The old database is kept beside the new one as state.db.old-TIME. Running containers go on.
    """
    paths = instance.paths
    done: list[str] = []
    with locked(paths.root + "/rebuild.lock"):
        instance.state.close()
        fresh = State(paths)
        old = paths.database
        kept = f"{old}.old-{time.strftime('%Y%m%d%H%M%S')}"
        if os.path.exists(old):
            _fold_wal(old)
            os.rename(old, kept)
        for suffix in ("-wal", "-shm"):
            _unlink(old + suffix)
        try:
            from tuidock.engine.store import recover

            with fresh.write() as db:
                done += recover.images(db, paths, kept)
                done += _volumes(db, paths.volumes)
                networks.restore(db, instance, kept)
                for name in sorted(os.listdir(paths.containers)):
                    sentence = _container(db, f"{paths.containers}/{name}/create.json")
                    if sentence:
                        done.append(sentence)
            fresh.close()
        except BaseException:
            fresh.close()
            for suffix in ("", "-wal", "-shm"):
                _unlink(old + suffix)
            if os.path.exists(kept):
                os.rename(kept, old)
            raise
    return done


def _fold_wal(path: str) -> None:
    """Brings the write-ahead log into the file that is kept; a damaged database stays as it is."""
    try:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    except sqlite3.Error:
        pass


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _volumes(db: sqlite3.Connection, directory: str) -> list[str]:
    done = []
    for name in sorted(os.listdir(directory)):
        if name.startswith("."):
            continue
        anonymous = len(name) == 64 and all(c in "0123456789abcdef" for c in name)
        created = int(os.stat(f"{directory}/{name}").st_mtime * 1e9)
        db.execute(
            "INSERT INTO volumes(name, driver, created, anonymous) VALUES (?, 'local', ?, ?)",
            (name, created, anonymous),
        )
        done.append(f"volume {name}")
    return done


def _container(db: sqlite3.Connection, path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            document: dict[str, Any] = json.load(file)
        config, host_config = document["Config"], document["HostConfig"]
        points = tuple(MountPoint(*point) for point in document["Mounts"])
        rows.insert(
            db, document["Id"], document["Name"], document["Image"], document["ImageId"], document["Created"], config,
            host_config, points,
        )  # fmt: skip
        for network_id, address in document.get("Addresses") or ():
            db.execute("INSERT OR IGNORE INTO addresses VALUES (?, ?, ?)", (network_id, address, document["Id"]))
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError) as error:
        return f"container {path.split('/')[-2][:12]} was left out: its create.json is damaged ({error})"
    return f"container {document['Name']}"
