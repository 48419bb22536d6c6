"""The emulator by the bytes of programs: what it shows, what it answers, what it keeps."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tuidock.app.terminal.cells import runs, style_of
from tuidock.app.terminal.emulator import Emulator
from tuidock.app.terminal.grid import HISTORY
from tuidock.app.terminal.parser import Parser
from tuidock.app.terminal.sequences import Interpreter


class Screen:
    """An emulator with its parser, and what it answered."""

    def __init__(self, columns: int = 12, lines: int = 4, *, newlines: bool = False) -> None:
        self.answers: list[bytes] = []
        self.emulator = Emulator(columns, lines, self.answers.append, newlines=newlines)
        self.parser = Parser(Interpreter(self.emulator))

    def feed(self, data: bytes) -> Screen:
        self.parser.feed(data)
        return self

    @property
    def rows(self) -> list[str]:
        """The screen without the history."""
        emulator = self.emulator
        return [self._text(at) for at in range(len(emulator.history.rows), emulator.total)]

    @property
    def past(self) -> list[str]:
        return [self._text(at) for at in range(len(self.emulator.history.rows))]

    def _text(self, at: int) -> str:
        return "".join(text for text, _ in runs(self.emulator.row(at), self.emulator.columns)).rstrip()


def shown(data: bytes, columns: int = 12, lines: int = 4) -> list[str]:
    return Screen(columns, lines).feed(data).rows


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"one\r\ntwo", ["one", "two", "", ""]),
        (b"abcdefghijklmno", ["abcdefghijkl", "mno", "", ""]),
        (b"\x1b[?7labcdefghijklmno", ["abcdefghijko", "", "", ""]),
        (b"abc\x08\x08X", ["aXc", "", "", ""]),
        (b"a\tb", ["a       b", "", "", ""]),
        (b"abcdef\x1b[3D\x1b[K", ["abc", "", "", ""]),
        (b"abc\x1b[2;2Hx\x1b[1;1H\x1b[J", ["", "", "", ""]),
        (b"abc\x1b[1;2H\x1b[2P", ["a", "", "", ""]),
        (b"abc\x1b[1;2H\x1b[2@", ["a  bc", "", "", ""]),
        (b"abcdef\x1b[1;2H\x1b[2X", ["a  def", "", "", ""]),
        (b"-\x1b[5b|", ["------|", "", "", ""]),
        (b"1\r\n2\r\n3\x1b[1;1H\x1b[L", ["", "1", "2", "3"]),
        (b"1\r\n2\r\n3\x1b[1;1H\x1b[M", ["2", "3", "", ""]),
        (b"1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\n", ["1", "3", "", "4"]),
        (b"1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[2;1H\x1bM", ["1", "", "2", "4"]),
        (b"1\r\n2\r\n3\r\n4\x1b[S", ["2", "3", "4", ""]),
        (b"1\r\n2\x1b[T", ["", "1", "2", ""]),
        (b"\x1b(0lqqk\x1b(B", ["\u250c\u2500\u2500\u2510", "", "", ""]),
        (b"a\x1b7\x1b[3;3Hb\x1b8c", ["ac", "", "  b", ""]),
        (b"\x1b[10Gx\x1b[2Zy", ["y        x", "", "", ""]),
        ("日本".encode(), ["日本", "", "", ""]),
        (b"abcdefghijk" + "日".encode(), ["abcdefghijk", "日", "", ""]),
        ("日".encode() + b"\x1b[1;2Hx", [" x", "", "", ""]),
        ("e\u0301".encode(), ["e\u0301", "", "", ""]),
        (b"\x1b]0;title\x07a\x1b]52;c;QUFB\x1b\\b\x1bP+q544e\x1b\\c\x1b_x\x1b\\d", ["abcd", "", "", ""]),
        (b"\x1b[>4;2m\x1b[?4mx\x1b[>1ux", ["xx", "", "", ""]),
        (b"\xc2\x9b31mx\x85", ["31mx\ufffd", "", "", ""]),
        ("a\u202eb\u200bc\u2066d".encode(), ["abcd", "", "", ""]),
        (b"\xff\xfe", ["\ufffd\ufffd", "", "", ""]),
        (b"\x1b#8", ["E" * 12] * 4),
        (b"x\x1bcy", ["y", "", "", ""]),
    ],
)  # fmt: skip
def test_what_is_shown(data: bytes, rows: list[str]) -> None:
    assert shown(data) == rows
    whole = Screen().feed(data)
    pieces = Screen()
    for at in range(len(data)):
        pieces.feed(data[at : at + 1])
    assert pieces.rows == whole.rows and pieces.answers == whole.answers


def test_the_alternate_screen_leaves_the_ordinary_one_as_it_was() -> None:
    screen = Screen().feed(b"one\r\ntwo\x1b[?1049h\x1b[1;1Hvim\x1b[5B\r\n\r\n")
    assert screen.emulator.alternate and "one" not in screen.rows and screen.past == []
    screen.feed(b"\x1b[?1049lX")
    assert screen.rows == ["one", "twoX", "", ""] and not screen.emulator.alternate


def test_what_scrolls_away_is_kept_and_the_oldest_is_forgotten() -> None:
    screen = Screen(newlines=True).feed(b"".join(b"%d\n" % number for number in range(HISTORY + 100)))
    assert screen.rows == [str(HISTORY + 97), str(HISTORY + 98), str(HISTORY + 99), ""]
    assert len(screen.past) == HISTORY and screen.past[-1] == str(HISTORY + 96)
    assert screen.emulator.history.gone == HISTORY + 97
    screen.feed(b"\x1b[3J")
    assert screen.past == []


def test_a_flood_is_drawn_as_if_it_came_slowly() -> None:
    data = b"".join(
        b"\x1b[3%dm" % (n % 8) * (n % 7 == 0) + b"row %d " % n + b"x" * (n % 40) + b"\r\n" for n in range(400)
    )
    fast, slow = Screen(20, 5).feed(data), Screen(20, 5)
    for at in range(len(data)):
        slow.feed(data[at : at + 1])
    assert (
        fast.past == slow.past and fast.rows == slow.rows and fast.emulator.history.gone == slow.emulator.history.gone
    )
    looks = [[cell.fg for cell in screen.emulator.row(at)] for screen in (fast, slow) for at in (0, 50, 300)]
    assert looks[:3] == looks[3:]


def test_sizes() -> None:
    screen = Screen(12, 4).feed(b"1\r\n2\r\n3\r\n4")
    screen.emulator.resize(2, 12)
    assert screen.rows == ["3", "4"] and screen.past == ["1", "2"] and screen.emulator.cursor.y == 1
    screen.emulator.resize(4, 20)
    assert screen.rows == ["1", "2", "3", "4"] and screen.past == [] and screen.emulator.cursor.y == 3
    screen = Screen(12, 4).feed(b"$ ")
    screen.emulator.resize(2, 12)
    assert screen.rows == ["$", ""] and screen.past == []
    screen.feed(b"\x1b[?1049h\x1b[1;1Hx")
    screen.emulator.resize(6, 6)
    screen.feed(b"\x1b[?1049l")
    assert screen.rows[0] == "$" and len(screen.rows) == 6


def test_answers_are_few_and_short() -> None:
    screen = Screen().feed(b"\x1b[c\x1b[>c\x1b[5n\x1b[2;3H\x1b[6n")
    assert screen.answers == [b"\x1b[?62;22c", b"\x1b[>1;277;0c", b"\x1b[0n", b"\x1b[2;3R"]
    screen.answers.clear()
    # title, size, palette, clipboard, terminfo, modes, answerback: all could be made to type what a program likes
    screen.feed(b"\x1b[21t\x1b[18t\x1b]4;1;?\x07\x1b]10;?\x07\x1b]52;c;?\x07\x1bP+q544e\x1b\\\x1b[?1$p\x05\x1b[>q\x1bZ")
    assert screen.answers == []


def test_colours() -> None:
    screen = Screen(columns=40)
    screen.feed(
        b"\x1b[31ma\x1b[92mb\x1b[38;5;200mc\x1b[48;2;1;2;3md\x1b[38:2::9:8:7me\x1b[0;1;2;3;4;7;9mf\x1b[22;4:0mg\x1b[mh"
    )
    row = screen.emulator.row(0)
    assert [cell.fg for cell in row[:8]] == [
        "color(1)", "color(10)", "color(200)", "color(200)", "#090807", "default", "default", "default",
    ]  # fmt: skip
    assert row[3].bg == "#010203" and row[5].bg == "default"
    assert (row[5].bold, row[5].dim, row[5].italics, row[5].underscore, row[5].reverse, row[5].strikethrough) == (
        True,
    ) * 6
    assert not row[6].bold and not row[6].underscore and row[6].reverse
    assert row[7] == row[7]._replace(bold=False, reverse=False, fg="default")
    assert style_of(row[3]._replace(data="")).bgcolor is not None
    screen.feed(b"\x1b[38;5;999m\x1b[38;2;1m\x1b[38m\x1b[48;5mx")
    assert screen.emulator.row(0)[8].data == "x"


def test_what_is_erased_keeps_the_background() -> None:
    screen = Screen().feed(b"\x1b[44m\x1b[2J")
    assert all(cell.bg == "color(4)" and not cell.underscore for at in range(4) for cell in screen.emulator.row(at))


def test_modes_are_known_to_the_keys() -> None:
    emulator = Screen().feed(b"\x1b[?1;1002;1006;2004h\x1b[?25l\x1b[4 q").emulator
    assert all(emulator.has_mode(mode) for mode in (1, 1002, 1006, 2004)) and emulator.cursor.hidden
    assert emulator.cursor_shape == 4
    screen = Screen().feed(b"\x1b[?1;2004h\x1b[!p")
    assert not screen.emulator.has_mode(1)


def test_a_hostile_program_gets_no_memory() -> None:
    screen = Screen()
    screen.feed(b"\x1b7" * 5000)
    assert len(screen.emulator.savepoints) == 1
    screen.feed(b"a" + "\u0301".encode() * 5000)
    assert len(screen.emulator.row(0)[0].data) <= 6
    screen.feed(b"\x1b]0;" + b"x" * 100_000)
    screen.feed(b"\x1b[" + b"1;" * 100_000)
    assert len(screen.parser._rest) <= 256
    for number in range(3000):
        screen.feed(b"\x1b[38;2;%d;%d;7mx" % (number % 256, number // 256))
    assert len(screen.emulator._looks) <= 512
    screen.feed(b"\x07\x1b[9999999999b\x1b[99999S\x1b[9999L\x1b[9999999999;99999999H")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from(
                [b"\x1b[", b"\x1b]", b"\x1b", b"\r\n", b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[2;3r", b"\x1b(0"]
            ),
            st.text(max_size=8).map(str.encode),
            st.tuples(st.integers(0, 70), st.sampled_from("@ABCDEFGHIJKLMPSTXZ`abdefghlnrsu")).map(
                lambda each: b"\x1b[%d%s" % (each[0], each[1].encode())
            ),
        ),
        max_size=40,
    ),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_any_bytes_become_rows_of_the_right_width(pieces: list[bytes], columns: int, lines: int) -> None:
    """Nothing raises, nothing but printable characters comes out, and every row has as many cells as the screen."""
    screen = Screen(columns, lines)
    for number, piece in enumerate(pieces):
        screen.feed(piece)
        if number % 7 == 6:
            screen.emulator.resize(lines + number % 3, columns + number % 4)
    emulator = screen.emulator
    for at in range(emulator.total):
        text = "".join(text for text, _ in runs(emulator.row(at), emulator.columns))
        assert cell_len(text) == emulator.columns
        assert all(char.isprintable() and unicodedata.category(char) not in ("Cc", "Cf", "Cs") for char in text)
    assert 0 <= emulator.cursor.y < emulator.lines and 0 <= emulator.cursor.x <= emulator.columns
