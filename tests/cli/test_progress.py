"""Lines that change in place, and the plain ones where nothing can be overwritten."""

from __future__ import annotations

import io
import re

import pytest

from tuidock.cli import progress
from tuidock.cli.progress import Lines
from tuidock.engine.types import Progress


class Screen:
    """A terminal, as far as Lines uses one: carriage return, line feed, cursor up, erase line."""

    def __init__(self, rows: int) -> None:
        self.rows, self.lines, self.at = rows, [""], 0

    def feed(self, text: str) -> None:
        for token in re.findall(r"\x1b\[\d*[AK]|[\r\n]|[^\x1b\r\n]+", text):
            if token == "\n":
                self.at += 1
                if self.at == len(self.lines):
                    self.lines.append("")
            elif token.endswith("A"):
                self.at -= int(token[2:-1] or 1)
                assert self.at >= max(0, len(self.lines) - self.rows), "above the screen nothing can be changed"
            elif token.endswith("K"):
                self.lines[self.at] = ""
            elif token != "\r":
                self.lines[self.at] = token


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lines, "_size", lambda self: (60, 6))


def drawn(steps: list[tuple[Progress, str]]) -> list[str]:
    """What stands there in the end, line by line."""
    out = io.StringIO()
    lines = Lines(out, 1)
    for step, word in steps:
        lines.put(step, word)
    lines.end()
    screen = Screen(6)
    screen.feed(out.getvalue())
    return screen.lines[:-1]


def test_every_part_has_one_line(small: None) -> None:
    steps = [(Progress(name, "waiting"), "Waiting") for name in "abc"]
    steps += [(Progress(name, "pulled"), "Pull complete") for name in "cab"]
    assert drawn(steps) == [f"{name}: Pull complete" for name in "abc"]


def test_more_parts_than_rows_scroll_away_when_they_are_done(small: None) -> None:
    names = [f"layer{number}" for number in range(20)]
    steps = [(Progress(name, "waiting"), "Waiting") for name in names]
    steps += [(Progress(name, "pulled"), "Pull complete") for name in names]
    assert drawn(steps) == [f"{name}: Pull complete" for name in names]


def test_a_bar_fits_the_terminal(small: None) -> None:
    (line,) = drawn([(Progress("a" * 12, "downloading", 5_000_000, 10_000_000), "Downloading")])
    assert re.fullmatch(r"a{12}: Downloading \[=+> +\]  5MB/10MB", line) and len(line) < 60


def test_hostile_texts_are_harmless(small: None) -> None:
    (line,) = drawn([(Progress("a", "retrying", message="\x1b]0;title\x07"), "Retrying")])
    assert "\x1b" not in line and "\x07" not in line


def test_without_a_terminal_only_what_changes_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [
        Progress("latest", "pulling", message="library/x"),
        Progress("aaa", "waiting"),
        Progress("aaa", "downloading", 1, 2),
        Progress("aaa", "retrying", message="why"),
        Progress("aaa", "extracting", 1, 2),
        Progress("aaa", "pulled"),
        Progress("x:latest", "digest", message="sha256:1"),
    ]
    told = progress.follow_pull(iter(steps))
    assert [step.action for step in told] == ["digest"]
    assert capsys.readouterr().out.splitlines() == [
        "latest: Pulling from library/x",
        "aaa: Pulling fs layer",
        "aaa: Retrying: why",
        "aaa: Pull complete",
        "Digest: sha256:1",
    ]
    assert progress.follow_pull(iter(steps), quiet=True) and capsys.readouterr().out == ""
