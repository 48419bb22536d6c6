"""Pictures of table, log view and chart at 80x24, in colour and under NO_COLOR, and that no colour is left there.

A picture changes only when a widget does: look at it, then `pytest tests/app/widgets --snapshot-update`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from rich.color import ColorType
from textual.app import App, ComposeResult

from tests.app.widgets.test_line_table import COLUMNS
from tests.app.widgets.test_log_view import append, record
from tests.fakes.driving import until_still
from tuidock.app.log_sources import Rule
from tuidock.app.widgets import told_sizes
from tuidock.app.widgets.chart import Chart
from tuidock.app.widgets.line_table import Cell, LineTable, Row
from tuidock.app.widgets.log_view import LogSource, LogView

WIDGETS = ["table", "log", "chart"]
LOOKS = ["colour", "nocolor", "nocolor-ansi"]


class PictureApp(App[None]):
    def __init__(self, what: str, directory: Path, look: str) -> None:
        # as the app does it: under NO_COLOR the filter is chosen while the app is made
        super().__init__(ansi_color=look == "nocolor-ansi" or None)
        told_sizes.install()
        self.what, self.directory = what, directory
        if look == "nocolor-ansi":
            self.theme = "ansi-dark"

    def compose(self) -> ComposeResult:
        if self.what == "table":
            yield LineTable(COLUMNS)
        elif self.what == "log":
            yield LogView()
        else:
            yield Chart("CPU", unit=lambda value: f"{value:.0f}%", series=2, names=("user", "system"))

    def on_mount(self) -> None:
        getattr(self, f"fill_{self.what}")()
        self.screen.query("*").first().focus()

    def fill_table(self) -> None:
        table = self.query_one(LineTable)
        styles = ("good", "warn", "bad", "muted", "accent")
        table.set_rows(
            [
                Row(f"web-{i}", (f"web-{i}", Cell(f"{i * 7}.5%", styles[i % 5]), "nginx"), (f"web-{i:02}", i, "nginx"))
                for i in range(30)
            ]
        )
        table.set_filter("-1", hide=False)
        table.move_cursor("web-4")
        table.toggle_mark("web-2")
        table.toggle_mark("web-4")
        table.sort_by("cpu")

    def fill_log(self) -> None:
        sources = []
        for name in ("db", "web"):
            lines = [f"\x1b[3{i % 8}mcolour {i}\x1b[0m of {name}" if i % 3 else f"ERROR {i}: 漢字 é" for i in range(40)]
            append(self.directory / name, 1, b"".join(record(one.encode(), i * 2) for i, one in enumerate(lines)))
            sources.append(LogSource(name, name, str(self.directory / name)))
        append(self.directory / "web", 1, record(b'{"level":"warn","at":[1]}', 90) + record(b"x" * 200, 91))
        view = self.query_one(LogView)
        view.timestamps = "utc"
        view.show(sources)
        view.add_rules([Rule("web exited (137)", (1_795_478_400 + 89) * 10**9, "", "")])

    def fill_chart(self) -> None:
        chart = self.query_one(Chart)
        for i in range(120):
            chart.push(float(i * i % 97), float(i % 40))


def ready(pilot_app: Any) -> bool:
    view = pilot_app.query(LogView).first(LogView) if pilot_app.what == "log" else None
    return view is None or (view.search_progress >= 1 and view.hit_number is not None)


async def settle(pilot: Any) -> None:
    """Everything is laid out, and the thread that searches has found what there is."""
    if pilot.app.what == "log":
        view = pilot.app.query_one(LogView)
        await until_still(pilot, lambda: view._session is not None and view._session.view.rows)
        view.search("colour 3")
    await until_still(pilot, lambda: ready(pilot.app))


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], PictureApp]:
    def make(what: str, look: str) -> PictureApp:
        if look.startswith("nocolor"):
            monkeypatch.setenv("NO_COLOR", "1")
        return PictureApp(what, tmp_path, look)

    return make


@pytest.mark.parametrize("look", LOOKS[:2])
@pytest.mark.parametrize("what", WIDGETS)
def test_pictures(snap_compare: Any, picture: Callable[[str, str], PictureApp], what: str, look: str) -> None:
    run_before: Callable[[Any], Awaitable[None]] = settle
    assert snap_compare(picture(what, look), terminal_size=(80, 24), run_before=run_before)


@pytest.mark.parametrize("look", LOOKS[1:])
@pytest.mark.parametrize("what", WIDGETS)
async def test_no_color_leaves_no_colour(picture: Callable[[str, str], PictureApp], what: str, look: str) -> None:
    app = picture(what, look)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        segments = [segment for strip in app.screen._compositor.render_strips() for segment in strip]
        for segment in segments:
            style = segment.style
            for colour in (style.color, style.bgcolor) if style is not None else ():
                if look == "nocolor-ansi":
                    assert colour is None or colour.type is ColorType.DEFAULT
                elif colour is not None and colour.triplet is not None:
                    assert len(set(colour.triplet)) == 1
        # what stands out does so without colour
        marked = [one.text for one in segments if one.style is not None and one.style.reverse]
        if what == "table":
            assert any("web-4" in text for text in marked) and any(text.startswith("▌✓") for text in marked)
        elif what == "log":
            assert "colour 3" in marked


async def test_lines_that_are_selected_are_reversed_without_colours(picture: Callable[[str, str], PictureApp]) -> None:
    app = picture("log", "nocolor")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("escape", "v", "k")
        view = app.query_one(LogView)
        rows = [view.render_line(y) for y in range(24)]
        reversed_rows = [
            row for row in rows if any(one.style and one.style.reverse and one.text.strip() for one in row)
        ]
        assert len(reversed_rows) >= 2
