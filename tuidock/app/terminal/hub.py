"""The terminals of the app: which sessions there are, and where each is shown.

A session lives as long as its program, whether somebody looks at it or not; it is shown over the whole screen, or as a
tab beside the list. Leaving it - by the detach keys - leaves a shell where it is and an attached container alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuidock.app.model import CONTAINERS
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.options.detach_keys import parse_detach_keys, shown
from tuidock.engine.types import Container

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.terminal import TerminalScreen
    from tuidock.app.terminal.session import Session
    from tuidock.app.terminal.view import TerminalView

#: What an exec tells its program about the terminal that it gets here.
TERM = "xterm-256color"
#: An exec that ends sooner than this (seconds) with a failure had something to say, which stays on the screen.
_SHORT = 1.0


def environment() -> tuple[str, ...]:
    """Variables for a program that runs in here."""
    found = [f"TERM={TERM}", "COLORTERM=truecolor"]
    if os.environ.get("NO_COLOR"):
        found.append("NO_COLOR=1")
    return tuple(found)


class Terminals:
    """Made with the app; nothing is imported for it until the first terminal is opened."""

    def __init__(self, app: TuidockApp) -> None:
        self._app = app
        self.sessions: list[Session] = []
        self.again: dict[int, Callable[[], None]] = {}  # by session: opens another like it
        self.detach = parse_detach_keys(app.config.detach_keys)

    @property
    def living(self) -> list[Session]:
        """Those whose end would end a program."""
        return [each for each in self.sessions if not each.over and each.kind != "attach"]

    def of(self, container: str) -> list[Session]:
        return [each for each in self.sessions if each.container == container]

    def find(self, container: str, kind: str) -> Session | None:
        """The newest of that container and kind that goes on."""
        return next((each for each in reversed(self.of(container)) if each.kind == kind and not each.over), None)

    def make_view(self) -> TerminalView:
        from tuidock.app.terminal.view import TerminalView

        return TerminalView(leader=self._app.config.leader, detach=self.detach, detach_shown=shown(self.detach))

    # -- beginning ----------------------------------------------------------------------------------------------

    def _new(self, title: str, row: Container, kind: str, newlines: bool = False) -> Session:
        from tuidock.app.terminal.session import Session

        width, height = self._app.size
        session = Session(
            title, row.id, columns=width, lines=max(1, height - 1), kind=kind, newlines=newlines
        )  # fmt: skip
        session.ended, session.lost = self._ended, self._lost
        self.sessions.append(session)
        return session

    def run(
        self, row: Container, argv: list[str], title: str, kind: str, again: Callable[[], None], lease: int = -1
    ) -> None:
        """A program on a terminal of its own, over the whole screen. lease: a descriptor that it holds instead of us."""
        from tuidock.app.terminal.channels import PtyChannel

        session = self._new(title, row, kind)
        # Should the app be killed, the program must not outlive it where nobody can reach it.
        own = {**os.environ, "TUIDOCK_TERMINAL_OF": str(os.getpid())}
        try:
            session.join(PtyChannel(argv, own, session.emulator.lines, session.emulator.columns, lease))
        except OSError as error:
            self.sessions.remove(session)
            session.close()
            from tuidock.app.report import sentence

            self._app.say(sentence(error), "error")
            return
        finally:
            if lease >= 0:
                os.close(lease)
        self.again[id(session)] = again
        self.show(session)

    def attach(self, row: Container, again: Callable[[], None]) -> None:
        """The container's own process; its socket is asked for in another thread."""

        def joined(value: tuple[Any, Any]) -> None:
            from tuidock.app.terminal.channels import AttachChannel

            session = self._new(clean(row.name), row, "attach", newlines=not row.tty)
            channel = AttachChannel(
                *value, tty=row.tty, stdin_open=row.open_stdin, echo=session.show
            )  # fmt: skip
            lines, columns = session.emulator.lines, session.emulator.columns
            channel.resize(lines + 1, columns + 1)  # a program that is told another size draws itself anew
            channel.resize(lines, columns)
            session.join(channel)
            self.again[id(session)] = again
            self.show(session)
            if not row.open_stdin:
                self._app.say(tr("Its standard input is closed: it is looked at only; ctrl+c reaches it as a signal.")
                              if not row.tty else tr("Its standard input is closed: it is looked at only."))  # fmt: skip

        self._app.engine_workers.ask(
            "attach",
            lambda engine: (engine.attach(row.id), engine.resumer(row.id)),
            joined,
            lambda text: self._app.say(text, "error"),
        )

    # -- ends ---------------------------------------------------------------------------------------------------

    def _lost(self, session: Session) -> None:
        """Its shim was killed, or found us too slow: the next one goes on."""

        def found(connection: Any) -> None:
            from tuidock.app.terminal.channels import AttachChannel

            channel = session.lost_channel()
            if connection is None or not isinstance(channel, AttachChannel):
                session.finish(None)
                return
            channel.take_over(connection)
            channel.resize(session.emulator.lines, session.emulator.columns)
            session.join(channel)

        self._app.engine_workers.ask_apart(
            lambda engine: engine.reattach(session.container, owner=False),
            found,
            lambda error, text: session.finish(None),
        )

    def _ended(self, session: Session) -> None:
        """By itself. A shell that was left by `exit` goes from the screen; what failed at once stays to be read."""
        import time

        code = session.exit_code
        if session.kind == "attach":
            name = clean(session.title)
            self._app.say(
                tr("{name} has ended.", name=name)
                if code is None
                else tr("{name} ended with {code}.", name=name, code=code)
            )
        elif code and time.monotonic() - session.began < _SHORT:
            text = f"\r\n\x1b[2m── {tr('ended with {code}; any key closes this', code=code)} ──\x1b[m"
            session.show(text.encode())
            return
        self.drop(session)

    def drop(self, session: Session) -> None:
        """It is over, or is to be: it goes from every place."""
        session.close()
        if session in self.sessions:
            self.sessions.remove(session)
        self.again.pop(id(session), None)
        if (screen := self._screen()) is not None and screen.view.session is session:
            screen.gone()
        if (main := self._app.main) is not None:
            main.detail.terminals_changed()

    def close_all(self) -> None:
        """The app ends, and the terminals with it: programs get SIGHUP."""
        for session in list(self.sessions):
            session.close()
        self.sessions.clear()

    # -- places -------------------------------------------------------------------------------------------------

    def _screen(self) -> TerminalScreen | None:
        return next((each for each in self._app.screen_stack if each.id == "terminal"), None)  # type: ignore[return-value]

    def show(self, session: Session) -> None:
        """Over the whole screen."""
        from tuidock.app.screens.terminal import TerminalScreen

        if (screen := self._screen()) is not None:
            screen.show(session)
        else:
            self._app.push_screen(TerminalScreen(self, session))
        if (main := self._app.main) is not None:
            main.detail.terminals_changed()

    def show_beside(self, session: Session) -> None:
        """As a tab of the details of its container."""
        main = self._app.main
        if main is None or session.container not in self._app.model.containers():
            return
        if main.kind != CONTAINERS:
            main.go(CONTAINERS)
        main.pane(CONTAINERS).seek(session.container)
        main.detail.follow(CONTAINERS, session.container, at_once=True)
        main.detail.show_terminal(session)
        main.show_page("detail")

    def over_everything(self, session: Session) -> bool:
        """Whether the session is shown over the whole screen now."""
        screen = self._screen()
        return screen is not None and screen.view.session is session

    def wanted_beside(self, what: str, view: TerminalView) -> None:
        """A key behind the leader, beside the list."""
        session, main = view.session, self._app.main
        if session is None or main is None:
            return
        if what == "full":
            view.release()
            self.show(session)
        elif what == "leave":
            self.leave(session)
            main.show_page("list")
        elif what in ("next", "previous"):
            found = self.step(session, 1 if what == "next" else -1, among=self.of(session.container))
            if found is not None:
                main.detail.show_terminal(found)
        else:
            self.do(what, session)

    def do(self, what: str, session: Session) -> None:
        """What is the same in every place."""
        if what == "new":
            if (again := self.again.get(id(session))) is not None:
                again()
        elif what == "end":
            self.end(session)
        elif what == "help":
            from tuidock.app.screens.help import show_help

            show_help(self._app, "Terminals")

    def step(self, session: Session | None, step: int, *, among: list[Session]) -> Session | None:
        if session not in among:
            return among[0] if among else None
        return among[(among.index(session) + step) % len(among)]

    def end(self, session: Session) -> None:
        """After asking, unless there is nothing to be lost."""
        if session.over or session.kind == "attach":
            self.drop(session)
            return
        title = clean(session.title)
        self._app.confirm(
            tr("End {name}?", name=title), [tr("Its program gets SIGHUP, and SIGKILL when it stays.")], tr("end it"),
            lambda: self.drop(session),
        )  # fmt: skip

    def leave(self, session: Session) -> None:
        """The detach keys: an attachment ends, a shell goes on."""
        if session.over or session.kind == "attach":
            self.drop(session)
            return
        self._app.say(tr("{name} goes on; e, or its tab in the details, comes back to it.", name=clean(session.title)))
