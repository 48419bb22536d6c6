"""One search over the logs of all containers: which of them have it, how often, and the last lines that do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.message import Message

from tuidock.app import screen_keys
from tuidock.app.format import number
from tuidock.app.log_sources import source_of
from tuidock.app.logs.grep import Grep, Hit, Place, Result
from tuidock.app.model import CONTAINERS, Row
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.screens.log_keys import problem
from tuidock.app.screens.prompt import PromptLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.rows import Cell, Column
from tuidock.app.widgets.rows import Row as Line
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import mark, tr, trn
from tuidock.engine.clean import clean
from tuidock.engine.types import Container

if TYPE_CHECKING:
    from tuidock.app.logs.session import LogSource

COLUMNS = (
    Column("name", "CONTAINER", 16, sortable=False),
    Column("time", "TIME", 14, priority=1, sortable=False),
    Column("text", "LINE", 30, grow=1, sortable=False),
)
#: Lines of a container that are shown until one asks for more.
FEW = 5


def lines_of(result: Result, unfolded: bool) -> list[Line]:
    """The container with its count, and its last lines below it."""
    source = result.source
    words = trn("{count} hit", "{count} hits", result.number, count=number(result.number))
    head = Line(
        source.key, (Cell(source.name, "accent"), Cell("", "muted"), Cell(words if result.done else f"{words} …"))
    )
    hits = result.hits if unfolded else result.hits[-FEW:]
    lines = [head]
    if result.hits and result.number > len(hits):
        before = tr("… {count} before", count=number(result.number - len(hits)))
        lines.append(Line(f"{source.key} more", ("", "", Cell(before, "muted"))))
    lines += [
        Line(f"{source.key} {hit.position[0]} {hit.position[1]}", ("", Cell(_clock(hit), "muted"), hit.text))
        for hit in hits
    ]
    return lines


def _clock(hit: Hit) -> str:
    return time.strftime("%m-%d %H:%M:%S", time.localtime(hit.time // 1_000_000_000)) if hit.time else ""


class HitTable(PlainTable):
    """Shows more or fewer lines by space."""

    SPACE = "fold"


class GrepScreen(Keyed):
    """enter goes to the line in its log."""

    BINDINGS = bindings(screen_keys.GREP)
    KEYS, HELP_TITLE = screen_keys.GREP, mark("Search in all logs")

    class Found(Message, bubble=False):
        """The searching thread has news."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, GrepScreen.Found)

    def __init__(self, pattern: str = "", rows: Sequence[Container] = ()) -> None:
        super().__init__(name="grep", classes="grep-screen")
        self._pattern, self._rows = pattern, tuple(rows)
        self._grep: Grep | None = None
        self._asked = 0
        self._unfolded: set[str] = set()

    def compose(self) -> ComposeResult:
        yield StatusLine(left_first=True, id="grep-status", classes="feed-status")
        yield HitTable(COLUMNS, empty=tr("Type a regular expression, and enter."), ascii=self.tuidock.config.ascii)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(LineTable).focus()
        self.draw_keys()
        self._draw()
        if self._pattern:
            self._search(self._pattern)
        else:
            self.action_ask()

    def on_unmount(self) -> None:
        if self._grep is not None:
            self._grep.cancel()

    def command_rows(self) -> tuple[str, list[Row]]:
        """A command without names is about the container under the cursor."""
        key = (self.query_one(LineTable).cursor_key or "").partition(" ")[0]
        row = self.tuidock.model.find(CONTAINERS, key) if key else None
        return CONTAINERS, [row] if row is not None else []

    # -- searching ------------------------------------------------------------------------------------------------

    def action_ask(self) -> None:
        self.open_prompt(
            PromptLine(
                tr("search all logs "),
                self._search,
                value=self._pattern,
                check=problem,
                past=self.tuidock.log_searches,
                note=tr("regular expression; small letters find capitals, too"),
            )
        )

    def action_again(self) -> None:
        """What was written since is found, too."""
        if self._pattern:
            self._search(self._pattern)

    def action_stop(self) -> None:
        if self._grep is not None and not self._grep.ended:
            self._grep.cancel()

    def _search(self, pattern: str) -> None:
        if why := problem(pattern):
            self.tuidock.say(why, "warning")
        if why or not pattern:
            return
        self.action_stop()
        self._pattern = pattern
        self._asked += 1
        asked, rows = self._asked, self._rows or tuple(self.tuidock.model.containers().values())
        self._grep = None
        self.query_one(LineTable).set_empty(tr("searching …"))
        self._draw(tr("searching …"))

        def begin(sources: list[LogSource]) -> None:
            if asked != self._asked or not self.is_attached:
                return
            self._grep = Grep(sources, pattern, self._report)
            self._grep.start()

        def failed(error: BaseException, text: str) -> None:
            if asked == self._asked and self.is_attached:
                self.query_one(LineTable).set_empty(text)
                self._draw()

        def ask(engine: Any) -> list[LogSource]:
            return [source for row in rows if (source := source_of(engine, row)) is not None]

        self.tuidock.engine_workers.ask_apart(ask, begin, failed)

    def _report(self) -> None:
        if self.is_attached:  # called by a thread, which may outlive the screen for a moment
            self.post_message(self.Found())

    def on_grep_screen_found(self, event: Found) -> None:
        if self.is_attached and self._grep is not None:
            self._draw()

    # -- what is shown ----------------------------------------------------------------------------------------------

    def _draw(self, waiting: str = "") -> None:
        """The hits so far; waiting is what is said before there is a search."""
        grep = self._grep
        table = self.query_one(LineTable)
        title = tr("Search in all logs") if not self._rows else tr("Search in {count} logs", count=len(self._rows))
        left: list[Cell | str] = [f"{title}  {clean(self._pattern)}".rstrip()]
        if grep is None:
            table.set_rows([])
            self.query_one(StatusLine).set(left, [waiting])
            return
        results = grep.results
        if grep.ended:
            table.set_empty(tr("Nothing matches in {count} logs.", count=grep.looked_through))
        table.set_rows([line for result in results for line in lines_of(result, result.source.key in self._unfolded)])
        words = tr(
            "{count} hits in {some} of {all} logs",
            count=number(grep.count),
            some=len(results),
            all=len(grep.sources),
        )
        if grep.cancelled:
            words += " · " + tr("given up at {share}", share=f"{grep.share:.0%}")
        elif not grep.ended:
            words += f" · {grep.share:.0%}"
        self.query_one(StatusLine).set(left, [words])

    def action_fold(self) -> None:
        """All lines that are kept of the container under the cursor, or its last few."""
        key = (self.query_one(LineTable).cursor_key or "").partition(" ")[0]
        if key:
            self._unfolded ^= {key}
            self._draw()
            if key not in self._unfolded:
                self.query_one(LineTable).move_cursor(key)

    @on(LineTable.RowSelected)
    def action_open(self) -> None:
        """The line in its log, with the search going on there; of a container its last hit."""
        key, _, place = (self.query_one(LineTable).cursor_key or "").partition(" ")
        result = next((each for each in self._grep.results if each.source.key == key), None) if self._grep else None
        if result is None:
            return
        if place == "more":
            self.action_fold()
            return
        position = result.hits[-1].position if result.hits else (0, 0)
        if place:
            segment, _, offset = place.partition(" ")
            position = (int(segment), int(offset))
        row = self.tuidock.model.find(CONTAINERS, key)
        main = self.tuidock.main
        if main is not None and isinstance(row, Container):
            main.actions.show_logs([row], place=Place(self._pattern, key, position))
        else:
            self.tuidock.say(tr("{name} is gone.", name=result.source.name), "warning")

    def action_copy(self) -> None:
        line = self.query_one(LineTable).row(self.query_one(LineTable).cursor_key or "")
        if line is not None:
            self.tuidock.copy("  ".join(filter(None, (line.cell(at).text for at in range(len(COLUMNS))))))

    def action_back(self) -> None:
        self.dismiss()
