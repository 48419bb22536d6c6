"""The main screen as one string of text and colours, for the moment before Textual can draw it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from tuidock.app import panes, spans
from tuidock.app.bindings import Situation, list_items
from tuidock.app.layout import SHARE, SHARES, WIDE, pane_heights
from tuidock.app.model import CONTAINERS, KINDS, ViewModel, row_name
from tuidock.app.widgets.rows import GUTTER, Cell, Placed, Row, fit, place
from tuidock.engine.clean import clean

#: Colours by name, each an SGR sequence; see `styles.names`.
Colours = Mapping[str, str]
_BARS = "▁▂▃▄▅▆▇ "


class Look(NamedTuple):
    """What the person has chosen, as far as it shows."""

    ascii: bool = False
    read_only: bool = False
    keymap: Mapping[str, str] = {}
    hidden: Mapping[str, Collection[str]] = {}


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
    first = next(iter(model.rows[CONTAINERS].values()), None)
    situation = Situation(CONTAINERS, first, 0, look.read_only)
    pieces, _ = spans.keys(list_items(situation, look.keymap), width - 2)
    canvas.put(1, height - 1, _styled(pieces))
    if narrow:
        names = [spans.Item(kind, panes.counted(kind, model)) for kind in KINDS]
        canvas.put(1, 1, _styled(spans.tabs(names, CONTAINERS, "", width - 2)[0]))
        _list(canvas, model, CONTAINERS, look, 1, 2, width - 2, height - 3, header=True)
        return str(canvas)
    left = width * SHARES[SHARE] // 100
    heights = pane_heights(height - 2, {kind: len(model.rows[kind]) for kind in KINDS}, CONTAINERS)
    y = 1
    for kind in KINDS:
        current = kind == CONTAINERS
        line, name = ("━", "current") if current else ("─", "other")
        title = f" {panes.title(kind, model, len(model.rows[kind]))} "
        canvas.put(
            0, y, [(line, f"{name}-rule"), (title, f"{name}-title"), (line * (left - 1 - len(title)), f"{name}-rule")]
        )
        _list(canvas, model, kind, look, 0, y + 1, left - 1, heights[kind] - 1, header=current)
        y += heights[kind]
    for y in range(1, height - 1):
        canvas.put(left, y, [("│", "beside")])
    tabs = [spans.Item(name, label) for name, label in panes.TABS[CONTAINERS]]
    suffix = clean(row_name(first)) if first is not None else ""
    canvas.put(left + 2, 1, _styled(spans.tabs(tabs, tabs[0].key, suffix, width - left - 3)[0]))
    return str(canvas)


def _styled(pieces: spans.Spans) -> list[tuple[str, str]]:
    return [(text, f"line-{style}") for text, style in pieces]


def _list(
    canvas: Canvas, model: ViewModel, kind: str, look: Look, x: int, y: int, width: int, height: int, header: bool
) -> None:
    rows = list(model.rows[kind].values())
    room = height - header
    if len(rows) > room:
        width -= 1
        _scroll_bar(canvas, x + width, y, height, len(rows) + header)
    ellipsis = "~" if look.ascii else "…"
    lines = [panes.line(row, model, look.ascii) for row in rows]
    placed = place(panes.columns(kind, lines), width, hidden=look.hidden.get(kind, ()))
    if header:
        titles = "".join(fit(each.column.title, each.width, each.column.align, ellipsis) + " " for each in placed)
        canvas.put(x, y, [((" " * GUTTER + titles)[:width], "list-header")])
    if not rows:
        empty = panes.EMPTY_READ_ONLY if look.read_only else panes.EMPTY
        canvas.put(x, y + header, [(fit("  " + empty[kind], width), "row-//muted")])
    for at, line in enumerate(lines[: max(0, room)]):
        cursor = at == 0 and kind == CONTAINERS
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
