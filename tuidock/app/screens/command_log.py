"""What the app has done in this session, as commands: when, how it went, and how long it took."""

from __future__ import annotations

import time

from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from tuidock.app import filters, program, screen_keys
from tuidock.app.command_log import Entry
from tuidock.app.format import counted
from tuidock.app.messages import Answered
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.screens.prompt import PromptLine
from tuidock.app.widgets.line_table import Cell, Column, LineTable, Row
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.clean import clean

COLUMNS = (
    Column("time", "TIME", 8, sortable=False),
    Column("outcome", "OUTCOME", 9, sortable=False),
    Column("command", "COMMAND", 40, grow=1, sortable=False),
)


def outcome(entry: Entry, ascii: bool = False) -> Cell:
    """Runs, failed, or how long it took."""
    if not entry.ended:
        return Cell(tr("~ runs") if ascii else tr("↻ runs"), "busy")
    if entry.error:
        return Cell(tr("! failed") if ascii else tr("✖ failed"), "bad")
    seconds = (entry.ended - entry.time) / 1e9
    return Cell(
        f"{'*' if ascii else '✓'} {seconds:.1f} s" if seconds < 1000 else tr("{seconds:.0f} min", seconds=seconds / 60),
        "good",
    )


def row_of(entry: Entry, ascii: bool = False) -> Row:
    clock = time.strftime("%H:%M:%S", time.localtime(entry.time / 1e9))
    return Row(str(entry.number), (Cell(clock, "muted"), outcome(entry, ascii), entry.text))


class CommandLogScreen(Keyed):
    """The newest first; enter copies."""

    BINDINGS = bindings(screen_keys.COMMANDS)
    KEYS, HELP_TITLE = screen_keys.COMMANDS, "Commands"

    def __init__(self) -> None:
        super().__init__(name="commands", classes="feed-screen")
        self._pattern = ""

    def compose(self) -> ComposeResult:
        yield StatusLine(id="commands-status", classes="feed-status")
        yield PlainTable(COLUMNS, ascii=self.tuidock.config.ascii)
        yield Static("", id="command-note", markup=False)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(PlainTable).focus()
        self.draw_keys()
        workers = self.tuidock.engine_workers
        workers.log.changed = lambda: workers.post(Answered(self._news, None))
        self._draw()

    def on_unmount(self) -> None:
        self.tuidock.engine_workers.log.changed = lambda: None

    def _news(self, _: object) -> None:
        if self.is_attached:
            self._draw()

    def _entries(self) -> list[Entry]:
        found = self.tuidock.engine_workers.log.entries()[::-1]
        if self._pattern:
            fits, _ = filters.searcher(self._pattern)
            found = [entry for entry in found if fits(entry.text)]
        return found

    def _draw(self) -> None:
        table, entries = self.query_one(PlainTable), self._entries()
        table.set_empty(
            tr("Nothing fits {pattern}.", pattern=self._pattern)
            if self._pattern
            else tr("Nothing has been changed in this session yet.")
        )
        at_top = table.cursor_row <= 0
        table.set_rows([row_of(entry, self.tuidock.config.ascii) for entry in entries])
        if at_top and entries:
            table.move_cursor(str(entries[0].number))
        words = counted(len(entries), "command") + (f" · /{self._pattern}" if self._pattern else "")
        self.query_one("#commands-status", StatusLine).set([tr("Commands of this session")], [Cell(words, "muted")])
        self._note()

    @on(LineTable.CursorMoved)
    def _note(self) -> None:
        """Why the command under the cursor failed."""
        entry = self._under_cursor()
        note = self.query_one("#command-note", Static)
        note.update(clean(entry.error) if entry is not None else "")
        note.display = entry is not None and bool(entry.error)

    def _under_cursor(self) -> Entry | None:
        key = self.query_one(PlainTable).cursor_key
        return next((entry for entry in self._entries() if str(entry.number) == key), None)

    @on(LineTable.RowSelected)
    def action_copy(self) -> None:
        if (entry := self._under_cursor()) is not None:
            self.tuidock.copy(clean(program.runnable(entry.text, self.tuidock.data_root)), "the command")

    def action_all(self) -> None:
        """Those that went well, the oldest first, as a script."""
        root = self.tuidock.data_root
        lines = [
            clean(program.runnable(entry.text, root))
            for entry in self._entries()[::-1]
            if entry.ended and not entry.error
        ]
        if lines:
            self.tuidock.copy("\n".join(lines) + "\n", counted(len(lines), "command"))

    def action_filter(self) -> None:
        before = self._pattern

        def typed(text: str) -> str:
            self._pattern = text.strip()
            self._draw()
            return filters.searcher(self._pattern)[1]

        def cancelled() -> None:
            typed(before)

        self.open_prompt(PromptLine("/", lambda text: None, value=before, changed=typed, cancelled=cancelled))

    def action_back(self) -> None:
        if self._pattern:
            self._pattern = ""
            self._draw()
        else:
            self.dismiss()
