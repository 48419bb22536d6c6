"""A shell in a container, and attaching to it: what is asked of the engine, and what the terminal is given to."""

from __future__ import annotations

from tests.fakes.driving import running
from tuidock.app.config import Config

FULL = Config(exec_in="full")


async def test_exec_takes_the_best_shell_and_gives_the_terminal() -> None:
    async with running(config=FULL) as ui:
        await ui.go_to("web")
        await ui.press("e")
        assert ui.given == [["true"]]
        name, request = ui.engine.called("exec_argv")[0]
        assert name == "web" and request.tty and request.interactive
        assert request.command == ("/bin/bash",) and request.detach_keys == "ctrl-p,ctrl-q"


async def test_exec_as() -> None:
    async with running(config=FULL) as ui:
        await ui.go_to("web")
        await ui.press("E")
        await ui.until(lambda: "Shells: /bin/bash, /bin/sh" in ui.screen_text())
        await ui.press("tab")
        await ui.type("www")
        await ui.press("tab")
        await ui.type("/srv")
        await ui.press("enter")
        _, request = ui.engine.called("exec_argv")[0]
        assert (request.command, request.user, request.working_dir) == (("/bin/bash",), "www", "/srv")


async def test_exec_into_one_that_does_not_run_says_why() -> None:
    async with running() as ui:
        await ui.go_to("done")
        await ui.press("e")
        assert "done is exited: shell is not possible." in ui.toasts
        assert ui.given == []


async def test_attach() -> None:
    async with running(config=FULL) as ui:
        await ui.go_to("web")
        await ui.press("a")
        assert ui.given[0][-1] == ui.row("web").id and "attach" in ui.given[0]
        assert ui.given[0][-3:-1] == ["--detach-keys", "ctrl-p,ctrl-q"]


async def test_a_container_without_a_shell_is_offered_one() -> None:
    async with running() as ui:
        ui.engine.shells = lambda ref, user="": ()  # type: ignore[method-assign]
        await ui.go_to("web")
        await ui.press("e")
        await ui.until(lambda: "web has no shell" in ui.screen_text())
        await ui.press("escape")
        assert ui.engine.called("exec_argv") == [] and ui.app.terminals.sessions == []
