"""An open view on the logs of some containers: what is read, kept, searched and counted. Knows no widget.

The scanning thread is shared by three jobs, the most wanted first: what the filter keeps, hits of the search, number of
lines. Everything else runs in the caller's thread and reads only what stands on screen.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tuidock.app.logs.around import Around, AroundStream, with_neighbours
from tuidock.app.logs.keep import Keep, all_of
from tuidock.app.logs.merge import Cursor, LogStream, Merged, NoteStream, Stream
from tuidock.app.logs.query import Query, every_line
from tuidock.app.logs.reader import SourceReader
from tuidock.app.logs.records import Anchor, Line, Position
from tuidock.app.logs.runs import Matcher
from tuidock.app.logs.scan import PENDING, Pending, Scan
from tuidock.app.logs.scanner import Scanner
from tuidock.app.logs.segments import LogDirectory
from tuidock.app.logs.viewport import Viewport


class LogSource(NamedTuple):
    """One container's log: its directory of segments, and the name and colour that its lines carry."""

    key: str
    name: str
    directory: str
    colour: str = ""


class Session:
    """Logs that are open together. `report` is called from the scanning thread when there is news of scans."""

    def __init__(
        self, sources: Sequence[LogSource], rows_of: Callable[[Line], int], report: Callable[[], None]
    ) -> None:
        self.sources = tuple(sources)
        self.directories = [LogDirectory(source.directory) for source in sources]
        for directory in self.directories:
            directory.refresh()
        self.readers = [SourceReader(directory, i) for i, directory in enumerate(self.directories)]
        self.notes = NoteStream(len(self.readers))
        self.query: Query | None = None
        self.keep = Keep()
        self.around = Around()
        self.floor: Cursor = ((0, 0),) * len(self.readers)
        self._scanner = Scanner(report)
        self._numbered: tuple[Anchor, Cursor] | None = None
        self._keeps: list[Scan] = []
        self._hits: list[Scan] = []
        self._told_rotated = [0] * len(self.readers)
        self._told_dropped = [directory.dropped for directory in self.directories]
        self.view = Viewport(Merged([]), rows_of)
        self._counts = [Scan(directory, every_line) for directory in self.directories]
        self._note_what_is_gone()
        self._rebuild()
        self._scan()

    def close(self) -> None:
        """Stop scanning and let go of the files."""
        self._scanner.stop()
        for directory in self.directories:
            directory.close()

    # News

    def look(self) -> bool:
        """Look at the directories again; True when something changed."""
        changed = False
        for i, directory in enumerate(self.directories):
            pinned = self.view.top[i][0] if i < len(self.view.top) else -1
            changed |= directory.refresh(pinned)
        if changed:
            self._note_what_is_gone()
            self._scanner.poke()
        return changed

    def _note_what_is_gone(self) -> None:
        """A rule where segments were rotated away, and where the disk was full."""
        for i, directory in enumerate(self.directories):
            name = f"{self.sources[i].name}: " if len(self.sources) > 1 else ""
            if directory.rotated > self._told_rotated[i]:
                self._told_rotated[i] = directory.rotated
                first = self.readers[i].after((directory.rotated + 1, 0))
                count = directory.rotated
                segments = f"{count} older segment{'s' * (count != 1)}"
                moment = max(1, first.time) if first is not None else 1
                self.notes.replace(f"rotated {i}", f"{name}{segments} rotated away", moment)
            lost = directory.dropped - self._told_dropped[i]
            if lost > 0:
                self._told_dropped[i] = directory.dropped
                self.notes.add(f"{name}{lost} bytes lost, the disk was full")

    # What is shown

    def _rebuild(self) -> None:
        self._merge()
        self.view.rows = []
        self.view.to_end()

    def _merge(self) -> None:
        self.merged = Merged([*(self._stream(i) for i in range(len(self.readers))), self.notes])
        self.view.merged = self.merged
        self._numbered = None

    def _stream(self, source: int) -> Stream:
        reader, floor = self.readers[source], self.floor[source]
        if self._keeps and any(self.around):
            return AroundStream(reader, floor, self._keeps[source], self.around)
        return LogStream(reader, floor, self._keeps[source] if self._keeps else None)

    def _scan(self) -> None:
        self._scanner.run([*self._keeps, *self._hits, *self._counts])

    def _new_scans(self, matcher: Matcher | None) -> list[Scan]:
        if matcher is None:
            return []
        return [Scan(directory, matcher, self.floor[i]) for i, directory in enumerate(self.directories)]

    def _search_matcher(self) -> Matcher | None:
        """Hits are only lines that the filter keeps."""
        if self.query is None:
            return None
        return all_of([self.query.find, self.keep.matcher()] if self.keep else [self.query.find])

    def set_filter(self, text: str) -> None:
        """ "" shows everything, "re" what matches, "!re" what does not. Raises QueryError."""
        self._keep_only(Keep(text, self.keep.least))

    def set_level(self, least: str) -> None:
        """Only lines at least so severe: a name out of levels.NAMES; "" shows all."""
        self._keep_only(Keep(self.keep.text, least))

    def _keep_only(self, keep: Keep) -> None:
        self.keep = keep
        self._restart()

    def set_around(self, around: Around) -> None:
        """So many neighbours of what the filter keeps are shown, too; one stays where one is."""
        self.around = around
        self._merge()
        self.view.fill()

    def is_neighbour(self, line: Line) -> bool:
        """Whether the line is shown only because of another one."""
        return bool(self._keeps) and any(self.around) and line.stream != "note" and not self.keep.keeps(line.text)

    def set_floor(self, cursor: Cursor | None, note_floor: int = 0) -> None:
        """Show only what lies behind the cursor; None shows everything again."""
        self.floor = cursor[: len(self.readers)] if cursor is not None else ((0, 0),) * len(self.readers)
        self.notes.floor = note_floor
        self._counts = [Scan(directory, every_line, self.floor[i]) for i, directory in enumerate(self.directories)]
        self._restart()

    def _restart(self) -> None:
        self._keeps = self._new_scans(self.keep.matcher() if self.keep else None)
        self._hits = self._new_scans(self._search_matcher())
        self._rebuild()
        self._scan()

    def end(self) -> Cursor:
        return self.merged.end()

    # Search

    def search(self, pattern: str) -> None:
        """Count and mark what matches; "" ends it. Raises QueryError."""
        self.query = Query(pattern) if pattern else None
        self._hits = self._new_scans(self._search_matcher())
        self._scan()

    def hit_after(self, cursor: Cursor) -> Line | Pending | None:
        """The first hit at or behind the cursor in the order shown."""
        found: list[Line] = []
        for i, scan in enumerate(self._hits):
            hit = scan.at_or_after(cursor[i])
            if hit == PENDING:
                return PENDING
            line = self.readers[i].after(hit) if hit is not None else None
            if line is not None:
                found.append(line)
        return min(found, key=_order, default=None)

    def hit_before(self, cursor: Cursor) -> Line | Pending | None:
        """The last hit in front of the cursor."""
        found: list[Line] = []
        for i, scan in enumerate(self._hits):
            hit = scan.before(cursor[i])
            if hit == PENDING:
                return PENDING
            line = self.readers[i].after(hit) if hit is not None else None
            if line is not None:
                found.append(line)
        return max(found, key=_order, default=None)

    def hit_number(self, line: Line) -> int | None:
        """Which hit it is, from 1; None while that is not known."""
        if self._numbered is None or self._numbered[0] != (line.source, line.start):
            # asked for at every look, and where the other logs stand at that time takes a search in each of them
            self._numbered = (line.source, line.start), self.merged.at_line(line)
        before = _count_before(self._hits, self._numbered[1])
        return None if before is None else before + 1

    # Numbers

    @property
    def line_count(self) -> int:
        return sum(scan.total for scan in self._counts)

    @property
    def kept_count(self) -> int:
        return sum(scan.total for scan in self._keeps)

    @property
    def hit_count(self) -> int:
        return sum(scan.total for scan in self._hits)

    @property
    def counted(self) -> float:
        return _share(self._counts)

    @property
    def filtered(self) -> float:
        return _share(self._keeps)

    @property
    def searched(self) -> float:
        return _share(self._hits)

    @property
    def size(self) -> int:
        return sum(directory.size for directory in self.directories)

    def place(self, cursor: Cursor) -> int:
        """How many bytes of log lie in front of the cursor, from the floor on."""
        return sum(self._bytes_to(i, cursor[i]) - self._bytes_to(i, self.floor[i]) for i in range(len(self.readers)))

    def whole(self) -> int:
        return max(1, self.place(self.end()))

    def at_share(self, share: float) -> Cursor:
        """The cursor at about that share of the largest log."""
        largest = max(range(len(self.directories)), key=lambda i: self.directories[i].size)
        low = self._bytes_to(largest, self.floor[largest])
        wanted = int(low + share * (self.directories[largest].size - low))
        for segment in self.directories[largest].segments:
            if wanted < segment.end:
                reader = self.readers[largest]
                line = reader.after((segment.number, reader.at_or_after(segment, wanted)))
                return self.merged.at_line(line) if line is not None else self.end()
            wanted -= segment.end
        return self.end()

    def _bytes_to(self, source: int, position: Position) -> int:
        count = 0
        for segment in self.directories[source].segments:
            if segment.number < position[0]:
                count += segment.end
            elif segment.number == position[0]:
                count += min(position[1], segment.end)
        return count

    def origin(self) -> int:
        """The time of the first line there is."""
        first = [line.time for reader in self.readers if (line := reader.after(reader.first())) is not None]
        return min((moment for moment in first if moment), default=0)

    def lines_before(self, cursor: Cursor) -> int | None:
        """How many lines lie in front of the cursor; None while that is not known."""
        return _count_before(self._counts, cursor)

    def number_of(self, line: Line) -> int | None:
        """Its number in its own log, from 1; None while that is not known."""
        before = self._counts[line.source].count_before(line.start)
        return None if before is None else before + 1

    def everything(self, whole: bool = False) -> Iterator[Line]:
        """All lines that are shown, or all there are, from the first. Any thread may go through them, also when the view
        is closed meanwhile: the files are opened anew."""
        floors = ((0, 0),) * len(self.readers) if whole else self.floor
        sources = [_from(self.sources[i].directory, i, floors[i]) for i in range(len(self.readers))]
        if not whole and self.keep:
            sources = [with_neighbours(lines, self.keep.keeps, self.around) for lines in sources]
        return heapq.merge(*sources, key=_order)


def _from(path: str, source: int, floor: Position) -> Iterator[Line]:
    directory = LogDirectory(path)
    directory.refresh()
    reader = SourceReader(directory, source)
    position = max(reader.first(), floor)
    while (line := reader.after(position)) is not None:
        yield line
        position = line.next


def _order(line: Line) -> tuple[int, int]:
    return line.time, line.source


def _count_before(scans: Sequence[Scan], cursor: Cursor) -> int | None:
    count = 0
    for i, scan in enumerate(scans):
        before = scan.count_before(cursor[i])
        if before is None:
            return None
        count += before
    return count


def _share(scans: Sequence[Scan]) -> float:
    parts = [scan.progress() for scan in scans]
    whole = sum(part[1] for part in parts)
    return min(1.0, sum(part[0] for part in parts) / whole) if whole else 1.0
