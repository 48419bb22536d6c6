"""A log line as rows on screen: prefix, wrapping, folding, colours. Only what is on screen is ever laid out.

Texts come out of `logs.ansi` and are clean; nothing here adds a byte of the container's that was not.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tuidock.app.logs import jsonline, levels
from tuidock.app.logs.ansi import Span, render, text_of
from tuidock.app.logs.records import Line

Timestamps = Literal["off", "local", "utc", "relative"]
TIMESTAMPS: Final[tuple[Timestamps, ...]] = ("off", "local", "utc", "relative")
#: Cells of a line that are shown; the rest is counted.
LONGEST: Final = 4_096
_KEPT: Final = 1_024
_NAME: Final = 16


class Layout(NamedTuple):
    """A line laid out. parts are ranges of text, one row each; below them the lines of unfolded JSON."""

    prefix: str
    name_at: int
    text: str
    spans: tuple[Span, ...]
    parts: tuple[tuple[int, int], ...]
    unfolded: tuple[str, ...]
    tail: str


def no_number(line: Line) -> int | None:
    """Nobody has counted."""
    return None


class RowMaker:
    """Lays lines out and draws their rows. `style` gives the style of a component by name."""

    def __init__(self, style: Callable[[str], Style]) -> None:
        self._style = style
        self._layouts: OrderedDict[tuple[int, int, int, int, str], Layout] = OrderedDict()
        self.width = 80
        self.wrap = False
        self.timestamps: Timestamps = "off"
        self.names: Sequence[str] = ()
        self.colours: Sequence[Style] = ()
        self.origin = 0
        self.unfold_all = False
        self.numbers = False
        self.waits_for_numbers = False
        self._unnumbered = False
        self.number_of: Callable[[Line], int | None] = no_number
        self.fields: tuple[str, ...] = ()
        self._widths: list[int] = []
        self.toggled: set[tuple[int, int, int]] = set()

    def forget(self) -> None:
        self._layouts.clear()

    def show_fields(self, names: Sequence[str]) -> None:
        self.fields = tuple(names)
        self._widths = [min(cell_len(name), jsonline.WIDEST) for name in self.fields]
        self.forget()

    def names_in(self, line: Line) -> list[str]:
        """The fields of a structured line."""
        return jsonline.names(jsonline.values(render(line.text).text))

    def rows_of(self, line: Line) -> int:
        layout = self.layout(line)
        return len(layout.parts) + len(layout.unfolded)

    def layout(self, line: Line) -> Layout:
        key = (line.source, *line.start, line.length, line.stream)
        layout = self._layouts.get(key)
        if layout is None:
            self._unnumbered = False
            layout = self._make(line)
            if self._unnumbered:
                return layout
            self._layouts[key] = layout
            if len(self._layouts) > _KEPT:
                self._layouts.popitem(last=False)
        else:
            self._layouts.move_to_end(key)
        return layout

    def row_text(self, line: Line, part: int, shift: int = 0) -> str:
        """What a row shows, without colours."""
        layout = self.layout(line)
        if line.stream == "note":
            return layout.text
        if part >= len(layout.parts):
            return " " * len(layout.prefix) + layout.unfolded[part - len(layout.parts)]
        start, end = layout.parts[part]
        prefix = layout.prefix if part == 0 else " " * len(layout.prefix)
        return prefix + layout.text[start + shift : end] + (layout.tail if part + 1 == len(layout.parts) else "")

    def strip(
        self, line: Line, part: int, shift: int, hits: Sequence[tuple[int, int]], current: bool, aside: bool = False
    ) -> Strip:
        """A row in its colours; shift is how far the text is scrolled to the left. aside: it is shown only because of
        its neighbour, and stands back."""
        layout, base = self.layout(line), self._style("")
        if line.stream == "note":
            return Strip([Segment(layout.text, base + self._style("note"))])
        indent = cell_len(layout.prefix)
        if part >= len(layout.parts):
            text = layout.unfolded[part - len(layout.parts)]
            return Strip([Segment(" " * indent, base), Segment(text, base + self._style("muted"))])
        start, end = layout.parts[part]
        marks = [(span.start, span.end, span.style) for span in layout.spans]
        if aside:
            marks = [(0, len(layout.text), self._style("muted"))]
        elif not layout.spans and (found := levels.level(layout.text)) is not None:
            marks.append((found.start, found.end, self._style(found.style)))
        hit = self._style("current" if current else "hit")
        marks += [(one, other, hit) for one, other in hits]
        segments = coloured(layout.text, start, end, base, marks)
        if layout.tail and part + 1 == len(layout.parts):
            segments.append(Segment(layout.tail, base + self._style("muted")))
        body = Strip(segments)
        if shift:
            body = body.crop(shift, max(shift, body.cell_length))
        if not indent:
            return body
        head = self._prefix(layout, line, base) if part == 0 else [Segment(" " * indent, base)]
        return Strip([*head, *body])

    def _prefix(self, layout: Layout, line: Line, base: Style) -> list[Segment]:
        moment, name = layout.prefix[: layout.name_at], layout.prefix[layout.name_at :]
        colour = self.colours[line.source] if line.source < len(self.colours) else Style.null()
        return [Segment(moment, base + self._style("time")), Segment(name, base + colour)]

    def _make(self, line: Line) -> Layout:
        if line.stream == "note":
            text = set_cell_size("── " + text_of(line.text) + " ", min(self.width, 4 + cell_len(text_of(line.text))))
            return Layout("", 0, text + "─" * (self.width - cell_len(text)), (), ((0, len(text)),), (), "")
        moment = self._number(line) + self._moment(line.time)
        prefix = moment
        if len(self.names) > 1:
            longest = min(_NAME, max(map(cell_len, self.names)))
            prefix += set_cell_size(self.names[line.source], longest) + " "
        shown = render(line.text)
        text, tail = shown.text, ""
        hidden = line.length - len(line.text)
        if len(text) > LONGEST or cell_len(text) > LONGEST:
            cut = text[:LONGEST] if text.isascii() else chop_cells(text, LONGEST)[0]
            hidden, text = hidden + len(text) - len(cut), cut
        if hidden > 0:
            tail = f"…+{hidden}"
        spans = shown.spans
        if self.fields and not hidden and (columns := jsonline.fields(text, self.fields)):
            text, spans = self._columns(columns)
        folds = not hidden and not self.fields and jsonline.is_object(text)
        opened = folds and (self.unfold_all != ((line.source, *line.start) in self.toggled))
        unfolded = tuple(jsonline.unfold(text)) if opened else ()
        if folds and not unfolded:
            tail += " ▸"
        return Layout(prefix, len(moment), text, spans, self._parts(text, cell_len(prefix)), unfolded, tail)

    def _columns(self, texts: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
        """Fields below each other; a column grows with what it has to show, and what was laid out before is laid out
        again."""
        pieces: list[str] = []
        spans: list[Span] = []
        at = 0
        for i, text in enumerate(texts):
            if i + 1 < len(texts):
                wanted = min(cell_len(text), jsonline.WIDEST)
                if wanted > self._widths[i]:
                    self._widths[i] = wanted
                    self.forget()
                if cell_len(text) > self._widths[i]:
                    text = set_cell_size(text, self._widths[i] - 1) + "…"
                piece = set_cell_size(text, self._widths[i]) + "  "
            else:
                piece = text
            if (rank := levels.rank_of(self.fields[i], text)) is not None:
                spans.append(Span(at, at + len(text), self._style(levels.LEVELS[rank][1])))
            pieces.append(piece)
            at += len(piece)
        return "".join(pieces), tuple(spans)

    def _number(self, line: Line) -> str:
        if not self.numbers:
            return ""
        number = self.number_of(line)
        if number is None:
            self._unnumbered = self.waits_for_numbers = True
        return " " * 8 if number is None else f"{number:<7} "

    def _parts(self, text: str, indent: int) -> tuple[tuple[int, int], ...]:
        room = max(8, self.width - indent)
        if not self.wrap or (len(text) <= room and text.isascii()):
            return ((0, len(text)),)
        if text.isascii():
            return tuple((at, min(at + room, len(text))) for at in range(0, len(text), room))
        parts, at = [], 0
        for piece in chop_cells(text, room) or [""]:
            parts.append((at, at + len(piece)))
            at += len(piece)
        return tuple(parts)

    def _moment(self, nanoseconds: int) -> str:
        if self.timestamps == "off":
            return ""
        if not nanoseconds:
            return " " * 13
        if self.timestamps == "relative":
            whole, fraction = divmod(max(0, nanoseconds - self.origin), 1_000_000_000)
            return f"+{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{fraction // 1_000_000:03} "
        seconds, fraction = divmod(nanoseconds, 1_000_000_000)
        utc = self.timestamps == "utc"
        fields = time.gmtime(seconds) if utc else time.localtime(seconds)
        return f"{time.strftime('%m-%d %H:%M:%S', fields)}.{fraction // 1_000_000:03}{'Z' if utc else ''} "


def coloured(text: str, start: int, end: int, base: Style, marks: Sequence[tuple[int, int, Style]]) -> list[Segment]:
    """text[start:end] in pieces of one style each; later marks lie over earlier ones."""
    inside = [(max(one, start), min(other, end), style) for one, other, style in marks if one < end and other > start]
    if not inside:
        return [Segment(text[start:end], base)]
    edges = sorted({start, end, *(one for one, _, _ in inside), *(other for _, other, _ in inside)})
    segments = []
    for left, right in pairwise(edges):
        style = base
        for one, other, over in inside:
            if one <= left and other >= right:
                style += over
        segments.append(Segment(text[left:right], style))
    return segments
