"""The directory of a container's log: numbered segments, append-only, never renamed, old ones unlinked.

Read with pread, not mmap: mapped pages count as resident memory (a gigabyte of log would), and a truncated file under a
mapping ends the process with SIGBUS. A segment that vanishes while a reader stands in it stays open until the reader
has left, so that what one reads does not jump away.
"""

from __future__ import annotations

import os
import re
from typing import Final

_NAME: Final = re.compile(r"(\d{10})\.log")
_BACK: Final = 65_536


class Segment:
    """One open segment. end is where its last complete record ends; what follows is still being written."""

    __slots__ = ("end", "fd", "gone", "identity", "number", "size")

    def __init__(self, number: int, fd: int) -> None:
        self.number, self.fd = number, fd
        status = os.fstat(fd)
        self.identity = (status.st_dev, status.st_ino)
        self.size = 0
        self.end = 0
        self.gone = False

    def refresh(self) -> bool:
        """Look at the size again; True when there are new records."""
        size = os.fstat(self.fd).st_size
        if size == self.size:
            return False
        before = self.end
        self.size = size
        self.end = self._last_record_end(size)
        return self.end != before

    def read(self, start: int, end: int) -> bytes:
        """The bytes from start to end; fewer when the file is shorter."""
        start, end = max(0, start), min(end, self.end)
        pieces = []
        while start < end:
            piece = os.pread(self.fd, end - start, start)
            if not piece:
                break
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def __del__(self) -> None:
        # with the last reference and not earlier: a scanning thread may be in the middle of a read, and a closed
        # number is given to the next file that anybody opens
        os.close(self.fd)

    def _last_record_end(self, size: int) -> int:
        stop = size
        while stop > 0:
            start = max(0, stop - _BACK)
            newline = os.pread(self.fd, stop - start, start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            stop = start
        return 0


class LogDirectory:
    """The segments of one container, oldest first."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.segments: list[Segment] = []
        self.dropped = 0
        self.problem = ""
        self._first_seen = -1

    @property
    def rotated(self) -> int:
        """How many segments are known to have been there and are no more."""
        first = next((s.number for s in self.segments if not s.gone), self._first_seen)
        return max(0, first - 1) if first > 0 else 0

    @property
    def size(self) -> int:
        return sum(segment.end for segment in self.segments)

    def refresh(self, pinned: int = -1) -> bool:
        """Read the directory again; True when something changed. A vanished segment stays while it is pinned."""
        try:
            numbers = {int(m.group(1)) for name in os.listdir(self.path) if (m := _NAME.fullmatch(name))}
            self.problem = ""
        except FileNotFoundError:
            numbers = set()  # a container that never ran
            self.problem = ""
        except OSError as error:
            numbers = set()
            self.problem = f"cannot read the log directory: {error.strerror}"
        changed = False
        kept = []
        for segment in self.segments:
            segment.gone = segment.number not in numbers
            if segment.gone and segment.number != pinned:
                changed = True
            else:
                kept.append(segment)
        for number in sorted(numbers - {segment.number for segment in kept}):
            opened = self._open(number)
            if opened is not None:
                kept.append(opened)
                changed = True
        # one assignment, because a scanning thread reads the list meanwhile
        self.segments = sorted(kept, key=lambda segment: segment.number)
        if self._first_seen < 0 and self.segments:
            self._first_seen = self.segments[0].number
        for segment in self.segments:
            changed |= segment.refresh()
        return self._read_dropped() or changed

    def segment(self, number: int) -> Segment | None:
        for segment in self.segments:
            if segment.number == number:
                return segment
        return None

    def after(self, number: int) -> Segment | None:
        """The next segment that has records."""
        return next((s for s in self.segments if s.number > number and s.end), None)

    def before(self, number: int) -> Segment | None:
        return next((s for s in reversed(self.segments) if s.number < number and s.end), None)

    def close(self) -> None:
        self.segments = []

    def _open(self, number: int) -> Segment | None:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return Segment(number, os.open(f"{self.path}/{number:010d}.log", flags))
        except OSError:
            return None  # unlinked since the directory was read

    def _read_dropped(self) -> bool:
        try:
            with open(f"{self.path}/dropped", "rb") as file:
                value = int(file.read(32) or b"0")
        except (OSError, ValueError):
            value = 0
        changed = value != self.dropped
        self.dropped = value
        return changed
