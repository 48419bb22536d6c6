"""What is typed faster than the screen follows: pasted, or come over a slow line in one piece."""

from __future__ import annotations

from tests.fakes.driving import running


async def test_a_command_in_one_piece() -> None:
    async with running() as ui:
        ui.send(":images\n")
        await ui.until(lambda: ui.main.kind == "images")
        await ui.until(lambda: not ui.app.screen.query("#prompt"))


async def test_its_letters_are_no_keys() -> None:
    """s would stop, d would remove, q would quit."""
    async with running() as ui:
        before = dict(ui.engine.rows)
        ui.send(":sdq\x7f\x7f\x7fvolumes\n")
        await ui.until(lambda: ui.main.kind == "volumes")
        assert ui.engine.rows == before and len(ui.app.screen_stack) == 1 and ui.app.is_running


async def test_a_filter_in_one_piece() -> None:
    async with running() as ui:
        ui.send("/web\n")
        await ui.until(lambda: "Containers 1 of" in ui.screen_text())


async def test_given_up_in_one_piece() -> None:
    async with running() as ui:
        ui.send(":sto\x1b")
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
        ui.send("/needle\n")
        await ui.until(lambda: "hit 1 of 1" in ui.screen_text())
