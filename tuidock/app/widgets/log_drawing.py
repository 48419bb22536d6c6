"""How the log view draws itself, its scroll bar and what is selected; the state is in `log_view`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.color import Color, ColorParseError
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from tuidock.app.logs.viewport import ShownRow
from tuidock.app.widgets.log_rows import RowMaker
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app.logs.records import Line
    from tuidock.app.logs.session import Session
    from tuidock.app.widgets.log_view import LogView


class LogDrawing:
    """Mixed into LogView, whose state it uses."""

    _session: Session | None
    _current: Line | None
    _maker: RowMaker
    _styles: dict[str, Style]
    _select_from: int | None
    _select_to: int
    _shift: int
    _had: tuple[int, ...]

    def get_selection(self: LogView, selection: Selection) -> tuple[str, str] | None:  # type: ignore[misc]
        session = self._session
        if session is None:
            return None
        rows = session.view.rows
        if not rows:
            return None
        first = selection.start.y if selection.start is not None else rows[0].number
        last = selection.end.y if selection.end is not None else rows[-1].number
        left = selection.start.x if selection.start is not None else 0
        right = selection.end.x if selection.end is not None else None
        return self._text_between(first, last, left, right), "\n"

    def selection_updated(self: LogView, selection: Selection | None) -> None:  # type: ignore[misc]
        if selection is not None and self.follow:
            self.follow = False  # what is being selected must not run away
        self.refresh()

    def _text_between(self: LogView, first: int, last: int, left: int, right: int | None) -> str:  # type: ignore[misc]
        assert self._session is not None
        pieces: list[str] = []
        for row in self._session.view.between(first, last):
            text = self._maker.row_text(row.line, row.part, self._shift)
            start, end = (left if row.number == first else 0), (right if row.number == last else None)
            follows = bool(pieces) and 0 < row.part < len(self._maker.layout(row.line).parts)
            if follows:
                # a wrapped line is one line
                indent = len(self._maker.layout(row.line).prefix)
                pieces[-1] += text[max(start, indent) : end]
            else:
                pieces.append(text[start:end])
        return "\n".join(pieces)

    def _style(self: LogView, name: str) -> Style:  # type: ignore[misc]
        if name not in self._styles:
            self._styles[name] = (
                self.get_component_rich_style(f"log-view--{name}", partial=True) if name else self.rich_style
            )
        return self._styles[name]

    def notify_style_update(self: LogView) -> None:  # type: ignore[misc]
        Widget.notify_style_update(self)
        self._styles.clear()
        if self._session is not None:
            self._paint_sources()

    def _paint_sources(self: LogView) -> None:  # type: ignore[misc]
        assert self._session is not None
        colours = []
        for i, source in enumerate(self._session.sources):
            try:
                colours.append(Style(color=Color.parse(source.colour).rich_color) if source.colour else None)
            except ColorParseError:
                colours.append(None)
            if colours[-1] is None and self.is_attached:
                colours[-1] = self._style(f"source-{i % 6}")
        self._maker.colours = [colour or Style.null() for colour in colours]

    def render_line(self: LogView, y: int) -> Strip:  # type: ignore[misc]
        width, base, session = self.size.width, self.rich_style, self._session
        rows = session.view.rows if session is not None else []
        if y == 0:
            self._had = self._bar()
        if session is None or y >= len(rows):
            if y == len(rows) and all(row.line.stream == "note" for row in rows):
                # nothing, or only rules of runs that wrote nothing
                text = "  " + clean(self._empty_text())
                return Strip([Segment(text, base + self._style("muted"))]).crop_extend(0, width, base)
            strip = Strip.blank(max(0, width - 1), base)
        else:
            strip = self._row(rows[y], max(0, width - 1), base)
        return Strip.join([strip, self._bar_cell(y, base)])

    def _row(self: LogView, row: ShownRow, width: int, base: Style) -> Strip:  # type: ignore[misc]
        session, line = self._session, row.line
        assert session is not None
        query = session.query
        current = self._current is not None and (line.source, line.start) == (
            self._current.source,
            self._current.start,
        )
        hits: list[tuple[int, int]] = []
        if query is not None and line.stream != "note":
            hits = query.spans(self._maker.layout(line).text)[:200]
            if current and not hits:
                hits = [(0, len(self._maker.layout(line).text))]  # what matches is in a field that is not shown
        aside = session.is_neighbour(line)
        strip = self._maker.strip(line, row.part, self._shift, hits, current, aside).crop_extend(0, width, base)
        if self._select_from is not None:
            first, last = sorted((self._select_from, self._select_to))
            if first <= row.number <= last:
                strip = strip.apply_style(self._style("selected"))
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(row.number)) is not None:
            start, end = max(0, span[0]), width if span[1] == -1 else min(width, span[1])
            if start < end:
                parts = strip.divide([start, end, width]) if end < width else strip.divide([start, width])
                chosen = self.screen.get_component_rich_style("screen--selection")
                parts = [*parts[:1], parts[1].apply_style(chosen), *parts[2:]] if len(parts) > 1 else list(parts)
                strip = Strip.join(parts)
        return strip.simplify().apply_offsets(0, row.number)

    def _bar(self: LogView) -> tuple[int, ...]:  # type: ignore[misc]
        """First and last row of the scroll bar's thumb; empty when everything is on screen."""
        session = self._session
        if session is None or not session.view.rows or not session.size or self.size.height < 2:
            return ()
        whole, rows = session.whole(), session.view.rows
        first, last = session.place(rows[0].before) / whole, session.place(rows[-1].after) / whole
        if first <= 0 and last >= 1:
            return ()
        height = self.size.height
        length = max(1, round((last - first) * height))
        # the ends of the bar are reached at the ends of the log only
        room = height - length
        top = round(first / max(1e-9, 1 - (last - first)) * room)
        if first > 0:
            top = max(1, top) if room > 1 else top
        if last < 1:
            top = min(top, room - 1) if room > 1 else top
        return (max(0, top), max(0, top) + length)

    def _bar_cell(self: LogView, y: int, base: Style) -> Strip:  # type: ignore[misc]
        thumb = bool(self._had) and self._had[0] <= y < self._had[1]
        return Strip([Segment("┃" if thumb else " ", base + self._style("bar"))], 1)
