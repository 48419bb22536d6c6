"""Removing can be undone: `u`, the words after `:`, and the trash with what goes for good."""

from __future__ import annotations

from tests.fakes.driving import running
from tests.fakes.engine import Engine


async def test_what_was_removed_together_comes_back_together() -> None:
    async with running() as ui:
        for name in ("migrate", "done"):
            await ui.go_to(name)
            await ui.press("space")
        await ui.press("d")
        assert "u brings it back" in ui.screen_text()
        await ui.press("y")
        await ui.until(lambda: ui.row("migrate") is None and ui.row("done") is None)
        await ui.press("u")
        await ui.until(lambda: ui.row("migrate") is not None and ui.row("done") is not None)
        assert "container migrate is back." in ui.toasts and "container done is back." in ui.toasts


async def test_nothing_to_undo_is_one_sentence() -> None:
    async with running() as ui:
        await ui.press("u")
        await ui.until(lambda: any("nothing to bring back" in toast for toast in ui.toasts))


async def test_for_good_from_the_dialog() -> None:
    async with running() as ui:
        await ui.go_to("done")
        await ui.press("d", "g", "y")
        await ui.until(lambda: ui.row("done") is None)
        assert ui.engine.removed == []


async def test_the_trash_lists_brings_back_and_empties() -> None:
    engine = Engine()
    async with running(engine) as ui:
        await ui.press("3")
        ui.main.pane("volumes").move_cursor("shared")
        await ui.press("d")
        await ui.type("shared")
        await ui.press("enter")
        await ui.until(lambda: engine.removed)
        ui.main.go("containers")
        for name in ("migrate", "done"):
            await ui.go_to(name)
            await ui.press("d", "y")
            await ui.until(lambda name=name: ui.row(name) is None)  # type: ignore[misc]
        await ui.press("T")
        await ui.until(lambda: "3 things · 34M" in ui.screen_text())
        await ui.press("enter")
        await ui.until(lambda: ui.row("done") is not None and "2 things" in ui.screen_text())
        await ui.press("d")
        assert "Remove container migrate for good?" in ui.screen_text()
        await ui.press("y")
        await ui.until(lambda: "1 thing ·" in ui.screen_text())
        await ui.press("E", "y")
        await ui.until(lambda: "The trash is empty." in ui.screen_text())
        assert engine.called("empty_trash")[-1] == ((),)


async def test_by_name_after_the_colon() -> None:
    async with running() as ui:
        await ui.command("rm done")
        await ui.press("y")
        await ui.until(lambda: ui.row("done") is None)
        await ui.command("undo done")
        await ui.until(lambda: ui.row("done") is not None)
