"""A table of any number of rows, one line each, that redraws only what changed.

Textual's DataTable measures and re-renders all rows when one cell changes (10 % of a core for 200 rows at 1 Hz). Here
widths are fixed, a row becomes a strip only when it is on screen, and a changed cell refreshes its own few columns. The
cursor and the marks belong to keys, not to row numbers: rows may come, go and change place below them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Offset, Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tuidock.app.widgets import narrow_updates
from tuidock.app.widgets.row_set import RowSet
from tuidock.app.widgets.rows import GUTTER, STYLES, Cell, Column, Placed, Row, place
from tuidock.app.widgets.table_bindings import TABLE_BINDINGS, TABLE_CSS, TableActions
from tuidock.app.widgets.table_drawing import TableDrawing
from tuidock.app.widgets.table_groups import TableGroups
from tuidock.app.widgets.table_marks import TableMarks
from tuidock.app.widgets.table_messages import TableMessages

__all__ = ["Cell", "Column", "LineTable", "Row"]


class LineTable(TableActions, TableDrawing, TableGroups, TableMarks, TableMessages, ScrollView, can_focus=True):
    """The list in every pane: cursor, marks, sort, filter, header, mouse."""

    BINDINGS: ClassVar[list[BindingType]] = TABLE_BINDINGS
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line-table--header",
        "line-table--cursor",
        "line-table--cursor-blurred",
        "line-table--marked",
        "line-table--hit",
        *(f"line-table--{name}" for name in STYLES if name),
    }
    DEFAULT_CSS = TABLE_CSS

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        header: bool = True,
        empty: str = "nothing here",
        ascii: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        narrow_updates.install()
        self._columns = tuple(columns)
        self._header = 1 if header else 0
        self._empty = empty
        self._bar, self._check, self._ellipsis = (">", "*", "~") if ascii else ("▌", "✓", "…")
        self._down, self._up = ("v", "^") if ascii else ("▾", "▴")
        self._rows = RowSet(self._columns)
        self._cursor: str | None = None
        self._told_cursor: str | None = None
        self._marks: set[str] = set()
        self._range_from: str | None = None
        self._highlight = ""
        self._placed: list[Placed] = []
        self._placed_for = -1
        self._hidden: frozenset[str] = frozenset()
        self._order: tuple[str, ...] = ()
        self._strips: dict[tuple[str, bool], Strip] = {}
        self._styles: dict[str, Style] = {}
        self._told_visible: tuple[str, ...] = ()
        self._visible_due = False

    # What is in it

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._columns

    @property
    def visible_columns(self) -> list[str]:
        return [placed.column.key for placed in self._placed]

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other columns; rows must follow by set_rows when their cells differ."""
        self._columns = tuple(columns)
        self._rows.set_columns(self._columns)
        self._layout_columns()

    def set_rows(self, rows: Sequence[Row]) -> None:
        """All rows anew. The cursor stays on its key, or else on what now stands in its place."""
        self._change(lambda: self._rows.replace(rows))

    def update_row(self, row: Row) -> None:
        """One row anew; an unknown key is appended. Redraws the cells that differ, or more when the order changes."""
        old = self._rows.get(row.key)
        if old is None or self._rows.place_changes(old, row):
            self._change(lambda: self._rows.put(row))
            return
        self._rows.put(row)
        self._refresh_cells(row.key, old, row)

    def renew(self, rows: Sequence[Row]) -> bool:
        """Draws what has changed; all rows anew, and True, when others have come, gone or moved."""
        if [row.key for row in rows] != self.keys:
            self.set_rows(rows)
            return True
        for row in rows:
            self.update_row(row)
        return False

    def update_cells(
        self, key: str, cells: Mapping[str, Cell | str], sort_keys: Mapping[str, Any] | None = None
    ) -> None:
        """A few cells of one row: refreshes just these and keeps the order (call resort when that matters)."""
        old = self._rows.get(key)
        if old is None:
            return
        new = self._rows.with_cells(old, cells, sort_keys or {})
        self._rows.put(new, keep_order=True)
        self._refresh_cells(key, old, new)

    def remove_row(self, key: str) -> None:
        self._change(lambda: self._rows.remove(key))

    def clear(self) -> None:
        self.set_rows(())

    def row(self, key: str) -> Row | None:
        return self._rows.get(key)

    @property
    def keys(self) -> list[str]:
        """Keys in the order shown, without what a filter hides or a group folds."""
        return [key for key in self._rows.shown if not self._rows.is_header(key)]

    @property
    def row_count(self) -> int:
        """Rows in all, hidden ones too."""
        return len(self._rows)

    def set_empty(self, text: str) -> None:
        self._empty = text
        if not self._rows.shown:
            self.refresh()

    # Order and filter

    @property
    def sort(self) -> tuple[str, bool]:
        return self._rows.sort_column, self._rows.reverse

    def sort_by(self, column_key: str, reverse: bool = False) -> None:
        """Order by that column; "" is the order in which the rows were given."""
        self._change(lambda: self._rows.sort_by(column_key, reverse))

    def resort(self) -> None:
        """Put rows in order again after update_cells changed what they are sorted by."""
        self._change(self._rows.resort)

    def set_filter(self, text: str, hide: bool = True) -> None:
        """Highlight the text where it occurs (case matters once it has a capital); hide rows without it."""
        self._highlight = text
        cased = text != text.lower()

        def holds(row: Row) -> bool:
            texts = (row.cell(i).text for i in range(len(row.cells)))
            return any(text in (one if cased else one.lower()) for one in texts)

        self._change(lambda: self._rows.set_predicate(holds if text and hide else None))

    def filter_with(self, predicate: Callable[[Row], bool] | None, highlight: str = "") -> None:
        """Show only rows for which the predicate holds."""
        self._highlight = highlight
        self._change(lambda: self._rows.set_predicate(predicate))

    # Cursor

    @property
    def cursor_key(self) -> str | None:
        return self._cursor

    @property
    def cursor_row(self) -> int:
        """The number of the cursor's row among those shown, -1 when there is none."""
        return self._rows.position(self._cursor)

    def move_cursor(self, key: str) -> bool:
        """Put the cursor on that key; False when it is not shown."""
        header = self._rows.header_of(key)
        if header and self._rows.position(key) < 0:
            self.toggle_fold(header)
        position = self._rows.position(key)
        if position < 0:
            return False
        self._go(position)
        return True

    @property
    def visible_keys(self) -> list[str]:
        """Keys of the rows on screen now."""
        top = self.scroll_offset.y
        return self._rows.shown[top : top + max(0, self.size.height - self._header)]

    # How it changes

    def _change(self, change: Callable[[], None]) -> None:
        """Run a change of rows or order, then set cursor, marks, size and screen right."""
        before = self.cursor_row
        # rows on screen stay where they are when rows above come or go
        offset = before - self.scroll_offset.y
        change()
        self._strips.clear()
        self.virtual_size = Size(self._line_width, len(self._rows.shown) + self._header)
        gone = {key for key in self._marks if key not in self._rows}
        if gone:
            self._set_marks(self._marks - gone)
        if self._range_from not in self._rows:
            self._range_from = None
        shown = self._rows.shown
        position = self._rows.position(self._cursor)
        if position < 0:
            position = self._rows.position(self._rows.header_of(self._cursor))  # its group was folded
        if position < 0:
            position = min(max(before, 0), len(shown) - 1)
            if before < 0 and len(shown) > 1 and self._rows.is_header(shown[0]) and not self._rows.is_header(shown[1]):
                position = 1  # at the start on a row, about which there is more to tell
        self._cursor = shown[position] if position >= 0 else None
        if position >= 0 and before >= 0 and position != before and self._page > 0:
            self._scroll_to_row(max(0, position - min(max(offset, 0), self._page - 1)))
        self._keep_in_view(position)
        self._point()
        self._tell_cursor()
        self._tell_visible_later()
        self.refresh()

    def _go(self, position: int) -> None:
        shown = self._rows.shown
        if not shown:
            return
        key = shown[max(0, min(position, len(shown) - 1))]
        if key != self._cursor:
            old, self._cursor = self._cursor, key
            if self._range_from is not None:
                self._redraw()
            elif old is not None:
                self._refresh_row(old)
            self._refresh_row(key)
        self._keep_in_view(self.cursor_row)
        self._point()
        self._tell_cursor()

    def _point(self) -> None:
        """Put the terminal's own cursor on the selected row: screen readers and braille lines follow it."""
        row = self.cursor_row - self.scroll_offset.y
        if self.has_focus and 0 <= row < self._page:
            self.app.cursor_position = self.content_region.offset + Offset(GUTTER, self._header + row)

    @property
    def _line_width(self) -> int:
        """Cells of a line; `size` has those below the scroll bar, too."""
        return max(0, self.size.width - self.scrollbar_size_vertical)

    @property
    def _page(self) -> int:
        return max(0, self.size.height - self._header)

    def _keep_in_view(self, position: int) -> None:
        if position < 0 or self._page <= 0:
            return
        top = self.scroll_offset.y
        if position < top:
            self._scroll_to_row(position)
        elif position >= top + self._page:
            self._scroll_to_row(position - self._page + 1)

    def _scroll_to_row(self, y: int) -> None:
        # forced, because right after rows have come the scroll bar does not know yet that it is needed
        self.scroll_to(y=y, animate=False, immediate=True, force=True)

    def _tell_cursor(self) -> None:
        if self._cursor != self._told_cursor:
            self._told_cursor = self._cursor
            self.post_message(self.CursorMoved(self, self._cursor))

    def _tell_visible_later(self) -> None:
        if not self._visible_due and self.is_mounted:
            self._visible_due = True
            self.call_after_refresh(self._tell_visible)

    def _tell_visible(self) -> None:
        self._visible_due = False
        keys = tuple(self.visible_keys)
        if keys != self._told_visible:
            self._told_visible = keys
            self.post_message(self.VisibleChanged(self, keys))

    # Drawing

    def _redraw(self) -> None:
        self._strips.clear()
        self.refresh()

    def _refresh_row(self, key: str) -> None:
        self._strips.pop((key, True), None)
        self._strips.pop((key, False), None)
        self._refresh_part(key, 0, self._line_width)

    def _refresh_part(self, key: str, x: int, width: int) -> None:
        y = self._rows.position(key) - self.scroll_offset.y + self._header
        if self._rows.position(key) >= 0 and self._header <= y < self.size.height and self.is_mounted:
            self.refresh(Region(x, y, width, 1))

    def _refresh_cells(self, key: str, old: Row, new: Row) -> None:
        if old.style != new.style:
            self._refresh_row(key)
            return
        changed = [placed for placed in self._placed if old.cell(placed.number) != new.cell(placed.number)]
        if not changed:
            return
        self._strips.pop((key, True), None)
        self._strips.pop((key, False), None)
        # one region a row: the blanks between two changed cells cost less than a second cursor move
        first, last = changed[0], changed[-1]
        self._refresh_part(key, first.x, last.x + last.width - first.x)

    def _place(self) -> None:
        self._placed_for = self._line_width
        self._placed = place(self._columns, self._line_width, hidden=self._hidden, order=self._order)
        self._strips.clear()

    def _layout_columns(self) -> None:
        self._place()
        self.virtual_size = Size(self._line_width, len(self._rows.shown) + self._header)
        self._redraw()

    # Events

    def on_resize(self, event: events.Resize) -> None:
        self._layout_columns()
        self._keep_in_view(self.cursor_row)
        self._point()
        self._tell_visible_later()

    def on_focus(self) -> None:
        self._point()
        if self._cursor is not None:
            self._refresh_row(self._cursor)

    def on_blur(self) -> None:
        if self._cursor is not None:
            self._refresh_row(self._cursor)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._point()
            self._tell_visible_later()
