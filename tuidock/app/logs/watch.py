"""News of a few directories by inotify, as a descriptor for the event loop.

watchfiles looks 20 times a second whether to stop and reports every write; here nothing runs until the kernel has
news, and any number of writes between two looks is one readable descriptor. That is what keeps an idle log view at 0 %
of a CPU and a flooded one at eight looks a second. For a directory that is not there (yet, or no more) the nearest one
above it is watched until it appears.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import Final

_MODIFY, _CREATE, _DELETE, _MOVED_TO, _DELETE_SELF, _ONLYDIR = 0x2, 0x100, 0x200, 0x80, 0x400, 0x1000000
_NEWS: Final = _MODIFY | _CREATE | _DELETE | _MOVED_TO | _DELETE_SELF | _ONLYDIR
_MASK_ADD: Final = 0x20000000
_ABOVE: Final = _CREATE | _MOVED_TO | _DELETE_SELF | _ONLYDIR | _MASK_ADD
_IGNORED: Final = 0x8000
_EVENT: Final = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryWatch:
    """An inotify descriptor on directories, there or not."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot watch the logs: {os.strerror(number)}")
        self._wanted: dict[str, int] = {}
        self._above: set[int] = set()
        self.add(paths)

    def add(self, paths: Iterable[str]) -> None:
        """Watch these, too; one that is watched already stays."""
        for path in paths:
            self._wanted.setdefault(os.path.abspath(path), -1)
        self._settle()

    def drain(self) -> bool:
        """Take what has come; True when there was anything."""
        some = False
        while True:
            try:
                events = os.read(self.fd, 65_536)
            except BlockingIOError:
                break
            some = some or bool(events)
            self._forget(events)
        if some:
            self._settle()
        return some

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _settle(self) -> None:
        """Watch what is there, and above what is not."""
        missing = [path for path, number in self._wanted.items() if number < 0]
        if not missing and not self._above:
            return
        above: set[int] = set()
        for path in missing:
            # each round comes at least one level nearer when directories appear between the calls
            for _ in range(path.count("/") + 1):
                self._wanted[path] = self._watch(path, _NEWS)
                if self._wanted[path] >= 0:
                    break
                parent = os.path.dirname(path)
                while (number := self._watch(parent, _ABOVE)) < 0 and parent != "/":
                    parent = os.path.dirname(parent)
                above.add(number)
                if not os.path.isdir(self._below(parent, path)):
                    break
        used = above | set(self._wanted.values())
        for number in self._above - used:
            _libc.inotify_rm_watch(self.fd, number)
        self._above = above - set(self._wanted.values()) - {-1}

    @staticmethod
    def _below(parent: str, path: str) -> str:
        """The directory directly in parent that leads to path."""
        return os.path.join(parent, os.path.relpath(path, parent).split("/", 1)[0])

    def _watch(self, path: str, mask: int) -> int:
        return int(_libc.inotify_add_watch(self.fd, os.fsencode(path), mask))

    def _forget(self, events: bytes) -> None:
        """The kernel has ended a watch: the directory is gone."""
        at = 0
        while at < len(events):
            number, mask, _, length = _EVENT.unpack_from(events, at)
            at += _EVENT.size + length
            if mask & _IGNORED:
                self._above.discard(number)
                self._wanted.update({path: -1 for path, known in self._wanted.items() if known == number})
