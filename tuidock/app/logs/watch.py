"""News of a few directories by inotify, as a descriptor for the event loop.

watchfiles looks 20 times a second whether to stop and reports every write; here nothing runs until the kernel has
news, and any number of writes between two looks is one readable descriptor. That is what keeps an idle log view at 0 %
of a CPU and a flooded one at eight looks a second.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from typing import Final

_MODIFY, _CREATE, _DELETE, _MOVED_TO, _DELETE_SELF = 0x2, 0x100, 0x200, 0x80, 0x400
_NEWS: Final = _MODIFY | _CREATE | _DELETE | _MOVED_TO | _DELETE_SELF
_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryWatch:
    """An inotify descriptor on directories; those that are not there are left out."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot watch the logs: {os.strerror(number)}")
        self.add(paths)

    def add(self, paths: Iterable[str]) -> None:
        """Watch these, too; one that is watched already stays."""
        for path in paths:
            _libc.inotify_add_watch(self.fd, os.fsencode(path), _NEWS)

    def drain(self) -> bool:
        """Take what has come; True when there was anything."""
        some = False
        while True:
            try:
                some = bool(os.read(self.fd, 65_536)) or some
            except BlockingIOError:
                return some

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
