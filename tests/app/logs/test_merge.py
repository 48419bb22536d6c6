"""Merged logs: every line once, in order of time, the same in both directions; the window on them does not slip."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.app.logs.log_samples import random_log, record
from tuidock.app.logs.merge import LogStream, Merged, NoteStream
from tuidock.app.logs.reader import SourceReader
from tuidock.app.logs.records import Line
from tuidock.app.logs.segments import LogDirectory
from tuidock.app.logs.session import LogSource, Session
from tuidock.app.logs.viewport import Viewport


def merged(tmp_path: Path, contents: list[bytes]) -> tuple[Merged, NoteStream]:
    streams: list[LogStream] = []
    for i, content in enumerate(contents):
        path = tmp_path / str(i)
        path.mkdir()
        (path / "0000000001.log").write_bytes(content)
        directory = LogDirectory(str(path))
        directory.refresh()
        streams.append(LogStream(SourceReader(directory, i)))
    notes = NoteStream(len(streams))
    return Merged([*streams, notes]), notes


def walk(sequence: Merged, forwards: bool) -> list[Line]:
    found, cursor = [], sequence.start() if forwards else sequence.end()
    while (step := sequence.forward(cursor) if forwards else sequence.backward(cursor)) is not None:
        assert step != "pending"
        found.append(step.line)
        cursor = step.cursor
    return found


def test_merging_is_sorting_by_time(tmp_path: Path) -> None:
    rng = random.Random(1)
    contents = [
        b"".join(
            record(b"%d" % i, second, nano=i) for i, second in enumerate(sorted(rng.randrange(900) for _ in range(200)))
        )
        for _ in range(4)
    ]
    sequence, notes = merged(tmp_path, contents)
    notes.add("in between", (1_795_478_400 + 450) * 10**9)
    lines = walk(sequence, True)
    assert len(lines) == 801
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert walk(sequence, False)[::-1] == lines


@pytest.mark.parametrize("seed", range(3))
def test_no_line_is_lost_or_doubled_where_clocks_step(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    sequence, _ = merged(tmp_path, [random_log(rng, 150) for _ in range(3)])
    forwards, backwards = walk(sequence, True), walk(sequence, False)
    assert sorted(forwards) == sorted(backwards)
    assert len(set(forwards)) == len(forwards)


def test_a_note_of_a_name_is_there_once() -> None:
    notes = NoteStream(0)
    notes.replace("rotated", "1 gone", 5)
    notes.replace("rotated", "2 gone", 7)
    line = notes.after((0, 0))
    assert line is not None and line.text == b"2 gone" and notes.after(line.next) is None


def test_a_note_older_than_all_that_are_kept_goes_at_once() -> None:
    notes = NoteStream(0)
    for moment in range(10_000):
        notes.add(f"restart {moment}", moment + 10)
    notes.replace("rotated", "1 gone", 5)
    line = notes.after((0, 0))
    assert line is not None and line.text == b"restart 0"


@pytest.mark.parametrize("seed", range(3))
def test_scrolling_by_rows_walks_over_every_row(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    sequence, _ = merged(tmp_path, [b"".join(record(b"%d" % i, i) for i in range(120))])

    def rows_of(line: Line) -> int:
        return 1 + int(line.text) % 4

    every = [(line.text, part) for line in walk(sequence, True) for part in range(rows_of(line))]
    view = Viewport(sequence, rows_of)
    view.height = 10
    view.to_start()
    at = 0
    for _ in range(300):
        assert [(row.line.text, row.part) for row in view.rows] == every[at : at + 10]
        wanted = rng.randrange(-30, 40)
        went = view.scroll(wanted)
        at = max(0, min(at + wanted, len(every) - 10))
        assert abs(went) <= abs(wanted)
    numbers = [row.number for row in view.rows]
    assert numbers == list(range(numbers[0], numbers[0] + 10))
    outside = list(view.between(numbers[0] - 5, numbers[0] - 1))
    assert [(row.line.text, row.part) for row in outside] == every[max(0, at - 5) : at]


def test_a_session_filters_searches_and_saves_the_same_lines(tmp_path: Path) -> None:
    (tmp_path / "0000000001.log").write_bytes(random_log(random.Random(5), 3000))
    session = Session([LogSource("k", "web", str(tmp_path))], lambda line: 1, lambda: None)
    try:
        session.set_filter("timeout")
        session.search("500")
        while session.filtered < 1 or session.searched < 1:
            pass
        kept = list(session.everything())
        assert session.kept_count == len(kept)
        both = [line for line in kept if b"500" in line.text]
        assert session.hit_count == len(both)
        hit = session.hit_after(session.merged.start())
        assert hit == both[0]
        assert session.hit_number(both[-1]) == len(both)
    finally:
        session.close()
