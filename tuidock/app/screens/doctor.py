"""What this machine lacks to run containers well: first what does not work, then what could be better, with the command
that mends it. Nothing is changed here; the command goes to the clipboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from tuidock.app import screen_keys
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Finding

COLUMNS = (
    Column("area", "AREA", 19, sortable=False),
    Column("message", "WHAT", 40, grow=1, sortable=False),
)
#: State -> the heading of its group, glyph, plain glyph, style; the worst first.
STATES = {
    "fail": (mark("Does not work"), "✖", "!", "bad"),
    "warn": (mark("Could be better"), "▲", "-", "warn"),
    "ok": (mark("Is as it should be"), "✓", "+", "good"),
}
GROUP = "group"


def rows_of(found: Sequence[Finding], ascii: bool = False) -> list[Row]:
    """By state, each under its heading, in the order in which they were found."""
    rows = []
    for state, (heading, glyph, plain, style) in STATES.items():
        of_state = [(at, each) for at, each in enumerate(found) if each.state == state]
        if of_state:
            rows.append(Row(f"{GROUP} {state}", (Cell(heading, style), Cell(str(len(of_state)), "muted"))))
        for at, each in of_state:
            name = Cell(f" {plain if ascii else glyph} {each.area}", style)
            rows.append(Row(str(at), (name, Cell(each.message, "muted" if state == "ok" else ""))))
    return rows


class DoctorScreen(Keyed):
    """A list; below it the finding under the cursor as a whole, and its command."""

    BINDINGS = bindings(screen_keys.DOCTOR)
    KEYS, HELP_TITLE = screen_keys.DOCTOR, "Doctor"

    def __init__(self) -> None:
        super().__init__(name="doctor", classes="doctor-screen")
        self._found: list[Finding] = []

    def compose(self) -> ComposeResult:
        yield StatusLine(id="doctor-status")
        yield PlainTable(COLUMNS, header=False, empty="", ascii=self.tuidock.config.ascii)
        yield Static("", id="doctor-note", markup=False)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(PlainTable).focus()
        self.action_again()

    def action_again(self) -> None:
        """Looks anew; what is shown stays until then."""
        table = self.query_one(PlainTable)
        table.set_empty(tr("looking …"))
        self._draw(tr("looking …"))

        def look(engine: Any) -> list[Finding]:
            from tuidock.engine import examine

            return list(examine(engine.root))

        def found(findings: list[Finding]) -> None:
            if self.is_attached:
                self._found = findings
                self._draw()

        def failed(error: BaseException, text: str) -> None:
            if self.is_attached:
                self._found = []
                table.set_empty(text)
                self._draw()

        self.tuidock.engine_workers.ask_apart(look, found, failed)

    def _draw(self, words: str = "") -> None:
        table = self.query_one(PlainTable)
        fresh = not table.keys
        rows = rows_of(self._found, self.tuidock.config.ascii)
        table.set_rows(rows)
        if fresh and rows:
            table.move_cursor(rows[1].key)
        bad = [each for each in self._found if each.state != "ok"]
        if self._found and not words:
            words = f"{len(bad)} of {len(self._found)} to look at" if bad else "everything is as it should be"
        style = "bad" if any(each.state == "fail" for each in bad) else "warn" if bad else "good"
        cell = Cell(words, style if self._found else "muted")
        self.query_one("#doctor-status", StatusLine).set([tr("What this machine lacks")], [cell])
        self._draw_note()

    @property
    def finding(self) -> Finding | None:
        """What is under the cursor."""
        key = self.query_one(PlainTable).cursor_key or ""
        return self._found[int(key)] if key.isdecimal() and int(key) < len(self._found) else None

    @on(LineTable.CursorMoved)
    def _draw_note(self) -> None:
        finding = self.finding
        text = ""
        if finding is not None:
            text = clean(finding.message)
            if finding.command:
                text += f"\n$ {clean(finding.command)}"
        self.query_one("#doctor-note", Static).update(text)
        self.draw_keys()

    def hidden_keys(self) -> Sequence[str]:
        finding = self.finding
        return () if finding is not None and finding.command else ("doctor.mend",)

    # -- keys -------------------------------------------------------------------------------------------------------

    @on(LineTable.RowSelected)
    def action_mend(self) -> None:
        finding = self.finding
        if finding is not None and finding.command:
            self.tuidock.copy(clean(finding.command), "the command")
        elif finding is not None:
            self.tuidock.say(tr("There is no command for that."), "warning")

    def action_copy(self) -> None:
        """The sentence."""
        finding = self.finding
        if finding is not None:
            self.tuidock.copy(clean(f"{finding.area}: {finding.message}"), "the finding")

    def action_back(self) -> None:
        self.dismiss()
