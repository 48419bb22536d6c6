"""Every key of the main screen does what the table says, and the rows change by events alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine, container
from tuidock.app.config import Config
from tuidock.engine.errors import NotFound, SystemFailure
from tuidock.engine.types import PortBinding


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


async def test_exec_probes_for_a_shell_and_gives_the_terminal() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("e")
        assert ui.given == [["true"]]
        name, request = ui.engine.called("exec_argv")[0]
        assert name == "web" and request.tty and request.interactive
        assert request.command[:2] == ("sh", "-c") and "bash zsh ash" in request.command[2]


async def test_exec_as() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("E", "tab")
        await ui.type("www")
        await ui.press("tab")
        await ui.type("/srv")
        await ui.press("enter")
        _, request = ui.engine.called("exec_argv")[0]
        assert (request.command, request.user, request.working_dir) == (("sh",), "www", "/srv")


async def test_exec_into_one_that_does_not_run_says_why() -> None:
    async with running() as ui:
        await ui.go_to("done")
        await ui.press("e")
        assert "done is exited: shell is not possible." in ui.toasts
        assert ui.given == []


async def test_attach() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("a")
        assert ui.given[0][-2:] == ["attach", ui.row("web").id]


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


async def test_pull_tag_and_volume() -> None:
    async with running() as ui:
        await ui.press("P")
        await ui.type("host/base")
        await ui.press("enter")
        await ui.until(lambda: ui.app.model.find("images", "host/base") is not None)
        await ui.until(lambda: "✓ pull host/base" in ui.screen_text())
        await ui.press("escape", "2")
        ui.main.pane("images").move_cursor(ui.app.model.find("images", "redis:7").id)
        await ui.pilot.pause()
        await ui.press("t")
        await ui.type("mine:1")
        await ui.press("enter")
        await ui.until(lambda: ui.app.model.find("images", "mine:1") is not None)
        await ui.press("3", "ctrl+n")
        await ui.type("fresh")
        await ui.press("enter")
        await ui.until(lambda: ui.app.model.find("volumes", "fresh") is not None)


async def test_a_pull_that_is_refused_is_one_sentence() -> None:
    async with running() as ui:
        await ui.command("pull nowhere")
        await ui.until(lambda: "docker.io does not know it; check the name." in ui.screen_text())
        assert ui.app.model.jobs == {} and ui.toasts == []


async def go_to_image(ui: Driver, name: str) -> None:
    await ui.press("2")
    ui.main.pane("images").move_cursor(ui.app.model.find("images", name).id)
    await ui.pilot.pause()


async def test_remove_image_in_use_is_refused_by_the_engine() -> None:
    async with running() as ui:
        await go_to_image(ui, "busybox:latest")
        await ui.press("d")
        assert "its only name" in ui.screen_text() and "It is in use by containers: done." in ui.screen_text()
        await ui.press("y")
        await ui.until(lambda: any("is used by" in text for text in ui.toasts))


async def test_an_image_that_something_runs_on_stays_even_by_force() -> None:
    async with running() as ui:
        await go_to_image(ui, "nginx:1.27")
        await ui.press("D", "y")
        assert "web runs on it" in ui.screen_text()
        assert ui.engine.called("remove_image") == []


async def test_of_several_names_one_goes_or_all_with_the_image() -> None:
    async with running() as ui:
        ui.engine.tag("busybox:latest", "toolbox:1")
        await ui.until(lambda: ui.app.model.find("images", "toolbox:1") is not None)
        await go_to_image(ui, "busybox:latest")
        await ui.press("d")
        assert "only this name; the image stays" in ui.screen_text()
        await ui.press("2")
        await ui.until(lambda: ui.app.model.find("images", "toolbox:1") is None)
        assert ui.app.model.find("images", "busybox:latest") is not None
        assert ui.engine.called("remove_image") == [("toolbox:1", False)]
        await ui.command("untag busybox:latest")
        assert "its only name" in ui.screen_text()


async def test_remove_volume_wants_its_name() -> None:
    async with running() as ui:
        await ui.press("3")
        ui.main.pane("volumes").move_cursor("shared")
        await ui.pilot.pause()
        await ui.press("d", "enter")
        assert "Type shared" in ui.screen_text()
        await ui.type("shared")
        await ui.press("enter")
        await ui.until(lambda: ui.app.model.get("volumes", "shared") is None)


async def test_all_or_running() -> None:
    async with running() as ui:
        await ui.press("A")
        assert len(ui.main.pane().keys) == 5
        await ui.press("A")
        assert len(ui.main.pane().keys) == 7


async def test_columns_and_sort() -> None:
    async with running() as ui:
        pane = ui.main.pane()
        await ui.press("o")
        assert pane.sort == ("name", False)
        await ui.press("O")
        assert pane.sort == ("name", True)
        await ui.command("sort state")
        assert pane.sort == ("state", False)
        await ui.press("C", "space", "escape")
        assert "cpu" not in pane.visible_columns and "state" in pane.visible_columns


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


async def test_another_terminals_changes_show_up() -> None:
    async with running() as ui:
        ui.engine.put(container(50, "new-one", "nginx:1.27", "running", created=ui.app.model.clock()), "create")
        await ui.until(lambda: ui.row("new-one") is not None)
        await ui.until(lambda: ui.main.pane().keys[0] == ui.row("new-one").id)
        ui.engine.remove("new-one", force=True)
        await ui.until(lambda: ui.row("new-one") is None)


async def test_ports_come_and_go_with_their_container() -> None:
    async with running() as ui:
        row = ui.row("worker-1")
        ui.engine.put(row._replace(ports=(PortBinding(80, "tcp", "", 49000),)))
        await ui.until(lambda: "49000→80" in ui.screen_text())
        ui.engine.put(row._replace(ports=()))
        await ui.until(lambda: "49000→80" not in ui.screen_text())


async def test_samples_only_for_running_rows_on_screen_and_none_when_blurred() -> None:
    async with running() as ui:
        from textual.events import AppBlur, AppFocus

        await ui.until(lambda: ui.engine.samples > 0)
        (refs,) = ui.engine.called("stats")[-1]
        assert {ui.engine._find(ref).name for ref in refs} == {"web", "db", "worker-1"}
        await ui.until(lambda: "1.3%" in ui.screen_text())
        ui.app.post_message(AppBlur())
        await ui.until(lambda: not ui.app.engine_workers._awake)
        ui.app.post_message(AppFocus())
        await ui.until(lambda: ui.app.engine_workers._awake)


async def test_nothing_runs_nothing_is_sampled() -> None:
    async with running(Engine(empty=True)) as ui:
        assert ui.app.engine_workers._wanted == ()
        assert ui.engine.samples == 0
        assert "R runs one" in ui.screen_text()


async def test_a_container_that_vanished_is_dropped() -> None:
    async with running() as ui:
        identity = ui.row("web").id
        del ui.engine.rows[identity]
        ui.engine.emit("container", "die", identity, "web")
        await ui.until(lambda: ui.row("web") is None)


async def test_not_found_while_acting() -> None:
    engine = Engine()
    engine.fail["start"] = NotFound("container", "done")
    async with running(engine) as ui:
        await ui.go_to("done")
        await ui.press("s")
        await ui.until(lambda: "No such container: done" in ui.toasts)


async def test_an_engine_that_cannot_be_opened_is_one_sentence() -> None:
    from tuidock.app.app import TuidockApp
    from tuidock.app.model import ViewModel
    from tuidock.app.workers import Workers

    def broken() -> Any:
        raise SystemFailure("Cannot open /var/lib/tuidock: it is not writable; run as root.")

    workers = Workers(broken)
    workers.open()
    app = TuidockApp(workers, ViewModel())
    async with app.run_test(notifications=True) as pilot:
        for _ in range(200):
            await pilot.pause(0.01)
            if app._notifications:
                break
        assert any("run as root" in str(note.message) for note in app._notifications)
        assert app.errors == []
    workers.stop()
