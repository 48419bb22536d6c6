"""The window on the merged lines: where it stands, what it shows, how it moves.

It is anchored to a line (a cursor and the rows of its first line that are scrolled away), not to a number of lines from
the top: nothing above or below it moves it, whether lines come at the end, segments vanish at the start, or nobody
knows yet how many lines there are. Rows carry a running number so that a selection holds while one scrolls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tuidock.app.logs.merge import Cursor, Merged
from tuidock.app.logs.records import Line
from tuidock.app.logs.scan import PENDING


class ShownRow(NamedTuple):
    """One row: which part of which line, where the line begins and ends, and the row's running number."""

    line: Line
    part: int
    before: Cursor
    after: Cursor
    number: int


class Viewport:
    """height rows from `top` on. rows_of tells into how many rows a line is wrapped or unfolded."""

    def __init__(self, merged: Merged, rows_of: Callable[[Line], int]) -> None:
        self.merged, self._rows_of = merged, rows_of
        self.height = 0
        self.top: Cursor = merged.end()
        self.skip = 0
        self.number = 0
        self.rows: list[ShownRow] = []
        self.pending = False

    @property
    def at_end(self) -> bool:
        """Whether the last line there is stands on screen."""
        if not self.rows:
            return True
        last = self.rows[-1]
        return last.part + 1 >= self._rows_of(last.line) and self.merged.forward(last.after) is None

    def to_end(self) -> None:
        """Show the last page."""
        last = self.rows[-1] if self.rows else None
        stood = self.top, self.skip, self.number, self.rows
        self.top, self.skip = self.merged.end(), 0
        pending = self._back(self.height)
        self._fill()
        self.pending |= pending
        if pending and len(self.rows) < min(self.height, len(stood[3])):
            # what has come is not looked through yet: a moment later there is a page, and until then the last one stays
            self.top, self.skip, self.number, self.rows = stood
            return
        if last is None:
            return
        # the running numbers go on when the old last row is still to be seen
        for index, row in enumerate(self.rows):
            if row.line.start == last.line.start and row.line.source == last.line.source and row.part == last.part:
                self._renumber(last.number - index)
                return
        self._renumber(last.number + self.height + 1)

    def to_start(self) -> None:
        self.go(self.merged.start())

    def go(self, cursor: Cursor, above: int = 0) -> None:
        """Show the line behind the cursor with so many rows above it."""
        self.top, self.skip = cursor, 0
        self.number += 1 << 20
        self._back(above)
        self.fill()

    def fill(self) -> None:
        """Show from the anchor on; a page that would end early is pulled back."""
        self._fill()
        missing = self.height - len(self.rows)
        if missing > 0:
            pending = self.pending | self._back(missing)
            self._fill()
            self.pending |= pending

    def scroll(self, rows: int) -> int:
        """Move by so many rows; returns by how many it went."""
        before = self.number
        if rows > 0:
            self._forth(self._rows_below(rows))
        elif rows < 0:
            self._back(-rows)
        self._fill()
        return self.number - before

    def between(self, first: int, last: int, limit: int = 100_000) -> Iterator[ShownRow]:
        """The rows of those running numbers, on screen or not."""
        other = Viewport(self.merged, self._rows_of)
        other.top, other.skip, other.number = self.top, self.skip, self.number
        if first > self.number:
            other._forth(first - self.number)
        else:
            other._back(self.number - first)
        for row in other._rows_from_top():
            if row.number > last or limit <= 0:
                return
            limit -= 1
            yield row

    def _renumber(self, number: int) -> None:
        self.number = number
        self.rows = [row._replace(number=number + i) for i, row in enumerate(self.rows)]

    def _fill(self) -> None:
        self.pending = False
        self.rows = []
        if self.height <= 0:
            return
        for row in self._rows_from_top():
            self.rows.append(row)
            if len(self.rows) >= self.height:
                return

    def _rows_from_top(self) -> Iterator[ShownRow]:
        cursor, skip, number = self.top, self.skip, self.number
        while True:
            step = self.merged.forward(cursor)
            if step is None or step == PENDING:
                self.pending = step is not None
                return
            for part in range(skip, self._rows_of(step.line)):
                yield ShownRow(step.line, part, cursor, step.cursor, number)
                number += 1
            cursor, skip = step.cursor, 0

    def _rows_below(self, wanted: int) -> int:
        """How far one can scroll down, looked at no further than wanted."""
        if not self.rows:
            return 0
        last = self.rows[-1]
        count = self._rows_of(last.line) - last.part - 1
        cursor = last.after
        while count < wanted:
            step = self.merged.forward(cursor)
            if step is None or step == PENDING:
                break
            count += self._rows_of(step.line)
            cursor = step.cursor
        return min(count, wanted)

    def _forth(self, rows: int) -> None:
        while rows > 0:
            step = self.merged.forward(self.top)
            if step is None or step == PENDING:
                return
            rest = self._rows_of(step.line) - self.skip
            if rows < rest:
                self.skip += rows
                self.number += rows
                return
            rows -= rest
            self.number += rest
            self.top, self.skip = step.cursor, 0

    def _back(self, rows: int) -> bool:
        """Move the anchor up; True when it stopped where nobody has scanned yet."""
        taken = min(self.skip, rows)
        self.skip -= taken
        self.number -= taken
        rows -= taken
        while rows > 0:
            step = self.merged.backward(self.top)
            if step is None or step == PENDING:
                return step is not None
            count = self._rows_of(step.line)
            self.top = step.cursor
            self.skip = max(0, count - rows)
            self.number -= count - self.skip
            rows -= count
        return False
