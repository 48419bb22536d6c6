"""How many lines, or hits of a search or filter, each block of 64 KiB holds.

Counts, not offsets: four bytes a block, so that even a filter that keeps every line of a gigabyte costs 64 KiB of
memory; the hits of one block are found again when they are needed, in a fraction of a millisecond. A scan covers each
segment from its end backwards, because people look at the end first, and follows growth forwards. A last line that the
container has not ended (a prompt) is looked at by itself, and again whenever it has grown.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from tuidock.app.logs.reader import BLOCK, SourceReader
from tuidock.app.logs.records import Position
from tuidock.app.logs.runs import Matcher, counted, starts
from tuidock.app.logs.segments import LogDirectory, Segment

#: So much is scanned at once: what of it needs the interpreter's lock takes a few tenths of a millisecond.
CHUNK: Final = 4 * BLOCK
#: A line beyond this belongs to its start only; see query.LINE_LIMIT.
_OVERHANG: Final = 16 * BLOCK

_EDGE: Final = 4_096

Pending = Literal["pending"]
PENDING: Final[Pending] = "pending"


class _Covered:
    """What is known of one segment: lines that begin in [low, high) are counted."""

    __slots__ = ("counts", "floor", "head", "high", "low", "segment", "total")

    def __init__(self, segment: Segment, floor: int, settled: int, head: int) -> None:
        self.segment, self.floor, self.head = segment, floor, head
        self.low = self.high = max(floor, settled // BLOCK * BLOCK)
        self.counts = array("I")
        self.total = 0

    def add(self, block: int, count: int) -> None:
        if len(self.counts) <= block:
            self.counts.extend([0] * (block + 1 - len(self.counts)))
        self.counts[block] += count
        self.total += count


class _Tail(NamedTuple):
    """The unfinished last line: where it begins and how far it went when it was looked at."""

    start: Position
    end: Position
    hit: bool


class Scan:
    """Counts of one matcher over one directory. `step` runs in a scanning thread, the questions in the app's."""

    def __init__(self, directory: LogDirectory, matcher: Matcher, floor: Position = (0, 0)) -> None:
        self.directory = directory
        self._matcher = matcher
        self._floor = floor
        self._covered: dict[int, _Covered] = {}
        self._lock = threading.Lock()
        # looks only for the ends of chunks, which are read by themselves
        self._stepper = SourceReader(directory, block=_EDGE)
        self._asker = SourceReader(directory)
        self._hits: OrderedDict[tuple[int, int, int, int], array[int]] = OrderedDict()
        self._tail: _Tail | None = None

    @property
    def total(self) -> int:
        """Lines or hits found so far."""
        with self._lock:
            tail = self._tail is not None and self._tail.hit
            return sum(covered.total for covered in self._covered.values()) + tail

    def progress(self) -> tuple[int, int]:
        """Bytes covered and bytes in all."""
        done = whole = 0
        with self._lock:
            unfinished = self._tail.start if self._tail is not None else None
            for segment in self.directory.segments:
                whole += max(0, _settled(segment, unfinished) - self._floor_in(segment))
                covered = self._covered.get(segment.number)
                if covered is not None:
                    done += covered.high - covered.low
        return done, whole

    def step(self) -> bool:
        """Scan one chunk, the newest first; False when everything is covered."""
        # ends first: what comes meanwhile is for the next step
        segments = [(s, s.end) for s in self.directory.segments if (s.number, s.end) > self._floor]
        unfinished = self._stepper.unfinished()
        self._look_at_tail(unfinished)
        with self._lock:
            there = {segment.number: segment for segment in self.directory.segments}
            for number, known in list(self._covered.items()):
                # with the segment before it gone, what went on from there is a line of its own
                if number not in there or (known.head and not self._stepper.head(there[number])):
                    del self._covered[number]
        for segment, end in reversed(segments):
            settled = min(end, _settled(segment, unfinished))
            covered = self._covered.get(segment.number)
            if covered is None:
                head = self._stepper.head(segment)
                covered = _Covered(segment, self._floor_in(segment), settled, head)
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

    def _look_at_tail(self, unfinished: Position | None) -> None:
        tail, end = self._tail, self._stepper.end()
        if unfinished is None or unfinished < self._floor:
            tail = None
        elif tail is None or (tail.start, tail.end) != (unfinished, end):
            tail = _Tail(unfinished, end, bool(self._matcher(self._stepper.raw(unfinished, _OVERHANG)).hits))
        with self._lock:
            self._tail = tail

    def at_or_after(self, position: Position) -> Position | Pending | None:
        """The first hit there or later; PENDING when that part is not scanned yet."""
        number, offset = max(position, self._floor)
        unfinished = self._asker.unfinished()
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
            if covered.high < _settled(segment, unfinished):
                return PENDING
        return self._tail_at(unfinished, lambda start: start >= (number, offset))

    def before(self, position: Position) -> Position | Pending | None:
        """The last hit in front of the position."""
        number, offset = position
        unfinished = self._asker.unfinished()
        tail = self._tail_at(unfinished, lambda start: start < position)
        if tail is not None:
            return tail
        for segment in reversed(self.directory.segments):
            if segment.number > number or (segment.number, segment.end) <= self._floor:
                continue
            stop = min(offset, segment.end) if segment.number == number else segment.end
            stop = min(stop, _settled(segment, unfinished))
            covered = self._covered.get(segment.number)
            if covered is None or (stop > covered.high and covered.high < _settled(segment, unfinished)):
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
            unfinished = self._tail.start if self._tail is not None else None
            wanted = segment.end if segment.number < number else min(offset, segment.end)
            if covered.high < min(wanted, _settled(segment, unfinished)):
                return None
            if segment.number < number:
                count += covered.total
                continue
            block = offset // BLOCK
            count += sum(covered.counts[:block])
            if block < len(covered.counts) and covered.counts[block]:
                count += bisect_left(self._hits_in(covered, block), offset)
        tail = self._tail
        return count + (tail is not None and tail.hit and tail.start < position)

    def _floor_in(self, segment: Segment) -> int:
        return self._floor[1] if segment.number == self._floor[0] else 0

    def _tail_at(self, unfinished: Position | None, wanted: Callable[[Position], bool]) -> Position | Pending | None:
        """The unfinished line when it is a hit; PENDING when it has not been looked at as it is now."""
        if unfinished is None or unfinished < self._floor or not wanted(unfinished):
            return None
        tail = self._tail
        if tail is None or (tail.start, tail.end) != (unfinished, self._asker.end()):
            return PENDING
        return unfinished if tail.hit else None

    def _chunk(self, reader: SourceReader, segment: Segment, start: int, stop: int) -> tuple[int, bytes]:
        """Offset and bytes of the lines that begin in [start, stop)."""
        first = reader.at_or_after(segment, start)
        end = min(reader.at_or_after(segment, stop), stop + _OVERHANG)
        if first >= stop:
            return first, b""
        chunk = segment.read(first, end)
        following = self.directory.after(segment.number) if end >= segment.end else None
        # the last line may go on in the segments behind this one
        while following is not None and len(chunk) < CHUNK + _OVERHANG and (head := reader.head(following)):
            chunk += following.read(0, head)
            following = self.directory.after(following.number) if head >= following.end else None
        return first, chunk

    def _count(self, covered: _Covered, start: int, stop: int, low: int, high: int) -> None:
        first, chunk = self._chunk(self._stepper, covered.segment, start, stop)
        hits = self._matcher(chunk).hits if chunk else []
        counts: list[int] = []
        block = first // BLOCK
        if hits:
            # the numbers of the records with which the blocks begin
            edges, number, begun = [0], 1, 0
            for at in range((block + 1) * BLOCK - first - 1, stop - first - 1, BLOCK):
                number += chunk.count(b"\n", begun, at)
                edges.append(number)
                begun = at
            counts = counted(hits, [*edges, max(hits[-1][1], edges[-1])])
        with self._lock:
            for i, count in enumerate(counts):
                covered.add(block + i, count)
            covered.low, covered.high = low, high

    def _hits_in(self, covered: _Covered, block: int) -> array[int]:
        start, stop = max(block * BLOCK, covered.floor), min((block + 1) * BLOCK, covered.high)
        key = (covered.segment.number, block, stop, covered.head)
        hits = self._hits.get(key)
        if hits is None:
            first, chunk = self._chunk(self._asker, covered.segment, start, stop)
            hits = array("Q", (first + at for at in starts(chunk, self._matcher(chunk).hits)) if chunk else ())
            self._hits[key] = hits
            if len(self._hits) > 64:
                self._hits.popitem(last=False)
        else:
            self._hits.move_to_end(key)
        return hits


def _settled(segment: Segment, unfinished: Position | None) -> int:
    """Where what the container may still add to begins."""
    if unfinished is None or segment.number < unfinished[0]:
        return segment.end
    return unfinished[1] if segment.number == unfinished[0] else 0
