"""Keys, mouse and colours of the table; what they do is in `line_table`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual import events
from textual.binding import Binding, BindingType

from tuidock.app.widgets.row_set import RowSet
from tuidock.app.widgets.rows import GUTTER, Placed

if TYPE_CHECKING:
    from tuidock.app.widgets.line_table import LineTable

TABLE_BINDINGS: Final[list[BindingType]] = [
    Binding("up,k", "cursor_up", "up", show=False, id="table.up"),
    Binding("down,j", "cursor_down", "down", show=False, id="table.down"),
    Binding("home,g", "cursor_top", "top", show=False, id="table.top"),
    Binding("end,G", "cursor_bottom", "bottom", show=False, id="table.bottom"),
    Binding("pageup,ctrl+b", "page(-1)", "page up", show=False, id="table.page_up"),
    Binding("pagedown,ctrl+f", "page(1)", "page down", show=False, id="table.page_down"),
    Binding("ctrl+u", "half_page(-1)", "half page up", show=False, id="table.half_up"),
    Binding("ctrl+d", "half_page(1)", "half page down", show=False, id="table.half_down"),
    Binding("enter", "select", "open", show=False, id="table.select"),
    Binding("space", "mark", "mark", show=False, id="table.mark"),
    Binding("v,ctrl+@", "range", "mark a range", show=False, id="table.range"),
    Binding("asterisk", "mark_all", "mark all", show=False, id="table.mark_all"),
    Binding("backslash,ctrl+backslash", "clear_marks", "clear marks", show=False, id="table.clear_marks"),
    Binding("o", "sort_next", "sort", show=False, id="table.sort"),
    Binding("O", "sort_reverse", "reverse order", show=False, id="table.reverse"),
]

TABLE_CSS: Final = """
LineTable {
    height: 1fr;
    overflow-x: hidden;
    scrollbar-size-vertical: 1;
    & > .line-table--header { color: $text-muted; text-style: none; }
    & > .line-table--cursor {
        background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold;
    }
    & > .line-table--cursor-blurred {
        background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground;
    }
    & > .line-table--marked { color: $accent; text-style: bold; }
    & > .line-table--hit { text-style: underline bold; }
    & > .line-table--muted { color: $text-muted; }
    & > .line-table--good { color: $success; }
    & > .line-table--warn { color: $warning; }
    & > .line-table--bad { color: $error; }
    & > .line-table--accent { color: $accent; }
    & > .line-table--busy { color: $primary; }
    &:nocolor > .line-table--cursor { text-style: reverse bold; }
    &:nocolor > .line-table--cursor-blurred { text-style: underline; }
}
"""


class TableActions:
    """What keys and mouse call. Mixed into LineTable, whose state it uses."""

    _rows: RowSet
    _cursor: str | None
    _header: int
    _placed: list[Placed]

    def on_click(self: LineTable, event: events.Click) -> None:  # type: ignore[misc]
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < self._header:
            for placed in self._placed:
                if placed.x <= offset.x <= placed.x + placed.width and placed.column.sortable:
                    key = placed.column.key
                    self.sort_by(key, key == self._rows.sort_column and not self._rows.reverse)
                    self.post_message(self.HeaderClicked(self, key))
            return
        index = self.scroll_offset.y + offset.y - self._header
        if index < len(self._rows.shown):
            key = self._rows.shown[index]
            if offset.x < GUTTER or event.ctrl:
                self.toggle_mark(key)
            elif key == self._cursor and event.chain >= 2:
                self.post_message(self.RowSelected(self, key))
            self._go(index)

    def on_mouse_scroll_down(self: LineTable, event: events.MouseScrollDown) -> None:  # type: ignore[misc]
        event.stop()
        event.prevent_default()
        self._scroll_to_row(self.scroll_offset.y + 3)

    def on_mouse_scroll_up(self: LineTable, event: events.MouseScrollUp) -> None:  # type: ignore[misc]
        event.stop()
        event.prevent_default()
        self._scroll_to_row(self.scroll_offset.y - 3)

    # Actions

    def action_cursor_up(self: LineTable) -> None:  # type: ignore[misc]
        self._go(self.cursor_row - 1)

    def action_cursor_down(self: LineTable) -> None:  # type: ignore[misc]
        self._go(self.cursor_row + 1)

    def action_cursor_top(self: LineTable) -> None:  # type: ignore[misc]
        self._go(0)

    def action_cursor_bottom(self: LineTable) -> None:  # type: ignore[misc]
        self._go(len(self._rows.shown) - 1)

    def action_page(self: LineTable, direction: int) -> None:  # type: ignore[misc]
        self._go(self.cursor_row + direction * max(1, self._page - 1))

    def action_half_page(self: LineTable, direction: int) -> None:  # type: ignore[misc]
        self._go(self.cursor_row + direction * max(1, self._page // 2))

    def action_select(self: LineTable) -> None:  # type: ignore[misc]
        if self._cursor is not None:
            self.post_message(self.RowSelected(self, self._cursor))

    def action_mark(self: LineTable) -> None:  # type: ignore[misc]
        self.toggle_mark()
        self._go(self.cursor_row + 1)

    def action_range(self: LineTable) -> None:  # type: ignore[misc]
        if self.range_active:
            self.end_range()
        else:
            self.start_range()

    def action_mark_all(self: LineTable) -> None:  # type: ignore[misc]
        self.mark_all()

    def action_clear_marks(self: LineTable) -> None:  # type: ignore[misc]
        self.clear_marks()

    def action_sort_next(self: LineTable) -> None:  # type: ignore[misc]
        """Sort by the next column on screen; after the last one comes the order given."""
        keys = ["", *(placed.column.key for placed in self._placed if placed.column.sortable)]
        now = keys.index(self._rows.sort_column) if self._rows.sort_column in keys else 0
        self.sort_by(keys[(now + 1) % len(keys)])

    def action_sort_reverse(self: LineTable) -> None:  # type: ignore[misc]
        self.sort_by(self._rows.sort_column, not self._rows.reverse)
