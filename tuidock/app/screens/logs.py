"""The logs of one container, or of several merged by time, over the whole screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding

from tuidock.app import bindings, tabs
from tuidock.app.model import CONTAINERS, Row
from tuidock.app.screens.command_line import COMMAND_KEY, CommandLine
from tuidock.app.screens.lines import Item, KeyLine, PressableLine
from tuidock.app.screens.log_keys import LogKeys
from tuidock.app.screens.prompt import PromptLine
from tuidock.app.widgets.log_view import LogSource, LogView
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, Event

if TYPE_CHECKING:
    from tuidock.app.widgets.rows import Cell

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
)


class LogsScreen(CommandLine, LogKeys):
    """A log view with a line that says what is shown and one with its keys."""

    BINDINGS = [
        COMMAND_KEY,
        Binding("escape,q", "back", "back", show=False, id="logs.back"),
        Binding("question_mark,f1", "help", "help", show=False, id="logs.help"),
        Binding("f", "back", "back", show=False, id="logs.full"),
    ]

    def __init__(self, sources: Sequence[tuple[Container, str]]) -> None:
        super().__init__(id="logs")
        self._sources = sources
        self._search = ""

    def compose(self) -> ComposeResult:
        yield StatusLine(left_first=True, id="logs-status")
        yield LogView()
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        view = self.query_one(LogView)
        sources = [LogSource(row.id, clean(row.name), directory) for row, directory in self._sources]
        view.show(sources, note=tabs.log_note(self._sources[0][0]) if len(self._sources) == 1 else "No output yet.")
        view.focus()
        self.query_one("#keys", KeyLine).set_items(
            [
                Item(key, tr(text), bindings.hint(key, written, self.tuidock.keymap))
                for key, written, text in (*KEYS, ("logs.back", "esc", mark("back")))
            ]
        )
        self._draw(view.state_text)

    @property
    def log_view(self) -> LogView | None:
        return self.query_one(LogView)

    def command_rows(self) -> tuple[str, list[Row]]:
        return CONTAINERS, [row for row, _ in self._sources]

    def log_name(self) -> str:
        return "+".join(row.name for row, _ in self._sources)

    def _draw(self, state: str) -> None:
        names = " + ".join(clean(row.name) for row, _ in self._sources)
        left: list[Cell | str] = [names + (" · merged by time" if len(self._sources) > 1 else "")]
        self.query_one(StatusLine).set(left, [f"{self._search}  {state}" if self._search else state])

    def on_log_view_state_changed(self, event: Any) -> None:
        self._draw(event.text)

    def on_log_view_search_progressed(self, event: Any) -> None:
        going = "" if event.finished else f" … {event.done:.0%}"
        self._search = f"{event.hits} hits{going}"
        self._draw(self.query_one(LogView).state_text)

    def events_read(self, events: list[Event]) -> None:
        mine = {row.id for row, _ in self._sources}
        for event in events:
            if event.type == "container" and event.id in mine and event.action in ("start", "die"):
                self.query_one(LogView).note(clean(tabs.event_words(event)), event.time, event.id)

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
        if self._search:
            self._search = ""
            view.clear_search()
            self._draw(view.state_text)
            return
        self.dismiss()

    def action_help(self) -> None:
        from tuidock.app.screens.help import HelpScreen

        main = self.tuidock.main
        if main is not None:
            self.app.push_screen(HelpScreen(self.tuidock.keymap, main.situation, first="Logs"))
