"""How characters come to the screen: in cells of one look, wide or not, upon others, or not at all.

Text is put into a row at once, so a flood costs little more than decoding it. Code points that would change what stands
around them are dropped, and a cell keeps a few only.
"""

from __future__ import annotations

from typing import Any, Final

from pyte import modes as mo
from pyte.charsets import VT100_MAP
from pyte.screens import Screen
from rich.cells import get_character_cell_size

from tuidock.app.terminal.cells import BLANK, MOST_CODE_POINTS, Cell
from tuidock.app.terminal.grid import Grid, History, Line, Look

#: Directions of writing, joiners and variants: they change the cells around them, or how wide a character is.
_NEVER: Final = frozenset(
    [*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10), 0xFEFF,
     *range(0xFFF9, 0xFFFD), *range(0xE0000, 0xE0200), 0x061C, 0x180E, 0xAD]
)  # fmt: skip
#: Cells with one look, by character; a program with more looks than this pays for it itself.
_LOOKS: Final = 512


class Written(Screen):
    """The part of the emulator that text is given to."""

    buffer: Any
    cursor: Any
    all_dirty: bool
    _other: tuple[Grid, Any] | None  # the ordinary screen while the alternate one is shown

    def __init__(self, columns: int, lines: int) -> None:
        self.history = History()
        self._looks: dict[Cell, Look] = {}
        self._last_char = " "
        super().__init__(columns, lines)

    def draw(self, data: str) -> None:
        if (self.g1_charset if self.charset else self.g0_charset) is VT100_MAP:
            data = data.translate(VT100_MAP)
        if data.isascii():
            self._put(data)
            self._last_char = data[-1]
            return
        plain: list[str] = []
        for char in data:
            size = 1 if char.isascii() else -1 if ord(char) in _NEVER else get_character_cell_size(char)
            if size == 1 and (char.isascii() or char.isprintable()):
                plain.append(char)
                self._last_char = char
                continue
            if plain:
                self._put("".join(plain))
                plain.clear()
            if size == 2 and char.isprintable():
                self._put_wide(char)
                self._last_char = char
            elif size == 0 and char.isprintable():
                self._put_upon(char)
            elif size == 1:
                self._put("\ufffd")
        if plain:
            self._put("".join(plain))

    def _cells(self) -> Look:
        look = self._looks.get(self.cursor.attrs)
        if look is None:
            if len(self._looks) >= _LOOKS:
                self._looks.clear()
            look = self._looks[self.cursor.attrs] = Look(self.cursor.attrs)
        return look

    def _put(self, text: str) -> None:
        """Characters that take one cell each."""
        cells, cursor = self._cells().__getitem__, self.cursor
        while text:
            if cursor.x >= self.columns and not self._next_line():
                cursor.x = self.columns - 1
                text = text[-1:]
            part = text[: self.columns - cursor.x]
            text = text[len(part) :]
            if mo.IRM in self.mode:
                self.insert_characters(len(part))
            self.buffer[cursor.y].update(zip(range(cursor.x, cursor.x + len(part)), map(cells, part), strict=False))
            cursor.x += len(part)
            self.dirty.add(cursor.y)

    def _put_wide(self, char: str) -> None:
        cursor = self.cursor
        if self.columns < 2:
            return
        if cursor.x > self.columns - 2 and not self._next_line():
            cursor.x = self.columns - 2
        if mo.IRM in self.mode:
            self.insert_characters(2)
        line = self.buffer[cursor.y]
        line[cursor.x] = cursor.attrs._replace(data=char)
        line[cursor.x + 1] = cursor.attrs._replace(data="")
        cursor.x += 2
        self.dirty.add(cursor.y)

    def _put_upon(self, char: str) -> None:
        """An accent and the like belong to the character before them."""
        line = self.buffer[self.cursor.y]
        x = self.cursor.x - 1
        if x > 0 and line[x].data == "":
            x -= 1
        if x >= 0 and 0 < len(line[x].data) < MOST_CODE_POINTS:
            line[x] = line[x]._replace(data=line[x].data + char)
            self.dirty.add(self.cursor.y)

    def _next_line(self) -> bool:
        """From the end of a row to the next, where rows wrap."""
        if mo.DECAWM not in self.mode:
            return False
        self.buffer[self.cursor.y].wrapped = True
        self.cursor.x = 0
        self.index()
        return True

    def repeat(self, count: int) -> None:
        self.draw(self._last_char * min(count, self.columns * self.lines))

    def put_rows(self, texts: list[str]) -> bool:
        """Whole rows of plain characters, each with a new line behind it, at the foot of the ordinary screen: what a
        flood consists of. The same as drawing them one by one; False when that has to be done."""
        cursor, rows = self.cursor, self.buffer.rows
        if (
            self._other is not None or self.margins is not None or mo.IRM in self.mode or mo.DECAWM not in self.mode
            or cursor.x or cursor.y != self.lines - 1 or rows[-1] or cursor.attrs.bg != "default"
            or (self.g1_charset if self.charset else self.g0_charset) is VT100_MAP
        ):  # fmt: skip
            return False
        cells, width = self._cells().__getitem__, self.columns
        pieces: list[tuple[str, bool]] = []
        for text in texts:
            while len(text) > width:
                pieces.append((text[:width], True))
                text = text[width:]
            pieces.append((text, False))
        away = len(pieces)
        for line in rows[: min(away, self.lines - 1)]:
            self.history.put_away(line)
        gone = max(0, away - (self.lines - 1))
        self.history.put_plain(pieces[:gone], cursor.attrs)
        fresh = []
        for text, wrapped in pieces[gone:]:
            line = Line(BLANK)
            line.update(enumerate(map(cells, text)))
            line.wrapped = wrapped
            fresh.append(line)
        self.buffer.rows = [*rows[away:-1], *fresh, Line(BLANK)]
        if texts[-1]:
            self._last_char = texts[-1][-1]
        self.all_dirty = True
        return True
