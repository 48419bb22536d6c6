"""The run form: it writes a command line, and says inline what is wrong with it."""

from __future__ import annotations

import shlex

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine
from tuidock.app.model import ViewModel
from tuidock.app.screens.run_form import command_line, port_conflict
from tuidock.engine.errors import StartFailed


def test_the_command_line() -> None:
    values = {
        "image": "nginx:1.27", "name": "web-2", "ports": "8081:80 9000:9000", "volumes": "pgdata:/data:ro",
        "env": "MODE=prod NAME='two words'", "memory": "256m", "cpus": "1.5", "restart": "unless-stopped",
        "network": "bridge", "command": "nginx -g 'daemon off;'", "more": "--read-only",
    }  # fmt: skip
    assert shlex.join(command_line(values, {"remove": True, "terminal": True})) == (
        "-d -it --rm --name web-2 -p 8081:80 -p 9000:9000 -v pgdata:/data:ro -e MODE=prod -e 'NAME=two words' "
        "-m 256m --cpus 1.5 --network bridge --restart unless-stopped --read-only nginx:1.27 nginx -g 'daemon off;'"
    )


def test_an_open_quote_while_typing() -> None:
    assert command_line({"image": "a", "env": "A='x"}, {}) == ["-d", "-e", "A='x", "a"]


def test_a_taken_port_and_the_next_free_one() -> None:
    model = ViewModel()
    model.replace("containers", Engine().containers())
    assert port_conflict(["-p", "8080:80"], model) == "8080 is taken by container web. Next free: 8081."
    assert port_conflict(["-p", "127.0.0.1:5432:1"], model) == "5432 is taken by container db. Next free: 5434."
    assert port_conflict(["-p", "80"], model) == port_conflict(["-p", "9:9"], model) == ""


async def fill(ui: Driver, **values: str) -> None:
    for key, value in values.items():
        ui.app.screen.query_one(f"#field-{key}").value = value
    await ui.pilot.pause()


async def test_run() -> None:
    async with running() as ui:
        await ui.press("R")
        await fill(ui, image="nginx:1.27", name="web-2", ports="8081:80")
        assert "tuidock run -d --name web-2 -p 8081:80 nginx:1.27" in ui.screen_text()
        await ui.press("ctrl+r")
        await ui.until(lambda: ui.row("web-2") is not None and ui.row("web-2").status == "running")
        await ui.until(lambda: ui.app.screen is ui.main)
        request = ui.engine.called("create")[0][0]
        assert request.name == "web-2" and request.config["Image"] == "nginx:1.27"
        await ui.until(lambda: ui.main.pane().row_at_cursor.name == "web-2")


async def test_only_create() -> None:
    async with running() as ui:
        await ui.press("R")
        await fill(ui, image="nginx:1.27", name="later")
        await ui.press("ctrl+n")
        await ui.until(lambda: ui.row("later") is not None and ui.row("later").status == "created")


async def test_a_taken_port_is_told_while_typing_and_by_the_engine() -> None:
    async with running() as ui:
        await ui.press("R")
        await fill(ui, image="nginx:1.27", ports="8080:80")
        assert "8080 is taken by container web. Next free: 8081." in ui.screen_text()
        await ui.press("ctrl+r")
        await ui.until(lambda: "choose another one" in ui.screen_text())
        assert ui.app.screen is not ui.main, "the form stays"


async def test_wrong_options_are_told_inline() -> None:
    async with running() as ui:
        await ui.press("R", "ctrl+r")
        assert "Which image?" in ui.screen_text()
        await fill(ui, image="nginx", memory="lots")
        await ui.press("ctrl+r")
        await ui.until(lambda: "✖" in ui.screen_text())
        assert ui.engine.called("create") == []


async def test_a_failed_start_stays_in_the_form() -> None:
    engine = Engine()
    engine.fail["start"] = StartFailed('exec: "nope": executable file not found in $PATH', 127)
    async with running(engine) as ui:
        await ui.press("R")
        await fill(ui, image="nginx:1.27", command="nope")
        await ui.press("ctrl+r")
        await ui.until(lambda: "executable file not found" in ui.screen_text())


async def test_from_the_image_under_the_cursor_and_copying_the_command() -> None:
    async with running() as ui:
        await ui.press("2", "R")
        assert "tuidock run -d nginx:1.27" in ui.screen_text()
        await ui.press("ctrl+c")
        assert [text.endswith("tuidock run -d nginx:1.27") for text in ui.copied] == [True]
        await ui.press("escape")
        assert ui.app.screen is ui.main


async def test_fits_80x24() -> None:
    async with running(size=(80, 24)) as ui:
        await ui.press("R")
        text = ui.screen_text()
        assert "Run a container" in text and "ctrl+r run" in text and "esc back" in text


async def test_run_by_command() -> None:
    async with running() as ui:
        await ui.command("run --name quick nginx:1.27")
        await ui.until(lambda: ui.row("quick") is not None and ui.row("quick").status == "running")
