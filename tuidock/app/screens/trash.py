"""The trash: what was removed and can come back, with its size; what goes for good goes after one question."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from tuidock.app import screen_keys
from tuidock.app.format import age, counted, size
from tuidock.app.screens.dialog import Dialog, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import RemovedEntry

COLUMNS = (
    Column("kind", "KIND", 9, sortable=False),
    Column("name", "NAME", 24, grow=2, sortable=False),
    Column("size", "SIZE", 7, "right", sortable=False),
    Column("age", "REMOVED", 9, "right", sortable=False),
)


def row_of(entry: RemovedEntry, now: int) -> Row:
    name = entry.name or entry.subject.removeprefix("sha256:")[:12]
    removed = f"{age(now - entry.time)} ago"
    return Row(entry.id, (Cell(entry.kind, "muted"), name, Cell(size(entry.size)), Cell(removed, "muted")))


class TrashScreen(Dialog):
    """A list, the newest first; enter brings back what is under the cursor."""

    BINDINGS = bindings(screen_keys.TRASH)
    KEYS = screen_keys.TRASH

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[RemovedEntry] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog listing"):
            with Horizontal(classes="dialog-head"):
                yield Static(tr("Trash"), classes="dialog-title", markup=False)
                yield StatusLine(id="trash-sum")
            yield PlainTable(COLUMNS, empty=tr("looking …"), ascii=self.tuidock.config.ascii)
            yield KeyLine(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one(PlainTable).focus()
        self.draw_keys()
        self._read()

    def on_screen_resume(self) -> None:
        self._read()

    def _read(self) -> None:
        def found(entries: list[RemovedEntry]) -> None:
            if not self.is_attached:
                return
            self._entries = entries
            table, now = self.query_one(PlainTable), self.tuidock.model.clock()
            table.set_empty(tr("The trash is empty."))
            table.set_rows([row_of(entry, now) for entry in entries])
            whole = sum(max(0, entry.size) for entry in entries)
            words = f"{counted(len(entries), 'thing')} · {size(whole)}" if entries else ""
            self.query_one("#trash-sum", StatusLine).set([], [Cell(words, "muted")])

        def failed(error: BaseException, text: str) -> None:
            if self.is_attached:
                self.query_one(PlainTable).set_empty(text)

        self.tuidock.engine_workers.ask_apart(lambda engine: engine.trash(sizes=True), found, failed)

    def _under_cursor(self) -> RemovedEntry | None:
        key = self.query_one(PlainTable).cursor_key
        return next((entry for entry in self._entries if entry.id == key), None)

    @on(LineTable.RowSelected)
    def action_undo(self) -> None:
        entry, main = self._under_cursor(), self.tuidock.main
        if entry is not None and main is not None and not self.tuidock.read_only:
            main.actions.undo([entry.id], self._read)

    def action_delete(self) -> None:
        entry = self._under_cursor()
        if entry is not None:
            what = f"{entry.kind} {clean(entry.name) or entry.subject.removeprefix('sha256:')[:12]}"
            self._ask(tr("Remove {what} for good?", what=what), tr("It cannot be brought back."), [entry.id])

    def action_empty(self) -> None:
        if self._entries:
            count = len(self._entries)
            self._ask(
                f"Empty the trash of {count} thing{'s' * (count != 1)}?", tr("Nothing of it can be brought back."), []
            )

    def _ask(self, title: str, line: str, references: list[str]) -> None:
        def done(answer: tuple[int, int]) -> None:
            self.tuidock.say(tr("{answer} removed for good, {answer2} free", answer=answer[0], answer2=size(answer[1])))
            if self.is_attached:
                self._read()

        def empty(engine: Any) -> tuple[int, int]:
            return engine.empty_trash(references)  # type: ignore[no-any-return]

        def go() -> None:
            self.tuidock.engine_workers.ask_apart(empty, done, lambda error, text: self.tuidock.say(text, "error"))

        self.tuidock.confirm(title, [line], tr("remove"), go)

    def action_back(self) -> None:
        self.dismiss(None)
