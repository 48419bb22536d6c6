"""A text of a few thousand lines, drawn by line: a Dockerfile with the lines of a step marked, or a file of an image.

The text is cleaned line by line when it is drawn; a line of a megabyte costs what is on screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from tuidock.app.widgets import narrow_updates
from tuidock.app.widgets.rows import fit
from tuidock.app.widgets.style_cache import StyleCache
from tuidock.engine.clean import clean

#: More of a line than any screen has cells.
_LONGEST = 4_096


class TextView(StyleCache, can_focus=True):
    """show lines; mark a range of them. dockerfile colours instructions and comments."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "rows(-1)", "up", show=False, id="text.up"),
        Binding("down,j", "rows(1)", "down", show=False, id="text.down"),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False, id="text.page_up"),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False, id="text.page_down"),
        Binding("ctrl+u", "page(-0.5)", "half page up", show=False, id="text.half_up"),
        Binding("ctrl+d", "page(0.5)", "half page down", show=False, id="text.half_down"),
        Binding("home,g", "rows(-1000000000)", "top", show=False, id="text.top"),
        Binding("end,G", "rows(1000000000)", "bottom", show=False, id="text.bottom"),
    ]
    STYLE_PREFIX = "text-view"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"text-view--{name}" for name in ("number", "word", "comment", "marked", "marked-number", "failed")
    }
    DEFAULT_CSS = """
    TextView {
        height: 1fr;
        width: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .text-view--number { color: $text-disabled; }
        & > .text-view--word { color: $primary; text-style: bold; }
        & > .text-view--comment { color: $text-muted; }
        & > .text-view--marked { background: $block-cursor-blurred-background; text-style: bold; }
        & > .text-view--marked-number { color: $accent; text-style: bold; }
        & > .text-view--failed { color: $error; text-style: bold; }
        &:nocolor > .text-view--marked { text-style: reverse; }
    }
    """

    def __init__(
        self, *, numbers: bool = True, dockerfile: bool = False, ascii: bool = False, id: str | None = None,
        classes: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)
        narrow_updates.install()
        self._numbers, self._dockerfile = numbers, dockerfile
        self._pointer = ">" if ascii else "▌"
        self._text = ""
        self._lines: Sequence[str] = ()
        self._rows: list[tuple[int, int]] = []  # number of the line, where in it the row begins
        self._marked = (0, 0)
        self._failed = False
        self._wrap = False

    # -- what is shown ----------------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        return self._text

    @property
    def wrap(self) -> bool:
        return self._wrap

    def show(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self._lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n") if text else []
            self._layout_rows()

    def mark(self, first: int, last: int = 0, failed: bool = False) -> None:
        """Marks lines, counted from 1, and brings them into view; 0 marks none."""
        marked = (first, max(first, last)) if first > 0 else (0, 0)
        if (marked, failed) == (self._marked, self._failed):
            return
        self._marked, self._failed = marked, failed
        self._keep_marked_in_view()
        self.refresh()

    def set_wrap(self, on: bool) -> None:
        self._wrap = on
        self._layout_rows()

    def _keep_marked_in_view(self) -> None:
        first, last = self._marked
        height = self.size.height
        if not first or not height:
            return
        top = self.scroll_offset.y
        if first - 1 < top or last > top + height:
            # a third of the view above it: what led there is worth reading, too
            self.scroll_to(y=max(0, first - 1 - height // 3), animate=False, immediate=True, force=True)

    # -- drawing ----------------------------------------------------------------------------------------------------

    @property
    def _gutter(self) -> int:
        return len(str(max(1, len(self._lines)))) + 3 if self._numbers else 1

    def _layout_rows(self) -> None:
        room = max(1, self.size.width - self._gutter - 1)
        rows = []
        for number, line in enumerate(self._lines):
            rows.append((number, 0))
            if self._wrap:
                rows += [(number, at) for at in range(room, min(len(line), _LONGEST), room)]
        self._rows = rows
        self.virtual_size = Size(self.size.width, len(rows))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        base, width = self.rich_style, self.size.width
        index = self.scroll_offset.y + y
        if index >= len(self._rows):
            return Strip.blank(width, base)
        number, start = self._rows[index]
        marked = self._marked[0] <= number + 1 <= self._marked[1]
        over = self._style("marked") if marked else Style.null()
        gutter = self._gutter
        segments = []
        if self._numbers:
            sign = self._pointer if marked else " "
            text = sign + fit(str(number + 1) if not start else "", gutter - 2, "right") + " "
            style = "failed" if marked and self._failed else "marked-number" if marked else "number"
            segments.append(Segment(text, base + self._style(style) + over))
        else:
            segments.append(Segment(" ", base))
        room = max(1, width - gutter)
        line = clean(self._lines[number].expandtabs(4)[:_LONGEST])
        text = line[start : start + room - 1] if self._wrap else fit(line, min(len(line), room))
        segments += self._coloured(text, base, over, number, start)
        return Strip(segments).crop_extend(0, width, base + over)

    def _coloured(self, text: str, base: Style, over: Style, number: int, start: int) -> list[Segment]:
        plain = base + over
        if not self._dockerfile or start:
            return [Segment(text, plain)]
        stripped = text.lstrip()
        if stripped.startswith("#"):
            return [Segment(text, base + self._style("comment") + over)]
        word = stripped.partition(" ")[0]
        continued = number > 0 and self._lines[number - 1].rstrip().endswith("\\")
        if not word.isalpha() or not word.isupper() or continued:
            return [Segment(text, plain)]
        at = len(text) - len(stripped)
        return [
            Segment(text[:at], plain), Segment(word, base + self._style("word") + over),
            Segment(text[at + len(word) :], plain),
        ]  # fmt: skip

    # -- events -----------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        self._layout_rows()
        self._keep_marked_in_view()

    def action_rows(self, rows: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False, immediate=True)

    def action_page(self, pages: float) -> None:
        self.action_rows(round(pages * max(1, self.size.height - 1)))
