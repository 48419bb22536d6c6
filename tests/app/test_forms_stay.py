"""What was typed is not lost: a form, a dialog or the line at the foot stays open with what is wrong with it."""

from __future__ import annotations

import pytest

from tests.fakes.driving import running
from tuidock.app import quoting
from tuidock.engine.errors import Conflict, InvalidArgument


def test_quotes() -> None:
    assert quoting.fault("sh -c 'echo x'") == ""
    assert quoting.fault("sh -c 'echo x") == quoting.fault('a "b') == "the quote is not closed"
    assert quoting.fault("a \\") == "nothing stands behind the \\ at the end"
    assert quoting.words("a 'b c'") == ["a", "b c"]


@pytest.mark.parametrize(("key", "label"), [("command", "Command"), ("env", "Env"), ("more", "More")])
async def test_an_open_quote_runs_nothing(key: str, label: str) -> None:
    async with running() as ui:
        await ui.press("R")
        ui.app.screen.query_one("#field-image").value = "nginx:1.27"
        ui.app.screen.query_one(f"#field-{key}").value = "sh -c 'echo x; sleep 9"
        await ui.press("ctrl+r")
        assert f"{label}: the quote is not closed." in ui.screen_text()
        assert ui.engine.called("create") == []
        assert ui.app.screen.focused.id == f"field-{key}"
        assert ui.app.screen.focused.value == "sh -c 'echo x; sleep 9"


async def test_ticks_are_told_by_letters() -> None:
    async with running() as ui:
        await ui.press("R")
        assert "[ ] terminal (-it)" in ui.screen_text() and "[ ] remove at exit" in ui.screen_text()
        ui.app.screen.query_one("#terminal").focus()
        await ui.press("space")
        assert "[x] terminal (-it)" in ui.screen_text() and "[ ] remove at exit" in ui.screen_text()


async def test_a_refused_volume() -> None:
    async with running() as ui:
        ui.engine.fail["create_volume"] = InvalidArgument("a volume cannot be called 'bad name'")
        await ui.press("3", "ctrl+n")
        await ui.type("bad name")
        await ui.press("enter")
        await ui.until(lambda: "cannot be called" in ui.screen_text())
        assert ui.app.screen.query_one("Input").value == "bad name"
        del ui.engine.fail["create_volume"]
        await ui.press(*["backspace"] * 5, "enter")
        await ui.until(lambda: ui.app.screen is ui.main)
        assert ui.engine.called("create_volume")[-1] == ("bad",)
        assert "bad created" in ui.toasts


async def test_a_refused_name() -> None:
    async with running() as ui:
        await ui.go_to("web")
        ui.engine.fail["rename"] = Conflict("the name db is taken by another container")
        await ui.command("rename")
        await ui.type("web2")
        await ui.press("enter", "enter")
        await ui.until(lambda: "the name db is taken" in ui.screen_text())
        ui.engine.fail.clear()
        await ui.press("enter")
        await ui.until(lambda: ui.row("web2") is not None)
        assert ui.app.screen is ui.main


async def test_a_refused_tag() -> None:
    async with running() as ui:
        ui.engine.fail["tag"] = InvalidArgument("'a b' is no name for an image")
        await ui.press("2", "t")
        await ui.type("a b")
        await ui.press("enter")
        await ui.until(lambda: "is no name for an image" in ui.screen_text())


async def test_a_command_that_cannot_be_read() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("E")
        await ui.type("sh -c 'x")
        await ui.press("enter")
        await ui.until(lambda: "Command: the quote is not closed." in ui.screen_text())
        assert ui.engine.called("exec_argv") == []
        ui.app.screen.focused.value += "'"
        await ui.press("enter")
        await ui.until(lambda: ui.engine.called("exec_argv"))
        assert ui.engine.called("exec_argv")[0][1].command == ("sh", "-c", "x")
