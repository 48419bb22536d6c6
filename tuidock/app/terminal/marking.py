"""What is marked in a terminal, by the mouse or by keys, to be copied.

Rows are counted from the first that the program ever wrote, so that a mark stays on its text while more comes.
"""

from __future__ import annotations

from collections.abc import Iterator

from tuidock.app.terminal.emulator import Emulator

Place = tuple[int, int]


class Marking:
    """A cursor of its own, and where the mark began. keys: moved by keys, so the cursor is shown."""

    def __init__(self, emulator: Emulator, place: Place, *, keys: bool) -> None:
        self._emulator = emulator
        self.keys = keys
        self.cursor = place
        self.anchor: Place | None = None if keys else place

    def move(self, rows: int, columns: int) -> None:
        self.put(self.cursor[0] + rows, self.cursor[1] + columns)

    def put(self, row: int, column: int) -> None:
        history = self._emulator.history
        last = history.gone + self._emulator.lines - 1
        self.cursor = min(max(history.first, row), last), min(max(0, column), self._emulator.columns - 1)

    def word(self, forward: bool) -> None:
        """To the beginning of the next word of the row, or of the one before."""
        row, column = self.cursor
        cells = self._emulator.row(row - self._emulator.history.first)
        starts = [x for x, cell in enumerate(cells) if cell.data != " " and (x == 0 or cells[x - 1].data == " ")]
        found = [x for x in starts if x > column] if forward else [x for x in starts if x < column]
        if found:
            self.put(row, found[0] if forward else found[-1])
        else:
            self.put(row + (1 if forward else -1), 0 if forward else self._emulator.columns - 1)

    def toggle(self) -> None:
        """The mark begins here, or is given up."""
        self.anchor = self.cursor if self.anchor is None else None

    def span(self, row: int) -> tuple[int, int] | None:
        """First column that is marked in a row, and the one behind the last."""
        if self.anchor is None:
            return None
        start, end = sorted((self.anchor, self.cursor))
        if not start[0] <= row <= end[0]:
            return None
        return (start[1] if row == start[0] else 0), (end[1] + 1 if row == end[0] else self._emulator.columns)

    def text(self) -> str:
        if self.anchor is None:
            return ""
        base = self._emulator.history.first
        (row, column), (last, end) = self.anchor, self.cursor
        return text_between(self._emulator, (row - base, column), (last - base, end))


def text_between(screen: Emulator, start: tuple[int, int], end: tuple[int, int]) -> str:
    """What stands from one (row, column) up to and with another, both counted in history and screen; rows that wrap are
    one line."""
    return "".join(_pieces(screen, *sorted((start, end)))).rstrip("\n")


def _pieces(screen: Emulator, start: tuple[int, int], end: tuple[int, int]) -> Iterator[str]:
    for at in range(max(0, start[0]), min(end[0], screen.total - 1) + 1):
        first = start[1] if at == start[0] else 0
        last = end[1] + 1 if at == end[0] else screen.columns
        text = "".join(cell.data for cell in screen.row(at)[first:last])
        goes_on = screen.row_wrapped(at) and at < end[0]
        yield text if goes_on else text.rstrip() + "\n"
