"""Waiting for files to change: inotify, without a timer that ticks in between.

The loop of watchfiles wakes up every few milliseconds to look at its stop event; an app that is open all day must not
wake at all. So this is inotify itself, in one poll(2) together with the pipe that stops the wait.
"""

from __future__ import annotations

import ctypes
import os
import select
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_MODIFY, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x80, 0x100, 0x200
_MASK = _MODIFY | _MOVED_TO | _CREATE | _DELETE
_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK


class Stop(threading.Event):
    """An event that also wakes a `Watch`: set() from any thread ends the wait at once."""

    def __init__(self) -> None:
        super().__init__()
        self._reader, self._writer = os.pipe2(_CLOEXEC_NONBLOCK)

    def fileno(self) -> int:
        return self._reader

    def set(self) -> None:
        super().set()
        try:
            os.write(self._writer, b"x")
        except OSError:
            pass

    def __del__(self) -> None:
        for fd in (self._reader, self._writer):
            try:
                os.close(fd)
            except OSError:
                pass


class Watch:
    """Watches directories (not below them) for changes of their files."""

    def __init__(self, directories: Iterable[str]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.inotify_init1(_CLOEXEC_NONBLOCK)
        if self._fd < 0:
            raise OSError(
                ctypes.get_errno(),
                "cannot watch files: the limit fs.inotify.max_user_instances is reached; raise it with sysctl",
            )
        for directory in directories:
            if libc.inotify_add_watch(self._fd, os.fsencode(directory), _MASK) < 0:
                error = ctypes.get_errno()
                self.close()
                raise OSError(error, f"cannot watch {directory}: {os.strerror(error)}")

    def wait(self, timeout: float | None = None, stop: threading.Event | None = None) -> bool:
        """Blocks until something changed (True), the time (s) is over or `stop` was set (False).

        A plain threading.Event cannot wake a poll and is looked at twice a second; use `Stop`.
        """
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        plain = stop is not None and not isinstance(stop, Stop)
        if isinstance(stop, Stop):
            poller.register(stop.fileno(), select.POLLIN)
        deadline = None if timeout is None else time.monotonic() + timeout
        while stop is None or not stop.is_set():
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            step = left if not plain else min(0.5, 0.5 if left is None else left)
            ready = poller.poll(None if step is None else step * 1000)
            if any(fd == self._fd for fd, _ in ready):
                self._drain()
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False
        return False

    def _drain(self) -> None:
        while True:
            try:
                if not os.read(self._fd, 65536):
                    return
            except BlockingIOError:
                return

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
