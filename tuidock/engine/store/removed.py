"""What was removed and can come back: the trash of a data root, from which `undo` takes.

A removal is a rename into removed/ and one transaction that moves the rows of the thing into one row here; coming back is
the same the other way round, with the rename inside the transaction. So a kill leaves the one or the other, and `heal`
puts a directory where its row says that it is. A container lies in removed/ID, a volume in removed/ENTRY/NAME, an image
stays where it is and is only hidden; layers that an entry needs are roots of the collection.
"""

from __future__ import annotations

import os
import time

from tuidock.engine import fastjson
from tuidock.engine.errors import AmbiguousId, Conflict, NotFound, SystemFailure
from tuidock.engine.files import read_text
from tuidock.engine.named import Named
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import trash
from tuidock.engine.types import RemovedEntry
from tuidock.native import syncfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

CONTAINER, VOLUME, IMAGE = "container", "volume", "image"
_HEXADECIMAL = frozenset("0123456789abcdef")


class Keeping(Named):
    """That what goes is kept: under the batch that one command's removals have in common."""

    batch: str


def new_batch() -> str:
    return os.urandom(6).hex()


def rows_of(db: sqlite3.Connection, table: str, column: str, value: str) -> list[dict[str, Any]]:
    """The rows of a table as documents, whatever columns this version has."""
    cursor = db.execute(f"SELECT * FROM {table} WHERE {column} = ?", (value,))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def put_back(db: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Inserts such rows, without columns that there are no more; answers how many found their place free."""
    known = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
    count = 0
    for row in rows:
        names = [name for name in row if name in known]
        marks = ",".join("?" * len(names))
        statement = f"INSERT OR IGNORE INTO {table}({','.join(names)}) VALUES ({marks})"
        count += db.execute(statement, [row[name] for name in names]).rowcount
    return count


def add(
    db: sqlite3.Connection, keeping: Keeping, kind: str, name: str, subject: str, document: Mapping[str, Any],
    *, entry: str = "", image_id: str = "", when: int = 0,
) -> str:  # fmt: skip
    """An entry, inside the transaction that removes the thing; answers its id."""
    entry = entry or os.urandom(32).hex()
    db.execute(
        "INSERT OR REPLACE INTO removed VALUES (?, ?, ?, ?, ?, ?, ?, -1, ?)",
        (entry, keeping.batch, kind, name, subject, image_id, when or time.time_ns(), fastjson.dumps(document)),
    )
    return entry


def place_of(paths: Paths, kind: str, entry: str, name: str) -> str:
    """Where the directory of an entry lies, "" for an image."""
    if kind == IMAGE:
        return ""
    return f"{paths.removed}/{entry}" if kind == CONTAINER else f"{paths.removed}/{entry}/{name}"


def entries(state: State) -> list[RemovedEntry]:
    """All, the newest first."""
    db = state.read()
    if not _has_table(db):
        return []
    query = "SELECT id, batch, kind, name, subject, time, size FROM removed ORDER BY time DESC, id"
    return [RemovedEntry(*row) for row in db.execute(query)]


def _has_table(db: sqlite3.Connection) -> bool:
    """A data root of an older version that is only looked at has none."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'removed'").fetchone() is not None


def find(state: State, references: Sequence[str]) -> list[RemovedEntry]:
    """The entries that are named by id, prefix of one, or the name of what was removed (the latest of that name); without
    a reference those of the last removal. Raises NotFound, AmbiguousId, Conflict for an empty trash."""
    known = entries(state)
    if not references:
        if not known:
            raise Conflict("there is nothing to undo: the trash is empty")
        return [entry for entry in known if entry.batch == known[0].batch]
    return list({entry.id: entry for entry in (_one(known, text) for text in references)}.values())


def _one(known: Sequence[RemovedEntry], text: str) -> RemovedEntry:
    named = [entry for entry in known if text in (entry.name, entry.subject, entry.id)]
    if named:
        return named[0]
    found = [
        entry
        for entry in known
        if len(text) > 1 and (entry.id.startswith(text) or entry.subject.removeprefix("sha256:").startswith(text))
    ]
    if not found:
        raise NotFound("removal in the trash", text)
    if len({entry.id for entry in found}) > 1:
        raise AmbiguousId(f"{text} fits several removals; type more of it")
    return found[0]


def document_of(db: sqlite3.Connection, entry: str) -> dict[str, Any] | None:
    """The rows of an entry, None when somebody else has taken it meanwhile."""
    row = db.execute("SELECT document FROM removed WHERE id = ?", (entry,)).fetchone()
    return fastjson.loads(row[0]) if row else None


def digests(state: State) -> set[str]:
    """The digests by which images in the trash are named: their indexes and manifests stay."""
    db = state.read()
    if not _has_table(db):
        return set()
    found = set()
    for (text,) in db.execute("SELECT document FROM removed WHERE kind = ?", (IMAGE,)):
        found |= {str(row["digest"]) for row in fastjson.loads(text)["image_references"]}
    return found


def forget(db: sqlite3.Connection, entry: str) -> None:
    db.execute("DELETE FROM removed WHERE id = ?", (entry,))


