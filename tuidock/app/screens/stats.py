"""The statistics tab: five charts of what a container has used, over two minutes, ten minutes or an hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tuidock.app import format as shown
from tuidock.app.history import SPANS
from tuidock.app.model import ViewModel
from tuidock.app.widgets.chart import Chart
from tuidock.app.words import tr
from tuidock.engine.types import Container, Stats

#: The charts and the curves of `history.Use` in them.
CURVES = {
    "cpu": ("cpu_percent",),
    "memory": ("memory",),
    "network": ("net_rx", "net_tx"),
    "disk": ("block_read", "block_write"),
    "pids": ("pids",),
}


def span_words(seconds: int) -> str:
    return "last hour" if seconds == 3600 else f"last {seconds // 60} min"


class StatsView(Vertical):
    """Processor, memory with its limit, network, disk and processes."""

    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "span", "time", show=False, id="stats.span"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._span = SPANS[0]
        self._showing: tuple[ViewModel, Container] | None = None

    def compose(self) -> ComposeResult:
        yield Static("", classes="stats-note", markup=False)
        yield Chart("CPU % of one core", unit=lambda value: f"{value:.1f}%", least=1.0, id="chart-cpu")
        yield Chart("memory", unit=lambda value: shown.size(int(value)), id="chart-memory")
        yield Chart("network ↓ ↑", unit=shown.rate, series=2, id="chart-network")
        yield Chart("disk read write", unit=shown.rate, series=2, id="chart-disk")
        yield Chart("processes", unit=lambda value: f"{value:.0f}", least=1.0, id="chart-pids")

    def show(self, model: ViewModel, container: Container) -> None:
        self._later(lambda: self._show(model, container))

    def _later(self, call: Callable[[], Any]) -> None:
        if self.is_mounted and self.query(Chart):
            call()
        else:
            self.call_after_refresh(call)

    def _show(self, model: ViewModel, container: Container) -> None:
        self._showing = (model, container)
        runs = container.status in ("running", "paused")
        note = self.query_one(".stats-note", Static)
        note.update("" if runs else tr("It is {status}, so there is nothing to measure.", status=container.status))
        note.display = not runs
        self._draw()

    def on_resize(self) -> None:
        self._later(self._draw)

    def push(self, model: ViewModel, identity: str) -> None:
        """A sample came in."""
        if self._showing is not None and self._showing[1].id == identity and self.query(Chart):
            self._draw()

    def action_span(self) -> None:
        """The next longer time; after the longest the shortest."""
        self._span = SPANS[(SPANS.index(self._span) + 1) % len(SPANS)]
        self._draw()

    def _draw(self) -> None:
        if self._showing is None:
            return
        model, container = self._showing
        past = model.history.get(container.id)
        charts = {name: self.query_one(f"#chart-{name}", Chart) for name in CURVES}
        points = charts["cpu"].points
        curves = past.series(self._span, points) if past is not None else {}
        for name, chart in charts.items():
            chart.set_series([curves.get(each, []) for each in CURVES[name]])
        last = past.last if past is not None else None
        charts["cpu"].set_note(f"{span_words(self._span)} (t)")
        charts["memory"].set_note(limit_words(last))
        charts["pids"].set_note(
            tr("of {pids_limit}", pids_limit=last.pids_limit) if last is not None and last.pids_limit else ""
        )


def limit_words(last: Stats | None) -> str:
    if last is None or not last.memory_limit:
        return ""
    return f"{100 * last.memory / last.memory_limit:.0f}% of {shown.size(last.memory_limit)}"
