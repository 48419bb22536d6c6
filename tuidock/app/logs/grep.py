"""One search over the logs of many containers, one after the other, in a thread of its own.

A thousand logs cannot all be open at once (each has its files), so a log is opened, counted to its end by the same scan
that a log view has, and closed again; what stays are the number of its hits and the last of them. What the containers
write meanwhile is found by searching again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from tuidock.app.logs.ansi import render
from tuidock.app.logs.query import Query
from tuidock.app.logs.reader import SourceReader
from tuidock.app.logs.records import Position
from tuidock.app.logs.scan import PENDING, Scan
from tuidock.app.logs.scanner import REPORT_EVERY
from tuidock.app.logs.segments import LogDirectory
from tuidock.app.logs.session import LogSource

#: Hits of one log that are kept to be shown, the last ones.
KEPT_HITS: Final = 200
#: Hits that are kept of all logs together.
KEPT_IN_ALL: Final = 20_000
#: Characters of a line that are kept, and how many of them stand in front of a hit that is further to the right.
_LONGEST, _BEFORE = 512, 24


class Place(NamedTuple):
    """A line in a log, and what it was found with."""

    pattern: str
    key: str
    position: Position


class Hit(NamedTuple):
    """A line that matches: where it begins, its time, and clean text around the match."""

    position: Position
    time: int
    text: str


class Result(NamedTuple):
    """What one log has: the number of its hits, and the last of them in their order. done is False until all of it has
    been looked through."""

    source: LogSource
    number: int
    hits: tuple[Hit, ...] = ()
    done: bool = True


class Grep:
    """Runs until the last log or until it is cancelled. `report` is called from its thread, a few times a second and at
    the end. Raises QueryError for a bad pattern."""

    def __init__(self, sources: Sequence[LogSource], pattern: str, report: Callable[[], None]) -> None:
        self.sources, self.pattern = tuple(sources), pattern
        self._query = Query(pattern)
        self._report = report
        self._results: dict[str, Result] = {}
        self._cancelled = threading.Event()
        self._bytes = [0, 0]
        self._kept = 0
        self.looked_through = 0
        self.ended = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="log search", daemon=True).start()

    def cancel(self) -> None:
        """Give up after the chunk that is being searched; what was found stays."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def results(self) -> list[Result]:
        """Logs with hits, in the order of the sources."""
        found = dict(self._results)
        return [found[source.key] for source in self.sources if source.key in found]

    @property
    def count(self) -> int:
        return sum(result.number for result in self.results)

    @property
    def share(self) -> float:
        """How much of all bytes has been searched."""
        done, whole = self._bytes
        return 1.0 if self.ended and not self.cancelled else min(1.0, done / whole) if whole else 0.0

    def _run(self) -> None:
        try:
            sizes = [_size(source.directory) for source in self.sources]
            self._bytes[1] = sum(sizes)
            before, reported = 0, time.monotonic()
            for source, size in zip(self.sources, sizes, strict=True):
                directory = LogDirectory(source.directory)
                directory.refresh()
                scan = Scan(directory, self._query.find)
                while not self.cancelled and scan.step():
                    self._bytes[0] = before + scan.progress()[0]
                    if time.monotonic() - reported >= REPORT_EVERY:
                        self._put(Result(source, scan.total, done=False))
                        self._report()
                        reported = time.monotonic()
                if self.cancelled:
                    break
                self._put(Result(source, scan.total, self._last_hits(directory, scan)))
                directory.close()
                before += size
                self._bytes[0] = before
                self.looked_through += 1
        finally:
            self.ended = True
            self._report()

    def _put(self, result: Result) -> None:
        if result.number:
            self._results[result.source.key] = result

    def _last_hits(self, directory: LogDirectory, scan: Scan) -> tuple[Hit, ...]:
        reader = SourceReader(directory)
        hits: list[Hit] = []
        position = reader.end()
        while len(hits) < KEPT_HITS and self._kept < KEPT_IN_ALL and not self.cancelled:
            found = scan.before(position)
            line = reader.after(found) if found is not None and found != PENDING else None
            if line is None:
                break
            hits.append(Hit(line.start, line.time, self._around(render(line.text).text)))
            self._kept += 1
            position = line.start
        return tuple(reversed(hits))

    def _around(self, text: str) -> str:
        if len(text) <= _LONGEST // 4:
            return text
        spans = self._query.spans(text)
        at = spans[0][0] if spans else 0
        start = max(0, at - _BEFORE) if at > 2 * _BEFORE else 0
        return ("…" if start else "") + text[start : start + _LONGEST]


def _size(path: str) -> int:
    try:
        with os.scandir(path) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries if entry.name.endswith(".log"))
    except OSError:
        return 0
