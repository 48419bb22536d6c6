"""Filters by level, the neighbours of what is kept, and lines that were never on screen: held against plain loops."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.app.logs.log_samples import Write, random_log, record
from tuidock.app.logs import levels
from tuidock.app.logs.around import Around, AroundStream, with_neighbours
from tuidock.app.logs.keep import Keep
from tuidock.app.logs.query import lines
from tuidock.app.logs.reader import SourceReader
from tuidock.app.logs.records import Line
from tuidock.app.logs.runs import starts
from tuidock.app.logs.scan import Scan
from tuidock.app.logs.segments import LogDirectory

SAID = [
    b"ERROR x", b"level=warn a=b", b'{"level":50}', b"[info] ok", b"no error here", b"WARN", b"E1124 08:00:00 x",
    b"INFO after ERROR", b"error: bad", b"x" * 200 + b" FATAL", b"\x1b[31mERR\x1b[0m or", b"DEBUG", "é ERROR".encode(),
]  # fmt: skip


def opened(directory: Path) -> tuple[LogDirectory, SourceReader]:
    log = LogDirectory(str(directory))
    log.refresh()
    return log, SourceReader(log)


def every(reader: SourceReader) -> list[Line]:
    found, position = [], reader.first()
    while (line := reader.after(position)) is not None:
        found.append(line)
        position = line.next
    return found


@pytest.mark.parametrize("least", levels.NAMES)
@pytest.mark.parametrize("text", ["", "o", "!o"])
def test_a_filter_keeps_in_chunks_what_it_keeps_line_by_line(least: str, text: str) -> None:
    rng = random.Random(f"{least}{text}")
    chunk = b"".join(
        record(rng.choice(SAID), tag="P" if rng.random() < 0.1 else "F") if rng.random() < 0.6 else random_log(rng, 1)
        for _ in range(400)
    )
    keep = Keep(text, least)
    kept = [at for at, raw in lines(chunk) if keep.keeps(raw)]
    assert starts(chunk, keep.matcher()(chunk).hits) == kept
    assert kept and len(kept) < chunk.count(b"\n")


def test_a_level_is_the_first_word_for_one() -> None:
    keep = Keep("", "error")
    assert [keep.keeps(raw) for raw in SAID] == [
        True, False, True, False, False, False, True, False, True, False, True, False, True,
    ]  # fmt: skip
    assert Keep("", "warn").words == "warn and worse" and Keep("!x", "error").words == "!x · error"
    assert not Keep()


@pytest.mark.parametrize("around", [Around(0, 2), Around(3, 0), Around(2, 1), Around(40, 40)])
def test_neighbours_are_the_same_forwards_backwards_and_in_one_go(write: Write, around: Around) -> None:
    rng = random.Random(str(around))
    for number in (1, 2, 3):
        directory = write(number, random_log(rng, 60))
    log, reader = opened(directory)
    keep = Keep("512")
    scan = Scan(log, keep.matcher())
    while scan.step():
        pass
    everything = every(reader)[3:]
    stream = AroundStream(reader, everything[0].start, scan, around)
    wanted = list(with_neighbours(iter(everything), keep.keeps, around))
    assert len(wanted) > 5
    forwards: list[Line] = []
    position = stream.start()
    while (line := stream.after(position)) is not None:
        assert isinstance(line, Line)
        forwards.append(line)
        position = line.next
    assert forwards == wanted
    backwards: list[Line] = []
    position = stream.end()
    while (line := stream.before(position)) is not None:
        assert isinstance(line, Line)
        backwards.append(line)
        position = line.start
    assert backwards[::-1] == wanted
