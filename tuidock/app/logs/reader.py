"""Lines of one container's log after and before a position, read on demand.

A position is (segment number, offset of a record); a line in several records may go on in the next segment, and belongs
to the one in which it begins. Blocks of 64 KiB and parsed lines are kept in two small caches;
nothing else of the log is in memory, so a log of a gigabyte opens as fast as one of a kilobyte.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from tuidock.app.logs.records import KEPT, Line, Position, Tag, continues, tag_at
from tuidock.app.logs.segments import LogDirectory, Segment

BLOCK: Final = 65_536
_BLOCKS: Final = 16
_LINES: Final = 4_096


class SourceReader:
    """Reads lines of one directory. `source` is the number that its lines carry, `block` how much is read at once."""

    def __init__(self, directory: LogDirectory, source: int = 0, block: int = 0) -> None:
        self.directory = directory
        self._size = block or BLOCK
        self.source = source
        self._blocks: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._lines: OrderedDict[Position, Line] = OrderedDict()
        self._heads: dict[tuple[int, bool], int] = {}

    def first(self) -> Position:
        for segment in self.directory.segments:
            if segment.end:
                return (segment.number, 0)
        return self.end()

    def end(self) -> Position:
        """Behind the last line: where the next one will begin."""
        if not self.directory.segments:
            return (0, 0)
        last = self.directory.segments[-1]
        return (last.number, last.end)

    def after(self, position: Position) -> Line | None:
        """The line that begins at the position or, when that is gone, behind it."""
        number, offset = position
        segment = self.directory.segment(number)
        if segment is None or offset >= segment.end:
            segment = self.directory.after(number)
            if segment is None:
                return None
            offset = 0
        while offset <= 0 and (offset := self.head(segment)) >= segment.end:
            following = self.directory.after(segment.number)
            if following is None:
                return None
            segment, offset = following, 0
        cached = self._lines.get((segment.number, offset))
        if cached is not None:
            self._lines.move_to_end((segment.number, offset))
            return cached
        line = self._parse(segment, offset)
        if line.complete:
            self._lines[line.start] = line
            if len(self._lines) > _LINES:
                self._lines.popitem(last=False)
        return line

    def before(self, position: Position) -> Line | None:
        """The line that ends where the position begins."""
        number, offset = position
        segment = self.directory.segment(number)
        if segment is None or offset <= 0:
            segment = self.directory.before(number)
            if segment is None:
                return None
            offset = segment.end
        record = self.record_start(segment, min(offset, segment.end))
        return self.after(self.line_start(segment, record))

    def head(self, segment: Segment) -> int:
        """Where the first line begins in a segment: behind what goes on from the segment before it."""
        previous = self._previous(segment)
        key = (segment.number, previous is not None)
        at = self._heads.get(key)
        if at is not None:
            return at
        at = 0
        if previous is not None and segment.end:
            tag = self._tag(previous, self.record_start(previous, previous.end))
            at = self._skip(segment, 0, tag)
            if at < segment.end:
                self._heads[key] = at
        return at

    def unfinished(self) -> Position | None:
        """Where the last line begins when the container may still add to it."""
        last = self.before(self.end())
        return None if last is None or last.complete else last.start

    def raw(self, start: Position, limit: int) -> bytes:
        """The bytes from a position to the end, at most so many."""
        pieces: list[bytes] = []
        for segment in self.directory.segments:
            if segment.number >= start[0] and limit > 0:
                at = start[1] if segment.number == start[0] else 0
                pieces.append(segment.read(at, min(segment.end, at + limit)))
                limit -= len(pieces[-1])
        return b"".join(pieces)

    def _previous(self, segment: Segment) -> Segment | None:
        """The segment before it when nothing was lost between them."""
        previous = self.directory.before(segment.number)
        return previous if previous is not None and previous.number + 1 == segment.number else None

    def _following(self, segment: Segment, end: int) -> tuple[Segment, int] | None:
        """Where the record is that comes behind the one that ends there."""
        if end < segment.end:
            return segment, end
        following = self.directory.after(segment.number)
        return (following, 0) if following is not None and following.number == segment.number + 1 else None

    def _skip(self, segment: Segment, offset: int, previous: Tag) -> int:
        """Behind the records from there on that go on with the one before them."""
        while previous.partial and offset < segment.end:
            tag = self._tag(segment, offset)
            if not continues(previous, tag):
                break
            previous, offset = tag, self.record_end(segment, offset)
        return offset

    def record_start(self, segment: Segment, end: int) -> int:
        """Where the record that ends at `end` begins."""
        stop = end - 1
        while stop > 0:
            block = (stop - 1) // self._size
            newline = self._block(segment, block).rfind(b"\n", 0, stop - block * self._size)
            if newline >= 0:
                return block * self._size + newline + 1
            stop = block * self._size
        return 0

    def record_end(self, segment: Segment, start: int) -> int:
        """Where the record that begins at start ends, its newline included."""
        at = start
        while at < segment.end:
            block = at // self._size
            newline = self._block(segment, block).find(b"\n", at - block * self._size)
            if newline >= 0:
                return min(block * self._size + newline + 1, segment.end)
            at = (block + 1) * self._size
        return segment.end

    def line_start(self, segment: Segment, record: int) -> Position:
        """Where the line begins that has this record: goes back over partial records."""
        tag = self._tag(segment, record)
        while True:
            before: Segment | None = segment if record > 0 else self._previous(segment)
            if before is None:
                break
            previous = self.record_start(before, record if record > 0 else before.end)
            previous_tag = self._tag(before, previous)
            if not continues(previous_tag, tag):
                break
            segment, record, tag = before, previous, previous_tag
        return (segment.number, record)

    def at_or_after(self, segment: Segment, offset: int) -> int:
        """The first start of a line at or behind any offset."""
        if offset >= segment.end:
            return segment.end
        if offset <= 0:
            return self.head(segment)
        if self._bytes(segment, offset - 1, offset) != b"\n":
            offset = self.record_end(segment, offset)
        if offset >= segment.end:
            return offset
        return self._skip(segment, offset, self._tag(segment, self.record_start(segment, offset)))

    def since(self, moment: int) -> Position:
        """Where the lines of that time and later begin, found by halving; clock steps back are not searched for."""
        for segment in self.directory.segments:
            last = self.before((segment.number, segment.end)) if segment.end else None
            if last is None or (last.start[0] == segment.number and last.time < moment):
                continue
            low, high = 0, segment.end
            while high - low > self._size:
                middle = (low + high) // 2
                line = self.after((segment.number, self.at_or_after(segment, middle)))
                if line is None or line.start[0] != segment.number or line.time >= moment:
                    high = middle
                else:
                    low = middle
            position = (segment.number, self.at_or_after(segment, low))
            while (line := self.after(position)) is not None and line.time < moment:
                position = line.next
            return position
        return self.end()

    def forget(self) -> None:
        """Drop what is cached, for example when nobody looks any more."""
        self._blocks.clear()
        self._lines.clear()

    def _parse(self, segment: Segment, start: int) -> Line:
        end = self.record_end(segment, start)
        tag = first = self._tag(segment, start)
        began: Position = (segment.number, start)
        pieces, kept, length = [], 0, 0
        record, complete = start, True
        while True:
            text_start = record + tag.text_start
            size = max(0, end - 1 - text_start)
            if kept < KEPT:
                pieces.append(self._bytes(segment, text_start, text_start + min(size, KEPT - kept)))
                kept += len(pieces[-1])
            length += size
            if not tag.partial:
                break
            place = self._following(segment, end)
            if place is None:
                # a part whose segment has no successor yet may go on; one before a gap has lost its other half
                complete = self.directory.after(segment.number) is not None
                break
            following = self._tag(*place)
            if not continues(tag, following):
                break
            (segment, record), tag = place, following
            end = self.record_end(segment, record)
        text = b"".join(pieces)
        stream = first.stream or "stdout"
        return Line(self.source, began, (segment.number, end), first.time, stream, text, length, complete)

    def _tag(self, segment: Segment, record: int) -> Tag:
        """The head of a record; its text_start counts from the record."""
        head = self._bytes(segment, record, min(record + 48, self.record_end(segment, record)))
        return tag_at(head, 0, len(head))

    def _bytes(self, segment: Segment, start: int, end: int) -> bytes:
        if end <= start:
            return b""
        first, last = start // self._size, (end - 1) // self._size
        if first == last:
            return self._block(segment, first)[start - first * self._size : end - first * self._size]
        joined = b"".join(self._block(segment, number) for number in range(first, last + 1))
        return joined[start - first * self._size : end - first * self._size]

    def _block(self, segment: Segment, number: int) -> bytes:
        key = (segment.number, number)
        block = self._blocks.get(key)
        full = min(self._size, segment.end - number * self._size)
        if block is None or len(block) < full:
            block = segment.read(number * self._size, (number + 1) * self._size)
            self._blocks[key] = block
            if len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(key)
        return block
