"""Actions for which the app gives the terminal away: a shell in a container, attaching to its own process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuidock.app.model import Row
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, ExecRequest

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.main import MainScreen

#: The best shell that the image has; what the image lacks is not asked for.
SHELL = ("sh", "-c", "for s in bash zsh ash; do command -v $s >/dev/null 2>&1 && exec $s; done; exec sh")


class Terminal:
    """See `actions/__init__.py`."""

    screen: MainScreen
    app: TuidockApp

    def container_exec(self, rows: list[Row]) -> None:
        self.exec(rows[0], SHELL)

    def exec(self, row: Row, command: Sequence[str], user: str = "", directory: str = "") -> None:
        assert isinstance(row, Container)
        env = (f"TERM={os.environ.get('TERM', 'xterm-256color')}",)
        request = ExecRequest(tuple(command), True, True, False, env, directory, user)
        name = clean(row.name)

        def run(argv: list[str]) -> None:
            code = self.app.give_terminal(argv, f"{name}: leave with exit or ctrl+d")
            if code in (126, 127):
                self.app.say(f"{name} has no {command[0]} that can be executed; E asks for another command.", "error")

        self.app.engine_workers.ask(
            "exec", lambda engine: engine.exec_argv(row.id, request), run, lambda text: self.app.say(text, "error")
        )

    def container_exec_as(self, rows: list[Row]) -> None:
        from tuidock.app.screens.ask import AskScreen, Question

        row = rows[0]

        def go(ask: AskScreen, values: list[str]) -> None:
            from tuidock.app import quoting

            if problem := quoting.fault(values[0]):
                ask.failed(f"Command: {problem}.")
                return
            ask.dismiss(None)
            self.exec(row, quoting.words(values[0]), values[1], values[2])

        assert isinstance(row, Container)
        self.app.push_screen(
            AskScreen(
                f"Execute in {clean(row.name)}",
                [
                    Question("Command", "sh"),
                    Question("User", "", "the container's own", False),
                    Question("Directory", "", "the container's own", False),
                ],
                yes="execute",
                go=go,
            )
        )

    def container_attach(self, rows: list[Row]) -> None:
        row = rows[0]
        assert isinstance(row, Container)
        import sys

        argv = [sys.executable, "-m", "tuidock"]
        if self.app.root:
            argv += ["--root", self.app.root]
        argv += ["attach", row.id]
        self.app.give_terminal(argv, f"{clean(row.name)}: detach with ctrl+p ctrl+q; ctrl+c goes to the container")
