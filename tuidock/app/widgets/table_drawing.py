"""How a table becomes strips: header, rows, marks, highlights; the state is in `line_table`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tuidock.app.widgets.row_set import RowSet
from tuidock.app.widgets.rows import GUTTER, Placed, fit
from tuidock.app.words import tr

if TYPE_CHECKING:
    from tuidock.app.widgets.line_table import LineTable


class TableDrawing:
    """Mixed into LineTable, whose state it uses."""

    _rows: RowSet
    _cursor: str | None
    _range_from: str | None
    _marks: set[str]
    _header: int
    _empty: str
    _highlight: str
    _bar: str
    _check: str
    _ellipsis: str
    _up: str
    _down: str
    _placed: list[Placed]
    _placed_for: int
    _strips: dict[tuple[str, bool], Strip]
    _styles: dict[str, Style]

    def _style(self: LineTable, name: str) -> Style:  # type: ignore[misc]
        if name not in self._styles:
            self._styles[name] = (
                self.get_component_rich_style(f"line-table--{name}", partial=True) if name else Style.null()
            )
        return self._styles[name]

    def notify_style_update(self: LineTable) -> None:  # type: ignore[misc]
        ScrollView.notify_style_update(self)
        self._styles.clear()
        self._strips.clear()

    def render_line(self: LineTable, y: int) -> Strip:  # type: ignore[misc]
        width, base = self._line_width, self.rich_style
        if width != self._placed_for:
            self._place()  # drawn before the event that tells the size
        if y < self._header:
            return self._header_strip(base).crop_extend(0, width, base)
        shown, index = self._rows.shown, self.scroll_offset.y + y - self._header
        if index >= len(shown):
            if index == 0 and self._empty:
                text = fit("  " + self._empty, width)
                return Strip([Segment(text, base + self._style("muted"))], width)
            return Strip.blank(width, base)
        key = shown[index]
        at_cursor = key == self._cursor
        cached = self._strips.get((key, at_cursor))
        if cached is None:
            cached = self._row_strip(key, at_cursor, base).crop_extend(0, width, base)
            self._strips[(key, at_cursor)] = cached
            if len(self._strips) > 2048:
                self._strips.clear()
        return cached

    def _header_strip(self: LineTable, base: Style) -> Strip:  # type: ignore[misc]
        style = base + self._style("header")
        segments = [Segment(" " * GUTTER, style)]
        for placed in self._placed:
            title = tr(placed.column.title)
            if placed.column.key == self._rows.sort_column:
                title += self._up if self._rows.reverse else self._down
            segments.append(Segment(fit(title, placed.width, placed.column.align, self._ellipsis) + " ", style))
        return Strip(segments)

    def _row_strip(self: LineTable, key: str, at_cursor: bool, base: Style) -> Strip:  # type: ignore[misc]
        row = self._rows.get(key)
        assert row is not None
        header = self._rows.is_header(key)
        marked = key in self._marks or (header and self._marks.issuperset(self._rows.members(key)))
        over = Style.null()
        if at_cursor:
            over = self._style("cursor" if self.has_focus else "cursor-blurred")
        elif self._range_from is not None and key in self._rows.between(self._range_from, self._cursor):
            over = self._style("cursor-blurred")
        line = base + self._style(row.style)
        gutter = (self._bar if at_cursor else " ") + (self._check if marked else " ")
        segments = [Segment(gutter, line + self._style("marked") + over)]
        for placed in self._placed:
            cell = row.cell(placed.number)
            style = line + (self._style(cell.style) if cell.style else Style.null())
            if marked and placed is self._placed[0]:
                style += self._style("marked")
            text = fit(cell.text, placed.width, placed.column.align, self._ellipsis)
            segments += self._highlighted(text, style + over)
            segments.append(Segment(" ", line + over))
        return Strip(segments).simplify()

    def _highlighted(self: LineTable, text: str, style: Style) -> list[Segment]:  # type: ignore[misc]
        wanted = self._highlight
        hay = text if wanted != wanted.lower() else text.lower()
        at = hay.find(wanted) if wanted else -1
        if at < 0 or len(hay) != len(text):
            return [Segment(text, style)]
        end = at + len(wanted)
        hit = style + self._style("hit")
        return [Segment(text[:at], style), Segment(text[at:end], hit), Segment(text[end:], style)]
