"""The overview, the feed of events, and the commands of the session: live, and every line leads somewhere."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.fakes.driving import Driver, running
from tests.fakes.engine import NOW, Engine, container
from tuidock.app import overview_rows, program
from tuidock.app.command_log import KEPT, CommandLog, Recorded
from tuidock.app.model import ViewModel
from tuidock.engine.errors import WrongState


def place(ui: Driver, key: str) -> None:
    """The cursor onto the line with this key, on whichever side."""
    for name in ("#overview-left", "#overview-right"):
        table = ui.app.screen.query_one(name)
        if table.move_cursor(key):
            table.focus()
            return
    raise AssertionError(f"no line {key!r} in\n{ui.screen_text()}")


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["narrow", "wide"])
async def test_the_overview_tells_and_leads(size: tuple[int, int]) -> None:
    async with running(size=size) as ui:
        await ui.until(lambda: ui.app.model.history)
        web, crashed = ui.row("web").id, ui.row("migrate").id

        async def open_line(key: str) -> None:
            await ui.press("7")
            await ui.until(lambda: ui.app.screen.name == "overview" and ui.app.screen._usage is not None)
            await ui.pilot.pause()
            place(ui, key)
            await ui.press("enter")

        await ui.press("7")
        await ui.until(lambda: "Attention · 2" in ui.screen_text() and "load" not in ui.screen_text())
        text = ui.screen_text()
        assert "worker-2" in text and "✖ exit 1 2m ago" in text and "14%" in text
        await ui.press("escape")
        await open_line(f"container {crashed} logs")
        assert ui.app.screen is ui.main and ui.main.pane().row_at_cursor.name == "migrate" and ui.main.page == "detail"
        await open_line("filter state:running")
        assert ui.main.pane().filter_text == "state:running" and ui.main.kind == "containers"
        await open_line(f"container {crashed} logs")
        assert ui.main.pane().row_at_cursor.name == "migrate", "the filter does not hide what was asked for"
        await open_line("sort memory")
        assert ui.main.pane().sort == ("memory", True)
        await open_line(f"container {web} stats cpu")
        assert ui.main.detail.tab == "stats"
        if size[0] == 80:
            return
        await open_line("list images Images")
        assert ui.main.kind == "images"
        await open_line("prune")
        assert "Prune" in ui.screen_text()


async def test_the_overview_lives() -> None:
    async with running(size=(160, 48)) as ui:
        await ui.press("7")
        await ui.until(lambda: "Space ·" in ui.screen_text())
        ui.engine.put(container(60, "fresh", "app:dev", "exited", exit_code=3, started=NOW, finished=NOW), "die")
        await ui.until(lambda: "Attention · 3" in ui.screen_text() and "container die" in ui.screen_text())
        assert ui.app.engine_workers._overview
        ((_, died),) = ui.app.screen._events
        ui.app.screen._journal([died._replace(action="start", time=died.time - 1)])
        assert [event.action for _, event in ui.app.screen._events] == ["die", "start"], "the past comes behind it"
        left = ui.app.screen.query_one("#overview-left")
        seen = set()
        for _ in range(30):
            seen.add(left.cursor_key)
            await ui.press("j")
        assert not any(key.startswith("#") for key in seen) and len(seen) > 8, "titles are stepped over"
        await ui.press("tab", "escape")
        assert ui.app.screen is ui.main
        await ui.until(lambda: not ui.app.engine_workers._overview)


def test_every_line_of_a_machine_without_containers_has_a_key_of_its_own() -> None:
    model = ViewModel()
    sections = [overview_rows.attention(model, False), overview_rows.containers(model, False)]
    sections += [overview_rows.machine(model, [], False), overview_rows.last_events([], 0), overview_rows.space(None)]
    keys = [row.key for row in overview_rows.joined(sections)]
    assert len(keys) == len(set(keys))


async def test_events_are_filtered_and_lead_to_their_object() -> None:
    engine = Engine()
    engine.emit("container", "die", engine._find("migrate").id, "migrate", exitCode="1", image="app:dev")
    engine.emit("image", "pull", "nginx:1.27", "nginx:1.27")
    async with running(engine, size=(120, 30)) as ui:
        await ui.press("6")
        await ui.until(lambda: "2 events · last 24 h" in ui.screen_text())
        assert "die 1" in ui.screen_text() and "exitCode=1 image=app:dev" in ui.screen_text()
        engine.emit("container", "start", engine._find("web").id, "web")
        await ui.until(lambda: "3 events" in ui.screen_text())
        table = ui.app.screen.query_one("PlainTable")
        assert table.row(table.cursor_key).cell(2).text == "start", "the cursor stays at the top"
        await ui.press("slash")
        await ui.type("type:container !start")
        await ui.press("enter")
        assert "1 event · last 24 h · /type:container !start" in ui.screen_text()
        await ui.press("1")
        assert "last 1 min" in ui.screen_text()
        await ui.press("0", "c")
        assert ui.copied[-1].startswith("container die ")
        await ui.press("enter")
        assert ui.app.screen is ui.main and ui.main.pane().row_at_cursor.name == "migrate"
        engine.emit("container", "destroy", "f" * 64, "gone")
        await ui.command("events -l nothing")
        await ui.until(lambda: "Nothing fits the filter." in ui.screen_text())
        await ui.press("escape", "enter")
        assert "gone is not there any more." in ui.toasts
        await ui.press("escape")
        assert ui.app.screen is ui.main


async def test_commands_are_written_down_whichever_way_they_went() -> None:
    engine = Engine()
    engine.fail["stop"] = WrongState("Container web is stuck; try again.")
    async with running(engine, size=(120, 30)) as ui:
        await ui.press("H")
        assert "Nothing has been changed" in ui.screen_text()
        await ui.press("escape")
        await ui.go_to("web")
        await ui.press("s", "y")
        await ui.until(lambda: engine.called("stop"))
        await ui.command("run -d --name two -p 81:80 nginx:1.27")
        await ui.until(lambda: ui.row("two") is not None)
        await ui.command("pull redis:8")
        await ui.until(lambda: ui.app.model.past_jobs)
        ui.app.engine_workers.log.begin(["tuidock", "stop", "slow one"])
        await ui.pilot.pause()
        if ui.app.screen is not ui.main:
            await ui.press("escape")
        await ui.press("H")
        text = ui.screen_text()
        for words in ("tuidock stop web", "tuidock run -d --name two -p 81:80 nginx:1.27", "tuidock pull redis:8"):
            assert words in text
        assert "✖ failed" in text and "↻ runs" in text and "4 commands" in text
        await ui.press("G")
        assert "Container web is stuck" in ui.screen_text()
        await ui.press("enter")
        assert ui.copied[-1] == program.runnable("tuidock stop web", ui.app.data_root)
        await ui.press("Y")
        assert len(ui.copied[-1].splitlines()) == 2 and "pull redis:8" in ui.copied[-1]
        await ui.press("slash")
        await ui.type("PULL")
        assert "Nothing fits PULL." in ui.screen_text()
        await ui.press("escape")
        assert "4 commands" in ui.screen_text()


def test_words_of_the_command_line() -> None:
    class Doing:
        def __getattr__(self, name: str) -> object:
            return lambda *arguments, **options: iter([1]) if name == "pull" else []

    log = CommandLog({"a" * 64: "web"}.get)  # type: ignore[arg-type]
    log.name_of = lambda ref: {"a" * 64: "web"}.get(ref, ref)
    engine = Recorded(Doing(), log)
    engine.kill("a" * 64, "HUP")
    engine.kill("1017", "HUP")
    engine.migrate(SimpleNamespace(kind="podman"), None, [])
    engine.remove_many(["a" * 64], force=True, volumes=True, now=False, batch="x")
    engine.update("web", {"Memory": 1 << 28, "NanoCpus": 1_500_000_000}, {"Name": "on-failure", "MaximumRetryCount": 3})
    engine.create_network("back", subnets=["10.9.0.0/24"], internal=True)
    engine.connect_network("back", "a" * 64, ip="10.9.0.7", aliases=["w", "x"])
    engine.login("r.example", "me", "secret")
    engine.kill_process("a" * 64, 1017, "HUP")
    engine.containers()
    news = engine.pull("nginx", platform="linux/arm64")
    assert log.entries()[-1].ended == 0
    news.close()
    assert [entry.text for entry in log.entries()] == [
        "tuidock kill -s HUP web",
        "tuidock kill -s HUP 1017",
        "tuidock migrate podman",
        "tuidock rm -f -v web",
        "tuidock update -m 268435456 --cpus 1.5 --restart on-failure:3 web",
        "tuidock network create --subnet 10.9.0.0/24 --internal back",
        "tuidock network connect --ip 10.9.0.7 --alias w --alias x back web",
        "tuidock login -u me r.example",
        "kill -s HUP 1017",
        "tuidock pull --platform linux/arm64 nginx",
    ]
    for _ in range(KEPT + 5):
        engine.pause("web")
    assert len(log.entries()) == KEPT
