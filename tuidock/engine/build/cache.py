"""What builds have made already: rows of the table build_cache, found by the content that they came from.

A key is a digest over the layers below, the whole configuration, and what the instruction says and takes; so a pulled
image is never a hit, whatever it claims to be made from (CVE-2024-24557). A row names one layer, or none where the step
changed nothing; kind `kept` is a whole state, the last good one of a build that failed.
"""

from __future__ import annotations

import os
import time

from tuidock.engine import fastjson
from tuidock.engine.build.digests import sha256
from tuidock.engine.image_types import CacheEntry
from tuidock.engine.named import Named
from tuidock.engine.store.layer import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from typing import Any

    from tuidock.engine.paths import Paths
    from tuidock.engine.state import State
else:
    import _sqlite3 as sqlite3

_VERSION = "1"
KEPT = "kept"
MOUNT = "cache-mount"
#: How exactly it is known when an entry was last of use (ns): a build that finds everything need not write that each time.
SETTLED = 600_000_000_000
#: So many last good states of failed builds are kept.
_KEPT_LIMIT = 8


class Row(Named):
    """layers: the step's own; of a kept state all, lowest first, with its configuration. used: when it was last of use
    (ns), 0 = nobody knows."""

    key: str
    kind: str
    text: str
    layers: tuple[Layer, ...]
    size: int
    created: int
    config: str = ""
    used: int = 0


def canonical(document: object) -> str:
    """The same text for the same document."""
    if isinstance(document, dict):
        return "{" + ",".join(f"{canonical(str(key))}:{canonical(document[key])}" for key in sorted(document)) + "}"
    if isinstance(document, list | tuple):
        return "[" + ",".join(canonical(item) for item in document) + "]"
    return fastjson.dumps(document)


def key_of(state: str, kind: str, *parts: object) -> str:
    """The key of a step that is done to a state (see `state_of`)."""
    return sha256(canonical([_VERSION, state, kind, *parts]).encode()).hexdigest()


def state_of(chain_id: str, document: dict[str, Any]) -> str:
    """What a step begins with: the layers so far and everything that the image's configuration says."""
    return sha256(canonical([chain_id, document]).encode()).hexdigest()


def find(state: State, key: str) -> Row | None:
    """The row of a key."""
    row = state.read().execute(
        "SELECT key, kind, text, layers, size, created, config, used FROM build_cache WHERE key = ?", (key,)
    ).fetchone()  # fmt: skip
    return _row(row) if row else None


def _row(row: Sequence[Any]) -> Row:
    layers = tuple(Layer(**layer) for layer in fastjson.loads(row[3]))
    return Row(row[0], row[1], row[2], layers, row[4], row[5], row[6], int(row[7]))


def insert(db: sqlite3.Connection, rows: Iterable[Row]) -> bool:
    """New rows, inside the caller's transaction. True when others went for them, whose layers nobody may need now."""
    now = time.time_ns()
    replaced = False
    for row in rows:
        layers = fastjson.dumps([layer._asdict() for layer in row.layers])
        before = db.execute("SELECT layers FROM build_cache WHERE key = ?", (row.key,)).fetchone()
        replaced = replaced or (before is not None and before[0] != layers)
        db.execute(
            "INSERT OR REPLACE INTO build_cache(key, kind, text, layers, config, size, created, used) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (row.key, row.kind, row.text, layers, row.config, row.size, row.created, now),
        )
        if row.kind == KEPT:
            db.execute(
                "DELETE FROM build_cache WHERE kind = ? AND key NOT IN "
                "(SELECT key FROM build_cache WHERE kind = ? ORDER BY used DESC LIMIT ?)",
                (KEPT, KEPT, _KEPT_LIMIT),
            )
    return replaced


def touch(db: sqlite3.Connection, keys: Iterable[str]) -> None:
    """These were of use now."""
    now = time.time_ns()
    db.executemany("UPDATE build_cache SET used = ? WHERE key = ?", [(now, key) for key in keys])


def mounts_directory(paths: Paths) -> str:
    """Where the directories of cache mounts lie."""
    return paths.cache + "/build/mounts"


