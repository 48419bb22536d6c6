"""What a container writes never gets through as anything but text and colours."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from tuidock.app.logs import jsonline, levels
from tuidock.app.logs.ansi import render, visible

FOREIGN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\ud800-\udfff]")


@given(st.binary(max_size=200))
@example(b"\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\x1b[2J\x9b31m\xc2\x9b\x1bP\x1b\\\xe2\x80\xae")
@example(b"\x1b]52;c;never ended")
@example(b"\x1b\x1b\x1b[\x1b]")
def test_no_control_character_comes_out(raw: bytes) -> None:
    shown = render(raw)
    assert not FOREIGN.search(shown.text)
    assert all(0 <= span.start < span.end <= len(shown.text) for span in shown.spans)


@given(st.text(alphabet="\x1b[]0;57mPA\\\x07x \t", max_size=60))
def test_escapes_built_from_their_own_letters(text: str) -> None:
    shown = render(text.encode())
    assert not FOREIGN.search(shown.text)


def test_colours_become_spans() -> None:
    shown = render(b"a\x1b[1;31mred\x1b[0m b\x1b[38;5;200mx\x1b[48;2;1;2;3my\x1b[39;49mz\r")
    assert shown.text == "ared bxyz"
    assert [(span.start, span.end) for span in shown.spans] == [(1, 4), (6, 7), (7, 8), (8, 9)] or [
        (span.start, span.end) for span in shown.spans
    ] == [(1, 4), (6, 7), (7, 8)]
    first = shown.spans[0].style
    assert first.bold and first.color is not None and first.color.number == 1


def test_text_cannot_hide() -> None:
    assert render(b"\x1b[8mhidden\x1b[5m").spans == ()


def test_other_sequences_are_dropped_and_lone_bytes_are_shown() -> None:
    assert render(b"\x1b]0;owned\x07ok\x1b[2Jok\x1b(B").text == "okok"
    assert render(b"a\x00b\x1b").text == "a␀b␛"
    assert render(b"50%\r100%").text == "50%␍100%"
    assert render("\u202eevil\x9b".encode()).text == "\\u202eevil\\x9b"


def test_tabs_stand_at_multiples_of_eight_cells() -> None:
    assert render(b"a\tb").text == "a       b"
    assert render("漢\tb".encode()).text == "漢      b"
    assert render(b"ab\x1b[31mcd\x1b[0m\te").text == "abcd    e"


@given(st.binary(max_size=100).map(lambda raw: raw.replace(b"\n", b"")))
def test_a_search_sees_what_a_person_sees(raw: bytes) -> None:
    assert b"\x1b[31m" not in visible(raw.replace(b"\x1b", b"\x1b[31m"))


def test_levels_are_found_at_the_front_only() -> None:
    def said(text: str) -> tuple[str, str] | None:
        found = levels.level(text)
        return (text[found.start : found.end], levels.NAMES[found.rank]) if found is not None else None

    assert said("2026 ERROR no") == ("ERROR", "error")
    assert said('{"level":"warn","msg":1}') == ("warn", "warn")
    assert said('{"level":50,"msg":1}') == ("50", "error")
    assert said("level=debug x") == ("debug", "debug")
    assert said("2026/11/24 08:00:00 [error] 12#12: *1 open() failed") == ("error", "error")
    assert said("W1124 08:00:00.000000 1 x.go:1] slow") == ("W", "warn")
    assert said("x" * 300 + " ERROR") is None
    assert said("an error is no level here") is None


def test_json_unfolds_clean() -> None:
    assert jsonline.unfold('at {"a": "\\u001b[2J"}') == ["{", '  "a": "\\u001b[2J"', "}"]
    assert jsonline.unfold("{not json}") == []
    assert jsonline.unfold("[" * 10_000) == []
