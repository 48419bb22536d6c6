"""One-line widgets that a mouse can press: a row of tabs, and the keys of the moment at the foot of a screen.

Textual's TabbedContent and Footer mount a widget for each tab and key, which costs more at the start than the whole
main screen; a line that draws itself is one widget and one strip.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tuidock.app import spans
from tuidock.app.spans import Item

__all__ = ["Item", "KeyLine", "PressableLine", "TabLine", "content"]


def content(pieces: spans.Spans, width: int) -> Content:
    """A whole line of Textual's from pieces."""
    line = Content("").join([Content.styled(text, spans.STYLES[style]) for text, style in pieces])
    return line.pad_right(max(0, width - line.cell_length)).truncate(width)


class PressableLine(Widget):
    """A line of items; a press on one posts Pressed."""

    DEFAULT_CSS = "PressableLine { height: 1; width: 1fr; }"
    ALLOW_SELECT = False

    class Pressed(Message):
        def __init__(self, line: PressableLine, key: str) -> None:
            super().__init__()
            self.line, self.key = line, key

        @property
        def control(self) -> PressableLine:
            return self.line

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.items: tuple[Item, ...] = ()
        self._places: spans.Places = []

    def set_items(self, items: Sequence[Item]) -> None:
        fresh = tuple(items)
        if fresh != self.items:
            self.items = fresh
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        for start, end, key in self._places:
            if start <= event.x < end:
                self.post_message(self.Pressed(self, key))
                event.stop()
                return


class TabLine(PressableLine):
    """Tabs; the active one is bold and in the accent colour."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.active = ""
        self.suffix = ""

    def set_active(self, key: str, suffix: str = "") -> None:
        if (key, suffix) != (self.active, self.suffix):
            self.active, self.suffix = key, suffix
            self.refresh()

    def render(self) -> Content:
        pieces, self._places = spans.tabs(self.items, self.active, self.suffix, self.size.width)
        return content(pieces, self.size.width)


class KeyLine(PressableLine):
    """Keys with what they do."""

    def render(self) -> Content:
        pieces, self._places = spans.keys(self.items, self.size.width)
        return content(pieces, self.size.width)
