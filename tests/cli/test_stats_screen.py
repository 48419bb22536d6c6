"""The live picture of `stats`: only what changed is written again."""

from __future__ import annotations

import os

import pytest

from tuidock.cli.stats import Screen


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((20, 4)))
    return Screen()


def test_the_first_picture_clears_the_screen(screen: Screen) -> None:
    assert screen.update(["head", "one"]) == "\x1b[H\x1b[J\x1b[1Hhead\x1b[K\x1b[2Hone\x1b[K\x1b[3H"


def test_only_changed_lines_are_written(screen: Screen) -> None:
    screen.update(["head", "one", "two"])
    assert screen.update(["head", "one", "two"]) == ""
    assert screen.update(["head", "one", "2"]) == "\x1b[3H2\x1b[K\x1b[4H"
    assert screen.update(["head", "one"]) == "\x1b[3H\x1b[J\x1b[3H"
    assert screen.leave() == "\x1b[3H"


def test_nothing_wraps_or_scrolls(screen: Screen) -> None:
    shown = screen.update(["x" * 50, "a\nb", "c", "d", "e"])
    assert "x" * 20 + "\x1b[K" in shown and "x" * 21 not in shown
    assert "\x1b[3Hb\x1b[K" in shown and "c" not in shown


def test_another_size_draws_all_of_it_again(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    screen.update(["head"])
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((30, 4)))
    assert screen.update(["head"]).startswith("\x1b[H\x1b[J\x1b[1Hhead")
