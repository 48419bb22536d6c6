"""Searching a registry for images, and pulling one of them."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import ComposeResult

from tuidock.app import screen_keys, tasks
from tuidock.app.format import number
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.screens.picker import Choice, PickerScreen
from tuidock.app.screens.prompt import PromptLine
from tuidock.app.widgets.line_table import Cell, Column, LineTable, Row
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.image_types import SearchResult

COLUMNS = (
    Column("name", "NAME", 26, grow=2),
    Column("stars", "STARS", 7, "right", priority=1),
    Column("official", "OFFICIAL", 8, priority=2),
    Column("about", "DESCRIPTION", 20, priority=3, grow=4),
)
#: Results asked for; a registry that has more is asked better.
LIMIT = 100


def rows_of(found: list[SearchResult], ascii: bool = False) -> list[Row]:
    return [
        Row(
            each.name,
            (
                each.name,
                Cell(number(each.stars) if each.stars >= 0 else ""),
                Cell((tr("+ yes") if ascii else tr("✓ yes")) if each.official else "", "good"),
                Cell(" ".join(each.description.split()), "muted"),
            ),
            (each.name.casefold(), -each.stars, not each.official, each.description),
        )
        for each in found
    ]


class SearchScreen(Keyed):
    """A word, and what the registry has for it."""

    BINDINGS = bindings(screen_keys.SEARCH)
    KEYS, HELP_TITLE = screen_keys.SEARCH, "Search"

    def __init__(self, term: str = "") -> None:
        super().__init__(name="search", classes="search-screen")
        self._term = term
        self._asked = 0

    def compose(self) -> ComposeResult:
        yield StatusLine(id="search-status")
        yield LineTable(COLUMNS, empty=tr("Type a word, and enter."), ascii=self.tuidock.config.ascii)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(LineTable).focus()
        self.draw_keys()
        self._say("")
        if self._term:
            self._search(self._term)
        else:
            self.action_again()

    def _say(self, right: str) -> None:
        left = f"Search  {clean(self._term)}" if self._term else "Search"
        self.query_one(StatusLine).set([left], [right])

    def action_again(self) -> None:
        self.open_prompt(
            PromptLine(
                tr("search "),
                self._search,
                value=self._term,
                note=tr("on docker.io; registry.example/word asks that one"),
            )
        )

    def _search(self, term: str) -> None:
        term = term.strip()
        if not term:
            return
        self._term = term
        self._asked += 1
        asked = self._asked
        table = self.query_one(LineTable)
        table.set_empty(tr("asking the registry …"))
        table.set_rows([])
        self._say(tr("asking …"))

        def found(results: list[SearchResult]) -> None:
            if asked != self._asked or not self.is_attached:
                return
            table.set_empty(tr("Nothing is called like {term}.", term=clean(term)))
            table.set_rows(rows_of(results, self.tuidock.config.ascii))
            self._say(
                tr("{count} found", count=len(results))
                if len(results) < LIMIT
                else tr("the first {limit}", limit=LIMIT)
            )

        def failed(error: BaseException, text: str) -> None:
            if asked != self._asked or not self.is_attached:
                return
            table.set_empty(text)
            self._say("")
            if type(error).__name__ == "AuthFailed":
                from tuidock.app.screens.registry_forms import ask_for_login

                ask_for_login(self.app, f"{term}/x" if "/" not in term else term, lambda: self._search(term), text)

        self.tuidock.engine_workers.ask_apart(lambda engine: engine.search(term, limit=LIMIT), found, failed)

    @property
    def name_at_cursor(self) -> str:
        return self.query_one(LineTable).cursor_key or ""

    @on(LineTable.RowSelected)
    def action_pull(self) -> None:
        self._pull(self.name_at_cursor)

    def _pull(self, reference: str) -> None:
        if reference and not self.tuidock.read_only:
            self.dismiss()
            self.tuidock.show_jobs(tasks.pull(self.tuidock, reference))

    def action_tags(self) -> None:
        name = self.name_at_cursor
        if not name:
            return
        self._say(tr("asking for tags …"))

        def found(tags: list[str]) -> None:
            if not self.is_current:
                return
            self._say("")
            choices = [Choice(clean(tag), f"{name}:{tag}") for tag in tags]

            def chosen(reference: Any) -> None:
                if reference:
                    self._pull(reference)

            if choices:
                self.app.push_screen(PickerScreen(tr("Tags of {name}", name=clean(name)), choices, narrow=True), chosen)
            else:
                self.tuidock.say(tr("{name} has no tags.", name=clean(name)))

        def failed(error: BaseException, text: str) -> None:
            if self.is_attached:
                self._say("")
            self.tuidock.say(text, "error")

        self.tuidock.engine_workers.ask_apart(lambda engine: engine.tags(name), found, failed)

    def action_copy(self) -> None:
        if self.name_at_cursor:
            self.tuidock.copy(clean(self.name_at_cursor))

    def action_back(self) -> None:
        self.dismiss()
