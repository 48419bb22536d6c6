"""Moving in from docker or podman: everything that they have as a list to tick, with what would be different here.

The other engine is only read. What is ticked is taken by a job, item by item; what failed can be tried again there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from tuidock.app import moving_in, screen_keys, tasks
from tuidock.app.format import counted, size
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.rows import Cell
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import MigrationItem


class MigrateTable(PlainTable):
    SPACE = "tick"


class MigrateScreen(Keyed):
    """kind is docker or podman, host the address of its socket, "" for the usual places."""

    BINDINGS = bindings(screen_keys.MIGRATE)
    KEYS, HELP_TITLE = screen_keys.MIGRATE, "Moving in"

    def __init__(self, kind: str, host: str = "") -> None:
        super().__init__(name="migrate", classes="migrate-screen")
        self._kind, self._host = kind, host
        self._items: list[MigrationItem] = []
        self._ticked: set[str] = set()
        self._place = ""
        self._free = 0
        self._asking = False

    def compose(self) -> ComposeResult:
        yield StatusLine(id="migrate-status")
        yield MigrateTable(moving_in.COLUMNS, header=False, empty="", ascii=self.tuidock.config.ascii)
        yield Static("", id="migrate-note", markup=False)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(MigrateTable).focus()
        self.action_again()

    def action_again(self) -> None:
        """Asks the other engine what it has; what was ticked stays ticked."""
        if self._asking:
            return
        self._asking = True
        kind, host = self._kind, self._host
        before = {moving_in.key_of(item) for item in self._items}
        self.query_one(MigrateTable).set_empty(tr("asking {kind} what it has …", kind=kind))
        self._draw()

        def look(engine: Any) -> tuple[str, int, list[MigrationItem]]:
            with engine.migration_source(kind, host) as source:
                items = engine.migration_plan(source)[1]
                status = os.statvfs(engine.root)
                return source.path, status.f_bavail * status.f_frsize, items

        def found(answer: tuple[str, int, list[MigrationItem]]) -> None:
            self._asking = False
            if not self.is_attached:
                return
            self._place, self._free, self._items = answer
            can = set(moving_in.choosable(self._items))
            self._ticked = {key for key in can if key in self._ticked or key not in before}
            self.query_one(MigrateTable).set_empty(
                tr("{kind} has nothing: no image, network, volume or container.", kind=kind)
            )
            self._draw()

        def failed(error: BaseException, text: str) -> None:
            self._asking = False
            if self.is_attached:
                self._items = []
                self.query_one(MigrateTable).set_empty(text)
                self._draw()

        self.tuidock.engine_workers.ask_apart(look, found, failed)

    def _draw(self) -> None:
        table = self.query_one(MigrateTable)
        rows = moving_in.rows_of(self._items, self._ticked, self.tuidock.config.ascii)
        table.renew(rows)
        whole = self._whole()
        words = f"{counted(len(self._ticked), 'thing')}, {size(whole)}" if self._ticked else ""
        if not self._ticked and self._items:
            words = "nothing is ticked" if moving_in.choosable(self._items) else "all of it is here"
        style = "bad" if whole > self._free > 0 else "accent" if self._ticked else "muted"
        free = f" · {size(self._free)} free here" if self._free else ""
        left: list[Cell | str] = [
            tr("Moving in from {kind}", kind=self._kind),
            Cell(clean(f"  {self._place}"), "muted"),
        ]
        self.query_one("#migrate-status", StatusLine).set(left, [Cell(words, style), Cell(free, "muted")])
        self._draw_note()

    def _whole(self) -> int:
        return sum(item.size for item in self._items if moving_in.key_of(item) in self._ticked)

    @on(LineTable.CursorMoved)
    def _draw_note(self) -> None:
        item = self._under_cursor()
        text = (
            moving_in.note_of(item)
            if item is not None
            else tr("{kind} is only read; what it has stays there.", kind=self._kind)
        )
        self.query_one("#migrate-note", Static).update(text)
        self.draw_keys()

    def _under_cursor(self) -> MigrationItem | None:
        key = self.query_one(MigrateTable).cursor_key
        return next((item for item in self._items if moving_in.key_of(item) == key), None)

    def hidden_keys(self) -> Sequence[str]:
        return () if self._ticked else ("migrate.go",)

    # -- keys -------------------------------------------------------------------------------------------------------

    def action_tick(self) -> None:
        """The line under the cursor, or all of its kind."""
        table = self.query_one(MigrateTable)
        first, _, rest = (table.cursor_key or "").partition(" ")
        if first == moving_in.GROUP:
            every = set(moving_in.choosable(self._items, rest))
            self._ticked = self._ticked - every if every <= self._ticked else self._ticked | every
        else:
            item = self._under_cursor()
            if item is not None and item.action == moving_in.TAKE:
                self._ticked ^= {moving_in.key_of(item)}
            table.action_cursor_down()
        self._draw()

    def action_all(self) -> None:
        self._ticked = set(moving_in.choosable(self._items))
        self._draw()

    def action_none(self) -> None:
        self._ticked = set()
        self._draw()

    def action_copy(self) -> None:
        item = self._under_cursor()
        self.tuidock.copy(moving_in.note_of(item) if item is not None else self._command())

    def _command(self) -> str:
        host = f" --host unix://{self._place}" if self._host and self._place else ""
        return clean(f"tuidock migrate{host} {self._kind}")

    @on(LineTable.RowSelected)
    def action_go(self) -> None:
        """One more look at what it is, then the job."""
        chosen = [item for item in self._items if moving_in.key_of(item) in self._ticked]
        app = self.tuidock
        if app.read_only:
            app.say(tr(screen_keys.READ_ONLY), "warning")
            return
        if not chosen:
            app.say(tr("Nothing is ticked: space ticks the line under the cursor."), "warning")
            return
        counts = [(kind, sum(item.kind == kind for item in chosen)) for kind in moving_in.KINDS]
        lines = [", ".join(counted(count, kind) for kind, count in counts if count) + f", {size(self._whole())}"]
        if self._whole() > self._free > 0:
            lines.append(
                tr(
                    "Only {free} are free here; layers that images share count once, so it may fit.",
                    free=size(self._free),
                )
            )
        lines.append(tr("{kind} is only read; containers come as they are defined, and stopped.", kind=self._kind))

        def yes() -> None:
            job = tasks.migrate(app, self._kind, self._host, chosen)
            self.dismiss()
            app.show_jobs(job)

        app.confirm(tr("Take over from {kind}?", kind=self._kind), lines, tr("take over"), yes)

    def action_back(self) -> None:
        self.dismiss()


def choose_source(app: Any) -> None:
    """Asks from which engine, where there are several; says how to begin where there is none."""
    from tuidock.app.screens.picker import Choice, PickerScreen

    def found(sockets: dict[str, str]) -> None:
        if not sockets:
            app.say(
                tr(
                    "Neither docker nor podman listens on this machine: start it, or name its socket: "
                    "`:migrate docker /path/to/socket`."
                ),
                "warning",
            )
        elif len(sockets) == 1:
            app.push_screen(MigrateScreen(next(iter(sockets))))
        else:
            choices = [Choice(kind, kind, clean(path) or tr("its API is started")) for kind, path in sockets.items()]
            app.push_screen(
                PickerScreen(tr("Move in from"), choices),
                lambda kind: app.push_screen(MigrateScreen(kind)) if kind is not None else None,
            )

    app.engine_workers.ask_apart(
        lambda engine: engine.migration_sockets(), found, lambda error, text: app.say(text, "error")
    )
