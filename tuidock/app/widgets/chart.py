"""A line chart in braille, two by four dots a cell, with a scale: use over time of one or two series. Where nothing is
known (None) the line is broken.

Drawn only when a sample comes; the scale goes in steps, so that it does not flicker with every value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tuidock.app.widgets.rows import fit
from tuidock.engine.clean import clean

_BRAILLE: Final = 0x2800
#: The bit of a dot by its column and its row from the top.
_DOTS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_KEPT: Final = 4_096


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def nice_ceiling(value: float, base: int = 10) -> float:
    """The next of 1, 2, 5 times a power (of two for bytes) that is not below the value."""
    if value <= 0:
        return 1.0
    power = 1.0
    if base == 2:
        while power < value:
            power *= 2
        return power
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value * 0.999999)


def dots(values: Sequence[float | None], width: int, height: int, maximum: float) -> list[list[int]]:
    """Braille bits by row and column; the last value is at the right edge. Neighbours are joined by a line."""
    grid = [[0] * width for _ in range(height)]
    shown = list(values)[-width * 2 :]
    rows = height * 4
    left = width * 2 - len(shown)
    previous: int | None = None
    for i, value in enumerate(shown):
        if value is None:
            previous = None
            continue
        level = round(min(1.0, max(0.0, value / maximum if maximum > 0 else 0.0)) * (rows - 1))
        y = rows - 1 - level
        first, last = (y, y) if previous is None else (min(previous, y), max(previous, y))
        x = left + i
        for at in range(first, last + 1):
            if previous is not None and at == previous and first != last:
                continue
            grid[at // 4][x // 2] |= _DOTS[x % 2][at % 4]
        previous = y
    return grid


class Chart(Widget):
    """push a sample, see the line; `unit` makes the words of the scale."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"chart--axis", "chart--title", "chart--first", "chart--second"}
    DEFAULT_CSS = """
    Chart {
        height: 8;
        width: 1fr;
        & > .chart--axis { color: $text-muted; }
        & > .chart--title { color: $foreground; text-style: bold; }
        & > .chart--first { color: $primary; }
        & > .chart--second { color: $accent; }
    }
    """

    def __init__(
        self,
        title: str = "",
        unit: Callable[[float], str] = number,
        series: int = 1,
        maximum: float | None = None,
        *,
        names: Sequence[str] = (),
        binary: bool = False,
        least: float = 0.0,
        ascii: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._title, self._unit, self._maximum = title, unit, maximum
        self._names, self._base, self._ascii = tuple(names), 2 if binary else 10, ascii
        self._note = ""
        self._least = least  # the scale ends no lower: what its words round to nothing is no news
        self._series = [deque[float | None](maxlen=_KEPT) for _ in range(series)]

    def push(self, *values: float) -> None:
        """One sample of every series."""
        for series, value in zip(self._series, values, strict=True):
            series.append(value)
        self.refresh()

    def set_series(self, series: Sequence[Sequence[float | None]]) -> None:
        """All samples anew, the oldest first."""
        self._series = [deque(values, maxlen=_KEPT) for values in series]
        self.refresh()

    def set_note(self, text: str) -> None:
        """Words behind the numbers of now: a limit, the highest value."""
        if text != self._note:
            self._note = text
            self.refresh()

    @property
    def points(self) -> int:
        """How many values fit, about: the words of the scale take some cells."""
        return max(2, (self.size.width - 8) * 2)

    def clear(self) -> None:
        for series in self._series:
            series.clear()
        self.refresh()

    @property
    def top(self) -> float:
        """The upper end of the scale for what is on screen."""
        shown = [value for series in self._series for value in list(series)[-self.size.width * 2 :]]
        highest = max((value for value in shown if value is not None), default=0.0)
        if self._maximum is not None:
            return max(self._maximum, highest)
        return nice_ceiling(max(highest, self._least), self._base)

    def render_lines(self, crop: object) -> list[Strip]:
        self._plot()
        return super().render_lines(crop)  # type: ignore[arg-type]

    def _plot(self) -> None:
        """The dots of this frame, once for all its lines."""
        self._top = self.top
        self._scale = max(len(self._unit(value)) for value in (self._top, 0.0)) + 1
        self._width = max(1, self.size.width - self._scale - 1)
        self._height = max(1, self.size.height - 1)
        self._grids = [dots(series, self._width, self._height, self._top) for series in self._series]

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        width = self.size.width
        axis = base + self.get_component_rich_style("chart--axis", partial=True)
        lines = [base + self.get_component_rich_style(f"chart--{n}", partial=True) for n in ("first", "second")]
        if y == 0:
            title = self.get_component_rich_style("chart--title", partial=True)
            segments = [Segment(fit(self._title, min(len(self._title), width)) + "  ", base + title)]
            for i, series in enumerate(self._series):
                name = f"{clean(self._names[i])} " if i < len(self._names) else ""
                last = series[-1] if series else None
                now = self._unit(last) if last is not None else "-"
                segments.append(Segment(f"{name}{now}  ", lines[i % 2]))
            segments.append(Segment(self._note, axis))
            return Strip(segments).crop_extend(0, width, base)
        row = y - 1
        label = self._unit(self._top) if row == 0 else self._unit(0.0) if row == self._height - 1 else ""
        edge = "|" if self._ascii else "┤" if label else "│"
        segments = [Segment(fit(label, self._scale - 1, "right") + " " + edge, axis)]
        for x in range(self._width):
            bits = [grid[row][x] if row < self._height else 0 for grid in self._grids]
            owner = next((i for i in reversed(range(len(bits))) if bits[i]), 0)
            together = 0
            for one in bits:
                together |= one
            glyph = ("*" if together else " ") if self._ascii else chr(_BRAILLE + together) if together else " "
            segments.append(Segment(glyph, lines[owner % 2] if lines else base))
        return Strip(segments).simplify().crop_extend(0, width, base)
