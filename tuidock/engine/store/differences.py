"""What differs between trees: a layer and what it lies on, or two whole trees.

docker's letters and rules: A added, C changed, D deleted; a directory in which something differs is changed, and what was
deleted with a directory is not told name by name.
"""

from __future__ import annotations

import os
import stat

from tuidock.engine.image_types import Change
from tuidock.engine.store.levels import Directory, Seen, is_whiteout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_CHUNK = 1 << 20


class _Level:
    """A directory that is being compared. at: where its own line stands, to be decided when its content is known.

    covered: of a layer, that it or one above is opaque, so that what lies below is deleted unless the layer names it.
    """

    __slots__ = ("after", "at", "before", "covered", "names", "path")

    def __init__(
        self,
        before: Directory | None,
        after: Directory | None,
        names: set[str],
        path: str,
        at: int,
        covered: bool = False,
    ) -> None:
        self.before, self.after, self.path, self.at, self.covered = before, after, path, at, covered
        self.names = iter(sorted(names))


class _Changes:
    """The lines so far. The walk has a stack of its own: a tree may be deeper than Python recurses."""

    def __init__(self) -> None:
        self.lines: list[Change] = []
        self.levels: list[_Level] = []

    def directory(self, kind: str, path: str) -> int:
        """Its line; kind "": it is there only if something in it is."""
        self.lines.append(Change(kind, path))
        return len(self.lines) - 1

    def leave(self) -> None:
        at = self.levels.pop().at
        if at >= 0 and not self.lines[at].kind:
            if len(self.lines) == at + 1:
                self.lines.pop()
            else:
                self.lines[at] = self.lines[at]._replace(kind="C")


def of_layer(own: Directory, below: Directory | None, omit: Collection[str] = ()) -> list[Change]:
    """What the topmost layer changes. own: that layer alone; below: what it lies on; omit: paths that do not count."""
    changes = _Changes()
    changes.levels.append(_of_layer(own, below, "", -1, own.opaque))
    while changes.levels:
        level = changes.levels[-1]
        name = next(level.names, None)
        if name is None:
            changes.leave()
            continue
        path = f"{level.path}/{name}"
        if path[1:] not in omit:
            assert level.after is not None
            _compare_layer(changes, level, level.after, name, path)
    return changes.lines


def _of_layer(own: Directory, below: Directory | None, path: str, at: int, covered: bool) -> _Level:
    hidden = {name for name, _ in below.names()} if below and covered else set()
    return _Level(below, own, {*own.raw(), *hidden}, path, at, covered)


def _compare_layer(changes: _Changes, level: _Level, own: Directory, name: str, path: str) -> None:
    seen = own.raw().get(name)
    lower = level.before.find(name) if level.before else None
    if seen is None or (seen.odd and (status := seen.stat()) is not None and is_whiteout(status)):
        if lower is not None:
            changes.lines.append(Change("D", path))
        return
    if not seen.directory:
        changes.lines.append(Change("C" if lower is not None else "A", path))
        return
    below = level.before.enter(name) if level.before and lower is not None and lower.directory else None
    kind = "A" if lower is None else "" if below and _looks(seen) == _looks(lower) else "C"
    at = changes.directory(kind, path)
    inner = Directory(own.roots, path[1:])
    changes.levels.append(_of_layer(inner, below, path, at, level.covered or inner.opaque))


def _looks(seen: Seen) -> tuple[int, ...]:
    status = seen.stat()
    return () if status is None else (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns)


def of_trees(
    old: Directory, new: Directory, omit_old: Collection[str] = (), omit_new: Collection[str] = ()
) -> list[Change]:
    """What has to be done to the old tree to have the new one; contents are read only where sizes are the same.

    omit_old, omit_new: paths that do not count on that side.
    """
    changes = _Changes()
    changes.levels.append(_Level(old, new, {*_names(old), *_names(new)}, "", -1))
    while changes.levels:
        level = changes.levels[-1]
        name = next(level.names, None)
        if name is None:
            changes.leave()
            continue
        path = f"{level.path}/{name}"
        one = None if path[1:] in omit_old or level.before is None else level.before.find(name)
        other = None if path[1:] in omit_new or level.after is None else level.after.find(name)
        _compare_trees(changes, level, one, other, path)
    return changes.lines


def _names(directory: Directory | None) -> set[str]:
    return {name for name, _ in directory.names()} if directory else set()


def _compare_trees(changes: _Changes, level: _Level, one: Seen | None, other: Seen | None, path: str) -> None:
    old, new, name = level.before, level.after, path.rpartition("/")[2]
    if other is None or new is None:
        if one is not None:
            changes.lines.append(Change("D", path))
        return
    if not other.directory:
        if one is None:
            changes.lines.append(Change("A", path))
        elif one != other and not _is_same(one, other):
            changes.lines.append(Change("C", path))
        return
    both = old is not None and one is not None and one.directory
    if both and old and old.below(name) == new.below(name):
        return  # the same directories of the same layers
    kind = "A" if one is None else "" if both and _is_same(one, other) else "C"
    at = changes.directory(kind, path)
    before, after = old.enter(name) if both and old else None, new.enter(name)
    changes.levels.append(_Level(before, after, {*_names(before), *_names(after)}, path, at))


def _is_same(one: Seen, other: Seen) -> bool:
    before, after = one.stat(), other.stat()
    if before is None or after is None:
        return before is after
    if (before.st_mode, before.st_uid, before.st_gid) != (after.st_mode, after.st_uid, after.st_gid):
        return False
    mode = before.st_mode
    if stat.S_ISLNK(mode):
        return _target(one) == _target(other)
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        return before.st_rdev == after.st_rdev
    if not stat.S_ISREG(mode):
        return True
    if before.st_size != after.st_size:
        return False
    if (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino):
        return True
    return _content_is_same(one, other)


def _target(seen: Seen) -> bytes:
    from tuidock import native
    from tuidock.engine.store.levels import open_below

    try:
        fd = open_below(seen.root, seen.path, native.O_PATH | os.O_NOFOLLOW)
    except OSError:
        return b""
    try:
        return os.readlink(b"", dir_fd=fd)
    finally:
        os.close(fd)


def _content_is_same(one: Seen, other: Seen) -> bool:
    try:
        with open(one.open(), "rb", buffering=0) as before, open(other.open(), "rb", buffering=0) as after:
            if not all(stat.S_ISREG(os.fstat(file.fileno()).st_mode) for file in (before, after)):
                return False
            while True:
                left, right = before.read(_CHUNK), after.read(_CHUNK)
                if left != right:
                    return False
                if not left:
                    return True
    except OSError:
        return False
