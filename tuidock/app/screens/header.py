"""The line at the top: where this is, how many containers there are in which state, how the machine is used, jobs."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from tuidock.app import spans
from tuidock.app.model import ViewModel
from tuidock.app.screens.lines import content


class Header(Widget):
    """Drawn from the view model by `spans.header`."""

    DEFAULT_CSS = "Header { height: 1; width: 1fr; }"
    ALLOW_SELECT = False

    def __init__(self, model: ViewModel, *, read_only: bool, ascii: bool) -> None:
        super().__init__(id="header")
        self._model, self._read_only, self._ascii = model, read_only, ascii
        self._spans: spans.Spans = []

    def show(self) -> None:
        """Draws itself anew when there is news."""
        width = self.size.width
        if not width or not self.is_mounted:
            return
        fresh = self._fresh()
        if fresh == self._spans:
            return
        before = "".join(text for text, _ in self._spans).ljust(width)
        after = "".join(text for text, _ in fresh).ljust(width)
        self._spans = fresh
        differing = [at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new]
        # Once a second a number changes: only its place is sent again.
        if differing and len(before) == len(after):
            self.refresh(Region(differing[0], 0, differing[-1] - differing[0] + 1, 1))
        else:
            self.refresh()

    def _fresh(self) -> spans.Spans:
        return spans.header(self._model, self.size.width, self._read_only, self._ascii)

    def render(self) -> Content:
        self._spans = self._fresh()
        return content(self._spans, self.size.width)
