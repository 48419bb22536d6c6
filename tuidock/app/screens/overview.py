"""The overview: what runs, what fails, the machine, space, the busiest containers and the last events on one screen.

It lives by what the rest of the app is told anyway - rows, samples, events - and draws only what has changed. Space is
measured when the screen opens and when images, volumes or containers have come or gone, at most once in ten seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from time import monotonic

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal

from tuidock.app import event_rows, overview_rows, screen_keys
from tuidock.app.layout import WIDE
from tuidock.app.model import CONTAINERS
from tuidock.app.screens import going
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.rows import Row
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.types import Event, UsageRow

#: Seconds between two measurements of space that events ask for.
MEASURE_EVERY = 10.0


class Lines(PlainTable):
    """Lines that lead somewhere; the cursor steps over titles and blanks."""

    def _go(self, position: int) -> None:
        keys = self._rows.shown
        step = 1 if position >= self.cursor_row else -1
        while 0 <= position < len(keys) and overview_rows.is_text(keys[position]):
            position += step
        if 0 <= position < len(keys):
            super()._go(position)
        elif keys and step < 0:
            self._keep_in_view(0)

    def show(self, rows: list[Row]) -> None:
        """Draws what has changed."""
        if self.renew(rows) and overview_rows.is_text(self.cursor_key):
            self._go(max(0, self.cursor_row))


class OverviewScreen(Keyed):
    """Two sides on a wide screen, one list on a narrow one."""

    BINDINGS = bindings(screen_keys.OVERVIEW)
    KEYS, HELP_TITLE = screen_keys.OVERVIEW, "Overview"

    def __init__(self) -> None:
        super().__init__(name="overview", classes="feed-screen")
        self._usage: list[UsageRow] | None = None
        self._events: deque[tuple[str, Event]] = deque(maxlen=overview_rows.EVENTS)
        self._count = 0
        self._measured = -MEASURE_EVERY
        self._measuring = False

    def compose(self) -> ComposeResult:
        ascii = self.tuidock.config.ascii
        yield StatusLine(id="overview-status", classes="feed-status")
        with Horizontal():
            yield Lines(overview_rows.COLUMNS, header=False, empty="", ascii=ascii, id="overview-left")
            yield Lines(overview_rows.COLUMNS, header=False, empty="", ascii=ascii, id="overview-right")
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one("#overview-left", Lines).focus()
        self.draw_keys()
        self.query_one("#overview-status", StatusLine).set([tr("Overview")])
        self._draw()
        self._measure()
        self.tuidock.engine_workers.ask_apart(
            lambda engine: engine.newest_events(overview_rows.EVENTS), self._journal, self._failed
        )

    def _journal(self, found: list[Event]) -> None:
        """The past, and what has happened while it was read."""
        if not self.is_attached:
            return
        last = found[-1].time if found else 0
        early = [event for _, event in reversed(self._events) if event.time > last]
        self._events.clear()
        self._take([*found, *early])

    def _failed(self, error: BaseException, text: str) -> None:
        self.tuidock.say(text, "error")

    def on_screen_resume(self) -> None:
        self.tuidock.engine_workers.set_overview(True)

    def on_screen_suspend(self) -> None:
        self.tuidock.engine_workers.set_overview(False)

    def on_unmount(self) -> None:
        self.tuidock.engine_workers.set_overview(False)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(self.wide, "-wide")
        self.draw_keys()
        self._draw()

    def hidden_keys(self) -> Sequence[str]:
        return () if self.wide else ("overview.next",)

    @property
    def wide(self) -> bool:
        return self.app.size.width >= WIDE

    # -- news -------------------------------------------------------------------------------------------------------

    def samples_read(self) -> None:
        self._draw()

    def job_changed(self, job: object) -> None:
        self._draw()

    def events_read(self, news: list[Event]) -> None:
        self._take(news)
        if any(event.action in ("create", "destroy", "delete", "pull", "load", "prune") for event in news):
            self._measure()

    def _take(self, news: list[Event]) -> None:
        for event in news:
            self._count += 1
            self._events.appendleft((str(self._count), event))
        self._draw()

    def _measure(self) -> None:
        """In a thread of its own: whole directories are read."""
        if self._measuring or monotonic() - self._measured < MEASURE_EVERY:
            return
        self._measuring, self._measured = True, monotonic()

        def measured(usage: list[UsageRow]) -> None:
            self._measuring, self._usage = False, usage
            if self.is_attached:
                self._draw()

        def failed(error: BaseException, text: str) -> None:
            self._measuring = False
            self._failed(error, text)

        self.tuidock.engine_workers.ask_apart(lambda engine: engine.disk_usage(), measured, failed)

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        model, ascii = self.tuidock.model, self.tuidock.config.ascii
        machine = overview_rows.machine(model, model.host_looks, ascii)
        attention = overview_rows.attention(model, ascii)
        containers = overview_rows.containers(model, ascii)
        busiest = overview_rows.busiest(model)
        space = overview_rows.space(self._usage)
        last = overview_rows.last_events(list(self._events), model.clock())
        left, right = self.query_one("#overview-left", Lines), self.query_one("#overview-right", Lines)
        if self.wide:
            left.show(overview_rows.joined([attention, containers, busiest]))
            right.show(overview_rows.joined([machine, space, last]))
        else:
            left.show(overview_rows.joined([machine, attention, containers, busiest, space, last]))
            right.show([])
            if right.has_focus:
                left.focus()

    # -- keys -------------------------------------------------------------------------------------------------------

    @on(LineTable.RowSelected)
    def _selected(self, event: LineTable.RowSelected) -> None:
        self._open(event.key)

    def action_open(self) -> None:
        focused = self.focused
        if isinstance(focused, Lines) and focused.cursor_key is not None:
            self._open(focused.cursor_key)

    def _open(self, key: str) -> None:
        """Where a line leads."""
        main = self.tuidock.main
        what, _, rest = key.partition(" ")
        if main is None or overview_rows.is_text(key):
            return
        if what == "container":
            identity, tab = rest.split(" ")[:2]
            going.to_row(self, CONTAINERS, identity, tab=tab)
        elif what == "event":
            event = next((event for known, event in self._events if known == rest), None)
            if event is not None and event.type in event_rows.KINDS:
                going.to_row(self, event_rows.KINDS[event.type], event.id, event_rows.name(event))
        elif what in ("list", "filter", "sort", "state"):
            kind = rest.split(" ")[0] if what == "list" else CONTAINERS
            going.to_list(self, kind, rest if what == "filter" else "", rest if what == "sort" else "")
            if what == "state":
                main.pane(CONTAINERS).sort_by("state")
        else:
            self.dismiss()
            main.actions.do(
                {"prune": "app.prune", "trash": "app.trash", "jobs": "app.jobs", "events": "app.events"}[what]
            )

    def action_next(self) -> None:
        left, right = self.query_one("#overview-left", Lines), self.query_one("#overview-right", Lines)
        if self.wide:
            (left if right.has_focus else right).focus()

    def action_again(self) -> None:
        self._measured = -MEASURE_EVERY
        self._measure()

    def action_back(self) -> None:
        self.dismiss()
