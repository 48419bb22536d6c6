"""Pictures of the app at three sizes, in the house colours, in the terminal's own palette and without colours.

The clock stands still and the engine is in memory, so a picture changes only when the app does: look at it, then
`pytest tests/app/test_screenshots.py --snapshot-update`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fakes.driving import details_are_there, make_app, until_still
from tests.fakes.engine import Engine
from tuidock.app.commands import execute
from tuidock.app.config import Config
from tuidock.app.messages import StatsRead

SIZES = [(80, 24), (120, 40), (160, 48)]
LOOKS = ["dark", "ansi", "nocolor"]


def app_for(look: str, monkeypatch: pytest.MonkeyPatch, engine: Engine | None = None) -> Any:
    """An app that samples nothing by itself: how many samples there are would depend on the machine."""
    if look == "nocolor":
        monkeypatch.setenv("NO_COLOR", "1")
    engine = engine or Engine()
    for row in list(engine.rows.values()):
        engine.log(row.name, [f"{row.name} GET /item/{at} 200 {at * 17}" for at in range(60)])
    app = make_app(engine, config=Config(theme={"ansi": "terminal-dark"}.get(look, "")))
    app.engine_workers._sample = lambda: None
    return app


def settled(
    *keys: str, until: Callable[[Any], object] = lambda app: True, command: str = ""
) -> Callable[[Any], Awaitable[None]]:
    """Presses keys, or types a command, and waits until threads have answered and everything is drawn."""

    async def before(pilot: Any) -> None:
        app = pilot.app
        await until_still(
            pilot, lambda: app.model.host_name and app.model.images_size >= 0 and details_are_there(app.main.detail)
        )
        running = [row.id for row in app.model.containers().values() if row.status == "running"]
        if running:
            app.post_message(StatsRead(app.engine_workers._engine.stats(running), app.model.host))
            await until_still(pilot, lambda: all(each in app.model.history for each in running))
        for key in keys:
            await pilot.press(key)
            await until_still(pilot)
        if command:
            execute(app.main, command)
        await until_still(pilot, lambda: details_are_there(app.main.detail) and until(app))
        assert app.errors == []

    return before


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_main(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], look: str) -> None:
    assert snap_compare(app_for(look, monkeypatch), terminal_size=size, run_before=settled())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("help", ["question_mark"]),
        ("run", ["2", "R"]),
        ("remove", ["d", "y"]),
        ("logs", ["l"]),
        ("stats", ["right_square_bracket"]),
        ("timeline", ["left_square_bracket"]),
        ("networks", ["4"]),
        ("filter", ["slash", "w", "o"]),
        ("marked", ["space", "space", "b"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_screens(
    snap_compare: Any, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], name: str, keys: list[str]
) -> None:
    assert snap_compare(app_for("dark", monkeypatch), terminal_size=size, run_before=settled(*keys))


@pytest.mark.parametrize("look", ["ansi", "nocolor"])
@pytest.mark.parametrize("keys", [["d"], ["R"]], ids=["remove", "run"])
def test_dialogs_without_colours(
    snap_compare: Any, monkeypatch: pytest.MonkeyPatch, look: str, keys: list[str]
) -> None:
    assert snap_compare(app_for(look, monkeypatch), terminal_size=(80, 24), run_before=settled(*keys))


def test_empty(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_for("dark", monkeypatch, Engine(empty=True))
    assert snap_compare(app, terminal_size=(120, 40), run_before=settled())


async def test_no_colour_sends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under NO_COLOR not a single colour is in what is drawn; states are told by glyph and word, the cursor by reverse."""
    from tests.fakes.driving import running

    monkeypatch.setenv("NO_COLOR", "1")
    async with running() as ui:
        await ui.until(lambda: "1.3%" in ui.screen_text())
        for strip in ui.app.screen._compositor.render_strips():
            for segment in strip:
                if segment.style is not None and segment.text.strip():
                    for colour in (segment.style.color, segment.style.bgcolor):
                        assert colour is None or colour.is_default, segment
        assert "● up" in ui.screen_text() and "✖ exit 1" in ui.screen_text()
