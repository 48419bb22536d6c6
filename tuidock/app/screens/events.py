"""What happens, as it happens: the journal of the engine with a filter, the newest first; enter goes to the object."""

from __future__ import annotations

from collections import deque

from textual import events, on
from textual.app import ComposeResult

from tuidock.app import event_rows, filters, screen_keys
from tuidock.app.event_rows import SINCE
from tuidock.app.format import counted
from tuidock.app.screens import going
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.screens.prompt import PromptLine
from tuidock.app.widgets.line_table import Cell, LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Event

#: Events that are kept here; older ones are in the journal, and `tuidock events --since` shows them.
KEPT = 5000


class EventsScreen(Keyed):
    """A cursor at the top stays at the top, elsewhere it stays on its event."""

    BINDINGS = bindings(screen_keys.EVENTS)
    KEYS, HELP_TITLE = screen_keys.EVENTS, "Events"

    def __init__(self, text: str = "") -> None:
        super().__init__(name="events", classes="feed-screen")
        self._filter = filters.parse(text, event_rows.FIELDS)
        self._since = SINCE["6"]
        self._events: deque[tuple[str, Event]] = deque(maxlen=KEPT)  # the newest first
        self._count = 0
        self._read = False
        self._early: list[Event] = []

    def compose(self) -> ComposeResult:
        yield StatusLine(id="events-status", classes="feed-status")
        yield PlainTable(event_rows.COLUMNS, empty=tr("reading …"), ascii=self.tuidock.config.ascii)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(PlainTable).focus()
        self.draw_keys()
        self._draw()

        self.tuidock.engine_workers.ask_apart(lambda engine: engine.newest_events(KEPT), self._journal, self._failed)

    def _failed(self, error: BaseException, text: str) -> None:
        if self.is_attached:
            self.query_one(PlainTable).set_empty(text)

    def _journal(self, found: list[Event]) -> None:
        """The past, and what has happened while it was read."""
        if not self.is_attached:
            return
        last = found[-1].time if found else 0
        self._read = True
        self._put([*found, *(event for event in self._early if event.time > last)])

    def events_read(self, news: list[Event]) -> None:
        if self._read:
            self._put(news)
        else:
            self._early += news

    def _put(self, news: list[Event]) -> None:
        for event in news:
            self._count += 1
            self._events.appendleft((str(self._count), event))
        self._draw()

    def _draw(self) -> None:
        now = self.tuidock.model.clock()
        oldest = now - self._since * 1_000_000_000 if self._since else 0
        shown = [
            event_rows.row_of(key, event, now)
            for key, event in self._events
            if event.time >= oldest and self._filter(event_rows.fields(event))
        ]
        table = self.query_one(PlainTable)
        if self._read:
            table.set_empty(
                tr("Nothing fits the filter.") if self._filter.source else tr("Nothing has happened in this time.")
            )
        at_top = table.cursor_row <= 0
        table.set_rows(shown)
        if at_top and shown:
            table.move_cursor(shown[0].key)
        words = f"{counted(len(shown), 'event')} · {event_rows.since_words(self._since)}"
        if self._filter.source:
            words += f" · /{self._filter.source}"
        self.query_one("#events-status", StatusLine).set([tr("Events")], [Cell(words, "muted")])

    # -- keys -------------------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        if event.key in SINCE and not self.query(PromptLine):
            self._since = SINCE[event.key]
            self._draw()
            event.stop()
        else:
            super().on_key(event)

    def action_since(self) -> None:
        """By the foot of the screen: the next time; the digits choose one directly."""
        steps = list(SINCE.values())
        self._since = steps[(steps.index(self._since) + 1) % len(steps)]
        self._draw()

    def _under_cursor(self) -> Event | None:
        key = self.query_one(PlainTable).cursor_key
        return next((event for known, event in self._events if known == key), None)

    @on(LineTable.RowSelected)
    def action_open(self) -> None:
        event = self._under_cursor()
        if event is not None and event.type in event_rows.KINDS:
            going.to_row(self, event_rows.KINDS[event.type], event.id, event_rows.name(event))

    def action_copy(self) -> None:
        event = self._under_cursor()
        if event is not None:
            words = f"{event.type} {event.action} {event.id} ({event_rows.about(event)})"
            self.tuidock.copy(clean(words), "the event")

    def action_filter(self) -> None:
        before = self._filter.source

        def typed(text: str) -> str:
            self._filter = filters.parse(text, event_rows.FIELDS)
            self._draw()
            return self._filter.note

        def cancelled() -> None:
            typed(before)

        self.open_prompt(
            PromptLine(
                "/", lambda text: None, value=before, changed=typed, cancelled=cancelled,
                note=tr('re !re -f fuzzy -l key=value type: action: name: id:'),
            )
        )  # fmt: skip

    def action_back(self) -> None:
        if self._filter.source:
            self._filter = filters.parse("", event_rows.FIELDS)
            self._draw()
        else:
            self.dismiss()
