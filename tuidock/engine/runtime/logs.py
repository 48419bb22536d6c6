"""Reading a container's log: CRI lines in numbered segments that the shim only ever appends to.

A segment is never renamed, so a reader that holds it open loses nothing to rotation; what was unlinked before it came is
said as a number of missing segments. Lines longer than 16 KiB arrive in parts (P) and are put together again here.
"""

from __future__ import annotations

import os
import time

from tuidock.engine.types import LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

_CHUNK = 1 << 20
#: Lines of one batch; keeps memory flat for a reader that is slower than the disk.
_BATCH = 4096


def segments(directory: str) -> list[str]:
    """The paths of the segments, oldest first."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return [f"{directory}/{name}" for name in sorted(names) if name.endswith(".log") and name[:-4].isdigit()]


def parse_time(stamp: bytes) -> int:
    """`2026-11-24T08:00:00.123456789Z` as ns since the epoch; 0 when it is damaged."""
    try:
        days = _days(int(stamp[0:4]), int(stamp[5:7]), int(stamp[8:10]))
        seconds = days * 86400 + int(stamp[11:13]) * 3600 + int(stamp[14:16]) * 60 + int(stamp[17:19])
        return seconds * 1_000_000_000 + int(stamp[20:29])
    except ValueError:
        return 0


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar (Howard Hinnant's days_from_civil)."""
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468


def parse_line(line: bytes) -> LogLine | None:
    """One CRI line without its newline; None when it is torn."""
    if len(line) < 39 or line[29:30] != b"Z" or line[30:31] != b" ":
        return None
    stream = "stdout" if line[31:37] == b"stdout" else "stderr"
    return LogLine(parse_time(line), stream, line[40:], line[38:39] == b"F")


class LogReader:
    """Position in a log; `read` gives what came since the last call."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._path = ""
        self._fd = -1
        self._offset = 0
        self._rest = b""

    def seek_tail(self, count: int) -> None:
        """Goes to the start of the last `count` complete lines."""
        paths = segments(self.directory)
        left = count
        for path in reversed(paths):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            offset, lines = _line_start_from_end(fd, left)
            if lines >= left or path == paths[0]:
                self._path, self._fd, self._offset = path, fd, offset
                return
            left -= lines
            os.close(fd)

    def read(self) -> Iterator[list[LogLine]]:
        """Batches of lines up to the present end; partial lines at the end of the file wait for their rest."""
        while True:
            if self._fd < 0 and not self._next():
                return
            while chunk := os.pread(self._fd, _CHUNK, self._offset):
                self._offset += len(chunk)
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for start in range(0, len(lines), _BATCH):
                    batch = [parsed for line in lines[start : start + _BATCH] if (parsed := parse_line(line))]
                    if batch:
                        yield batch
            if not self._next():
                return

    def _next(self) -> bool:
        """Opens the next segment if there is one. The present one is complete then: the shim made the next after it."""
        newer = [path for path in segments(self.directory) if path > self._path]
        if not newer:
            return False
        if self._fd >= 0:
            if os.pread(self._fd, 1, self._offset):
                return True  # grew between the last read and the look at the directory
            os.close(self._fd)
        self._fd = os.open(newer[0], os.O_RDONLY | os.O_CLOEXEC)
        self._path, self._offset, self._rest = newer[0], 0, b""
        return True

    def remaining(self) -> list[tuple[str, int]]:
        """Segments that are still to be read, with the offset to begin at."""
        return [(p, self._offset if p == self._path else 0) for p in segments(self.directory) if p >= self._path]

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _line_start_from_end(fd: int, count: int) -> tuple[int, int]:
    """Offset of the start of the last `count` lines of a file, and how many there are at most."""
    end = os.fstat(fd).st_size
    position, lines = end, 0
    if count <= 0:
        return end, 0
    while position > 0:
        size = min(1 << 16, position)
        position -= size
        block = os.pread(fd, size, position)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            if position + at == end - 1:
                continue  # the newline that ends the last line
            lines += 1
            if lines == count:
                return position + at + 1, lines
    return 0, lines + (1 if end else 0)


def read_logs(
    directory: str, journal: str, running: Callable[[], bool], *, follow: bool = False, tail: int | None = None,
    since: int = 0, until: int = 0, stop: threading.Event | None = None,
) -> Iterator[list[LogLine]]:  # fmt: skip
    """Batches of lines. since/until in ns since the epoch, 0 = open; with follow it ends with the container.

    running() is asked only after something happened. With follow nothing polls: the log's directory and the journal are
    watched, and the journal tells the end after the log is complete.
    """
    reader = LogReader(directory)
    watch = None
    try:
        if follow:
            from tuidock.engine.watch import Watch

            watch = Watch([directory, os.path.dirname(journal)])
        if tail is not None:
            reader.seek_tail(tail)
        while True:
            last = watch is None or not running()
            for batch in reader.read():
                if since or until:
                    batch = [line for line in batch if line.time >= since and (not until or line.time <= until)]
                if batch:
                    yield batch
                if stop is not None and stop.is_set():
                    return
            if last or watch is None or (until and time.time_ns() > until):
                return
            watch.wait((until - time.time_ns()) / 1e9 if until else None, stop)
            if stop is not None and stop.is_set():
                return
    finally:
        reader.close()
        if watch is not None:
            watch.close()


def copy_logs(directory: str, out: int, err: int, *, tail: int | None = None, timestamps: bool = False) -> None:
    """Writes the whole log (or its last lines) to descriptors as the container wrote it, at the speed of the disk.

    Raises OSError, BrokenPipeError when the reader has gone.
    """
    from tuidock import native

    reader = LogReader(directory)
    try:
        if tail is not None:
            reader.seek_tail(tail)
        for path, offset in reader.remaining():
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                native.copy_log(fd, offset, -1, out, err, timestamps=timestamps)
            finally:
                os.close(fd)
    finally:
        reader.close()
