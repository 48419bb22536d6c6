"""Keys that come faster than screens close: whatever is open closes once, and what is below it stays."""

from __future__ import annotations

import pytest
from textual import events

from tests.fakes.driving import Driver, running

WAYS = [
    "?",
    "x",
    "R",
    "C",
    "c",
    "b",
    "P",
    "B",
    "X",
    "J",
    "E",
    "l",
    ":theme",
    ":keys",
    ":rename",
    ":login",
    ":logins",
    "s",
    "d",
]


async def mash(ui: Driver, *keys: str) -> None:
    """All keys are on their way before the first has done anything."""
    for key in keys:
        ui.app.post_message(events.Key(key, key if len(key) == 1 else None))
    await ui.pilot.pause()
    await ui.pilot.pause()


@pytest.mark.parametrize("way", WAYS)
async def test_a_held_escape_closes_one_screen(way: str) -> None:
    async with running() as ui:
        await ui.go_to("web")
        if way.startswith(":"):
            await ui.command(way[1:])
        else:
            await ui.press({"?": "question_mark"}.get(way, way))
        await ui.until(lambda: len(ui.app.screen_stack) == 2, "the screen")
        await ui.until(lambda: ui.app.screen.is_mounted)
        await mash(ui, "escape", "escape", "escape", "escape")
        await ui.until(lambda: ui.app.screen is ui.main, "back")
        assert ui.app.errors == []
        await ui.press("2", "1")
        assert ui.main.kind == "containers"


async def test_no_then_no_again_leaves_the_screen_below() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("l")
        await ui.until(lambda: ui.app.screen.name == "logs")
        logs = ui.app.screen
        await ui.press("question_mark")
        await mash(ui, "escape", "escape", "escape")
        assert ui.app.screen is logs


async def test_no_then_yes_is_no() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("s")
        await mash(ui, "n", "y", "enter", "n")
        assert ui.engine.called("stop") == []


async def test_a_form_that_has_closed_begins_nothing() -> None:
    async with running() as ui:
        await ui.press("R")
        await ui.type("nginx:1.27")
        await mash(ui, "escape", "ctrl+r", "ctrl+n")
        await ui.until(lambda: ui.app.screen is ui.main)
        assert ui.engine.called("create") == []
