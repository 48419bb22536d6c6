"""Rows of cells: those of the screen, which change, and those that have scrolled away, which do not."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from pyte.screens import StaticDefaultDict

from tuidock.app.terminal.cells import BLANK, Cell

#: Rows that are kept once they have scrolled away.
HISTORY: Final = 5_000


class Line(StaticDefaultDict[int, Cell]):
    """A row: column to cell. wrapped: the text goes on in the next row."""

    __slots__ = ("wrapped",)

    def __init__(self, default: Cell) -> None:
        super().__init__(default)
        self.wrapped = False


class Past(NamedTuple):
    """A row that has scrolled away, without the blanks at its end."""

    cells: tuple[Cell, ...]
    wrapped: bool


class PlainPast(NamedTuple):
    """A row of a flood: it becomes cells when somebody scrolls back to it."""

    text: str
    look: Cell
    wrapped: bool

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(self.look._replace(data=char) for char in self.text)


class History:
    """Rows that have scrolled away; the oldest are forgotten. Rows are counted from the first that was ever written."""

    def __init__(self) -> None:
        self.rows: deque[Past | PlainPast] = deque(maxlen=HISTORY)
        self.gone = 0  # as many have ever scrolled away: the number of the first on the screen

    @property
    def first(self) -> int:
        """The number of the oldest that is kept."""
        return self.gone - len(self.rows)

    def put_away(self, line: Line) -> None:
        self.rows.append(Past(tuple(map(line.__getitem__, range(max(line) + 1))) if line else (), line.wrapped))
        self.gone += 1

    def put_plain(self, pieces: Sequence[tuple[str, bool]], look: Cell) -> None:
        """Texts that were never rows of the screen, and whether each goes on in the next."""
        self.rows.extend(PlainPast(text, look, wrapped) for text, wrapped in pieces[-HISTORY:])
        self.gone += len(pieces)

    def take_back(self) -> Line:
        """The newest becomes a row of the screen again. Raises IndexError when there is none."""
        past = self.rows.pop()
        self.gone -= 1
        line = Line(BLANK)
        line.update(enumerate(past.cells))
        line.wrapped = past.wrapped
        return line


class Grid:
    """The rows, with what pyte expects of a dict of them."""

    def __init__(self, lines: int, blank: Cell) -> None:
        self.rows = [Line(blank) for _ in range(lines)]

    def __getitem__(self, y: int) -> Line:
        return self.rows[y]

    def __setitem__(self, y: int, line: Line) -> None:
        self.rows[y] = line

    def clear(self) -> None:
        self.rows = [Line(BLANK) for _ in self.rows]


class Look(dict[str, Cell]):
    """Characters to cells of one look."""

    def __init__(self, look: Cell) -> None:
        self._look = look

    def __missing__(self, char: str) -> Cell:
        cell = self._look._replace(data=char)
        if len(self) < 256:
            self[char] = cell
        return cell
