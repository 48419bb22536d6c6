"""The menus: kinds, rows of a kind, what can be done with a row."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tuidock.app.model import CONTAINERS, IMAGES, KINDS, NETWORKS, VOLUMES, Row, row_id, row_name
from tuidock.app.panes import TITLES
from tuidock.app.plain import telling
from tuidock.app.quoting import fault
from tuidock.app.report import sentence
from tuidock.app.words import mark, tr, trn
from tuidock.engine.clean import clean
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.types import Container, ExecRequest

if TYPE_CHECKING:
    from tuidock.engine import Engine
    from tuidock.engine.types import LogLine

#: Lines of a log that are read at first.
LOG_LINES = 40
_LIVING = ("running", "paused", "restarting")


class Done(NamedTuple):
    """Something to do with a row. ask: the question before it, "" for none; states: of containers that it is for."""

    label: str
    do: Callable[[Browser, Row], object]
    ask: str = ""
    states: tuple[str, ...] = ()
    changes: bool = True


class Browser:
    """Reads a line, does it, writes lines."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def say(self, text: str = "") -> None:
        print(text, flush=True)

    def ask(self, question: str) -> str | None:
        """A line, None at the end of the input."""
        print(f"{question}: ", end="", flush=True)
        read = sys.stdin.readline()
        return read.strip() if read.endswith("\n") or read else None

    def run(self) -> None:
        try:
            while True:
                self.say()
                self.say(tr("tuidock, read-only") if self.engine.read_only else "tuidock")
                counts = [f"{tr(TITLES[kind])}, {len(self._rows(kind))}" for kind in KINDS]
                chosen = self._choose(counts, tr("Number of a list, or q to quit"))
                if chosen is None:
                    return
                if isinstance(chosen, int):
                    self._list(KINDS[chosen])
        except _Quit:
            return
        except KeyboardInterrupt:
            self.say()

    def _rows(self, kind: str) -> Sequence[Row]:
        rows: Sequence[Row] = getattr(self.engine, kind)()
        return rows

    def _choose(self, lines: Sequence[str], question: str) -> int | str | None:
        """The index of a line, what else was typed, or None for back."""
        for at, text in enumerate(lines, 1):
            self.say(f"{at}. {text}")
        typed = self.ask(question)
        if typed is None or typed in ("q", "quit"):
            raise _Quit
        if typed.isascii() and typed.isdecimal() and 0 < int(typed) <= len(lines):
            return int(typed) - 1
        if typed in ("b", "back", ""):
            return None if typed else ""
        if typed != "r":
            self.say(tr("{typed} is none of the choices.", typed=clean(typed)))
        return typed

    def _list(self, kind: str) -> None:
        while True:
            rows = self._rows(kind)
            self.say()
            self.say(f"{tr(TITLES[kind])}, {len(rows)}")
            chosen = self._choose(
                [telling.line(row) for row in rows], tr("Number for more, r reads again, b goes back, q quits")
            )
            if chosen is None:
                return
            if isinstance(chosen, int):
                self._row(kind, row_id(rows[chosen]))

    def _row(self, kind: str, identity: str) -> None:
        """What is known of it and what can be done, until it is left or gone."""
        while True:
            row = next((each for each in self._rows(kind) if row_id(each) == identity), None)
            if row is None:
                return
            self.say()
            for text in telling.details(row):
                self.say(text)
            offers = [each for each in ACTIONS[kind] if self._possible(each, row)]
            self.say()
            chosen = self._choose(
                [tr(each.label) for each in offers], tr("Number to do it, r reads again, b goes back")
            )
            if chosen is None:
                return
            if isinstance(chosen, int):
                self._do(offers[chosen], row)

    def _possible(self, action: Done, row: Row) -> bool:
        if action.changes and self.engine.read_only:
            return False
        return not action.states or (isinstance(row, Container) and row.status in action.states)

    def _do(self, action: Done, row: Row) -> None:
        name = clean(row_name(row))
        if action.ask and self.ask(tr("{question} Type yes", question=tr(action.ask, name=name))) not in (
            "yes",
            tr("yes"),
        ):
            self.say(tr("Nothing was done."))
            return
        try:
            action.do(self, row)
        except KeyboardInterrupt:
            self.say()
        except Exception as error:
            self.say(sentence(error))
        else:
            if action.changes:
                self.say(tr("{action}: done, {name}", action=tr(action.label), name=name))

    def log(self, row: Row, follow: bool) -> None:
        """The last lines; with follow until ctrl+c or the end of the container."""
        if follow:
            self.say(tr("ctrl+c ends it."))
        for batch in self.engine.logs(row_id(row), follow=follow, tail=LOG_LINES):
            for each in batch:
                self.say(_log_line(each))

    def shell(self, row: Row) -> None:
        """A command in the container, on this terminal."""
        import shlex

        typed = self.ask(tr("Command, empty for a shell"))
        if typed is None:
            return
        try:
            command = tuple(shlex.split(typed)) if typed else self.engine.shells(row_id(row))[:1]
        except ValueError:
            raise InvalidArgument(tr("The command cannot be read: {text}.", text=fault(typed))) from None
        if not command:
            raise InvalidArgument(tr("There is no shell in this container; type a command of its own."))
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        request = ExecRequest(command, tty=terminal, interactive=True)
        code = subprocess.call(self.engine.exec_argv(row_id(row), request))
        self.say(tr("It ended with exit code {code}.", code=code))


class _Quit(Exception):
    """The person has had enough, or the input has ended."""


def _log_line(each: LogLine) -> str:
    """Without colours, and nothing in it can move the cursor."""
    if each.skipped:
        return trn("1 byte was rotated away here", "{count} bytes were rotated away here", each.skipped)
    from tuidock.app.logs.ansi import text_of, visible

    return text_of(visible(each.text))


ACTIONS: dict[str, tuple[Done, ...]] = {
    CONTAINERS: (
        Done(mark("Start"), lambda b, row: b.engine.start(row_id(row)), states=("created", "exited", "dead")),
        Done(mark("Stop"), lambda b, row: b.engine.stop(row_id(row)), mark("Stop {name}?"), _LIVING),
        Done(mark("Restart"), lambda b, row: b.engine.restart(row_id(row)), mark("Restart {name}?"), _LIVING),
        Done(mark("Pause"), lambda b, row: b.engine.pause(row_id(row)), states=("running",)),
        Done(mark("Go on"), lambda b, row: b.engine.unpause(row_id(row)), states=("paused",)),
        Done(mark("Kill"), lambda b, row: b.engine.kill(row_id(row)), mark("Kill {name}?"), _LIVING),
        Done(mark("Last lines of the log"), lambda b, row: b.log(row, False), changes=False),
        Done(mark("Follow the log"), lambda b, row: b.log(row, True), states=("running",), changes=False),
        Done(mark("Run a command in it"), lambda b, row: b.shell(row), states=("running",)),
        Done(
            mark("Remove"), lambda b, row: b.engine.remove(row_id(row), force=True),
            mark("Remove {name}? `tuidock undo` brings it back."),
        ),
    ),
    IMAGES: (
        Done(
            mark("Remove"), lambda b, row: b.engine.remove_image(row_name(row)),
            mark("Remove {name}? `tuidock undo` brings it back."),
        ),
    ),
    VOLUMES: (
        Done(
            mark("Remove"), lambda b, row: b.engine.remove_volume(row_id(row)),
            mark("Remove {name}? `tuidock undo` brings it back."),
        ),
    ),
    NETWORKS: (Done(mark("Remove"), lambda b, row: b.engine.remove_network(row_id(row)), mark("Remove {name}?")),),
}  # fmt: skip
