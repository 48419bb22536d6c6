"""Component styles by their short names, kept until the theme changes: asking Textual for one costs more than drawing."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.scroll_view import ScrollView


class StyleCache(ScrollView):
    """A view that draws its lines itself. STYLE_PREFIX is what its component classes begin with."""

    STYLE_PREFIX: ClassVar[str] = ""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        self._styles: dict[str, Style] = {}
        super().__init__(id=id, classes=classes)

    def _style(self, name: str) -> Style:
        if name not in self._styles:
            self._styles[name] = self.get_component_rich_style(f"{self.STYLE_PREFIX}--{name}", partial=True)
        return self._styles[name]

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
