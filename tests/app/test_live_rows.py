"""Rows follow the engine: what others do, samples of what is on the screen, what vanishes."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fakes.driving import running
from tests.fakes.engine import NOW, SECOND, Engine, container
from tuidock.engine.errors import NotFound, SystemFailure
from tuidock.engine.types import PortBinding


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


async def test_ages_of_every_list_go_on_and_rows_that_come_into_sight_have_theirs() -> None:
    engine = Engine()
    for number in range(30, 90):
        row = container(number, f"more-{number}", "nginx:1.27", "running", started=NOW - 40 * SECOND)
        engine.rows[row.id] = row
    async with running(engine, size=(160, 48)) as ui:
        await ui.press("3")
        pane = ui.main.pane("containers")
        await ui.until(lambda: len(pane.visible_keys) < 34)
        hidden = pane.keys[len(pane.visible_keys)]
        age = ui.main.pane("volumes").row("pgdata").cells[-1]
        ui.app.engine_workers.want_samples([])  # they would bring the ages along, but not while a form lies above
        ui.app.engine_workers.want_samples = lambda ids: None
        later = NOW + 30 * 86_400 * SECOND
        ui.app.model.clock = lambda: later
        ui.app._ages()
        assert "4w" not in str(pane.row(hidden).cells)
        assert ui.main.pane("volumes").row("pgdata").cells[-1] != age
        await ui.press("1")
        await ui.until(lambda: hidden in pane.visible_keys)
        async with asyncio.timeout(15):  # below the 30 s after which all ages are renewed anyway
            await ui.until(lambda: "4w" in str(pane.row(hidden).cells))
