"""Reading by position and counting by block agree with reading the whole log."""

from __future__ import annotations

import random

import pytest

from tests.app.logs.log_samples import Write, random_log, record
from tuidock.app.logs import scan as scan_module
from tuidock.app.logs.query import Query, every_line, inverted, lines
from tuidock.app.logs.reader import SourceReader
from tuidock.app.logs.records import Line, Position
from tuidock.app.logs.runs import starts
from tuidock.app.logs.scan import Scan
from tuidock.app.logs.segments import LogDirectory


def opened(write: Write) -> tuple[LogDirectory, SourceReader]:
    directory = LogDirectory(str(write(1, b"")))
    directory.refresh()
    return directory, SourceReader(directory)


def forwards(reader: SourceReader) -> list[Line]:
    found, position = [], reader.first()
    while (line := reader.after(position)) is not None:
        found.append(line)
        position = line.next
    return found


def backwards(reader: SourceReader) -> list[Line]:
    found, position = [], reader.end()
    while (line := reader.before(position)) is not None:
        found.append(line)
        position = line.start
    return found[::-1]


@pytest.fixture(params=[64, 1000, 65_536])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Small blocks, so that every edge falls everywhere."""
    size: int = request.param
    monkeypatch.setattr("tuidock.app.logs.reader.BLOCK", size)
    monkeypatch.setattr(scan_module, "BLOCK", size)
    monkeypatch.setattr(scan_module, "CHUNK", 4 * size)
    return size


@pytest.mark.parametrize("seed", range(6))
def test_forwards_backwards_and_whole_agree(write: Write, block: int, seed: int) -> None:
    rng = random.Random(seed)
    records = random_log(rng, rng.randrange(1, 450)).splitlines(keepends=True)
    starts_of: dict[int, Position] = {}
    at = 0
    for number, count in enumerate((rng.randrange(1, 150), rng.randrange(1, 4), 1, 1000), 1):
        content = b"".join(records[:count])
        del records[:count]
        write(number, content)
        offset = 0
        for one in content.splitlines(keepends=True):
            starts_of[at + offset] = (number, offset)
            offset += len(one)
        at += offset
    _, reader = opened(write)
    everything = b"".join(segment.read(0, segment.end) for segment in reader.directory.segments)
    # a line may be cut by a rotation anywhere
    assert [(line.start, line.text) for line in forwards(reader)] == [
        (starts_of[at], text) for at, text in lines(everything)
    ]
    assert backwards(reader) == forwards(reader)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pattern", ["", "timeout", r"5\d\d", "!x", "never-there"])
def test_a_scan_counts_and_finds_every_hit(write: Write, block: int, seed: int, pattern: str) -> None:
    rng = random.Random(seed)
    directory, reader = opened(write)
    matcher = every_line if not pattern else inverted(Query(pattern[1:])) if pattern[0] == "!" else Query(pattern).find
    scan = Scan(directory, matcher)
    contents = {1: b""}
    number = 1
    for _ in range(8):
        piece = random_log(rng, rng.randrange(1, 60)) + record(b"end")
        contents[number] = contents.get(number, b"") + piece
        write(number, piece)
        if rng.random() < 0.3:
            number += 1
        directory.refresh()
        for _ in range(rng.randrange(4)):
            scan.step()
    while scan.step():
        pass
    hits: list[Position] = [
        (n, start) for n, content in contents.items() for start in starts(content, matcher(content).hits)
    ]
    assert scan.total == len(hits)
    found, position = [], reader.first()
    while (hit := scan.at_or_after(position)) is not None:
        assert hit != "pending"
        assert scan.count_before(hit) == len(found)
        found.append(hit)
        position = (hit[0], hit[1] + 1)
    assert found == hits
    back, position = [], reader.end()
    while (hit := scan.before(position)) is not None:
        assert hit != "pending"
        back.append(hit)
        position = hit
    assert back[::-1] == hits


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("pattern", ["", "timeout", "x", "!x"])
def test_lines_cut_by_rotations_are_found_once(write: Write, block: int, seed: int, pattern: str) -> None:
    rng = random.Random(seed)
    directory, reader = opened(write)
    matcher = every_line if not pattern else inverted(Query(pattern[1:])) if pattern[0] == "!" else Query(pattern).find
    scan = Scan(directory, matcher)
    number, everything = 1, b""
    for _ in range(40):
        for _ in range(rng.randrange(1, 9)):
            tag = rng.choice("FPPP")
            stream = rng.choice(["stdout"] * 5 + ["stderr"])
            piece = record(rng.choice([b"time", b"out", b"x", b"y" * 300]), number, stream, tag)
            write(number, piece)
            everything += piece
        number += rng.random() < 0.6
        directory.refresh()
        for _ in range(rng.randrange(4)):
            scan.step()
        if rng.random() < 0.3:
            while scan.step():
                pass
            hits = starts(everything, matcher(everything).hits)
            assert scan.total == len(hits)
            assert scan.progress()[0] == scan.progress()[1]
            found, position = [], reader.first()
            while (hit := scan.at_or_after(position)) is not None:
                assert hit != "pending"
                assert scan.count_before(hit) == len(found)
                line = reader.after(hit)
                assert line is not None and line.start == hit
                found.append(hit)
                position = line.next
            assert len(found) == len(hits)
            back, position = [], reader.end()
            while (hit := scan.before(position)) is not None:
                assert hit != "pending"
                back.append(hit)
                position = hit
            assert back[::-1] == found


def test_what_is_left_of_a_line_is_a_line_when_its_first_half_is_gone(write: Write) -> None:
    directory, reader = opened(write)
    path = write(1, record(b"a") + record(b"time", tag="P"))
    write(2, record(b"out") + record(b"b"))
    directory.refresh()
    scan = Scan(directory, Query("out").find)
    while scan.step():
        pass
    assert [line.text for line in forwards(reader)] == [b"a", b"timeout", b"b"]
    assert scan.before(reader.end()) == (1, len(record(b"a")))
    (path / "0000000001.log").unlink()
    directory.refresh()
    while scan.step():
        pass
    assert [line.text for line in forwards(reader)] == [b"out", b"b"]
    assert (scan.total, scan.before(reader.end())) == (1, (2, 0))


def test_what_is_not_scanned_yet_is_pending_and_never_missed(write: Write, block: int) -> None:
    directory, reader = opened(write)
    write(1, b"".join(record(b"hit" if i == 3 else b"no", i) for i in range(3000)))
    directory.refresh()
    scan = Scan(directory, Query("hit").find)
    answers = [scan.before(reader.end())]
    while scan.step():
        answers.append(scan.before(reader.end()))
    assert answers[0] == "pending"
    assert answers[-1] == (1, 3 * len(record(b"no")))
    assert None not in answers


def test_an_unfinished_line_is_a_hit_as_far_as_it_goes(write: Write) -> None:
    directory, reader = opened(write)
    write(1, record(b"a") + record(b"Password: ", tag="P"))
    directory.refresh()
    scan, every = Scan(directory, Query("password").find), Scan(directory, every_line)
    assert scan.before(reader.end()) == "pending"
    while scan.step() or every.step():
        pass
    start = (1, len(record(b"a")))
    assert (scan.total, every.total) == (1, 2)
    assert scan.before(reader.end()) == scan.at_or_after((1, 0)) == start
    assert (scan.before(start), scan.at_or_after((1, start[1] + 1)), scan.count_before(start)) == (None, None, 0)
    write(1, record(b"wrong", tag="P"))
    directory.refresh()
    assert scan.before(reader.end()) == "pending"
    write(2, record(b"!"))
    directory.refresh()
    while scan.step() or every.step():
        pass
    assert (scan.total, every.total, scan.before(reader.end())) == (1, 2, start)


def test_an_unfinished_line_counts_when_it_is_finished(write: Write) -> None:
    directory, reader = opened(write)
    write(1, record(b"a") + record(b"time", tag="P"))
    directory.refresh()
    scan = Scan(directory, Query("timeout").find)
    while scan.step():
        pass
    assert scan.total == 0
    write(1, record(b"out", tag="F"))
    directory.refresh()
    while scan.step():
        pass
    assert scan.total == 1
    line = reader.before(reader.end())
    assert line is not None and line.text == b"timeout" and line.complete


def test_a_torn_record_waits_for_its_newline(write: Write) -> None:
    directory, reader = opened(write)
    write(1, record(b"one") + b"2026-11-24T00:00")
    directory.refresh()
    assert [line.text for line in forwards(reader)] == [b"one"]
    write(1, b":00.000000000Z stdout F two\n")
    directory.refresh()
    assert [line.text for line in forwards(reader)] == [b"one", b"two"]


def test_a_segment_that_vanishes_under_a_reader_can_still_be_read(write: Write) -> None:
    directory, reader = opened(write)
    path = write(1, record(b"old") * 3)
    write(2, record(b"new"))
    directory.refresh()
    position = (1, len(record(b"old")))
    (path / "0000000001.log").unlink()
    directory.refresh(pinned=1)
    line = reader.after(position)
    assert line is not None and line.text == b"old"
    directory.refresh()
    line = reader.after(position)
    assert line is not None and line.text == b"new"
    assert directory.rotated == 1


def test_since_finds_the_first_line_of_that_time(write: Write) -> None:
    directory, reader = opened(write)
    for number in (1, 2):
        write(number, b"".join(record(b"x" * 90, number * 10_000 + i) for i in range(4000)))
    directory.refresh()
    for wanted in (0, 10_000, 12_345, 13_999, 14_000, 20_001, 23_999):
        line = reader.after(reader.since((1_795_478_400 + wanted) * 1_000_000_000))
        assert line is not None
        assert line.time // 1_000_000_000 - 1_795_478_400 == (20_000 if wanted == 14_000 else max(wanted, 10_000))
    assert reader.since(2_000_000_000 * 1_000_000_000) == reader.end()
