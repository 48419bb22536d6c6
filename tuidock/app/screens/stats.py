"""The statistics tab: four charts of the last two minutes."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tuidock.app import format as shown
from tuidock.app.model import ViewModel
from tuidock.app.tabs import values
from tuidock.app.widgets.chart import Chart
from tuidock.engine.types import Container


class StatsView(Vertical):
    """Four charts: processor, memory, network and disk."""

    can_focus = False

    def compose(self) -> ComposeResult:
        yield Static("", classes="stats-note", markup=False)
        yield Chart("CPU % of one core", unit=lambda value: f"{value:.1f}%", least=1.0, id="chart-cpu")
        yield Chart("memory", unit=lambda value: shown.size(int(value)), id="chart-memory")
        yield Chart("network ↓ ↑", unit=shown.rate, series=2, id="chart-network")
        yield Chart("disk read write", unit=shown.rate, series=2, id="chart-disk")

    def show(self, model: ViewModel, container: Container) -> None:
        self._later(lambda: self._show(model, container))

    def _later(self, call: Any) -> None:
        if self.is_mounted and self.query(Chart):
            call()
        else:
            self.call_after_refresh(call)

    def _show(self, model: ViewModel, container: Container) -> None:
        past = list(model.history.get(container.id, ()))
        series = [values(before, now) for before, now in zip([None, *past], past, strict=False)]
        for at, name in enumerate(("cpu", "memory", "network", "disk")):
            chart = self.query_one(f"#chart-{name}", Chart)
            parts = [each[at] for each in series]
            width = 2 if at > 1 else 1
            chart.set_series([[part[each] for part in parts] for each in range(width)])
        runs = container.status in ("running", "paused")
        note = self.query_one(".stats-note", Static)
        note.update("" if runs else f"It is {container.status}, so there is nothing to measure.")
        note.display = not runs

    def push(self, model: ViewModel, identity: str) -> None:
        past = model.history.get(identity)
        if not past or not self.query(Chart):
            return
        now = values(past[-2] if len(past) > 1 else None, past[-1])
        for name, numbers in zip(("cpu", "memory", "network", "disk"), now, strict=True):
            self.query_one(f"#chart-{name}", Chart).push(*numbers)
