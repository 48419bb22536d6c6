"""Chart, timeline, tree, status line and meter."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.widget import Widget

from tuidock.app.widgets.chart import Chart, dots, nice_ceiling
from tuidock.app.widgets.json_tree import JsonTree, path_text
from tuidock.app.widgets.rows import Cell
from tuidock.app.widgets.status import Meter, StatusLine, bar
from tuidock.app.widgets.timeline import Timeline, duration


class OneWidget(App[None]):
    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.seen: list[Any] = []

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_json_tree_copy_requested(self, event: JsonTree.CopyRequested) -> None:
        self.seen.append(event.text)


def screen(app: App[None]) -> list[str]:
    lines = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def test_the_scale_goes_in_steps() -> None:
    assert [nice_ceiling(value) for value in (0, 0.3, 1, 1.1, 4, 7, 99, 101)] == [1, 0.5, 1, 2, 5, 10, 100, 200]
    assert [nice_ceiling(value, 2) for value in (1, 3, 1000, 1025)] == [1, 4, 1024, 2048]


def test_dots_join_neighbours_and_end_at_the_right_edge() -> None:
    assert dots([0], 2, 1, 1) == [[0, 0x80]]
    assert dots([1, 0], 1, 1, 1) == [[0x01 | 0x10 | 0x20 | 0x80]]
    assert dots([], 3, 2, 1) == [[0, 0, 0], [0, 0, 0]]
    assert dots([float(i) for i in range(100)], 3, 1, 99)[0][2]


async def test_a_chart_shows_scale_and_latest_value() -> None:
    chart = Chart("CPU", unit=lambda value: f"{value:.0f}%", series=2, names=("a", "b"))
    app = OneWidget(chart)
    async with app.run_test(size=(40, 10)) as pilot:
        for value in range(60):
            chart.push(value, 60 - value)
        await pilot.pause()
        lines = screen(app)
        assert lines[0] == "CPU  a 59%  b 1%"
        assert lines[1].startswith("100% ┤") and lines[7].startswith("  0% ┤")
        assert any("⠁" <= char <= "⣿" for line in lines for char in line)
        chart.clear()
        await pilot.pause()
        assert screen(app)[0] == "CPU  a -  b -"


def test_bars_go_in_eighths() -> None:
    assert bar(0.5, 4) == "██  "
    assert bar(1 / 32, 4) == "▏   "
    assert bar(2, 4) == "████" and bar(-1, 4) == "    "
    assert bar(0.5, 4, ascii=True) == "##  "


async def test_a_timeline_has_a_line_for_each_step() -> None:
    timeline = Timeline()
    app = OneWidget(timeline)
    async with app.run_test(size=(60, 12)) as pilot:
        timeline.show([("image found", 300_000), ("process started", 2_400_000)], "exit 0 after 3 h")
        await pilot.pause()
        lines = screen(app)
        assert lines[0].split()[:4] == ["image", "found", "0.3", "ms"]
        assert lines[1].endswith("█")
        assert lines[2].split() == ["together", "2.7", "ms"]
        assert "exit 0 after 3 h" in lines[3]
    assert [duration(value) for value in (100_000, 25_000_000, 1_800_000_000, 200 * 10**9)] == [
        "0.1 ms", "25 ms", "1.8 s", "3 min",
    ]  # fmt: skip


async def test_the_status_line_keeps_its_right_end() -> None:
    line = StatusLine()
    app = OneWidget(line)
    async with app.run_test(size=(30, 3)) as pilot:
        line.set(["a" * 40], [Cell("jobs 1", "busy")])
        await pilot.pause()
        assert screen(app)[0] == "a" * 22 + "… jobs 1"
        line.set(["short"], ["right"])
        await pilot.pause()
        assert screen(app)[0] == "short" + " " * 20 + "right"


async def test_a_meter_says_how_far_it_is() -> None:
    meter = Meter("pull nginx")
    app = OneWidget(meter)
    async with app.run_test(size=(32, 3)) as pilot:
        meter.set(0.5, "62%")
        await pilot.pause()
        assert screen(app)[0].split() == ["pull", "nginx", "█████", "62%"]


VALUE = {"Id": "abc", "HostConfig": {"Binds": ["/a:/b", {"deep": None}], "Memory": 5}, "odd key": True, "empty": {}}


async def test_the_tree_unfolds_searches_and_copies() -> None:
    tree = JsonTree()
    app = OneWidget(tree)
    async with app.run_test(size=(60, 20)) as pilot:
        tree.focus()
        tree.show(VALUE)
        assert tree.shown_paths == [".Id", ".HostConfig", '.["odd key"]', ".empty"]
        await pilot.press("j", "enter")
        assert ".HostConfig.Binds" in tree.shown_paths
        tree.search("deep")
        assert tree.hits == 1
        assert tree.copy_path() == ".HostConfig.Binds[1].deep"
        assert tree.copy_value() == "null"
        await pilot.press("c", "Y")
        assert app.seen == ["null", ".HostConfig.Binds[1].deep"]
        tree.show({**VALUE, "Id": "new"})
        assert tree.copy_path() == ".HostConfig.Binds[1].deep"
        await pilot.press("enter")
        assert tree.copy_path() == ".HostConfig.Binds[1]"
        await pilot.press("minus")
        assert len(tree.shown_paths) == 4 and tree.copy_path() == ".HostConfig"
        await pilot.press("plus", "end")
        assert len(tree.shown_paths) == 9


async def test_a_tree_of_100_000_values_is_quick() -> None:
    import time

    tree = JsonTree()
    app = OneWidget(tree)
    async with app.run_test(size=(60, 20)) as pilot:
        tree.focus()
        begun = time.monotonic()
        tree.show({"list": list(range(100_000))})
        await pilot.press("enter", "end")
        assert tree.copy_value() == "99999"
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("path, text", [((), "."), (("a", 0, "b-c"), '.a[0]["b-c"]'), ((0,), ".[0]")])
def test_paths_read_as_jq_takes_them(path: tuple[str | int, ...], text: str) -> None:
    assert path_text(path) == text
