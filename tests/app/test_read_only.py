"""A read-only session hides what changes something, and refuses it however it is asked for."""

from __future__ import annotations

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine
from tuidock.app.bindings import ACTIONS, BY_COMMAND
from tuidock.app.model import KINDS

CHANGING = {
    "kill_process",
    "create", "start", "stop", "restart", "kill", "pause", "unpause", "rename", "remove", "exec_argv", "pull", "tag",
    "remove_image", "create_volume", "remove_volume", "prune_containers", "push", "build", "keep_step", "prune_builds",
    "commit", "load", "import_image", "login", "logout", "remove_many", "undo", "empty_trash", "create_network",
    "remove_network", "connect_network", "disconnect_network", "update", "copy_in", "copy_into_volume",
}  # fmt: skip


def changed(ui: Driver) -> list[object]:
    return [call for call in ui.engine.calls if call[0] in CHANGING]


async def leave_dialogs(ui: Driver) -> None:
    for _ in range(3):
        if ui.app.screen is not ui.main:
            await ui.press("escape")
    for prompt in ui.main.query("PromptLine"):
        prompt.action_cancel()
    ui.app.clear_notifications()
    await ui.pilot.pause()


async def test_walk_all_keys_in_every_pane() -> None:
    engine = Engine(read_only=True)
    async with running(engine, size=(100, 20)) as ui:
        for kind in KINDS:
            ui.main.go(kind)
            await ui.pilot.pause()
            for action in ACTIONS:
                if action.id in ("app.quit", "app.palette") or not action.screen:
                    continue
                for key in filter(None, action.keys.split(",")):
                    await ui.pilot.press(key, "enter")
                await leave_dialogs(ui)
            if ui.main.kind != kind:
                ui.main.go(kind)
        assert changed(ui) == []
        assert ui.given == []


async def test_walk_all_actions_by_the_table() -> None:
    engine = Engine(read_only=True)
    async with running(engine) as ui:
        for kind in KINDS:
            ui.main.go(kind)
            for action in ACTIONS:
                if action.changes:
                    ui.main.actions.do(action.id)
        await ui.pilot.pause()
        assert ui.app.screen is ui.main, "no dialog came up"
        assert changed(ui) == [] and ui.given == []


async def test_commands_are_refused() -> None:
    async with running(Engine(read_only=True)) as ui:
        from tuidock.app.commands import execute

        for word, action in BY_COMMAND.items():
            if action.changes:
                execute(ui.main, f"{word} web x")
                execute(ui.main, word)
        await ui.pilot.pause()
        assert changed(ui) == [] and ui.given == []
        assert any("read-only" in text for text in ui.toasts)


async def test_hidden_from_foot_help_and_palette_and_said_in_the_header() -> None:
    async with running(Engine(read_only=True)) as ui:
        text = ui.screen_text()
        assert "read-only" in text.split("\n")[0]
        foot = text.split("\n")[-1]
        assert "logs" in foot and "remove" not in foot and "run" not in foot and "stop" not in foot
        await ui.press("question_mark")
        await ui.type("sigkill")
        assert "Send SIGKILL to the container" not in ui.screen_text()
        await ui.press("escape")
        from tuidock.app.screens.palette import TuidockCommands

        labels = [label for label, _, _ in TuidockCommands(ui.main)._offers()]
        assert not any(label.startswith(("stop", "remove", "run", "pull", "kill")) for label in labels)


async def test_empty_states_do_not_offer_changes() -> None:
    engine = Engine(read_only=True, empty=True)
    async with running(engine) as ui:
        assert "R runs one" not in ui.screen_text() and "No containers yet." in ui.screen_text()
