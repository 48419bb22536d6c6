"""Which records of a chunk are meant, as runs of record numbers: [(first, behind the last), ...], ascending.

Runs and not offsets, because a dense search (every line of a gigabyte is a hit) is then as small as a sparse one, and
because numbers stay right where escapes and CRs have been taken out of the bytes that were searched.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

Runs = list[tuple[int, int]]


class Found(NamedTuple):
    """hits: records that begin a line that is meant. continued: records that go on with the line before them."""

    hits: Runs
    continued: Runs


#: Looks at a chunk of whole lines that begins with one.
Matcher = Callable[[bytes], Found]


def starts(chunk: bytes, runs: Runs) -> list[int]:
    """Where the records of the runs begin."""
    if not runs:
        return []
    offsets = [0, *accumulate(len(record) + 1 for record in chunk.split(b"\n"))]
    return [offsets[number] for first, last in runs for number in range(first, last)]


def rest(records: int, *others: Runs) -> Runs:
    """All records that are in none of the others."""
    found: Runs = []
    at = 0
    for first, last in sorted(run for runs in others for run in runs):
        if first > at:
            found.append((at, first))
        at = max(at, last)
    if at < records:
        found.append((at, records))
    return found


def common(one: Runs, other: Runs) -> Runs:
    """Records that are in both."""
    found: Runs = []
    i = k = 0
    while i < len(one) and k < len(other):
        first, last = max(one[i][0], other[k][0]), min(one[i][1], other[k][1])
        if first < last:
            found.append((first, last))
        if one[i][1] < other[k][1]:
            i += 1
        else:
            k += 1
    return found


def counted(runs: Runs, edges: list[int]) -> list[int]:
    """How many records lie between each edge (a record number) and the next one."""
    counts = [0] * (len(edges) - 1)
    i = 0
    for first, last in runs:
        while edges[i + 1] <= first:
            i += 1
        k = i
        while first < last:
            stop = min(last, edges[k + 1])
            counts[k] += stop - first
            first = stop
            k += 1
    return counts
