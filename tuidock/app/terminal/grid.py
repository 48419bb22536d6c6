"""Rows of cells: those of the screen, which change, and those that have scrolled away, which do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pyte.screens import StaticDefaultDict

from tuidock.app.terminal.cells import BLANK, Cell


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


class Grid:
    """The rows, with what pyte expects of a dict of them."""

    def __init__(self, lines: int, blank: Cell) -> None:
        self.rows = [Line(blank) for _ in range(lines)]

    def __getitem__(self, y: int) -> Line:
        return self.rows[y]

    def __setitem__(self, y: int, line: Line) -> None:
        self.rows[y] = line

    def __contains__(self, y: int) -> bool:
        return 0 <= y < len(self.rows)

    def pop(self, y: int, default: object = None) -> Line:
        """The row, in whose place an empty one comes."""
        line = self.rows[y]
        self.rows[y] = Line(BLANK)
        return line

    def values(self) -> Iterable[Line]:
        return self.rows

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
