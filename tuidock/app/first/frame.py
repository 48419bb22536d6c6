"""The main screen as one string of text and colours, for the moment before Textual can draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from tuidock.app import grouping, panes, spans
from tuidock.app.bindings import Situation, list_items
from tuidock.app.layout import SHARE, SHARES, WIDE, pane_heights
from tuidock.app.lists import Listing, defaults
from tuidock.app.model import CONTAINERS, KINDS, ViewModel, row_name
from tuidock.app.widgets.row_set import RowSet
from tuidock.app.widgets.rows import GUTTER, Cell, Column, Placed, Row, fit, place
from tuidock.app.words import tr
from tuidock.engine.clean import clean

#: Colours by name, each an SGR sequence; see `styles.names`.
Colours = Mapping[str, str]
_BARS = "▁▂▃▄▅▆▇ "


class Look(NamedTuple):
    """What the person has chosen, as far as it shows."""

    ascii: bool = False
    read_only: bool = False
    keymap: Mapping[str, str] = {}
    lists: Mapping[str, Listing] = {}


class Canvas:
    """Lines of coloured text, written from left to right."""

    def __init__(self, width: int, height: int, colours: Colours) -> None:
        self.width, self.height, self._colours = width, height, colours
        self._parts: list[str] = []

    def put(self, x: int, y: int, pieces: list[tuple[str, str]]) -> None:
        """Texts with the names of their colours, from that cell on; what is too long is cut by the terminal."""
        self._parts.append(f"\x1b[{y + 1};{x + 1}H")
        for text, colour in pieces:
            if text:
                self._parts.append(f"\x1b[0m{self._colours[colour]}{text}")

    def __str__(self) -> str:
        return "".join(self._parts) + "\x1b[0m"


def draw(model: ViewModel, width: int, height: int, colours: Colours, look: Look) -> str:
    """The screen at its start: the cursor on the first container, the details beside it or not there."""
    canvas = Canvas(width, height, colours)
    blank = [(" " * width, "screen")]
    for y in range(height):
        canvas.put(0, y, blank)
    narrow = width < WIDE
    canvas.put(1, 0, _styled(spans.header(model, width - 2, look.read_only, look.ascii)))
    lists = {kind: Arranged(kind, model, look) for kind in KINDS}
    first = model.get(CONTAINERS, lists[CONTAINERS].cursor)
    situation = Situation(CONTAINERS, first, 0, look.read_only)
    pieces, _ = spans.keys(list_items(situation, look.keymap), width - 2)
    canvas.put(1, height - 1, _styled(pieces))
    if narrow:
        names = [spans.Item(kind, panes.counted(kind, model)) for kind in KINDS]
        canvas.put(1, 1, _styled(spans.tabs(names, CONTAINERS, "", width - 2)[0]))
        _list(canvas, lists[CONTAINERS], look, 1, 2, width - 2, height - 3, header=True)
        return str(canvas)
    left = width * SHARES[SHARE] // 100
    heights = pane_heights(height - 2, {kind: lists[kind].line_count for kind in KINDS}, CONTAINERS)
    y = 1
    for kind in KINDS:
        current = kind == CONTAINERS
        line, name = ("━", "current") if current else ("─", "other")
        listing = lists[kind].listing
        title = f" {panes.title(kind, model, len(lists[kind].rows.passing), listing, listing.filter)} "
        canvas.put(
            0,
            y,
            [(line, f"{name}-rule"), (title, f"{name}-title"), (line * (left - 1 - cell_len(title)), f"{name}-rule")],
        )
        _list(canvas, lists[kind], look, 0, y + 1, left - 1, heights[kind] - 1, header=current)
        y += heights[kind]
    for y in range(1, height - 1):
        canvas.put(left, y, [("│", "beside")])
    tabs = [spans.Item(name, label) for name, label in panes.tabs_of(CONTAINERS, first)]
    suffix = clean(row_name(first)) if first is not None else ""
    canvas.put(left + 2, 1, _styled(spans.tabs(tabs, tabs[0].key, suffix, width - left - 3)[0]))
    return str(canvas)


def _styled(pieces: spans.Spans) -> list[tuple[str, str]]:
    return [(text, f"line-{style}") for text, style in pieces]


class Arranged:
    """A list as it is shown: filtered, sorted, grouped."""

    def __init__(self, kind: str, model: ViewModel, look: Look) -> None:
        self.kind, self.listing, self.all = kind, look.lists.get(kind) or defaults()[kind], len(model.rows[kind])
        rows = panes.chosen(kind, model, self.listing)
        lines = [panes.line(row, model, look.ascii) for row in rows]
        self.columns: Sequence[Column] = panes.columns(kind, lines, grouping.widest(self.listing.group, rows))
        self.rows = RowSet(self.columns)
        panes.prepare(self.rows, kind, model, self.listing, self.columns, look.ascii)
        self.rows.replace(lines)
        self.line_count = len(self.rows) + len(self.rows.groups)
        shown = self.rows.shown
        # on a row rather than on the header above it
        at = int(len(shown) > 1 and self.rows.is_header(shown[0]) and not self.rows.is_header(shown[1]))
        self.cursor = shown[at] if shown else ""


def _list(
    canvas: Canvas, arranged: Arranged, look: Look, x: int, y: int, width: int, height: int, header: bool
) -> None:
    rows, listing = arranged.rows, arranged.listing
    room = height - header
    if len(rows.shown) > room:
        width -= 1
        _scroll_bar(canvas, x + width, y, height, len(rows.shown) + header)
    ellipsis = "~" if look.ascii else "…"
    down, up = ("v", "^") if look.ascii else ("▾", "▴")
    placed = place(arranged.columns, width, hidden=listing.hidden, order=listing.order)
    if header:
        titles = ""
        for each in placed:
            sorted_by = each.column.key == rows.sort_column
            title = tr(each.column.title) + ((up if rows.reverse else down) if sorted_by else "")
            titles += fit(title, each.width, each.column.align, ellipsis) + " "
        canvas.put(x, y, [((" " * GUTTER + titles)[:width], "list-header")])
    if not rows.shown:
        empty = panes.empty_text(arranged.kind, arranged.all, look.read_only, listing, listing.filter)
        canvas.put(x, y + header, [(fit("  " + empty, width), "row-//muted")])
    for at, key in enumerate(rows.shown[: max(0, room)]):
        line = rows.get(key)
        assert line is not None
        cursor = key == arranged.cursor and arranged.kind == CONTAINERS
        canvas.put(x, y + header + at, _row(line, look, placed, width, cursor, ellipsis))


def _scroll_bar(canvas: Canvas, x: int, y: int, height: int, length: int) -> None:
    """As Textual draws it at the top: whole cells, then one with the eighths that are left."""
    eighths = -int(-8 * max(1.0, height * height / length) // 1)
    full, rest = divmod(eighths, 8)
    for at in range(height):
        if at < full:
            canvas.put(x, y + at, [(" ", "thumb")])
        elif at == full and rest:
            canvas.put(x, y + at, [(_BARS[7 - rest], "thumb")])
        else:
            canvas.put(x, y + at, [(" ", "track")])


def _row(line: Row, look: Look, placed: list[Placed], width: int, cursor: bool, ellipsis: str) -> list[tuple[str, str]]:
    over = "cursor" if cursor else ""
    bar = (">" if look.ascii else "▌") if cursor else " "
    pieces = [(f"{bar} ", f"gutter-{over}/{line.style}")]
    for each in placed:
        cell: Cell = line.cell(each.number)
        text = fit(cell.text, each.width, each.column.align, ellipsis)
        pieces.append((text, f"row-{over}/{line.style}/{cell.style}"))
        if each.x + each.width < width:
            pieces.append((" ", f"row-{over}/{line.style}/"))
    return pieces
