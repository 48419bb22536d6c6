"""A shell in a container, and attaching to it: what the terminal is given to."""

from __future__ import annotations

from tests.fakes.driving import running


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
