"""What is typed faster than the screen follows: pasted, or come over a slow line in one piece."""

from __future__ import annotations

from textual import events

from tests.fakes.driving import KEYS, Driver, running


def burst(ui: Driver, text: str) -> None:
    """All keys are there before the app has seen the first, as after one read of the terminal."""
    for char in text:
        key = {"\n": "enter", "\x1b": "escape", "\x7f": "backspace"}.get(char, KEYS.get(char, char))
        ui.app.post_message(events.Key(key, char if char.isprintable() else None))


async def test_a_command_in_one_piece() -> None:
    async with running() as ui:
        burst(ui, ":images\n")
        await ui.until(lambda: ui.main.kind == "images")
        await ui.until(lambda: not ui.app.screen.query("#prompt"))


async def test_its_letters_are_no_keys() -> None:
    """s would stop, d would remove, q would quit."""
    async with running() as ui:
        before = dict(ui.engine.rows)
        burst(ui, ":sdq\x7f\x7f\x7fvolumes\n")
        await ui.until(lambda: ui.main.kind == "volumes")
        assert ui.engine.rows == before and len(ui.app.screen_stack) == 1 and ui.app.is_running


async def test_a_filter_in_one_piece() -> None:
    async with running() as ui:
        burst(ui, "/web\n")
        await ui.until(lambda: "Containers 1 of" in ui.screen_text())


async def test_given_up_in_one_piece() -> None:
    async with running() as ui:
        burst(ui, ":sto\x1b")
        await ui.until(lambda: not ui.app.screen.query("#prompt"))
        await ui.press("2")
        await ui.until(lambda: ui.main.kind == "images")


async def test_in_the_logs() -> None:
    async with running() as ui:
        row = next(iter(ui.engine.rows.values()))
        ui.engine.log(row.name, [f"line {at}" for at in range(50)] + ["needle"])
        await ui.go_to(row.name)
        await ui.press("l")
        await ui.until(lambda: "needle" in ui.screen_text())
        burst(ui, "/needle\n")
        await ui.until(lambda: "1 hit" in ui.screen_text())
