"""Pictures of the app at three sizes, in the house colours, in the terminal's own palette and without colours.

The clock stands still and the engine is in memory, so a picture changes only when the app does: look at it, then
`pytest tests/app/test_screenshots.py --snapshot-update`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fakes.driving import make_app
from tests.fakes.engine import Engine
from tuidock.app.config import Config

#: A picture is taken when the app has settled; on a machine that is short of time that moment can be missed.
pytestmark = pytest.mark.flaky(reruns=6, reruns_delay=1)

SIZES = [(80, 24), (120, 40), (160, 48)]
LOOKS = ["dark", "ansi", "nocolor"]


def app_for(look: str, monkeypatch: pytest.MonkeyPatch, engine: Engine | None = None) -> Any:
    if look == "nocolor":
        monkeypatch.setenv("NO_COLOR", "1")
    engine = engine or Engine()
    for row in list(engine.rows.values()):
        engine.log(row.name, [f"{row.name} GET /item/{at} 200 {at * 17}" for at in range(60)])
    return make_app(engine, config=Config(theme={"ansi": "terminal-dark"}.get(look, "")))


def details_are_there(detail: Any) -> bool:
    """The engine has answered for the row under the cursor, and the lines of a log that is seen are drawn."""
    if detail._delay is not None or detail._shown != (detail.kind, detail.identity, detail.tab):
        return False
    session = getattr(detail.view, "_session", None)
    return session is None or not session.size or not detail.view.size.height or bool(session.view.rows)


def settled(*keys: str) -> Callable[[Any], Awaitable[None]]:
    """Presses keys and waits until threads have answered and samples have come."""

    async def before(pilot: Any) -> None:
        app = pilot.app
        for _ in range(400):
            await pilot.pause()
            if app.model.host_name and (app.engine_workers._engine.samples or not app.model.containers()):
                break
            await asyncio.sleep(0.01)
        app.engine_workers.set_awake(False)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        for _ in range(400):
            await pilot.pause()
            if details_are_there(app.main.detail):
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        await pilot.pause()
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
