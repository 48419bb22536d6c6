"""Several sources as one sequence of lines, ordered by time.

A cursor has one position per source and stands between two lines. A step forwards takes the earliest of the lines that
are next, a step backwards the latest of those before; each step moves in one source only, so no line is lost or shown
twice, even where a clock was set back. Notes (restarts, marks, rotation) are a source as well.
"""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from typing import Final, NamedTuple, Protocol

from tuidock.app.logs.reader import SourceReader
from tuidock.app.logs.records import Anchor, Line, Position
from tuidock.app.logs.scan import PENDING, Pending, Scan

Cursor = tuple[Position, ...]
#: Notes that are kept: restarts and marks of a view that stays open for weeks.
_NOTES: Final = 10_000
#: Notes in front of one line that can be told apart.
_SERIALS: Final = 1 << 20


class Step(NamedTuple):
    """A line and where one stands after having passed it."""

    line: Line
    cursor: Cursor


class Stream(Protocol):
    """One source of lines."""

    def after(self, position: Position) -> Line | Pending | None: ...
    def before(self, position: Position) -> Line | Pending | None: ...
    def start(self) -> Position: ...
    def end(self) -> Position: ...
    def since(self, moment: int) -> Position: ...


class LogStream:
    """The lines of a container from a floor on; with a filter only those that its scan found."""

    def __init__(self, reader: SourceReader, floor: Position = (0, 0), kept: Scan | None = None) -> None:
        self.reader, self.floor, self.kept = reader, floor, kept

    def after(self, position: Position) -> Line | Pending | None:
        position = max(position, self.floor)
        if self.kept is None:
            return self.reader.after(position)
        found = self.kept.at_or_after(position)
        return found if found is None or found == PENDING else self.reader.after(found)

    def before(self, position: Position) -> Line | Pending | None:
        if position <= self.floor:
            return None
        if self.kept is None:
            line = self.reader.before(position)
            return line if line is not None and line.start >= self.floor else None
        found = self.kept.before(position)
        return found if found is None or found == PENDING else self.reader.after(found)

    def start(self) -> Position:
        return max(self.reader.first(), self.floor)

    def end(self) -> Position:
        return self.reader.end()

    def since(self, moment: int) -> Position:
        return max(self.reader.since(moment), self.floor)


class Note(NamedTuple):
    """A text between the lines. kind says what it tells of: "start" and "end" of a run, "mark", or anything else."""

    position: Position
    text: str
    kind: str = ""
    anchor: Anchor | None = None


