"""Small bits of one line: a status line with two ends, and a meter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tuidock.app.widgets.rows import STYLES, Cell, fit
from tuidock.engine.clean import clean

_NAMES = [name for name in STYLES if name]
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(fraction: float, width: int, ascii: bool = False) -> str:
    """A bar of so many cells, filled in steps of an eighth."""
    fraction = min(1.0, max(0.0, fraction))
    if ascii:
        full = round(fraction * width)
        return "#" * full + " " * (width - full)
    eighths = round(fraction * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


class StyledLine(Widget):
    """A widget of one line that draws cells by the names of their styles."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"styled-line--{name}" for name in _NAMES}
    DEFAULT_CSS = """
    StyledLine {
        height: 1;
        width: 1fr;
        & > .styled-line--muted { color: $text-muted; }
        & > .styled-line--good { color: $success; }
        & > .styled-line--warn { color: $warning; }
        & > .styled-line--bad { color: $error; }
        & > .styled-line--accent { color: $accent; }
        & > .styled-line--busy { color: $primary; }
    }
    """

    def segment(self, text: str, style: str = "") -> Segment:
        """A piece of text in a style by name."""
        over = self.get_component_rich_style(f"styled-line--{style}", partial=True) if style else Style.null()
        return Segment(text, self.rich_style + over)


class StatusLine(StyledLine):
    """Cells from the left, cells from the right; when both do not fit the left ones are cut, or with `left_first` the end
    of the right ones."""

    def __init__(
        self, *, left_first: bool = False, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._left_first = left_first
        self._left: tuple[Cell, ...] = ()
        self._right: tuple[Cell, ...] = ()

    def set(self, left: Sequence[Cell | str], right: Sequence[Cell | str] = ()) -> None:
        """Show these; draws only when something differs."""
        new = _cells(left), _cells(right)
        if new != (self._left, self._right):
            self._left, self._right = new
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y:
            return Strip.blank(width, base)
        right = [self.segment(cell.text, cell.style) for cell in self._right_cells(width)]
        used = sum(cell_len(segment.text) for segment in right)
        room = max(0, width - used - (1 if used else 0))
        left = Strip([self.segment(cell.text, cell.style) for cell in self._left])
        if left.cell_length > room:
            left = Strip([*left.crop(0, max(0, room - 1)), self.segment("…", "muted")])
        line = Strip([*left.crop_extend(0, max(room, width - used), base), *right])
        return line.crop_extend(0, width, base)

    def _right_cells(self, width: int) -> tuple[Cell, ...]:
        """The right ones, without what the left ones leave no room for: by pieces between ` · `, from the end."""
        if not self._left_first or len(self._right) != 1:
            return self._right
        room = width - sum(cell_len(cell.text) for cell in self._left) - 2
        text, style = self._right[0]
        while text and cell_len(text) > room:
            text = text.rpartition(" · ")[0]
        return (Cell(text, style),) if text else ()


class Meter(StyledLine):
    """A label, a bar and a text: `pull nginx ████▌ 62%`."""

    def __init__(
        self,
        label: str = "",
        *,
        ascii: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._label, self._ascii = label, ascii
        self._fraction, self._text, self._style_name = 0.0, "", "busy"

    def set(self, fraction: float, text: str = "", *, label: str | None = None, style: str = "busy") -> None:
        """How full, and the text behind it; draws only when it looks different."""
        label = self._label if label is None else label
        new = (round(min(1.0, max(0.0, fraction)), 3), text, label, style)
        if new != (self._fraction, self._text, self._label, self._style_name):
            self._fraction, self._text, self._label, self._style_name = new
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y:
            return Strip.blank(width, base)
        share = max(4, width // 3)
        label = fit(self._label, share) + " "
        text = " " + fit(self._text, share, "right")
        room = max(1, width - len(label) - len(text))
        segments = [
            self.segment(label),
            self.segment(bar(self._fraction, room, self._ascii), self._style_name),
            self.segment(text, "muted"),
        ]
        return Strip(segments).crop_extend(0, width, base)


def _cells(cells: Sequence[Cell | str]) -> tuple[Cell, ...]:
    """Clean, so that comparing is comparing what would be drawn."""
    pairs = [cell if isinstance(cell, Cell) else Cell(cell) for cell in cells]
    return tuple(Cell(clean(cell.text), cell.style) for cell in pairs)
