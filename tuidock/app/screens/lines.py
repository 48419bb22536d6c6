"""One-line widgets that a mouse can press: a row of tabs, and the keys of the moment at the foot of a screen.

Textual's TabbedContent and Footer mount a widget for each tab and key, which costs more at the start than the whole
main screen; a line that draws itself is one widget and one strip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


class Item(NamedTuple):
    """A part of a line: a tab, or a key with its label."""

    key: str
    text: str
    hint: str = ""
    enabled: bool = True
    rank: int = 0


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
        self._spans: list[tuple[int, int, str]] = []

    def set_items(self, items: Sequence[Item]) -> None:
        fresh = tuple(items)
        if fresh != self.items:
            self.items = fresh
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        x = event.x
        for start, end, key in self._spans:
            if start <= x < end:
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
        self._spans = []
        parts: list[Content] = []
        x = 0
        width = self.size.width
        gap = 2
        total = sum(len(item.text) + gap for item in self.items)
        items = self.items
        if total > width and self.active:
            # Too narrow for all: keep the active one and its neighbours in sight.
            at = next((i for i, item in enumerate(items) if item.key == self.active), 0)
            while at > 0 and sum(len(item.text) + gap for item in items[: at + 1]) > width:
                items = items[1:]
                at -= 1
        for item in items:
            active = item.key == self.active
            style = "bold underline $accent" if active else "$tuidock-muted"
            parts.append(Content.styled(item.text, style))
            parts.append(Content(" " * gap))
            self._spans.append((x, x + len(item.text), item.key))
            x += len(item.text) + gap
        room = width - x
        if self.suffix and room > 4:
            text = self.suffix
            while len(text) > room and " · " in text:
                text = text.rpartition(" · ")[0]
            text = text if len(text) <= room else text[: room - 1] + "…"
            parts.append(Content(" " * (room - len(text))))
            parts.append(Content.styled(text, "$tuidock-muted"))
        return Content("").join(parts).truncate(width, ellipsis=True) if parts else Content("")


class KeyLine(PressableLine):
    """Keys with what they do; when they do not fit, those of the highest rank go first, then those further right."""

    def render(self) -> Content:
        self._spans = []
        width = self.size.width
        items = list(self.items)

        def length(item: Item) -> int:
            return len(item.hint) + 1 + len(item.text) + 2

        while len(items) > 1 and sum(map(length, items)) - 2 > width:
            least = max(range(len(items) - 1), key=lambda at: (items[at].rank, at))
            del items[least]
        parts: list[Content] = []
        x = 0
        for item in items:
            parts.append(Content.styled(item.hint, "bold $accent" if item.enabled else "$tuidock-faint"))
            parts.append(Content.styled(f" {item.text}  ", "$tuidock-muted" if item.enabled else "$tuidock-faint"))
            self._spans.append((x, x + length(item) - 2, item.key))
            x += length(item)
        return Content("").join(parts).truncate(width) if parts else Content("")