class NoteStream:
    """Notes between the lines, in order of their time. A position is (time, number), where the number of a note that
    stands in front of a line grows with the place of that line, since many lines may have one time."""

    def __init__(self, source: int) -> None:
        self.source = source
        self._notes: list[Note] = []
        self._serial = 0
        self._named: dict[str, Note] = {}
        self.floor = 0

    def add(self, text: str, moment: int = 0, kind: str = "", anchor: Anchor | None = None) -> Note:
        """A note in front of the lines of that moment, or of one of them; 0 is now. The same twice is one."""
        moment = moment or time.time_ns()
        at = bisect_left(self._notes, Note((moment, 0), ""))
        while at < len(self._notes) and self._notes[at].position[0] == moment:
            if self._notes[at].text == text:
                return self._notes[at]
            at += 1
        self._serial += 1
        number = self._serial % _SERIALS + (_place(*anchor) if anchor is not None else 0)
        note = Note((moment, number), text, kind, anchor)
        insort(self._notes, note)
        if len(self._notes) > _NOTES:
            del self._notes[0]
        return note

    def replace(self, name: str, text: str, moment: int) -> None:
        """A note of which there is one only: the one of that name before goes."""
        self._notes = [note for note in self._notes if note != self._named.get(name)]
        self._named[name] = self.add(text, moment)

    def line_of(self, note: Note) -> Line | None:
        """The note as a line; None when it is gone."""
        index = bisect_left(self._notes, Note(note.position, ""))
        return self._line(index) if index < len(self._notes) and self._notes[index] == note else None

    def of(self, kind: str) -> list[Note]:
        """All of a kind, the earliest first."""
        return [note for note in self._notes if note.kind == kind]

    def drop(self, kind: str) -> None:
        """None of this kind any more."""
        self._notes = [note for note in self._notes if note.kind != kind]

    def after(self, position: Position) -> Line | None:
        index = bisect_left(self._notes, Note(max(position, self.start()), ""))
        return self._line(index) if index < len(self._notes) else None

    def before(self, position: Position) -> Line | None:
        index = bisect_left(self._notes, Note(position, "")) - 1
        return self._line(index) if index >= 0 and self._notes[index].position[0] >= self.floor else None

    def start(self) -> Position:
        return (self.floor, 0)

    def end(self) -> Position:
        # behind every note so far and in front of all that come
        return (self._notes[-1].position[0], self._notes[-1].position[1] + 1) if self._notes else (0, 0)

    def since(self, moment: int) -> Position:
        return (moment, 0)

    def beside(self, line: Line) -> Position:
        """Behind the notes of lines of the same time in front of this one."""
        return (line.time, _place(line.source, line.start))

    def _line(self, index: int) -> Line:
        position, text, _, anchor = self._notes[index]
        raw = text.encode("utf-8", "replace")
        after = (position[0], position[1] + 1)
        return Line(self.source, position, after, position[0], "note", raw, len(raw), anchor=anchor)


def _place(source: int, start: Position) -> int:
    """Grows as lines of one time are ordered, in steps that leave room for serial numbers."""
    return (((source + 1) << 96) + (start[0] << 48) + start[1]) * _SERIALS


def _order(line: Line) -> tuple[int, int, Position, int]:
    """By time, then by source; a note stands in front of the line that it is about, or of all lines of its moment."""
    if line.stream != "note":
        return line.time, line.source, line.start, 1
    source, start = line.anchor or (-1, (0, 0))
    return line.time, source, start, 0


class Merged:
    """Steps through all streams at once."""

    def __init__(self, streams: list[Stream]) -> None:
        self.streams = streams

    def start(self) -> Cursor:
        return tuple(stream.start() for stream in self.streams)

    def end(self) -> Cursor:
        return tuple(stream.end() for stream in self.streams)

    def since(self, moment: int) -> Cursor:
        return tuple(stream.since(moment) for stream in self.streams)

    def forward(self, cursor: Cursor) -> Step | Pending | None:
        best: Line | None = None
        at = -1
        for i, stream in enumerate(self.streams):
            line = stream.after(cursor[i])
            if line == PENDING:
                return PENDING
            if line is not None and (best is None or _order(line) < _order(best)):
                best, at = line, i
        if best is None:
            return None
        return Step(best, (*cursor[:at], best.next, *cursor[at + 1 :]))

    def backward(self, cursor: Cursor) -> Step | Pending | None:
        best: Line | None = None
        at = -1
        for i, stream in enumerate(self.streams):
            line = stream.before(cursor[i])
            if line == PENDING:
                return PENDING
            if line is not None and (best is None or _order(line) > _order(best)):
                best, at = line, i
        if best is None:
            return None
        return Step(best, (*cursor[:at], best.start, *cursor[at + 1 :]))

    def at_line(self, line: Line) -> Cursor:
        """The cursor in front of a line of one of the streams."""
        source, start = line.anchor or (line.source, line.start)
        first = _order(line)[1]
        places: list[Position] = []
        for i, stream in enumerate(self.streams):
            if i in (line.source, source):
                places.append(start if i == source else line.start)
            elif isinstance(stream, NoteStream):
                places.append(stream.beside(line))
            else:
                # of lines of one time those of earlier sources have passed
                places.append(stream.since(line.time + (i < first)))
        return tuple(places)