def entries(state: State, paths: Paths) -> list[CacheEntry]:
    """Everything that is kept, last used first. In use is what an image stands on too, or a build has mounted."""
    db = state.read()
    try:
        rows = db.execute(
            "SELECT key, kind, text, layers, size, created, config, used FROM build_cache ORDER BY used DESC"
        ).fetchall()
    except sqlite3.OperationalError:
        return []  # a data root of an older version, opened only to be looked at
    shared = _layers_of_images(db)
    parsed = [_row(row) for row in rows]
    counted = shared | {layer.chain_id for kept in parsed if kept.kind != KEPT for layer in kept.layers}
    found = []
    for kept in parsed:
        in_use = bool(kept.layers) and all(layer.chain_id in shared for layer in kept.layers)
        size = kept.size if kept.kind != KEPT else _size_beside(paths, kept.layers, counted)
        found.append(CacheEntry(kept.key, kept.kind, kept.text, size, kept.created, kept.used, in_use))
    found += _mounts(paths)
    return sorted(found, key=lambda entry: entry.used, reverse=True)


def _size_beside(paths: Paths, layers: Sequence[Layer], counted: set[str]) -> int:
    """Bytes of the layers that only the last good state of a failed build keeps: those of its base, when the image of that
    is gone. They are counted once."""
    from tuidock.engine.store.snapshots import Snapshots

    alone = [layer.chain_id for layer in layers if layer.chain_id not in counted]
    counted.update(alone)
    return sum(Snapshots(paths).size(chain_id) for chain_id in alone)


def _layers_of_images(db: sqlite3.Connection) -> set[str]:
    found: set[str] = set()
    for (layers,) in db.execute("SELECT layers FROM images"):
        found.update(layer["chain_id"] for layer in fastjson.loads(layers))
    return found


def _mounts(paths: Paths) -> list[CacheEntry]:
    from tuidock.engine.files import every_file, is_locked, read_text

    found = []
    directory = mounts_directory(paths)
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    for name in names:
        place = f"{directory}/{name}"
        try:
            status = os.stat(place)
        except FileNotFoundError:
            continue
        size = sum(file.st_size for file in every_file(place + "/data"))
        text = read_text(place + "/id") or ""
        used = status.st_mtime_ns
        found.append(CacheEntry(name, MOUNT, text, size, used, used, is_locked(place + "/lock")))
    return found


def select(
    found: Sequence[CacheEntry], *, all_: bool = False, keep_bytes: int = 0, before: int = 0, kinds: Sequence[str] = ()
) -> list[CacheEntry]:
    """What a prune takes: the longest unused first, until no more than keep_bytes are left. before: only what was not
    used since. Without all_ what images stand on stays too."""
    left = sum(entry.size for entry in found if not entry.in_use)
    chosen = []
    for entry in sorted(found, key=lambda entry: entry.used):
        if keep_bytes and left <= keep_bytes:
            break
        if (entry.in_use and (not all_ or entry.kind == MOUNT)) or (before and entry.used > before):
            continue
        if kinds and entry.kind not in kinds:
            continue
        chosen.append(entry)
        left -= 0 if entry.in_use else entry.size
    return chosen


def remove(state: State, paths: Paths, chosen: Sequence[CacheEntry]) -> int:
    """Takes the entries away; answers the bytes that became free or will when the layers are collected."""
    from tuidock.engine.files import lock_fd
    from tuidock.engine.store import collection, trash

    with state.write() as db:
        db.executemany("DELETE FROM build_cache WHERE key = ?", [(entry.id,) for entry in chosen])
    freed = sum(entry.size for entry in chosen if entry.kind != MOUNT and not entry.in_use)
    for entry in chosen:
        if entry.kind != MOUNT:
            continue
        place = f"{mounts_directory(paths)}/{entry.id}"
        try:
            fd = lock_fd(place + "/lock", wait=False)
        except (BlockingIOError, FileNotFoundError):
            continue  # a build took it meanwhile
        try:
            trash.empty(trash.discard(paths, place))
            freed += entry.size
        finally:
            os.close(fd)
    collection.collect(state, paths)
    return freed
