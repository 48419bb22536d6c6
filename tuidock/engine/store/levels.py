"""Layers on top of each other, looked at without mounting them: the directory of one name through all of them.

What is the same directory of the same layers on two sides is the same content, so two images that share their lower layers
are compared without a look at what they share. Everything is opened below its layer by openat2, and no link is followed: the
topmost layer may be that of a running container.
"""

from __future__ import annotations

import errno
import os
import stat

from tuidock import native
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BELOW = native.RESOLVE_BENEATH | native.RESOLVE_NO_SYMLINKS | native.RESOLVE_NO_MAGICLINKS | native.RESOLVE_NO_XDEV
OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


def open_below(root: int, path: str, flags: int) -> int:
    """A descriptor of what has this very path, without any link on the way. Raises OSError."""
    return native.openat2(root, path or ".", flags, resolve=_BELOW)


def look(root: int, path: str) -> os.stat_result | None:
    """What has this path in a layer; None when nothing has."""
    try:
        fd = open_below(root, path, native.O_PATH | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(fd: int) -> bool:
    """Whether an open directory hides what lies below it."""
    for name in OPAQUE:
        try:
            if os.getxattr(fd, name) == b"y":
                return True
        except OSError:
            continue
    return False


class Seen(Named):
    """A name in merged layers: the root of the layer that shows it, and its path."""

    root: int
    path: str
    directory: bool
    odd: bool = False  # neither file, directory nor link: only a look tells what

    def stat(self) -> os.stat_result | None:
        """None when it has gone meanwhile."""
        return look(self.root, self.path)

    def open(self) -> int:
        """Its content. A pipe or device is not opened, also when it has come in the place of a file meanwhile: for a
        device that alone does something. Raises OSError."""
        place = open_below(self.root, self.path, native.O_PATH | os.O_NOFOLLOW)
        try:
            if not stat.S_ISREG(os.fstat(place).st_mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), self.path)
            return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(place)


class Directory:
    """One directory of merged layers. roots: those of the layers in which it is one, topmost first."""

    __slots__ = ("_listings", "opaque", "path", "roots")

    def __init__(self, roots: Sequence[int], path: str = "") -> None:
        self.path = path
        self._listings: list[dict[str, Seen]] = []
        used: list[int] = []
        self.opaque = False
        for root in roots:
            listing, self.opaque = _list(root, path)
            used.append(root)
            self._listings.append(listing)
            if self.opaque:
                break
        self.roots = tuple(used)

    def raw(self) -> dict[str, Seen]:
        """The names in the topmost layer, whiteouts too."""
        return self._listings[0] if self._listings else {}

    def find(self, name: str) -> Seen | None:
        """What the name is here; None when there is nothing, or it was deleted."""
        for listing in self._listings:
            seen = listing.get(name)
            if seen is None:
                continue
            if seen.odd:
                status = seen.stat()
                if status is not None and is_whiteout(status):
                    return None
            return seen
        return None

    def names(self) -> Iterator[tuple[str, Seen]]:
        """Everything that is here, by name."""
        every: set[str] = set()
        for listing in self._listings:
            every.update(listing)
        for name in sorted(every):
            seen = self.find(name)
            if seen is not None:
                yield name, seen

    def enter(self, name: str) -> Directory | None:
        """The directory of that name; None when there is none."""
        found = self.find(name)
        if found is None or not found.directory:
            return None
        roots = self.below(name)
        return Directory(roots, f"{self.path}/{name}" if self.path else name) if roots else None

    def below(self, name: str) -> tuple[int, ...]:
        """The roots of the layers whose directories of that name lie on top of each other, from the first that has one."""
        roots: list[int] = []
        for root, listing in zip(self.roots, self._listings, strict=True):
            seen = listing.get(name)
            if seen is None:
                continue
            if not seen.directory:
                break
            roots.append(root)
        return tuple(roots)


def _list(root: int, path: str) -> tuple[dict[str, Seen], bool]:
    try:
        fd = open_below(root, path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return {}, False
    try:
        before = path + "/" if path else ""
        with os.scandir(fd) as entries:
            found = {}
            for entry in entries:
                directory = entry.is_dir(follow_symlinks=False)
                odd = not directory and not entry.is_file(follow_symlinks=False) and not entry.is_symlink()
                found[entry.name] = Seen(root, before + entry.name, directory, odd)
        return found, is_opaque(fd)
    finally:
        os.close(fd)
