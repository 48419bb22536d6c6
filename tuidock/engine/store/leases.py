"""Leases: what somebody is using although no row of state.db says so, or not yet.

Everybody who writes blobs and layers, or reads them without a row that keeps them, has a record below content/leases: a
file, locked while its owner lives, with a digest or chainID on each line. A collection leaves alone what a living record
names and takes everything else, so one slow pull does not stop all collecting. A record of a dead owner counts nothing.

content/lock is the gate between the two: held shared for the moment in which a record grows, and exclusively while a
collection looks and removes. So whoever has named a blob and then finds it, keeps it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from tuidock.engine.files import lock_fd, locked, write_all
from tuidock.engine.paths import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: In a record: its owner does not know yet what it will need, so nothing is collected.
_EVERYTHING = "*"


def _gate(paths: Paths) -> str:
    os.makedirs(paths.root + "/content", mode=0o710, exist_ok=True)
    return paths.root + "/content/lock"


class Lease:
    """One record; use as context manager. Safe to use from several threads."""

    def __init__(self, paths: Paths, *, everything: bool = False) -> None:
        self._gate = _gate(paths)
        os.makedirs(paths.leases, mode=0o700, exist_ok=True)
        self._path = f"{paths.leases}/{os.urandom(8).hex()}"
        self._fd = lock_fd(self._path)
        self._names: set[str] = set()
        if everything:
            self.add(_EVERYTHING)

    def add(self, *names: str) -> None:
        """From now on these blobs and layers stay, if they are there: look after this, not before."""
        new = [name for name in names if name and name not in self._names]
        if not new:
            return
        with locked(self._gate, shared=True):
            write_all(self._fd, "".join([name + "\n" for name in new]).encode())
        self._names.update(new)

    def hand_over(self) -> int:
        """The descriptor, for a process that will not close it by name: the lease ends with its last copy."""
        fd, self._fd = self._fd, -1
        return fd

    def close(self) -> None:
        if self._fd >= 0:
            os.unlink(self._path)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def collecting(paths: Paths) -> Iterator[set[str] | None]:
    """For the collection: what must stay; None when somebody needs everything. Nobody can name more meanwhile."""
    with locked(_gate(paths)):
        yield _held(paths)


def _held(paths: Paths) -> set[str] | None:
    try:
        names = os.listdir(paths.leases)
    except FileNotFoundError:
        return set()
    held: set[str] = set()
    for name in names:
        held |= _record(f"{paths.leases}/{name}")
    return None if _EVERYTHING in held else held


def _record(path: str) -> set[str]:
    """The names in a record of a living owner; that of a dead one is removed."""
    import fcntl

    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return set()
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with open(fd, encoding="ascii", errors="replace", closefd=False) as file:
                return set(file.read().split())
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        return set()
    finally:
        os.close(fd)
