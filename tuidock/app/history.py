"""What containers have used over the last hour: for the charts, also of containers that nobody looked at meanwhile.

A container that is on the screen has a sample each second, all others one in ten seconds or rarer (`sample_threads.py`). The
last 120 samples are kept as they came, for the hour one in ten seconds; eight numbers each, 31 kB a container at most.
Rates and shares of a processor are worked out between two samples, so a rare sample tells the average and misses nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from tuidock.engine.types import Stats

SECOND = 1_000_000_000
#: Samples kept as they came: two minutes at one a second.
RECENT = 120
#: How far apart samples of the hour are (ns), how many there are, and numbers in each.
STEP, KEPT, WIDTH = 10 * SECOND, 360, 8
#: Two samples further apart than this say nothing about the time between them (ns): the terminal was out of sight, say.
GAP = 150 * SECOND
#: Spans that a chart can show, in seconds.
SPANS = (120, 600, 3600)


class Use(NamedTuple):
    """What was used in the time up to `time` (ns); rates are bytes a second."""

    time: int
    since: int
    cpu_percent: float
    memory: float
    net_rx: float
    net_tx: float
    block_read: float
    block_write: float
    pids: float


class History:
    """The samples of one container."""

    __slots__ = ("_hour", "_recent", "before", "last")

    def __init__(self) -> None:
        self.last: Stats | None = None
        self.before: Stats | None = None  # the one before the last: rates need two
        self._recent = array("q")
        self._hour = array("q")

    def add(self, sample: Stats) -> None:
        self.before, self.last = self.last, sample
        numbers = _numbers(sample)
        _push(self._recent, numbers, RECENT)
        if not self._hour or sample.time - self._hour[-WIDTH] >= STEP:
            _push(self._hour, numbers, KEPT)

    def uses(self, span: int) -> list[Use]:
        """What was used in the last so many seconds, the oldest first."""
        last = self.last
        if last is None:
            return []
        recent = _samples(self._recent)
        older = [each for each in _samples(self._hour) if each[0] < recent[0][0]]
        return list(_between([*older, *recent], last.time - span * SECOND, last))

    def series(self, span: int, points: int) -> dict[str, list[float | None]]:
        """Curves by the names of Use, so many points each; None where nothing is known."""
        found: dict[str, list[float | None]] = {name: [None] * points for name in Use._fields[2:]}
        uses = self.uses(span)
        if not uses:
            return found
        now, step = uses[-1].time, span * SECOND / points
        for use in uses:
            first = max(0, points - 1 - int((now - use.since) / step))
            last = min(points - 1, points - 1 - int((now - use.time) / step))
            for name, value in zip(Use._fields[2:], use[2:], strict=True):
                line = found[name]
                for at in range(min(first + 1, last), last + 1):
                    line[at] = value
        return found


def _push(kept: array[int], numbers: Sequence[int], most: int) -> None:
    kept.extend(numbers)
    if len(kept) > most * WIDTH:
        del kept[:WIDTH]


def _samples(kept: array[int]) -> list[tuple[int, ...]]:
    return [tuple(kept[at : at + WIDTH]) for at in range(0, len(kept), WIDTH)]


def _numbers(sample: Stats) -> tuple[int, ...]:
    return (
        sample.time, sample.cpu_ns, sample.memory, sample.pids,
        sample.net_rx, sample.net_tx, sample.block_read, sample.block_write,
    )  # fmt: skip


def _between(samples: Sequence[tuple[int, ...]], start: int, last: Stats) -> Iterator[Use]:
    """What was used from each sample to the next. A first sample alone tells what the sampler said of it."""
    for before, now in pairwise(samples):
        time = now[0] - before[0]
        if now[0] <= start or not 0 < time <= GAP or now[1] < before[1]:
            continue  # too old, nobody looked, or it was started again
        cpu = 100.0 * (now[1] - before[1]) / time
        rates = [max(0, value - past) * SECOND / time for past, value in zip(before[4:], now[4:], strict=True)]
        yield Use(now[0], before[0], cpu, now[2], rates[0], rates[1], rates[2], rates[3], now[3])
    if len(samples) == 1 or samples[-1][0] == samples[-2][0]:
        yield Use(last.time, last.time, last.cpu_percent, last.memory, 0, 0, 0, 0, last.pids)
