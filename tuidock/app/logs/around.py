"""The lines that a filter keeps, with so many of their neighbours: what led to it, and what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tuidock.app.logs.reader import SourceReader
from tuidock.app.logs.records import Line, Position
from tuidock.app.logs.scan import PENDING, Pending, Scan


class Around(NamedTuple):
    """How many lines above and below each line that is kept."""

    above: int = 0
    below: int = 0

    @property
    def words(self) -> str:
        if self.above == self.below:
            return f"±{self.above}" if self.above else ""
        return f"-{self.above} +{self.below}"


class AroundStream:
    """A stream (see `merge`) of what a scan found and its neighbours, each line once."""

    def __init__(self, reader: SourceReader, floor: Position, kept: Scan, around: Around) -> None:
        self.reader, self.floor, self.kept, self.around = reader, floor, kept, around

    def after(self, position: Position) -> Line | Pending | None:
        position = max(position, self.floor)
        last = self.kept.before(position)
        if last == PENDING:
            return PENDING
        line = self.reader.after(last) if last is not None else None
        for _ in range(self.around.below):
            line = self.reader.after(line.next) if line is not None else None
            if line is not None and line.start >= position:
                return line
        found = self.kept.at_or_after(position)
        if found is None or found == PENDING:
            return found
        start = found
        for _ in range(self.around.above):
            line = self.reader.before(start)
            if line is None or line.start < position:
                break
            start = line.start
        return self.reader.after(start)

    def before(self, position: Position) -> Line | Pending | None:
        if position <= self.floor:
            return None
        last = self.kept.before(position)
        if last == PENDING:
            return PENDING
        if self.around.above:
            # what is not scanned yet at the end has no hit that anybody knows of
            found = self.kept.at_or_after(position)
            line = self.reader.after(found) if found is not None and found != PENDING else None
            for _ in range(self.around.above):
                line = self.reader.before(line.start) if line is not None else None
                if line is not None and self.floor <= line.start < position:
                    return line
        line = self.reader.after(last) if last is not None else None
        for _ in range(self.around.below):
            following = self.reader.after(line.next) if line is not None else None
            if following is None or following.start >= position:
                break
            line = following
        return line

    def start(self) -> Position:
        return max(self.reader.first(), self.floor)

    def end(self) -> Position:
        return self.reader.end()

    def since(self, moment: int) -> Position:
        return max(self.reader.since(moment), self.floor)


def with_neighbours(lines: Iterator[Line], keeps: Callable[[bytes], bool], around: Around) -> Iterator[Line]:
    """The same of lines that are gone through once."""
    above: deque[Line] = deque(maxlen=around.above)
    below = 0
    for line in lines:
        if keeps(line.text):
            yield from above
            above.clear()
            yield line
            below = around.below
        elif below:
            yield line
            below -= 1
        else:
            above.append(line)
