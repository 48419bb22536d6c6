"""Volumes: named directories that outlive containers, under volumes/NAME/_data.

A row in state.db makes a volume; the directory is there before its row and is renamed into the trash together with it.
Labels and options are written beside the content, too, so that a lost database does not take them along.
Content of an image that a new volume covers is copied in by `copy_up` (store/copyup.py).
"""

from __future__ import annotations

import os
import time

from tuidock.engine import fastjson
from tuidock.engine.errors import Conflict, EngineError, InUse, InvalidArgument, NotFound
from tuidock.engine.files import every_file, read_text, refuse, write_atomic
from tuidock.engine.paths import Paths
from tuidock.engine.state import State, pack, unpack
from tuidock.engine.types import Volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from typing import Any, Final

    from tuidock.engine.options.volume_driver import FileSystem
    from tuidock.engine.store.removed import Keeping
    from tuidock.engine.types import RemovedEntry

_WORD: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_DIGITS: Final = frozenset("0123456789abcdef")
_LONGEST: Final = 255
_DOCUMENT: Final = "volume.json"


def check_name(name: str) -> str:
    """The name itself. Raises InvalidArgument for one that could not be a file name or would surprise a shell."""
    if len(name) == 1:
        raise InvalidArgument(
            f"volume name {name!r} is too short, names should be at least two alphanumeric characters"
        )
    if not _is_name(name):
        raise InvalidArgument(
            f"{name!r} includes invalid characters for a local volume name, only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )
    return name


def _is_name(name: str) -> bool:
    return 1 < len(name) <= _LONGEST and name[0] in _WORD and not set(name) - _WORD - set("_.-")


def looks_anonymous(name: str) -> bool:
    """Whether it is a name as volumes get that nobody named: 64 hexadecimal digits."""
    return len(name) == 64 and not set(name) - _DIGITS


def data_directory(paths: Paths, name: str) -> str:
    """The directory that containers see."""
    return f"{paths.volumes}/{check_name(name)}/_data"


def ensure(
    state: State,
    paths: Paths,
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    anonymous: bool = False,
    user: str = "",
) -> bool:
    """Make a volume unless it is there; True when it was made. Raises InvalidArgument, Unsupported or OSError.

    user is the id of the container that it is made for: nobody removes it before that container has its row.
    """
    directory = data_directory(paths, name)
    size = _check(options) if options else 0
    row = state.read().execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone()
    if row and os.path.isdir(directory):
        return False
    with state.write() as db:
        # inside the transaction, or a removal could take the directory away between the two
        os.makedirs(os.path.dirname(directory), mode=0o711, exist_ok=True)
        os.makedirs(directory, mode=0o755, exist_ok=True)
        if size and not row and not os.listdir(directory):
            _limit(directory, size)
        if (labels or options) and not row:
            _write_document(paths, name, labels or {}, options or {})
        made = db.execute(
            "INSERT OR IGNORE INTO volumes(name, driver, created, labels, options, anonymous) "
            "VALUES (?, 'local', ?, ?, ?, ?)",
            (name, time.time_ns(), pack(dict(labels or {})), pack(dict(options or {})), anonymous),
        ).rowcount
        if made == 1 and user:
            db.execute("INSERT OR IGNORE INTO volume_uses VALUES (?, ?)", (name, user))
    return made == 1


def _write_document(paths: Paths, name: str, labels: Mapping[str, str], options: Mapping[str, str]) -> None:
    """What `system rebuild` could not know otherwise, beside the content."""
    text = fastjson.dumps({"Labels": dict(labels), "Options": dict(options)})
    write_atomic(f"{paths.volumes}/{name}/{_DOCUMENT}", text, 0o600)


def described(directory: str) -> dict[str, str]:
    """labels and options, packed as the columns of the row, of the directory of a volume whose row is lost."""
    from tuidock.engine.options import volume_driver

    try:
        document = fastjson.loads(read_text(f"{directory}/{_DOCUMENT}") or "{}")
        labels, options = dict(document.get("Labels") or {}), dict(document.get("Options") or {})
        volume_driver.check(options)
        return {"labels": pack(labels), "options": pack(options)}
    except (ValueError, TypeError, AttributeError, InvalidArgument):
        return {"labels": "", "options": ""}


def install(
    state: State, paths: Paths, name: str, directory: str, labels: Mapping[str, str] | None, *, packed_labels: str = ""
) -> None:
    """A directory that holds a filled _data becomes the volume: a new one, or one that is there and empty.

    Raises Conflict when somebody has filled that meanwhile, OSError.
    """
    place = f"{paths.volumes}/{name}"
    with state.write() as db:
        db.execute(
            "INSERT OR IGNORE INTO volumes(name, driver, created, labels, options, anonymous) "
            "VALUES (?, 'local', ?, ?, '', 0)",
            (name, time.time_ns(), packed_labels or pack(dict(labels or {}))),
        )
        if labels or packed_labels:
            text = fastjson.dumps({"Labels": unpack(packed_labels) or dict(labels or {}), "Options": {}})
            write_atomic(f"{directory}/{_DOCUMENT}", text, 0o600)
        if not os.path.isdir(place):
            os.rename(directory, place)
            return
        root = os.stat(f"{directory}/_data")
        if os.listdir(f"{place}/_data"):
            raise Conflict(f"volume {name} is not empty any more; import into a new one")
        for entry in os.listdir(f"{directory}/_data"):  # containers may have mounted it: it stays the same inode
            os.rename(f"{directory}/_data/{entry}", f"{place}/_data/{entry}")
        os.chown(f"{place}/_data", root.st_uid, root.st_gid)
        os.chmod(f"{place}/_data", root.st_mode & 0o7777)


def keep(db: sqlite3.Connection, paths: Paths, name: str) -> None:
    """Inside the transaction that makes a user: a volume that was removed meanwhile is there again, empty."""
    directory = data_directory(paths, name)
    added = db.execute(
        "INSERT OR IGNORE INTO volumes(name, driver, created, labels, options, anonymous) VALUES (?, 'local', ?, '', '', 0)",
        (name, time.time_ns()),
    ).rowcount
    if added:
        os.makedirs(os.path.dirname(directory), mode=0o711, exist_ok=True)
        os.makedirs(directory, mode=0o755, exist_ok=True)


def copy_up(state: State, paths: Paths, name: str, lower: tuple[str, ...], destination: str) -> bool:
    """Fill an empty volume with what the image has at the destination; True when something was copied.

    lower holds the image's layer directories, topmost first. A tmpfs begins empty at each mount, so nothing is copied.
    Raises OSError, EngineError.
    """
    from tuidock.engine.store import copyup

    directory = os.path.dirname(data_directory(paths, name))
    row = state.read().execute("SELECT options FROM volumes WHERE name = ?", (name,)).fetchone()
    options = unpack(row[0].removeprefix("{}")) if row else {}
    found = _file_system(options)
    if not options:
        return copyup.copy_up(directory, lower, destination)
    if found is not None and found.type == "tmpfs":
        return False
    from tuidock.engine.store import volume_mounts

    root = volume_mounts.open_root(state, paths, name)
    try:
        return copyup.fill(directory, root, lower, destination)
    finally:
        os.close(root)


def _file_system(options: Mapping[str, str]) -> FileSystem | None:
    from tuidock.engine.options import volume_driver

    return volume_driver.file_system(options)


def _check(options: Mapping[str, str]) -> int:
    """The size that a directory is to have at most, 0 for any. Raises InvalidArgument."""
    from tuidock.engine.options import volume_driver

    volume_driver.check(options)
    return volume_driver.quota(options)


def _limit(directory: str, size: int) -> None:
    from tuidock.engine.store import quota

    try:
        quota.limit(directory, size)
    except EngineError:
        _remove_empty(os.path.dirname(directory))
        raise


def remove(
    state: State, paths: Paths, name: str, *, force: bool = False, user: str = "", keeping: Keeping | None = None
) -> None:
    """Remove a volume with its content. Raises InUse (force or not) with the users' names, NotFound unless force.

    user is the id of a container that does not want it any more. keeping: it goes to the trash, from which `restore` takes
    it back.
    """
    from tuidock.engine.store import trash

    grave = ""
    with state.write() as db:
        if user:
            db.execute("DELETE FROM volume_uses WHERE volume = ? AND container_id = ?", (name, user))
        users = _users(state).get(name, ())
        if users:
            raise InUse(f"remove {name}: volume is in use by {', '.join(users)}; remove them first")
        row = db.execute("SELECT options FROM volumes WHERE name = ?", (name,)).fetchone()
        if row is None and not force:
            raise NotFound("volume", name)
        if row and row[0] not in ("", "{}"):
            _detach(paths, name)
        if keeping is not None and row and os.path.isdir(f"{paths.volumes}/{name}"):
            _keep_removed(db, paths, name, keeping)
        elif _is_name(name):
            grave = trash.discard(paths, f"{paths.volumes}/{name}")
        db.execute("DELETE FROM volumes WHERE name = ?", (name,))
    trash.empty(grave)


def _keep_removed(db: sqlite3.Connection, paths: Paths, name: str, keeping: Keeping) -> None:
    from tuidock.engine.store import removed

    document = {"volumes": removed.rows_of(db, "volumes", "name", name)}
    entry = removed.add(db, keeping, removed.VOLUME, name, name, document)
    try:
        os.makedirs(f"{paths.removed}/{entry}", mode=0o700)
        os.rename(f"{paths.volumes}/{name}", removed.place_of(paths, removed.VOLUME, entry, name))
    except OSError as error:
        raise refuse(error, f"move volume {name} to the trash") from error


def restore(db: sqlite3.Connection, paths: Paths, entry: RemovedEntry, document: Mapping[str, Any]) -> str:
    """Inside a transaction: a volume that comes back from the trash; answers its name, another one when that is taken.

    An empty volume that nobody uses makes room for it.
    """
    from tuidock.engine.store import removed

    name = entry.name
    if db.execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone() and not _make_room(db, paths, name):
        name = _free_name(db, paths, name)
    try:
        os.rename(removed.place_of(paths, removed.VOLUME, entry.id, entry.name), f"{paths.volumes}/{name}")
        os.rmdir(f"{paths.removed}/{entry.id}")
    except OSError as error:
        raise refuse(error, f"bring volume {entry.name} back") from error
    removed.put_back(db, "volumes", [{**row, "name": name} for row in document["volumes"]])
    removed.forget(db, entry.id)
    return name


def _make_room(db: sqlite3.Connection, paths: Paths, name: str) -> bool:
    used = db.execute("SELECT 1 FROM volume_uses WHERE volume = ?", (name,)).fetchone()
    options = db.execute("SELECT options FROM volumes WHERE name = ?", (name,)).fetchone()[0]
    directory = f"{paths.volumes}/{name}"
    if used or options not in ("", "{}"):
        return False
    try:
        os.unlink(directory + "/lock")
    except OSError:
        pass  # nobody has copied into it yet
    if os.path.isdir(directory) and not _remove_empty(directory):
        return False
    db.execute("DELETE FROM volumes WHERE name = ?", (name,))
    return True


def _free_name(db: sqlite3.Connection, paths: Paths, name: str) -> str:
    number = 1
    while True:
        candidate = f"{name[: _LONGEST - 8]}-{number}"
        known = db.execute("SELECT 1 FROM volumes WHERE name = ?", (candidate,)).fetchone()
        if not known and not os.path.lexists(f"{paths.volumes}/{candidate}"):
            return candidate
        number += 1


def _detach(paths: Paths, name: str) -> None:
    from tuidock.engine.store import volume_mounts

    volume_mounts.detach_memory(paths, name)


def disown(state: State, paths: Paths, user: str) -> list[str]:
    """Takes the uses of a container back that was never made; its anonymous volumes go. One sentence for each."""
    db = state.read()
    names = [row[0] for row in db.execute(
        "SELECT name FROM volumes JOIN volume_uses ON volume = name WHERE anonymous AND container_id = ?", (user,)
    )]  # fmt: skip
    with state.write() as transaction:
        transaction.execute(
            "DELETE FROM volume_uses WHERE container_id = ? AND container_id NOT IN (SELECT id FROM containers)",
            (user,),
        )
    done = []
    for name in names:
        try:
            remove(state, paths, name, force=True)
        except InUse:
            continue
        done.append(f"volume {name[:12]} removed: its container was never made")
    return done


def sweep(state: State, paths: Paths) -> list[str]:
    """Ends what was killed between a directory and its row. Content is never touched: only what is empty goes."""
    done = []
    with state.write() as db:
        known = {row[0] for row in db.execute("SELECT name FROM volumes")}
        for name in os.listdir(paths.volumes):
            if name not in known and _is_name(name) and _remove_empty(f"{paths.volumes}/{name}"):
                done.append(f"volume {name[:12]}: its empty directory removed")
        unused = "DELETE FROM volumes WHERE name = ? AND name NOT IN (SELECT volume FROM volume_uses)"
        for name in known:
            if not os.path.isdir(f"{paths.volumes}/{name}") and db.execute(unused, (name,)).rowcount:
                done.append(f"volume {name[:12]}: its removal was finished")
    return done


def _remove_empty(directory: str) -> bool:
    try:
        if os.path.isdir(directory + "/_data"):
            os.rmdir(directory + "/_data")
        if os.path.exists(f"{directory}/{_DOCUMENT}"):
            os.unlink(f"{directory}/{_DOCUMENT}")
        os.rmdir(directory)
    except OSError:
        return False
    return True


def list_volumes(state: State, paths: Paths) -> list[Volume]:
    """All volumes by name, with the names of the containers that use each."""
    users = _users(state)
    rows = state.read().execute("SELECT name, driver, created, labels, options, anonymous FROM volumes ORDER BY name")
    return [
        Volume(
            row[0], row[1], f"{paths.volumes}/{row[0]}/_data", row[2], unpack(row[3].removeprefix("{}")),
            unpack(row[4].removeprefix("{}")), bool(row[5]), users.get(row[0], ()),
        )
        for row in rows
    ]  # fmt: skip


def inspect(state: State, paths: Paths, name: str) -> dict[str, Any]:
    """A volume in docker's JSON. Raises NotFound."""
    for volume in list_volumes(state, paths):
        if volume.name == name:
            created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(volume.created // 1_000_000_000))
            labels = dict(sorted(volume.labels.items()))
            if volume.anonymous:
                labels.setdefault("com.docker.volume.anonymous", "")
            return {
                "CreatedAt": created, "Driver": volume.driver, "Labels": labels or None, "Mountpoint": volume.mountpoint,
                "Name": name, "Options": dict(sorted(volume.options.items())) or None, "Scope": "local",
            }  # fmt: skip
    raise NotFound("volume", name)


def size(paths: Paths, name: str) -> int:
    """Bytes of the volume's files; a file with several names counts once."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for known in every_file(data_directory(paths, name)):
        if known.st_nlink > 1:
            if (known.st_dev, known.st_ino) in seen:
                continue
            seen.add((known.st_dev, known.st_ino))
        total += known.st_size
    return total


def _users(state: State) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for volume, name in state.read().execute(
        "SELECT u.volume, coalesce(c.name, substr(u.container_id, 1, 12)) FROM volume_uses u "
        "LEFT JOIN containers c ON c.id = u.container_id ORDER BY c.name"
    ):
        found[volume] = (*found.get(volume, ()), name)
    return found
