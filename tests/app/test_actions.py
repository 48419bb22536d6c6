"""Every key of the main screen does what the table says, and the rows change by events alone."""

from __future__ import annotations

import pytest

from tests.fakes.driving import running
from tests.fakes.engine import Engine
from tuidock.app.config import Config
from tuidock.engine.errors import SystemFailure


async def test_stop_asks_then_the_event_changes_the_row() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("s")
        assert "Stop web?" in ui.screen_text()
        assert ui.engine.called("stop") == []
        await ui.press("y")
        await ui.until(lambda: ui.row("web").status == "exited")
        assert ui.engine.called("stop") == [("web",)]
        await ui.until(lambda: "web stopped" in ui.toasts)
        assert ui.main.pane("containers").row(ui.row("web").id).cells[1].text.startswith("○ exited")


async def test_stop_refused() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("s", "escape")
        await ui.press("s", "n")
        assert ui.engine.called("stop") == []


async def test_do_not_ask_again() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("s")
        assert "for this session" in ui.screen_text()
        await ui.press("a")
        assert ui.engine.called("stop") == [] and "Stop web?" in ui.screen_text()
        await ui.press("ctrl+a")
        await ui.until(lambda: ui.row("web").status == "exited")
        await ui.go_to("worker-1")
        await ui.press("s")
        await ui.until(lambda: ui.row("worker-1").status == "exited")


async def test_toggle_starts_without_asking() -> None:
    async with running() as ui:
        await ui.go_to("done")
        await ui.press("s")
        await ui.until(lambda: ui.row("done").status == "running")
        assert ui.engine.called("start") == [("done",)]


@pytest.mark.parametrize(("policy", "asks"), [("always", True), ("destructive", False), ("never", False)])
async def test_restart_by_policy(policy: str, asks: bool) -> None:
    async with running(config=Config(confirm=policy)) as ui:
        await ui.go_to("web")
        await ui.press("r")
        assert ("Restart web?" in ui.screen_text()) is asks
        if asks:
            await ui.press("enter")
        await ui.until(lambda: ui.engine.called("restart") == [("web",)])


async def test_pause_and_go_on() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("p")
        await ui.until(lambda: ui.row("web").status == "paused")
        await ui.press("p")
        await ui.until(lambda: ui.row("web").status == "running")


async def test_kill_asks() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("ctrl+k")
        assert "SIGKILL" in ui.screen_text()
        await ui.press("y")
        await ui.until(lambda: ui.row("web").exit_code == 137)


async def test_remove_of_a_running_one_needs_force() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("d", "y")
        assert "press f to remove by force" in ui.screen_text()
        await ui.press("f", "v", "enter")
        await ui.until(lambda: ui.row("web") is None)
        assert ui.engine.called("remove") == [("web", True, True)]


async def test_force_remove_of_marked_says_how_many() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("space", "space", "D")
        assert "2 containers" in ui.screen_text()
        await ui.press("y")
        await ui.until(lambda: ui.row("web") is None and ui.row("db") is None)
        assert {name for name, _, _ in ui.engine.called("remove")} == {"web", "db"}
        assert not ui.main.pane().marks


async def test_bulk_stop_of_all_marked() -> None:
    async with running() as ui:
        await ui.press("asterisk", "b")
        assert "stop the 7 marked" in ui.screen_text()
        await ui.press("2")
        await ui.press("y")
        await ui.until(lambda: not any(row.status == "running" for row in ui.app.model.containers().values()))
        assert {name for (name,) in ui.engine.called("stop")} == {"web", "db", "worker-1", "worker-2", "cache"}


async def test_a_refusal_of_the_engine_is_a_toast() -> None:
    engine = Engine()
    engine.fail["pause"] = SystemFailure("Cannot pause web: the freezer is gone.")
    async with running(engine) as ui:
        await ui.go_to("web")
        await ui.press("p")
        await ui.until(lambda: "Cannot pause web: the freezer is gone." in ui.toasts)
        assert ui.row("web").status == "running"


async def test_an_unexpected_error_is_a_toast_and_nothing_ends() -> None:
    engine = Engine()
    engine.fail["pause"] = RuntimeError("boom\nsecond line")
    async with running(engine) as ui:
        await ui.go_to("web")
        await ui.press("p")
        await ui.until(lambda: any("boom" in text for text in ui.toasts))
        assert not any("Traceback" in text or "second line" in text for text in ui.toasts)
        await ui.press("j")
        assert ui.app.is_running


async def test_a_mistake_in_a_handler_does_not_end_the_app() -> None:
    async with running(tolerate=True) as ui:
        ui.main.actions.pane_images = lambda: 1 / 0
        await ui.press("2")
        await ui.until(lambda: any("division" in text for text in ui.toasts))
        await ui.press("3")
        assert ui.main.kind == "volumes"


async def test_copy_menu_and_row() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("c", "2")
        assert ui.copied == [ui.row("web").id]
        await ui.press("Y")
        assert ui.copied[1].startswith("web") and "8080→80" in ui.copied[1]


async def test_open_port_copies_the_address_and_over_ssh_the_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("w")
        assert ui.copied == ["http://localhost:8080"]
        monkeypatch.setenv("SSH_CONNECTION", "198.51.100.1 50000 192.0.2.10 22")
        await ui.press("w")
        assert ui.copied[1] == "ssh -L 8080:localhost:8080 root@192.0.2.10"
        await ui.go_to("db")
        await ui.press("w", "1")
        assert ui.copied[2].startswith("ssh -L 5432:127.0.0.1:5432")
        await ui.go_to("worker-1")
        await ui.press("w")
        assert "worker-1 publishes no port." in ui.toasts


async def test_quit_leaves_containers_alone() -> None:
    async with running() as ui:
        calls = len(ui.engine.calls)
        await ui.pilot.press("q")
        await ui.until(lambda: ui.app._exit)
        assert [call for call in ui.engine.calls[calls:] if call[0] != "stats"] == []


async def test_quit_asks_while_a_job_goes_on() -> None:
    async with running() as ui:
        from tuidock.app.jobs import Job

        ui.app.model.put_job(Job(1, "pull nginx"))
        await ui.press("q")
        assert "Quit while this goes on?" in ui.screen_text()
        await ui.press("n")
        assert not ui.app._exit


async def test_rename_by_command() -> None:
    async with running() as ui:
        await ui.command("rename web front")
        await ui.until(lambda: ui.row("front") is not None)
