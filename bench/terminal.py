"""A full-screen program measured from outside, in a pty of its own, so that every program is measured the same way.

It answers the questions that programs put to a terminal at start, because some wait for the answers.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

from bench.measure import BenchFailure

SIZE = (160, 48)
_CONTROLS = re.compile(
    rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;:<=>?]*[ -/]*[@-~]|\x1b[()][0-9A-Za-z]|\x1b[=>78]"
)
_ANSWERS = {
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",
    b"\x1b]11;?": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
}


class Screen:
    """A running program. Use as a context manager: it is ended, first kindly, when the block ends."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self._since = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                _resize(0)
                os.execvpe(argv[0], list(argv), {**environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
            finally:
                os._exit(127)
        _resize(self.fd)
        self.seen = b""

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        for number, patience in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 10.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                self.read_for(0.02)
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    os.close(self.fd)
                    return
        os.close(self.fd)

    def press(self, keys: str) -> None:
        self._since = time.perf_counter()
        os.write(self.fd, keys.encode())

    def wait_for(self, text: str, timeout: float = 20) -> float:
        """Milliseconds from the start or the last key until the text was sent. Raises BenchFailure when it was not."""
        began, wanted = self._since, text.encode()
        tail = b""
        while True:
            chunk = self._chunk(began + timeout - time.perf_counter())
            if chunk is None:
                shown = _CONTROLS.sub(b"", self.seen[-4000:]).decode("utf-8", "replace").split()
                raise BenchFailure(
                    f"{text!r} did not appear on the screen within {timeout:.0f} s: {' '.join(shown)[-300:]}"
                )
            tail = (tail + chunk)[-65536:]
            if wanted in _CONTROLS.sub(b"", tail):
                return (time.perf_counter() - began) * 1000

    def first_output(self, timeout: float = 2) -> float:
        """Milliseconds from the last key until anything was sent; the timeout when nothing was."""
        self._chunk(timeout)
        return (time.perf_counter() - self._since) * 1000

    def read_for(self, seconds: float) -> int:
        """Reads that long; returns how many bytes came."""
        end, count = time.perf_counter() + seconds, 0
        while (left := end - time.perf_counter()) > 0:
            chunk = self._chunk(left)
            if chunk is None:
                break
            count += len(chunk)
        return count

    def _chunk(self, seconds: float) -> bytes | None:
        if seconds <= 0 or not select.select([self.fd], [], [], seconds)[0]:
            return None
        try:
            chunk = os.read(self.fd, 65536)
        except OSError:  # the program has ended
            time.sleep(min(seconds, 0.02))
            return None
        for question, answer in _ANSWERS.items():
            if question in chunk:
                os.write(self.fd, answer)
        self.seen = (self.seen + chunk)[-65536:]
        return chunk


def _resize(fd: int) -> None:
    columns, lines = SIZE
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat") as stream:
                children.setdefault(int(stream.read().rpartition(")")[2].split()[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children.get(one, [])
    return found


def cpu_ms(pid: int) -> float:
    """Time on the processor of all threads of a process and its descendants, exact where ticks would miss short work."""
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):
                with contextlib.suppress(OSError), open(f"/proc/{one}/task/{task}/schedstat") as stream:
                    total += int(stream.read().split()[0])
    return total / 1e6


def resident_mb(pid: int) -> float:
    pages = 0
    for one in family(pid):
        with contextlib.suppress(OSError), open(f"/proc/{one}/statm") as stream:
            pages += int(stream.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