def drop(state: State, paths: Paths, gone: Iterable[RemovedEntry]) -> int:
    """Removes entries for good; answers how many. Layers of images go with the next collection.

    On a full disk the database has no room for saying so: then the content goes first.
    """
    chosen = list(gone)
    graves: list[str] = []
    try:
        _drop(state, paths, chosen, graves)
    except SystemFailure:
        for grave in graves:
            trash.empty(grave)
        root = os.open(paths.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syncfs(root)  # the file system may give blocks free with its next commit only
        finally:
            os.close(root)
        _drop(state, paths, chosen, graves)
    for grave in graves:
        trash.empty(grave)
    return len(chosen)


def _drop(state: State, paths: Paths, chosen: Sequence[RemovedEntry], graves: list[str]) -> None:
    """Directories first: where a transaction has no room, they make it."""
    graves += [trash.discard(paths, _directory(paths, entry)) for entry in chosen if entry.kind != IMAGE]
    with state.write(durable=False) as db:
        for entry in chosen:
            forget(db, entry.id)


def _directory(paths: Paths, entry: RemovedEntry) -> str:
    return f"{paths.removed}/{entry.id}"


def heal(state: State, paths: Paths) -> list[str]:
    """Ends what was killed between a rename and its transaction: each directory goes where its row is.

    A directory that nobody knows is taken in, so that it can come back or grow old.
    """
    done: list[str] = []
    if not _has_table(state.read()):
        return done
    with state.write() as db:
        known = {row[0]: row[1:] for row in db.execute("SELECT id, kind, name FROM removed")}
        for entry, (kind, name) in known.items():
            if kind != IMAGE and not os.path.isdir(place_of(paths, kind, entry, name)):
                done.append(_return(db, paths, entry, kind, name))
        for entry in _listed(paths.removed):
            if entry not in known:
                done.append(_adopt(db, paths, entry))
    return [sentence for sentence in done if sentence]


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _return(db: sqlite3.Connection, paths: Paths, entry: str, kind: str, name: str) -> str:
    """An undo was killed before its transaction: its directory comes back into the trash. Else there is none any more."""
    living = paths.container(entry) if kind == CONTAINER else f"{paths.volumes}/{name}"
    table, column, value = ("containers", "id", entry) if kind == CONTAINER else ("volumes", "name", name)
    taken = db.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (value,)).fetchone()
    if not taken and os.path.isdir(living):
        os.makedirs(os.path.dirname(place_of(paths, kind, entry, name)), mode=0o700, exist_ok=True)
        os.rename(living, place_of(paths, kind, entry, name))
        return f"{kind} {name[:64]}: it is in the trash again"
    forget(db, entry)
    return f"{kind} {name[:64]}: it has left the trash"


def _adopt(db: sqlite3.Connection, paths: Paths, entry: str) -> str:
    """A directory in removed/ without an entry: a removal that was killed before its transaction, or a lost database."""
    directory = f"{paths.removed}/{entry}"
    if len(entry) != 64 or set(entry) - _HEXADECIMAL:
        return ""
    if os.path.exists(directory + "/create.json"):
        return _adopt_container(db, paths, entry, directory)
    names = [name for name in _listed(directory) if os.path.isdir(f"{directory}/{name}/_data")]
    if not names:
        trash.empty(trash.discard(paths, directory))
        return ""
    name = names[0]
    known = db.execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone()
    if known and not os.path.lexists(f"{paths.volumes}/{name}"):
        os.rename(f"{directory}/{name}", f"{paths.volumes}/{name}")
        os.rmdir(directory)
        return f"volume {name[:64]}: its removal was taken back"
    created = int(os.stat(f"{directory}/{name}").st_mtime * 1e9)
    from tuidock.engine.store import volumes

    described = volumes.described(f"{directory}/{name}")
    row = {"name": name, "driver": "local", "created": created, "anonymous": volumes.looks_anonymous(name), **described}
    add(db, Keeping(new_batch()), VOLUME, name, name, {"volumes": [row]}, entry=entry, when=created)
    return f"volume {name[:64]}: found in the trash"


def _adopt_container(db: sqlite3.Connection, paths: Paths, entry: str, directory: str) -> str:
    known = db.execute("SELECT name FROM containers WHERE id = ?", (entry,)).fetchone()
    if known:
        os.rename(directory, paths.container(entry))
        return f"container {known[0]}: its removal was taken back"
    document = fastjson.loads(read_text(directory + "/create.json") or "{}")
    name, image_id = str(document.get("Name") or entry[:12]), str(document.get("ImageId") or "")
    when = int(os.stat(directory).st_ctime * 1e9)
    add(
        db,
        Keeping(new_batch()),
        CONTAINER,
        name,
        entry,
        {"create.json": True},
        entry=entry,
        image_id=image_id,
        when=when,
    )
    return f"container {name}: found in the trash"


def recover(db: sqlite3.Connection, paths: Paths, old_database: str) -> None:
    """For `system rebuild`: the entries of the old database as far as it can be read; `heal` finds the others."""
    import sqlite3

    try:
        old = sqlite3.connect(f"file:{old_database}?mode=ro", uri=True)
        try:
            rows = old.execute("SELECT * FROM removed").fetchall()
            hidden = [row[0] for row in old.execute("SELECT id FROM images WHERE loaded = 0")]
        finally:
            old.close()
    except sqlite3.Error:
        return
    for row in rows:
        if row[2] == IMAGE or os.path.isdir(place_of(paths, str(row[2]), str(row[0]), str(row[3]))):
            db.execute(f"INSERT OR IGNORE INTO removed VALUES ({','.join('?' * len(row))})", row)
    for image_id in hidden:
        db.execute(
            "UPDATE images SET loaded = 0 WHERE id = ? AND id NOT IN (SELECT image_id FROM image_references)",
            (image_id,),
        )
