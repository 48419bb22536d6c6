"""The output of build steps as log files, so that the log view - search, filter, bounded memory - shows them, too.

One directory a step, in the format of `logs/records.py`. A step that writes without end keeps its last segments only:
the disk is bounded as a container's log is.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
import time
import weakref
from typing import Final

_SEGMENT: Final = 8 << 20
_SEGMENTS: Final = 4
#: Longer lines go on in the next record, as the shim does it.
_RECORD: Final = 16_384
_PREFIX: Final = "tuidock-build-"


def sweep() -> None:
    """Removes what apps that were killed have left."""
    place = tempfile.gettempdir()
    for name in os.listdir(place):
        process = name.removeprefix(_PREFIX).partition("-")[0]
        path = os.path.join(place, name)
        if name.startswith(_PREFIX) and process.isdigit() and not os.path.exists(f"/proc/{process}"):
            status = os.lstat(path)
            if status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode):
                shutil.rmtree(path, ignore_errors=True)


class StepLogs:
    """Written by the thread of one build. Nothing is on the disk before the first byte of output."""

    def __init__(self) -> None:
        self.directory = ""
        self._files: dict[int, tuple[int, int]] = {}  # step -> descriptor, number of its segment
        self._open: dict[tuple[int, str], bool] = {}  # a line without its end was written last
        self._closed = False
        # The app may close while the thread writes, and the number of a closed file is given to the next one.
        self._lock = threading.Lock()

    @property
    def closed(self) -> bool:
        return self._closed

    def path(self, step: int) -> str:
        """The directory of a step's log, made when it is not there yet."""
        if not self.directory:
            sweep()
            self.directory = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
            # Also when the app ends in a way that asks nobody.
            weakref.finalize(self, shutil.rmtree, self.directory, True)
        path = os.path.join(self.directory, f"{step:04d}")
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    def write(self, step: int, stream: str, output: bytes) -> None:
        """Appends output; a disk that is full or a directory that is gone costs the output, not the build."""
        if not output:
            return
        head = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() % 1_000_000_000:09d}Z {stream} "
        start = head.encode()
        pieces = []
        lines = output.split(b"\n")
        for at, line in enumerate(lines):
            ended = at < len(lines) - 1
            while len(line) > _RECORD:
                pieces.append(start + b"P " + line[:_RECORD] + b"\n")
                line = line[_RECORD:]
            if ended:
                pieces.append(start + b"F " + line + b"\n")
            elif line:
                pieces.append(start + b"P " + line + b"\n")
        with self._lock:
            if self._closed:
                return
            self._open[step, stream] = bool(lines[-1])
            try:
                os.write(self._file(step), b"".join(pieces))
            except OSError:
                self._closed = True

    def end(self, step: int) -> None:
        """The step is over: its last line is complete."""
        for stream in ("stdout", "stderr"):
            if self._open.pop((step, stream), False):
                self.write(step, stream, b"\n")
        with self._lock:
            descriptor, _ = self._files.pop(step, (-1, 0))
            if descriptor >= 0:
                os.close(descriptor)

    def _file(self, step: int) -> int:
        descriptor, number = self._files.get(step, (-1, 0))
        if descriptor >= 0 and os.fstat(descriptor).st_size >= _SEGMENT:
            os.close(descriptor)
            descriptor = -1
        if descriptor < 0:
            number += 1
            directory = self.path(step)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(os.path.join(directory, f"{number:010d}.log"), flags, 0o600)
            self._files[step] = descriptor, number
            if number > _SEGMENTS:
                os.unlink(os.path.join(directory, f"{number - _SEGMENTS:010d}.log"))
        return descriptor

    def close(self) -> None:
        """Removes everything."""
        with self._lock:
            self._closed = True
            for descriptor, _ in self._files.values():
                os.close(descriptor)
            self._files.clear()
            directory, self.directory = self.directory, ""
        if directory:
            shutil.rmtree(directory, ignore_errors=True)
