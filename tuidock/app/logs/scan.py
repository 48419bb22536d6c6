"""How many lines, or hits of a search or filter, each block of 64 KiB holds.

Counts, not offsets: four bytes a block, so that even a filter that keeps every line of a gigabyte costs 64 KiB of
memory; the hits of one block are found again when they are needed, in a fraction of a millisecond. A scan covers each
segment from its end backwards, because people look at the end first, and follows growth forwards.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from typing import Final, Literal

from tuidock.app.logs.query import Matcher, every_line, has_parts
from tuidock.app.logs.reader import BLOCK, SourceReader
from tuidock.app.logs.records import Position
from tuidock.app.logs.segments import LogDirectory, Segment

#: So much is scanned at once: the interpreter's lock is held for a few tenths of a millisecond.
CHUNK: Final = 4 * BLOCK
#: A line beyond this belongs to its start only; see query.LINE_LIMIT.
_OVERHANG: Final = 16 * BLOCK

Pending = Literal["pending"]
PENDING: Final[Pending] = "pending"


class _Covered:
    """What is known of one segment: lines that begin in [low, high) are counted."""

    __slots__ = ("counts", "floor", "high", "low", "segment", "total")

    def __init__(self, segment: Segment, floor: int, settled: int) -> None:
        self.segment, self.floor = segment, floor
        self.low = self.high = max(floor, settled // BLOCK * BLOCK)
        self.counts = array("I")
        self.total = 0

    def add(self, block: int, count: int) -> None:
        if len(self.counts) <= block:
            self.counts.extend([0] * (block + 1 - len(self.counts)))
        self.counts[block] += count
        self.total += count


class Scan:
    """Counts of one matcher over one directory. `step` runs in a scanning thread, the questions in the app's."""

    def __init__(self, directory: LogDirectory, matcher: Matcher, floor: Position = (0, 0)) -> None:
        self.directory = directory
        self._matcher = matcher
        self._floor = floor
        self._covered: dict[int, _Covered] = {}
        self._lock = threading.Lock()
        self._stepper = SourceReader(directory)
        self._asker = SourceReader(directory)
        self._hits: OrderedDict[tuple[int, int, int], list[int]] = OrderedDict()

    @property
    def total(self) -> int:
        """Lines or hits found so far."""
        with self._lock:
            return sum(covered.total for covered in self._covered.values())

    def progress(self) -> tuple[int, int]:
        """Bytes covered and bytes in all."""
        done = whole = 0
        with self._lock:
            for segment in self.directory.segments:
                floor = self._floor_in(segment)
                whole += max(0, segment.end - floor)
                covered = self._covered.get(segment.number)
                if covered is not None:
                    done += covered.high - covered.low
        return done, whole

    def step(self) -> bool:
        """Scan one chunk, the newest first; False when everything is covered."""
        segments = [s for s in self.directory.segments if (s.number, s.end) > self._floor]
        with self._lock:
            numbers = {segment.number for segment in self.directory.segments}
            for number in [number for number in self._covered if number not in numbers]:
                del self._covered[number]
        for segment in reversed(segments):
            settled = self._settled(segment)
            covered = self._covered.get(segment.number)
            if covered is None:
                covered = _Covered(segment, self._floor_in(segment), settled)
                with self._lock:
                    self._covered[segment.number] = covered
            if covered.high < settled:
                stop = min(settled, covered.high // BLOCK * BLOCK + CHUNK)
                self._count(covered, covered.high, stop, low=covered.low, high=stop)
                return True
            if covered.low > covered.floor:
                start = max(covered.floor, (covered.low - CHUNK) // BLOCK * BLOCK)
                self._count(covered, start, covered.low, low=start, high=covered.high)
                return True
        return False

    def at_or_after(self, position: Position) -> Position | Pending | None:
        """The first hit there or later; PENDING when that part is not scanned yet."""
        number, offset = max(position, self._floor)
        for segment in self.directory.segments:
            if segment.number < number or not segment.end:
                continue
            start = offset if segment.number == number else 0
            covered = self._covered.get(segment.number)
            if covered is None:
                return PENDING
            if start < covered.low:
                return PENDING
            block = start // BLOCK
            while block * BLOCK < covered.high:
                if block < len(covered.counts) and covered.counts[block]:
                    hits = self._hits_in(covered, block)
                    found = bisect_left(hits, start)
                    if found < len(hits):
                        return (segment.number, hits[found])
                block += 1
            if covered.high < self._settled(segment, self._asker):
                return PENDING
        return None

    def before(self, position: Position) -> Position | Pending | None:
        """The last hit in front of the position."""
        number, offset = position
        for segment in reversed(self.directory.segments):
            if segment.number > number or (segment.number, segment.end) <= self._floor:
                continue
            stop = min(offset, segment.end) if segment.number == number else segment.end
            covered = self._covered.get(segment.number)
            if covered is None or (stop > covered.high and covered.high < self._settled(segment, self._asker)):
                return PENDING
            block = min((stop - 1) // BLOCK, len(covered.counts) - 1)
            while block >= 0 and (block + 1) * BLOCK > covered.low:
                if covered.counts[block]:
                    hits = self._hits_in(covered, block)
                    found = bisect_left(hits, stop) - 1
                    if found >= 0:
                        return (segment.number, hits[found])
                block -= 1
            if covered.low > covered.floor:
                return PENDING
        return None

    def count_before(self, position: Position) -> int | None:
        """How many hits lie in front of the position; None while that is not known."""
        number, offset = position
        count = 0
        for segment in self.directory.segments:
            if segment.number > number or (segment.number, segment.end) <= self._floor:
                continue
            covered = self._covered.get(segment.number)
            if covered is None or covered.low > covered.floor:
                return None
            if segment.number < number:
                count += covered.total
                continue
            block = offset // BLOCK
            count += sum(covered.counts[:block])
            if block < len(covered.counts) and covered.counts[block]:
                count += bisect_left(self._hits_in(covered, block), offset)
        return count

    def _floor_in(self, segment: Segment) -> int:
        return self._floor[1] if segment.number == self._floor[0] else 0

    def _settled(self, segment: Segment, reader: SourceReader | None = None) -> int:
        """Where what the container may still add to begins: an unfinished line is no hit yet."""
        end = segment.end
        if not end or self.directory.after(segment.number) is not None:
            return end
        last = (reader or self._stepper).before((segment.number, end))
        return end if last is None or last.complete or last.start[0] != segment.number else last.start[1]

    def _chunk(self, reader: SourceReader, segment: Segment, start: int, stop: int) -> tuple[int, bytes]:
        """Offset and bytes of the lines that begin in [start, stop)."""
        first = reader.at_or_after(segment, start)
        end = min(reader.at_or_after(segment, stop), stop + _OVERHANG)
        return first, segment.read(first, end) if first < stop else b""

    def _count(self, covered: _Covered, start: int, stop: int, low: int, high: int) -> None:
        first, chunk = self._chunk(self._stepper, covered.segment, start, stop)
        blocks: dict[int, int] = {}
        if self._matcher is every_line and not has_parts(chunk):
            # a line begins behind each newline but the last
            begins = first
            while chunk and begins < first + len(chunk):
                block = begins // BLOCK
                edge = min((block + 1) * BLOCK, first + len(chunk))
                blocks[block] = chunk.count(b"\n", max(0, begins - first - 1), edge - first - 1) + (begins == first)
                begins = edge
        else:
            for hit in self._matcher(chunk) if chunk else ():
                blocks[(first + hit) // BLOCK] = blocks.get((first + hit) // BLOCK, 0) + 1
        with self._lock:
            for block, count in blocks.items():
                covered.add(block, count)
            covered.low, covered.high = low, high

    def _hits_in(self, covered: _Covered, block: int) -> list[int]:
        start, stop = max(block * BLOCK, covered.floor), min((block + 1) * BLOCK, covered.high)
        key = (covered.segment.number, block, stop)
        hits = self._hits.get(key)
        if hits is None:
            first, chunk = self._chunk(self._asker, covered.segment, start, stop)
            hits = [first + hit for hit in self._matcher(chunk)] if chunk else []
            self._hits[key] = hits
            if len(self._hits) > 64:
                self._hits.popitem(last=False)
        else:
            self._hits.move_to_end(key)
        return hits
