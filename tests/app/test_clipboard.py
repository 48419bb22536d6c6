"""The clipboard of the terminal, through tmux and screen, and what does not fit."""

from __future__ import annotations

import base64

from tuidock.app.clipboard import MOST, hint, sequence

PLAIN = "\x1b]52;c;" + base64.b64encode("naïve".encode()).decode() + "\x07"


def test_plain() -> None:
    assert sequence("naïve", {"TERM": "xterm"}) == (PLAIN, "")
    assert hint({"TERM": "xterm"}) == ""


def test_tmux_gets_it_in_both_ways() -> None:
    made, problem = sequence("naïve", {"TMUX": "/tmp/tmux,1,0", "TERM": "tmux-256color"})
    assert problem == "" and made.startswith(PLAIN)
    wrapped = made.removeprefix(PLAIN)
    assert wrapped.startswith("\x1bPtmux;") and wrapped.endswith("\x1b\\")
    assert wrapped[7:-2].replace("\x1b\x1b", "\x1b") == PLAIN
    assert "set-clipboard" in hint({"TMUX": "x"})


def test_screen_gets_it_in_pieces_that_it_takes() -> None:
    text = "x" * 3000
    made, _ = sequence(text, {"TERM": "screen.xterm", "STY": "1.pts"})
    parts = made.removesuffix("\x1b\\").split("\x1b\\")
    assert len(parts) > 5 and all(part.startswith("\x1bP") and len(part) <= 254 for part in parts)
    assert "".join(part[2:] for part in parts) == sequence(text, {})[0]


def test_too_much_is_refused_in_words() -> None:
    most = MOST // 4 * 3
    assert sequence("x" * most, {})[1] == ""
    made, problem = sequence("x" * (most + 3), {})
    assert made == "" and "too many" in problem and str(MOST) in problem
    assert sequence("", {})[1] == "There is nothing to copy."
