"""The logs of one container, or of several merged by time, over the whole screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding

from tuidock.app import bindings
from tuidock.app.log_sources import Opened, rules_of
from tuidock.app.model import CONTAINERS, Row
from tuidock.app.screens.command_line import COMMAND_KEY, CommandLine
from tuidock.app.screens.lines import Item, KeyLine, PressableLine
from tuidock.app.screens.log_keys import LogKeys
from tuidock.app.screens.prompt import PromptLine
from tuidock.app.widgets.log_view import LogView
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Event

if TYPE_CHECKING:
    from tuidock.app.logs.grep import Place
    from tuidock.app.widgets.rows import Cell

#: Names of merged logs in the title; of more it says how many.
MOST_NAMES = 3

#: Keys of the log view for the foot: (id of the binding, key, label).
KEYS = (
    ("log.search", "/", mark("search")),
    ("log.next_hit", "n/N", mark("next hit")),
    ("log.filter", "&", mark("filter")),
    ("log.follow", "s", mark("follow")),
    ("log.wrap", "w", mark("wrap")),
    ("log.timestamps", "t", mark("time")),
    ("log.since", "0-6", mark("since")),
    ("log.mark", "m", mark("mark")),
    ("log.copy", "c", mark("copy")),
    ("log.save", "ctrl+s", mark("save")),
    ("log.level_up", ">", mark("level")),
    ("log.fields", "F", mark("fields")),
    ("log.go", "@", mark("go to")),
    ("log.previous_run", "p", mark("run before")),
)


class LogsScreen(CommandLine, LogKeys):
    """A log view with a line that says what is shown and one with its keys."""

    BINDINGS = [
        COMMAND_KEY,
        Binding("escape,q", "back", "back", show=False, id="logs.back"),
        Binding("question_mark,f1", "help", "help", show=False, id="logs.help"),
        Binding("f", "back", "back", show=False, id="logs.full"),
    ]

    def __init__(self, opened: Opened, title: str = "", place: Place | None = None) -> None:
        super().__init__(name="logs", classes="logs-screen")
        self._opened, self._title, self._place = opened, title, place

    def compose(self) -> ComposeResult:
        yield StatusLine(left_first=True, id="logs-status")
        yield LogView()
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        view = self.query_one(LogView)
        view.show(self._opened.sources, note=self._opened.note)
        view.add_rules(self._opened.rules)
        view.focus()
        self.query_one("#keys", KeyLine).set_items(
            [
                Item(key, tr(text), bindings.hint(key, written, self.tuidock.keymap))
                for key, written, text in (*KEYS, ("logs.back", "esc", mark("back")))
            ]
        )
        self._draw(view.state_text)
        if self._place is not None:
            # the search goes to the nearest hit by itself, and this one is meant
            view.search(self._place.pattern)
            self.call_after_refresh(view.show_line, self._place.key, self._place.position)

    @property
    def log_view(self) -> LogView | None:
        return self.query_one(LogView)

    def command_rows(self) -> tuple[str, list[Row]]:
        return CONTAINERS, list(self._opened.rows)

    def command_words(self) -> Mapping[str, Callable[[list[str]], None]]:
        return self.log_words()

    def log_name(self) -> str:
        return self._title.replace(" ", "-") or "+".join(row.name for row in self._opened.rows)

    def _draw(self, state: str) -> None:
        names = [source.name for source in self._opened.sources]
        title = clean(self._title)
        if not title:
            title = " + ".join(names[:MOST_NAMES])
            if len(names) > MOST_NAMES:
                title += " " + tr("and {count} more", count=len(names) - MOST_NAMES)
        left: list[Cell | str] = [f"{title} · {tr('merged by time')}" if len(names) > 1 else title]
        self.query_one(StatusLine).set(left, [state])

    def on_log_view_state_changed(self, event: Any) -> None:
        self._draw(event.text)

    def events_read(self, events: list[Event]) -> None:
        self.query_one(LogView).add_rules(rules_of(events, {row.id for row in self._opened.rows}))

    @on(PressableLine.Pressed, "#keys")
    async def _pressed(self, event: PressableLine.Pressed) -> None:
        if event.key == "logs.back":
            self.action_back()
            return
        view = self.query_one(LogView)
        for _, binding in view._bindings:
            if binding.id == event.key:
                await self.app.run_action(binding.action, view)
                return

    def action_back(self) -> None:
        if self.query(PromptLine):
            return
        view = self.query_one(LogView)
        if view.is_searched:
            view.clear_search()
            return
        self.dismiss()

    def action_help(self) -> None:
        from tuidock.app.screens.help import show_help

        show_help(self.tuidock, "Logs")
