"""Marks of rows, which belong to keys, and the range that one is about to mark; the state is in `line_table`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuidock.app.widgets.row_set import RowSet

if TYPE_CHECKING:
    from tuidock.app.widgets.line_table import LineTable


class TableMarks:
    """Mixed into LineTable, whose state it uses."""

    _rows: RowSet
    _cursor: str | None
    _marks: set[str]
    _range_from: str | None

    @property
    def marks(self) -> frozenset[str]:
        return frozenset(self._marks)

    @property
    def acted_keys(self: LineTable) -> list[str]:  # type: ignore[misc]
        """What an action is about: the marked rows in order, else the one under the cursor, or those of its group."""
        marked = [key for key in self._rows.passing if key in self._marks]
        if not marked and self._marks:
            marked = sorted(self._marks)
        if marked or self._cursor is None:
            return marked
        return list(self._rows.members(self._cursor)) if self.on_header else [self._cursor]

    def toggle_mark(self: LineTable, key: str | None = None) -> None:  # type: ignore[misc]
        """Marks a row, or the rows of a group; takes the mark away when there is one already."""
        key = self._cursor if key is None else key
        if self._rows.is_header(key):
            members = set(self._rows.members(key))
            self._set_marks(self._marks - members if members <= self._marks else self._marks | members)
        elif key is not None and key in self._rows:
            self._set_marks(self._marks ^ {key})

    def mark_all(self: LineTable) -> None:  # type: ignore[misc]
        self._set_marks(self._marks | set(self._rows.passing))

    def clear_marks(self: LineTable) -> None:  # type: ignore[misc]
        self._range_from = None
        self._set_marks(set())
        self._redraw()

    def start_range(self) -> None:
        self._range_from = self._cursor

    def end_range(self: LineTable) -> None:  # type: ignore[misc]
        """Mark everything between where the range began and the cursor."""
        marked = self._rows.between(self._range_from, self._cursor)
        self._range_from = None
        self._set_marks(self._marks | set(marked))
        self._redraw()

    @property
    def range_active(self) -> bool:
        return self._range_from is not None

    def _set_marks(self: LineTable, marks: set[str]) -> None:  # type: ignore[misc]
        if marks == self._marks:
            return
        for key in [*(marks ^ self._marks), *self._rows.groups]:
            self._refresh_row(key)
        self._marks = marks
        self.post_message(self.MarksChanged(self, frozenset(marks)))
