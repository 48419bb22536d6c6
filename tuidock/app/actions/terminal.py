"""A shell in a container, one that is brought along, and the container's own process: on a terminal inside the app, or on
the whole terminal as with docker (`terminal: {exec: full}`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuidock.app.model import Row
from tuidock.app.terminal.hub import environment
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, ExecRequest

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.main import MainScreen


class Terminal:
    """See `actions/__init__.py`."""

    screen: MainScreen
    app: TuidockApp

    @property
    def _in_pane(self) -> bool:
        return self.app.config.exec_in == "pane"

    def container_exec(self, rows: list[Row]) -> None:
        """Back to the shell that was left, or a new one."""
        row = rows[0]
        session = self.app.terminals.find(row.id, "exec") if isinstance(row, Container) else None
        if session is not None:
            self.app.terminals.show(session)
        else:
            self.exec(row, ())

    def exec(self, row: Row, command: Sequence[str], user: str = "", directory: str = "") -> None:
        """() stands for the best shell that the container has."""
        assert isinstance(row, Container)

        def ask(engine: Any) -> tuple[str, list[str]]:
            chosen = tuple(command) or tuple(engine.shells(row.id, user)[:1])
            if not chosen:
                return "", []
            env = environment() if self._in_pane else (f"TERM={os.environ.get('TERM', 'xterm-256color')}",)
            keys = "" if self._in_pane else self.app.config.detach_keys or "ctrl-p,ctrl-q"
            request = ExecRequest(chosen, True, True, False, env, directory, user, False, keys)
            return chosen[0], engine.exec_argv(row.id, request)

        def answered(value: tuple[str, list[str]]) -> None:
            program, argv = value
            if argv:
                self._run(row, argv, program, "exec", lambda: self.exec(row, command, user, directory))
            else:
                self._offer_debug(row)

        self.app.engine_workers.ask("exec", ask, answered, lambda text: self.app.say(text, "error"))

    def _run(self, row: Container, argv: list[str], program: str, kind: str, again: Any) -> None:
        name = clean(row.name)
        if self._in_pane:
            self.app.terminals.run(row, argv, clean(os.path.basename(program)), kind, again)
            return
        code = self.app.give_terminal(argv, tr("{name}: leave with exit or ctrl+d", name=name))
        if code in (126, 127):
            text = tr(
                "{name} has no {program} that can be executed; E asks for another command.", name=name, program=program
            )
            self.app.say(text, "error")

    def _offer_debug(self, row: Container) -> None:
        self.app.confirm(
            tr("{name} has no shell", name=clean(row.name)),
            [tr("One can be brought along: the programs of host/base in the container's namespaces."),
             tr("Its files are below /container then. Nothing of that stays.")],
            tr("bring one"),
            lambda: self.container_debug([row]),
        )  # fmt: skip

    def container_debug(self, rows: list[Row]) -> None:
        self.debug(rows[0], "")

    def debug(self, row: Row, image: str) -> None:
        """image "" is host/base, which is made when it is not there."""
        assert isinstance(row, Container)

        def ask(engine: Any) -> Any:
            from tuidock.engine.errors import NotFound

            request = ExecRequest((), True, True, env=environment(), detach_keys="")
            try:
                return engine.debug_argv(row.id, request, image)
            except NotFound as error:
                if image or error.kind != "image":
                    raise
                for _ in engine.pull("host/base"):
                    pass
                return engine.debug_argv(row.id, request)

        def run(made: Any) -> None:
            self.app.terminals.run(
                row, made.argv, tr("debug"), "debug", lambda: self.debug(row, image), lease=made.lease
            )

        self.app.engine_workers.ask_apart(ask, run, lambda error, text: self.app.say(text, "error"))

    def container_exec_as(self, rows: list[Row]) -> None:
        row = rows[0]
        assert isinstance(row, Container)
        self.app.engine_workers.ask(
            "shells", lambda engine: engine.shells(row.id), lambda found: self._ask_exec(row, found),
            lambda text: self.app.say(text, "error"),
        )  # fmt: skip

    def _ask_exec(self, row: Container, shells: Sequence[str]) -> None:
        from tuidock.app.screens.ask import AskScreen, Question

        def go(ask: AskScreen, values: list[str]) -> None:
            from tuidock.app import quoting

            if problem := quoting.fault(values[0]):
                ask.failed(tr("Command: {problem}.", problem=problem))
                return
            ask.dismiss(None)
            self.exec(row, quoting.words(values[0]), values[1], values[2])

        known = [clean(each) for each in shells]
        note = (
            tr("Shells: {names}", names=", ".join(known))
            if known
            else tr("It has no shell; `:debug` brings one along.")
        )
        own = tr("the container's own")
        self.app.push_screen(
            AskScreen(
                tr("Execute in {name}", name=clean(row.name)),
                [
                    Question(tr("Command"), known[0] if known else "", known=known),
                    Question(tr("User"), "", own, False),
                    Question(tr("Directory"), "", own, False),
                ],
                yes=tr("execute"),
                note=note,
                go=go,
            )
        )

    def container_attach(self, rows: list[Row]) -> None:
        row = rows[0]
        assert isinstance(row, Container)
        if self._in_pane:
            session = self.app.terminals.find(row.id, "attach")
            if session is not None:
                self.app.terminals.show(session)
            else:
                self.app.terminals.attach(row, lambda: self.container_attach([row]))
            return
        import sys

        from tuidock.engine.options.detach_keys import shown

        argv = [sys.executable, "-m", "tuidock"]
        if self.app.root:
            argv += ["--root", self.app.root]
        argv += ["attach", "--detach-keys", self.app.config.detach_keys or "ctrl-p,ctrl-q", row.id]
        keys = shown(self.app.terminals.detach)
        self.app.give_terminal(
            argv, tr("{name}: detach with {keys}; ctrl+c goes to the container", name=clean(row.name), keys=keys)
        )
