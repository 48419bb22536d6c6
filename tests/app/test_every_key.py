"""Every key of the table of actions in every pane, and every key of the screens: it does something, and nothing breaks."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.fakes.driving import Driver, is_asking, running
from tests.fakes.engine import Engine
from tuidock.app import screen_keys
from tuidock.app.action_table import ACTIONS
from tuidock.app.bindings import BY_ID
from tuidock.app.model import KINDS

#: What has to be there so that a key can do something.
BEFORE = {
    "table.clear_marks": ("space",),
    "list.next": (":filter .",),
    "list.previous": (":filter .", "j", "j"),
    "list.fold": ("z",),
    "pane.containers": ("2",),
    "nav.back": ("space",),
    "table.top": ("j",),
    "view.shrink": ("plus",),
}
#: The keys of these end the test, or belong to the terminal.
NOT_PRESSED = {"app.quit", "app.suspend"}
#: Screens that come up by one key or word, and what of their keys has nothing to do in them as they are then.
SCREENS = {
    "Overview": ("7", {"overview.next"}),
    "Events": ("6", set()),
    "Commands": ("H", set()),
    "Trash": ("T", {"trash.undo", "trash.delete", "trash.empty"}),
    "Network map": ("m", set()),
}


def picture(ui: Driver) -> tuple[object, ...]:
    """Whatever a key may change."""
    pane = ui.main.pane()
    return (
        ui.app.screen, ui.screen_text(), len(ui.engine.calls), len(ui.toasts), len(ui.copied), len(ui.given), ui.main.focused,
        ui.main.kind, ui.main.page, pane.cursor_key, pane.marks, pane.range_active, pane.sort, pane.listing,
        ui.app._mouse_on, ui.main.share, ui.main.full, str(ui.app.theme),
    )  # fmt: skip


async def calm(ui: Driver, kind: str) -> None:
    """Back in a pane with nothing chosen, the cursor on its second row."""
    quiet = 0
    for _ in range(12):  # what was asked may bring up a screen only now
        quiet = quiet + 1 if ui.app.screen is ui.main and not ui.main.query("PromptLine") else 0
        if quiet == 2:
            break
        if not quiet:
            await ui.pilot.press("escape")
        await ui.pilot.pause()
    assert ui.app.screen is ui.main, f"no way back from {ui.app.screen}"
    pane = ui.main.pane(kind)
    pane.clear_marks()
    pane.set_filter_text("")
    if pane.grouped:
        pane.group_by("")
    ui.main.full = False
    ui.main.go(kind)
    pane.move_cursor(pane.keys[min(1, len(pane.keys) - 1)])
    ui.app.clear_notifications()
    await ui.pilot.pause()


async def prepare(ui: Driver, steps: tuple[str, ...]) -> None:
    from tuidock.app.commands import execute

    for step in steps:
        if step.startswith(":"):
            execute(ui.main, step[1:])
        else:
            await ui.pilot.press(step)


async def pressed(ui: Driver, key: str, name: str) -> None:
    """The key changes something that can be seen, soon."""
    before = picture(ui)
    await ui.pilot.press(key)
    end = time.monotonic() + 5
    while picture(ui) == before:
        assert time.monotonic() < end, f"{key} ({name}) does nothing in {ui.main.kind}:\n{ui.screen_text()}"
        await asyncio.sleep(0.005)
        await ui.pilot.pause()
    while is_asking(ui.app) and time.monotonic() < end:  # what is asked may still bring up a screen
        await asyncio.sleep(0.001)
    await ui.pilot.pause()
    assert ui.app.errors == [], f"{key} ({name}) in {ui.main.kind}: {ui.app.errors}"


@pytest.mark.parametrize("kind", KINDS)
async def test_every_key_of_a_pane_does_something(kind: str) -> None:
    async with running(Engine(), size=(120, 32)) as ui:
        ui.app.engine_workers.set_awake(False)  # a sample is a change, too
        await calm(ui, kind)
        for action in ACTIONS:
            known = BY_ID[action.id].kinds
            if action.id in NOT_PRESSED or (kind != KINDS[0] and (known == KINDS or kind not in known)):
                continue  # what is the same in every pane is pressed in one of them
            key = action.keys.split(",")[0]
            if key:
                await prepare(ui, BEFORE.get(action.id, ()))
                await pressed(ui, key, action.id)
                await calm(ui, kind)


@pytest.mark.parametrize("title", SCREENS)
async def test_every_key_of_a_screen_does_something(title: str) -> None:
    way, idle = SCREENS[title]
    engine = Engine()
    engine.emit("container", "start", engine._find("web").id, "web")
    engine.emit("container", "die", engine._find("done").id, "done", exitCode="0")
    async with running(engine, size=(90, 30)) as ui:
        ui.app.engine_workers.log.end(ui.app.engine_workers.log.begin(["tuidock", "start", "web"]))
        ui.app.engine_workers.set_awake(False)
        screen = ui.main
        for key in screen_keys.SCREENS[title]:
            if key.id in idle:
                continue
            for each in key.keys.split(","):
                if ui.app.screen is not screen or screen is ui.main or screen.query("PromptLine"):
                    await calm(ui, KINDS[0])
                    await ui.press(way)
                    await ui.until(lambda: ui.app.screen is not ui.main)
                    screen = ui.app.screen
                if title == "Network map":  # onto a container
                    screen.query_one("PlainTable").action_cursor_top()
                    screen.query_one("PlainTable").action_cursor_down()
                await pressed(ui, each, key.id)
        await calm(ui, KINDS[0])
