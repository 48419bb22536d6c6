"""What the app says and offers where a key can do nothing, and what it copies."""

from __future__ import annotations

import os
import sys

import pytest

from tests.fakes.driving import running
from tests.fakes.engine import Engine
from tuidock.app import lists, panes, program
from tuidock.app.format import EXTRA_COLUMNS
from tuidock.app.screens.help import COLUMNS
from tuidock.app.widgets.line_table import LineTable


async def test_columns_stay_open() -> None:
    async with running(size=(160, 40)) as ui:
        await ui.press("C")
        text = ui.screen_text()
        assert "[x] NAME      always" in text and "[x] STATE     always" in text
        await ui.press("space", "down", "enter")
        assert "[ ] CPU" in ui.screen_text() and "[ ] MEM" in ui.screen_text() and "Columns" in ui.screen_text()
        await ui.press("up", "space")
        await ui.press("home", "space", "down", "space")
        assert ui.app.listings["containers"].hidden == EXTRA_COLUMNS | {"memory"}
        await ui.press("escape")
        assert ui.app.screen is ui.main and "MEM" not in ui.screen_text().split("2 Images")[0]
    assert lists.load()["containers"].hidden == EXTRA_COLUMNS | {"memory"}


async def test_read_only_says_so() -> None:
    async with running(Engine(read_only=True)) as ui:
        await ui.go_to("web")
        foot = ui.screen_text().splitlines()[-1]
        for key, offered in (("s", "stop"), ("r", "restart"), ("d", "remove"), ("R", "run"), ("e", "shell")):
            assert offered not in foot
            ui.app.clear_notifications()
            await ui.press(key)
            assert ui.toasts == ["This session is read-only, so nothing may be changed."]
        assert ui.app.screen is ui.main and ui.given == []


async def test_read_only_says_so_in_other_screens() -> None:
    async with running(Engine(read_only=True)) as ui:
        for way, key in (("jobs", "r"), ("logins", "n"), ("search nginx", "enter")):
            await ui.command(way)
            await ui.until(lambda: ui.app.screen is not ui.main)
            ui.app.clear_notifications()
            await ui.press(key)
            assert any("read-only" in text for text in ui.toasts), way
            await ui.press("escape")
            await ui.until(lambda: ui.app.screen is ui.main)


@pytest.mark.parametrize(
    ("pane", "key", "words"),
    [
        ("2", "s", "s does nothing in images. In containers: start the container, or stop it when it runs."),
        ("3", "V", "F opens the files of the volume; there V copies them."),
        ("3", "d", "pgdata is in use by db: remove them first."),
        ("3", "D", "pgdata is in use by db: remove them first."),
        ("4", "t", "t does nothing in networks. In images: give the image another name."),
    ],
)
async def test_a_key_of_another_list(pane: str, key: str, words: str) -> None:
    async with running() as ui:
        await ui.press(pane, key)
        assert words in ui.toasts


async def test_full_and_share_on_a_narrow_screen() -> None:
    async with running(size=(80, 24)) as ui:
        for key in ("f", "plus", "underscore"):
            ui.app.clear_notifications()
            await ui.press(key)
            assert ui.toasts == [
                "Below 100 columns one list or the details have the whole screen; enter goes to the details."
            ]
        assert not ui.main.full


async def test_the_name_is_the_last_to_go_above_a_log() -> None:
    async with running(size=(80, 24)) as ui:
        await ui.go_to("web")
        await ui.press("l")
        await ui.until(lambda: ui.app.screen.name == "logs")
        status = ui.app.screen.query_one("#logs-status")
        status.set(["a-name-that-is-rather-long-for-a-container"], ["following · 1234 lines · wrap off · UTC · regex"])
        await ui.pilot.pause()
        line = ui.screen_text().splitlines()[0]
        assert "a-name-that-is-rather-long-for-a-container" in line and "following · 1234 lines" in line
        assert "regex" not in line


@pytest.mark.parametrize("width", [120, 160])
async def test_help_is_not_cut_where_there_is_room(width: int) -> None:
    async with running(size=(width, 48)) as ui:
        await ui.press("question_mark")
        table = ui.app.screen.query_one(LineTable)
        placed = {each.column.key: each.width for each in table._placed}
        if width == 160:
            longest = max(len(table.row(key).cell(1).text) for key in table.keys)
            assert placed["help"] >= longest and set(placed) == {each.key for each in COLUMNS}
        assert ui.app.screen.query_one(".dialog").size.width > 0.9 * width - 8


def test_the_command_that_is_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]) -> None:
    here, other = os.path.join(tmp_path, "here"), os.path.join(tmp_path, "other")
    for directory in (here, other):
        os.mkdir(directory)
        path = os.path.join(directory, "tuidock")
        with open(path, "w") as file:
            file.write("#!/bin/sh\n")
        os.chmod(path, 0o755)
    monkeypatch.setattr(sys, "argv", [os.path.join(here, "tuidock")])
    monkeypatch.setenv("PATH", f"{here}:/usr/bin:/bin")
    assert program.runnable("tuidock ps") == "tuidock ps"
    assert program.runnable("tuidock ps", "/var/tmp/try it") == "tuidock --root '/var/tmp/try it' ps"
    monkeypatch.setenv("PATH", f"{other}:{here}")
    assert program.runnable("tuidock ps") == f"{here}/tuidock ps"
    monkeypatch.setenv("PATH", "/nowhere")
    assert program.runnable("tuidock ps") == f"{here}/tuidock ps"
    monkeypatch.setattr(sys, "argv", ["/x/tuidock/__main__.py"])
    assert program.runnable("tuidock ps") == f"{sys.executable} -m tuidock ps"
    assert program.runnable("nginx -g 'daemon off;'") == "nginx -g 'daemon off;'"


async def test_copying_a_command_of_another_data_root() -> None:
    async with running(root="/var/tmp/try") as ui:
        await ui.go_to("web")
        await ui.press("c")
        at = [what for what, _ in panes.copies(ui.row("web"))].index("shell command") + 1
        await ui.press(str(at))
        assert ui.copied == [f"{program.prefix('/var/tmp/try')} exec -it web sh"]
        await ui.press("R")
        ui.app.screen.query_one("#field-image").value = "nginx:1.27"
        await ui.press("ctrl+c")
        assert ui.copied[-1] == f"{program.prefix('/var/tmp/try')} run -d nginx:1.27"
