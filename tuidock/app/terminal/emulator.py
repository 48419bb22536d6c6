"""The screen that a program draws on.

pyte's screen knows cursors, margins, tabs and modes. What vim, htop, less and mc need besides is here: the alternate
screen, more colours, cursor shapes, wide characters, scrolling, repeated characters, line drawing; and what a hostile
program could use against us is bounded: saved cursors, looks, code points in a cell, answers.

Rows are kept in a list; one that scrolls away becomes a tuple in the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any, Final

from pyte import modes as mo
from pyte.charsets import LAT1_MAP, VT100_MAP
from pyte.screens import Margins, Savepoint

from tuidock.app.terminal.cells import BLANK, Cell
from tuidock.app.terminal.grid import Grid, Line
from tuidock.app.terminal.writing import Written

_ALTERNATE: Final = (47, 1047, 1049)
#: Modes without a deed of their own: the view and `keys` ask whether they are on.
_PLAIN: Final = (1, 9, 1000, 1002, 1003, 1004, 1006, 2004)


class Emulator(Written):
    """Draws what `sequences` tells it. answer is called with the few replies that a terminal owes."""

    def __init__(self, columns: int, lines: int, answer: Callable[[bytes], None], *, newlines: bool = False) -> None:
        self.all_dirty = True
        self.cursor_shape = 0
        self.inverse = False  # all colours the other way round (DECSCNM)
        self.answer, self._newlines = answer, newlines
        self._other = None
        super().__init__(columns, lines)
        self.reset()

    # -- what the view asks -------------------------------------------------------------------------------------

    @property
    def alternate(self) -> bool:
        return self._other is not None

    @property
    def total(self) -> int:
        """Rows, those of the history among them."""
        return len(self.history.rows) + self.lines

    def has_mode(self, private: int) -> bool:
        return private << 5 in self.mode

    def row(self, at: int) -> Sequence[Cell]:
        """Row of history and screen, exactly as wide as the screen."""
        past = self.history.rows
        if at < len(past):
            cells = past[at].cells[: self.columns]
            return cells + (BLANK,) * (self.columns - len(cells))
        line = self.buffer[at - len(past)]
        return [line[x] for x in range(self.columns)]

    def row_wrapped(self, at: int) -> bool:
        past = self.history.rows
        wrapped: bool = (past[at] if at < len(past) else self.buffer[at - len(past)]).wrapped
        return wrapped

    def take_dirty(self) -> list[int] | None:
        """Rows of the screen that are different since this was asked last; None: all of them."""
        found = None if self.all_dirty or len(self.dirty) >= self.lines else sorted(self.dirty)
        self.all_dirty = False
        self.dirty.clear()
        return found

    # -- whole screen -------------------------------------------------------------------------------------------

    @property
    def default_char(self) -> Any:
        return BLANK

    def _blank(self) -> Cell:
        """What is erased keeps the colour of the background."""
        return BLANK if self.cursor.attrs.bg == "default" else Cell(bg=self.cursor.attrs.bg)

    def reset(self) -> None:
        super().reset()
        self.buffer = Grid(self.lines, BLANK)
        self.cursor.attrs = BLANK
        self.g0_charset = self.g1_charset = LAT1_MAP
        self.savepoints.clear()
        self._other = None
        self.cursor_shape, self.inverse, self.all_dirty = 0, False, True
        if self._newlines:
            self.mode.add(mo.LNM)

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """As terminals do: what is empty at the foot goes first, then the top, which comes back with the room."""
        lines, columns = max(1, lines or self.lines), max(1, columns or self.columns)
        if (lines, columns) == (self.lines, self.columns):
            return
        if self._other is not None:
            grid, cursor = self._other
            cursor.y = self._fit(grid, cursor.y, lines, keeps=True)
            self._fit(self.buffer, self.cursor.y, lines, keeps=False)
        else:
            self.cursor.y = self._fit(self.buffer, self.cursor.y, lines, keeps=True)
        self.lines, self.columns = lines, columns
        self.margins = None
        self.tabstops = set(range(8, columns, 8))
        self.ensure_hbounds()
        self.ensure_vbounds()
        self.dirty.clear()
        self.all_dirty = True

    def _fit(self, grid: Grid, y: int, lines: int, *, keeps: bool) -> int:
        """Makes the grid so high, and gives the row of the cursor then; keeps: with the history."""
        rows = grid.rows
        while len(rows) > lines and len(rows) - 1 > y and not rows[-1]:
            rows.pop()
        while len(rows) > lines:
            line = rows.pop(0)
            if keeps:
                self.history.put_away(line)
            y -= 1
        while len(rows) < lines and keeps and self.history.rows:
            rows.insert(0, self.history.take_back())
            y += 1
        rows.extend(Line(BLANK) for _ in range(lines - len(rows)))
        return max(0, y)

    def _switch_screen(self, number: int, on: bool) -> None:
        if on and self._other is None:
            if number == 1049:
                self.save_cursor()
            self._other = (self.buffer, copy(self.cursor))
            self.buffer = Grid(self.lines, BLANK)
        elif not on and self._other is not None:
            self.buffer, cursor = self._other
            self._other = None
            cursor.hidden = self.cursor.hidden
            if number == 1049:
                self.restore_cursor()
            self.cursor.y = min(self.cursor.y, self.lines - 1)
        self.margins = None
        self.all_dirty = True

    # -- scrolling ----------------------------------------------------------------------------------------------

    def _bounds(self) -> tuple[int, int]:
        return self.margins or (0, self.lines - 1)

    def index(self) -> None:
        bottom = self._bounds()[1]
        if self.cursor.y == bottom:
            self.scroll(1)
        elif self.cursor.y < self.lines - 1:
            self.cursor.y += 1

    def reverse_index(self) -> None:
        top = self._bounds()[0]
        if self.cursor.y == top:
            self.scroll(-1)
        elif self.cursor.y > 0:
            self.cursor.y -= 1

    def scroll(self, count: int) -> None:
        """Rows between the margins go up, or down when count is negative."""
        top, bottom = self._bounds()
        rows = self.buffer.rows
        for _ in range(min(abs(count), bottom - top + 1)):
            if count > 0:
                line = rows.pop(top)
                if top == 0 and self._other is None:
                    self.history.put_away(line)
                rows.insert(bottom, Line(self._blank()))
            else:
                rows.pop(bottom)
                rows.insert(top, Line(self._blank()))
        self.all_dirty = True

    def _move_rows(self, count: int) -> None:
        """Rows from the cursor to the bottom margin go down, or up when count is negative."""
        top, bottom = self._bounds()
        y = self.cursor.y
        if not top <= y <= bottom:
            return
        rows = self.buffer.rows
        for _ in range(min(abs(count), bottom - y + 1)):
            rows.pop(bottom if count > 0 else y)
            rows.insert(y if count > 0 else bottom, Line(self._blank()))
        self.cursor.x = 0
        self.all_dirty = True

    def insert_lines(self, count: int | None = None) -> None:
        self._move_rows(count or 1)

    def delete_lines(self, count: int | None = None) -> None:
        self._move_rows(-(count or 1))

    # -- erasing ------------------------------------------------------------------------------------------------

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        x, y = min(self.cursor.x, self.columns - 1), self.cursor.y
        if how == 2:
            self.buffer[y] = Line(self._blank())
        elif how in (0, 1):
            blank, line = self._blank(), self.buffer[y]
            for at in range(x, self.columns) if how == 0 else range(x + 1):
                line[at] = blank
            if how == 0:
                line.wrapped = False
        self.dirty.add(y)

    def erase_in_display(self, how: int = 0, *_: Any, **__: Any) -> None:
        y = self.cursor.y
        if how == 3:
            self.history.rows.clear()
        span = {0: range(y + 1, self.lines), 1: range(y), 2: range(self.lines)}.get(how, range(0))
        for at in span:
            self.buffer[at] = Line(self._blank())
        self.dirty.update(span)
        if how in (0, 1):
            self.erase_in_line(how)
        if how == 3:
            self.all_dirty = True

    def erase_characters(self, count: int | None = None) -> None:
        blank, line = self._blank(), self.buffer[self.cursor.y]
        for x in range(self.cursor.x, min(self.cursor.x + (count or 1), self.columns)):
            line[x] = blank
        self.dirty.add(self.cursor.y)

    # -- cursor -------------------------------------------------------------------------------------------------

    def save_cursor(self) -> None:
        """One is kept, as terminals do, and not as many as a program likes."""
        self.savepoints.clear()
        super().save_cursor()

    def restore_cursor(self) -> None:
        if self.savepoints:
            kept: Savepoint = self.savepoints[-1]
            self.savepoints.append(kept._replace(cursor=copy(kept.cursor)))
        super().restore_cursor()

    def back_tab(self, count: int) -> None:
        for _ in range(min(count, self.columns)):
            self.cursor.x = max((stop for stop in self.tabstops if stop < self.cursor.x), default=0)

    def set_margins(self, top: int | None = None, bottom: int | None = None) -> None:
        first = max(0, (top or 1) - 1)
        last = min(bottom or self.lines, self.lines) - 1
        if last > first:
            self.margins = None if (first, last) == (0, self.lines - 1) else Margins(first, last)
            self.cursor_position()

    # -- modes --------------------------------------------------------------------------------------------------

    def switch(self, private: bool, numbers: Iterable[int], on: bool) -> None:
        """SM, RM and their private kin; unknown ones are nothing."""
        for number in numbers:
            if not private:
                if number in (mo.IRM, mo.LNM):
                    (self.mode.add if on else self.mode.discard)(number)
            elif number in _ALTERNATE:
                self._switch_screen(number, on)
            elif number == 1048:
                self.save_cursor() if on else self.restore_cursor()
            elif number == 5:
                self.inverse, self.all_dirty = on, True
            elif number == 25:
                self.cursor.hidden = not on
            elif number in (6, 7):
                (self.set_mode if on else self.reset_mode)(number, private=True)
            elif number in _PLAIN:
                (self.mode.add if on else self.mode.discard)(number << 5)

    def soft_reset(self) -> None:
        self.mode = {mo.DECAWM, mo.DECTCEM} | (self.mode & {mo.LNM} if self._newlines else set())
        self.margins, self.cursor.attrs, self.cursor.hidden = None, BLANK, False
        self.g0_charset = self.g1_charset = LAT1_MAP
        self.charset = self.cursor_shape = 0
        self.savepoints.clear()

    def define_charset(self, code: str, mode: str) -> None:
        found = VT100_MAP if code == "0" else LAT1_MAP
        if mode == "(":
            self.g0_charset = found
        elif mode == ")":
            self.g1_charset = found

    def fill(self, char: str) -> None:
        """The whole screen with one character, to be looked at (DECALN)."""
        for line in self.buffer.rows:
            line.update((x, Cell(char)) for x in range(self.columns))
        self.all_dirty = True

    def tell(self, what: int) -> None:
        """DSR: that all is well, and where the cursor is."""
        if what == 5:
            self.answer(b"\x1b[0n")
        elif what == 6:
            top = self.margins.top if self.margins and mo.DECOM in self.mode else 0
            self.answer(f"\x1b[{self.cursor.y - top + 1};{min(self.cursor.x, self.columns - 1) + 1}R".encode())
