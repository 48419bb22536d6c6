"""Lines of one container's log after and before a position, read on demand.

A position is (segment number, offset of a record). Blocks of 64 KiB and parsed lines are kept in two small caches;
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
    """Reads lines of one directory. `source` is the number that its lines carry."""

    def __init__(self, directory: LogDirectory, source: int = 0) -> None:
        self.directory = directory
        self.source = source
        self._blocks: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._lines: OrderedDict[Position, Line] = OrderedDict()

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
        return self.after((segment.number, self.line_start(segment, record)))

    def record_start(self, segment: Segment, end: int) -> int:
        """Where the record that ends at `end` begins."""
        stop = end - 1
        while stop > 0:
            block = (stop - 1) // BLOCK
            newline = self._block(segment, block).rfind(b"\n", 0, stop - block * BLOCK)
            if newline >= 0:
                return block * BLOCK + newline + 1
            stop = block * BLOCK
        return 0

    def record_end(self, segment: Segment, start: int) -> int:
        """Where the record that begins at start ends, its newline included."""
        at = start
        while at < segment.end:
            block = at // BLOCK
            newline = self._block(segment, block).find(b"\n", at - block * BLOCK)
            if newline >= 0:
                return min(block * BLOCK + newline + 1, segment.end)
            at = (block + 1) * BLOCK
        return segment.end

    def line_start(self, segment: Segment, record: int) -> int:
        """Where the line begins that has this record: goes back over partial records."""
        tag = self._tag(segment, record)
        while record > 0:
            previous = self.record_start(segment, record)
            previous_tag = self._tag(segment, previous)
            if not continues(previous_tag, tag):
                break
            record, tag = previous, previous_tag
        return record

    def at_or_after(self, segment: Segment, offset: int) -> int:
        """The first start of a line at or behind any offset."""
        if offset >= segment.end:
            return segment.end
        if offset > 0 and self._bytes(segment, offset - 1, offset) != b"\n":
            offset = self.record_end(segment, offset)
        if 0 < offset < segment.end:
            previous = self._tag(segment, self.record_start(segment, offset))
            while previous.partial and offset < segment.end:
                tag = self._tag(segment, offset)
                if not continues(previous, tag):
                    break
                previous, offset = tag, self.record_end(segment, offset)
        return offset

    def since(self, moment: int) -> Position:
        """Where the lines of that time and later begin, found by halving; clock steps back are not searched for."""
        for segment in self.directory.segments:
            last = self.before((segment.number, segment.end)) if segment.end else None
            if last is None or (last.start[0] == segment.number and last.time < moment):
                continue
            low, high = 0, segment.end
            while high - low > BLOCK:
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
        tag = self._tag(segment, start)
        pieces, kept, length = [], 0, 0
        first = tag
        record, complete = start, not tag.partial
        while True:
            text_start = record + tag.text_start
            size = max(0, end - 1 - text_start)
            if kept < KEPT:
                pieces.append(self._bytes(segment, text_start, text_start + min(size, KEPT - kept)))
                kept += len(pieces[-1])
            length += size
            if not tag.partial or end >= segment.end:
                # a part at the very end of an older segment has no other half there
                complete = not tag.partial or self.directory.after(segment.number) is not None
                break
            following = self._tag(segment, end)
            if not continues(tag, following):
                complete = True
                break
            record, tag = end, following
            end = self.record_end(segment, record)
        text = b"".join(pieces)
        return Line(self.source, (segment.number, start), (segment.number, end), first.time, first.stream or "stdout",
                    text, length, complete)  # fmt: skip

    def _tag(self, segment: Segment, record: int) -> Tag:
        """The head of a record; its text_start counts from the record."""
        head = self._bytes(segment, record, min(record + 48, self.record_end(segment, record)))
        return tag_at(head, 0, len(head))

    def _bytes(self, segment: Segment, start: int, end: int) -> bytes:
        if end <= start:
            return b""
        first, last = start // BLOCK, (end - 1) // BLOCK
        if first == last:
            return self._block(segment, first)[start - first * BLOCK : end - first * BLOCK]
        joined = b"".join(self._block(segment, number) for number in range(first, last + 1))
        return joined[start - first * BLOCK : end - first * BLOCK]

    def _block(self, segment: Segment, number: int) -> bytes:
        key = (segment.number, number)
        block = self._blocks.get(key)
        full = min(BLOCK, segment.end - number * BLOCK)
        if block is None or len(block) < full:
            block = segment.read(number * BLOCK, (number + 1) * BLOCK)
            self._blocks[key] = block
            if len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(key)
        return block
