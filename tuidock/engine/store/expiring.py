"""How long the trash keeps what was removed, and how much of the disk it may take: `trash: {keep: 24h, size: 10%}`.

The oldest goes first. When the disk is nearly full nothing is kept that stands in the way: what is in use comes before
what was thrown away.
"""

from __future__ import annotations

import os
import time

from tuidock.engine.errors import SystemFailure
from tuidock.engine.files import every_file
from tuidock.engine.options.settings import trash_limits
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import removed
from tuidock.engine.types import RemovedEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

#: With less than this share of the file system free, what was thrown away makes room.
SCARCE: Final = 0.05


def lacking(paths: Paths) -> int:
    """How many bytes too few are free."""
    try:
        disk = os.statvfs(paths.root)
    except OSError:
        return 0
    return max(0, int(disk.f_blocks * SCARCE) - disk.f_bavail) * disk.f_frsize


def enforce(state: State, paths: Paths) -> list[RemovedEntry]:
    """Removes for good what is too old or too much; answers what went. Layers of images are collected with it."""
    known = removed.entries(state)
    if not known:
        return []
    keep, size, _ = trash_limits()
    oldest = time.time_ns() - int(keep * 1e9)
    gone = [entry for entry in known if entry.time < oldest]
    left = [entry for entry in known if entry.time >= oldest]
    left = measured(state, paths, left)
    gone += _too_much(left, _bytes(paths, size))
    needed = lacking(paths) - sum(max(0, entry.size) for entry in gone)
    for entry in reversed(left):
        if needed <= 0:
            break
        if entry not in gone:
            gone.append(entry)
            needed -= entry.size
    if gone:
        drop(state, paths, gone)
    return gone


def _bytes(paths: Paths, size: tuple[int, bool]) -> int:
    """The limit in bytes; a share is one of the file system of the data root."""
    number, is_share = size
    if not is_share:
        return number
    try:
        disk = os.statvfs(paths.root)
    except OSError:
        return 0
    return disk.f_blocks * disk.f_frsize * number // 100


def _too_much(known: Sequence[RemovedEntry], limit: int) -> list[RemovedEntry]:
    """The oldest beyond the limit; known is in order, the newest first."""
    total, gone = 0, []
    for entry in known:
        total += entry.size
        if total > limit:
            gone.append(entry)
    return gone


def measured(state: State, paths: Paths, known: Sequence[RemovedEntry]) -> list[RemovedEntry]:
    """The entries with their sizes; each is walked through once. An image counts with what it alone has."""
    found = [entry if entry.size >= 0 else entry._replace(size=_size(state, paths, entry)) for entry in known]
    new = [entry for entry, old in zip(found, known, strict=True) if old.size < 0]
    if new and not state.read_only:
        try:
            with state.write(durable=False) as db:
                for entry in new:
                    db.execute("UPDATE removed SET size = ? WHERE id = ?", (entry.size, entry.id))
        except SystemFailure:
            pass  # a full disk has no room for sizes; they are measured again
    return found


def _size(state: State, paths: Paths, entry: RemovedEntry) -> int:
    if entry.kind != removed.IMAGE:
        place = removed.place_of(paths, entry.kind, entry.id, entry.name)
        return sum(found.st_blocks * 512 for found in every_file(place))
    if state.read().execute("SELECT 1 FROM images WHERE id = ? AND loaded > 0", (entry.subject,)).fetchone():
        return 0  # only a name of it was removed
    from tuidock.engine.store import sharing

    return sharing.sizes(state, paths).by_image.get(entry.subject, (0, 0))[1]


def drop(state: State, paths: Paths, gone: Sequence[RemovedEntry]) -> tuple[int, int]:
    """Removes entries for good; answers how many and how many bytes came free."""
    known = measured(state, paths, gone)
    count = removed.drop(state, paths, known)
    if any(entry.kind != removed.VOLUME for entry in known):
        from tuidock.engine.store import collection

        collection.collect(state, paths)
    return count, sum(entry.size for entry in known)
