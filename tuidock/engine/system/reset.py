"""`system reset` and `system rebuild`: away with everything, or the database anew from what lies on disk."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time

from tuidock.engine import rootless
from tuidock.engine.containers import rows
from tuidock.engine.containers.removing import remove_many
from tuidock.engine.errors import SystemFailure
from tuidock.engine.files import locked, remove_tree, sync_directory
from tuidock.engine.instance import Instance
from tuidock.engine.network import addresses, bridge, creation, networks, nftables
from tuidock.engine.runtime import record
from tuidock.engine.runtime.status import read_status
from tuidock.engine.state import State
from tuidock.engine.store import removed, volumes
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
    from tuidock.engine.containers import hidden
    from tuidock.engine.runtime.cgroup import cgroups_of

    hidden.sweep(instance)
    if not instance.rootless:  # who has made no links sees those of the host, under the same names
        for network in networks.all_networks(instance.state.read()):
            bridge.remove(network)
        bridge.remove_unknown(instance.id, instance.bridge)
    if nftables.exists(instance.nft_table):
        nftables.remove(instance.nft_table)
    cgroups_of(instance).remove_parent()
    instance.state.close()
    for directory in (instance.paths.run, instance.paths.root):
        remove_tree(directory)
    if instance.rootless:
        rootless.end_keeper()


def rebuild(instance: Instance) -> list[str]:
    """Makes state.db anew from create.json files, volumes and the content store; returns what was taken in.

    The old database is kept beside the new one as state.db.old-TIME. Running containers go on, and whoever has the
    database open sees the new content in one step.
    """
    paths = instance.paths
    done: list[str] = []
    with locked(paths.root + "/rebuild.lock"):
        instance.state.close()
        old, new = paths.database, paths.database + ".new"
        kept = f"{old}.old-{time.strftime('%Y%m%d%H%M%S')}"
        _unlink_all(new)
        if os.path.exists(old):
            _fold_wal(old)
            shutil.copyfile(old, kept)
            os.chmod(kept, 0o600)
        fresh = State(paths, file=new)
        try:
            from tuidock.engine.store import recover

            with fresh.write() as db:
                done += recover.images(db, paths, kept)
                done += _volumes(db, paths.volumes)
                networks.restore(db, instance, kept)
                done += [f"network {name}" for name in creation.take_in(db, instance)]
                for name in sorted(os.listdir(paths.containers)):
                    sentence = _container(db, f"{paths.containers}/{name}/create.json")
                    if sentence:
                        done.append(sentence)
                    _ports(db, instance, name)
                removed.recover(db, paths, kept)
            done += removed.heal(fresh, paths)
            _take_place(fresh, old)
        except BaseException:
            fresh.close()
            _unlink_all(new)
            _unlink(kept)
            raise
        _unlink_all(new)
        sync_directory(paths.root)
    return done


def _take_place(fresh: State, old: str) -> None:
    """Puts what the new database holds into the old one's file, in one transaction that all who have it open see.

    A file that SQLite does not know any more is replaced; who has that open notices by its inode (state.py).
    """
    try:
        if not os.path.exists(old):
            raise sqlite3.DatabaseError("it is missing")
        target = sqlite3.connect(old, timeout=30)
        try:
            fresh.read().backup(target)
            if target.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("it is damaged")
        finally:
            target.close()
        fresh.close()
    except sqlite3.Error:
        fresh.read().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        fresh.close()
        for suffix in ("-wal", "-shm"):
            _unlink(old + suffix)
        os.rename(fresh.file, old)


def _unlink_all(database: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        _unlink(database + suffix)


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
        created = int(os.stat(f"{directory}/{name}").st_mtime * 1e9)
        described = volumes.described(f"{directory}/{name}")
        db.execute(
            "INSERT INTO volumes(name, driver, created, labels, options, anonymous) VALUES (?, 'local', ?, ?, ?, ?)",
            (name, created, described["labels"], described["options"], volumes.looks_anonymous(name)),
        )
        done.append(f"volume {name}")
    return done


def _ports(db: sqlite3.Connection, instance: Instance, container_id: str) -> None:
    """What a running container publishes stands in the record that it was started by."""
    if read_status(instance.paths, container_id).status not in ("running", "paused", "restarting"):
        return
    try:
        with open(instance.paths.container(container_id) + "/record", "rb") as file:
            pairs = record.decode(file.read())
    except (OSError, ValueError):
        return
    claims: list[dict[str, str]] = []
    for key, value in pairs:
        if key == "port":
            claims.append({"protocol": value})
        elif claims and key in ("host-ip", "host-port", "container-port"):
            claims[-1].setdefault(key, value)
    for claim in claims:
        db.execute(
            "INSERT OR IGNORE INTO port_claims(protocol, host_ip, host_port, container_id, container_port) "
            "VALUES (?, ?, ?, ?, ?)",
            (claim["protocol"], claim["host-ip"], int(claim["host-port"]), container_id, int(claim["container-port"])),
        )


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
        for place in document.get("Addresses") or ():
            addresses.restore(db, document["Id"], place)
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError) as error:
        return f"container {path.split('/')[-2][:12]} was left out: its create.json is damaged ({error})"
    return f"container {document['Name']}"
