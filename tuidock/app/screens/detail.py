"""The right side of the main screen: what is known about the row under the cursor, in tabs.

It follows the cursor with a short delay, and what was asked of the engine for a row that the cursor has left is
forgotten, so that holding `j` over a thousand rows costs one question. Each tab's widget is made when it is first
looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from tuidock.app import panes, tabs
from tuidock.app.model import CONTAINERS, KINDS, Row, ViewModel, row_id, row_name
from tuidock.app.screens.lines import Item, PressableLine, TabLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, Event

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.terminal.session import Session
    from tuidock.app.terminal.view import TerminalView
    from tuidock.app.widgets.log_view import LogView
    from tuidock.app.workers import Workers

#: How long the cursor has to rest before the details follow.
DELAY = 0.08
#: Samples between two looks at the processes or the ports of a container while their tab is open.
LOOK_EVERY = 2


class Detail(Vertical):
    """Tabs over one view at a time."""

    class TabChanged(Message):
        """Another tab is shown: what is worth sampling may have changed."""

    class ViewShown(Message):
        """The engine has answered and the widget of the tab is there."""

    def __init__(self, model: ViewModel, workers: Workers, *, ascii: bool = False) -> None:
        super().__init__(id="detail")
        self.model, self._workers, self._ascii = model, workers, ascii
        self.kind = CONTAINERS
        self.identity: str | None = None
        self.tab_of = {kind: panes.TABS[kind][0][0] for kind in KINDS}
        self._views: dict[str, Widget] = {}
        self._shown: tuple[str, str | None, str] | None = None
        self._delay: Timer | None = None
        self._row_seen: Row | None = None
        self._ticks = 0
        self._note = ""
        self.log_state = ""
        self.about: Callable[[], str] = lambda: ""  # what the cursor is on when that is no row
        self.value: Any = None  # what the inspect tab shows, to copy from

    def compose(self) -> ComposeResult:
        yield TabLine(id="detail-tabs")
        yield Static("", id="detail-note", markup=False)

    @property
    def tab(self) -> str:
        chosen = self.tab_of[self.kind]
        return chosen if chosen in dict(self.tabs) else panes.TABS[self.kind][0][0]

    @property
    def tabs(self) -> list[tuple[str, str]]:
        """Names and labels: one for each terminal of the container, where it is in sight, then those of the kind."""
        terminals = [(name, f"› {each.title}") for name, each in self._terminals().items()]
        return [*terminals, *panes.tabs_of(self.kind, self.row)]

    def _terminals(self) -> dict[str, Session]:
        if self.kind != CONTAINERS or self.identity is None:
            return {}
        sessions = cast("TuidockApp", self.app).terminals.of(self.identity)
        return {f"terminal-{id(each)}": each for each in sessions}

    @property
    def row(self) -> Row | None:
        return self.model.get(self.kind, self.identity) if self.identity is not None else None

    @property
    def view(self) -> Widget | None:
        """The widget of the tab that is shown."""
        return self._views.get(self._view_name(self.tab))

    def _view_name(self, tab: str) -> str:
        if tab.startswith("terminal-"):
            return "terminal"
        return f"{tab}-{self.kind}" if tab in ("ports", "users", "layers", "history", "env", "top", "health") else tab

    # -- following the cursor -----------------------------------------------------------------------------------

    def follow(self, kind: str, identity: str | None, at_once: bool = False) -> None:
        """Shows another row soon, or at once."""
        if (kind, identity) == (self.kind, self.identity) and self._shown is not None:
            return
        self.kind, self.identity = kind, identity
        self._workers.forget("detail")
        self._draw_tabs()
        if self._delay is not None:
            self._delay.stop()
            self._delay = None
        if at_once:
            self._load()
        else:
            self._delay = self.set_timer(DELAY, self._load)

    def show_tab(self, tab: str) -> None:
        if tab != self.tab and tab in dict(self.tabs):
            self.tab_of[self.kind] = tab
            self._draw_tabs()
            self._load()
            self.post_message(self.TabChanged())

    def step_tab(self, step: int) -> None:
        names = [name for name, _ in self.tabs]
        self.show_tab(names[(names.index(self.tab) + step) % len(names)])

    @on(PressableLine.Pressed, "#detail-tabs")
    def _tab_pressed(self, event: PressableLine.Pressed) -> None:
        event.stop()
        self.show_tab(event.key)

    def _draw_tabs(self) -> None:
        line = self.query_one(TabLine)
        line.set_items([Item(name, label) for name, label in self.tabs])
        row = self.row
        name = clean(row_name(row)) if row is not None else ""
        line.set_active(
            self.tab, f"{name} · {self.log_state}" if name and self.tab == "logs" and self.log_state else name
        )

    def on_log_view_state_changed(self, event: Any) -> None:
        """Beside the tabs: whether the log is followed, and how long it is."""
        event.stop()
        self.log_state = event.text
        self._draw_tabs()

    # -- the row changes ------------------------------------------------------------------------------------------

    def row_changed(self) -> None:
        """The model was told something new about the row that is shown."""
        row = self.row
        if row is self._row_seen:
            return
        self._draw_tabs()
        if self.tab == "logs" and row is not None and self._shown == (self.kind, self.identity, "logs"):
            self._row_seen = row
            return
        self._load()

    def events_read(self, events: list[Event]) -> None:
        """A container began again: a rule in its log says so."""
        view = self._views.get("logs")
        if view is None or not view.display or self.identity is None:
            return
        from tuidock.app.log_sources import rules_of

        log: LogView = view  # type: ignore[assignment]
        log.add_rules(rules_of(events, (self.identity,)))

    def tick(self) -> None:
        """A sample came in."""
        if not self.display or self.identity is None:
            return
        if self.tab == "stats" and self._shown == (self.kind, self.identity, "stats"):
            view = self._views.get("stats")
            if view is not None:
                view.push(self.model, self.identity)  # type: ignore[attr-defined]
        elif self.tab in ("top", "ports", "health"):
            self._ticks += 1
            if self._ticks % LOOK_EVERY == 0:
                self._load()

    @property
    def wants_samples(self) -> bool:
        return self.display and self.kind == CONTAINERS and self.tab in ("stats", "top", "ports", "health")

    # -- filling --------------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """A sentence in the place of the view."""
        if text != self._note:
            # Setting it lays out the whole screen again, even when it says nothing as before.
            self._note = text
            note = self.query_one("#detail-note", Static)
            note.update(text)
            note.display = bool(text)
        if text and (view := self.view) is not None:
            view.display = False

    def reload(self) -> None:
        self._shown = None
        self._load()

    def _load(self) -> None:
        self._delay = None
        if not self.is_attached:
            return
        row = self._row_seen = self.row
        if row is None:
            for view in self._views.values():
                view.display = False
            self._shown = (self.kind, None, self.tab)
            self.say(self.about())
            return
        self._draw_tabs()
        if (session := self._terminals().get(self.tab)) is not None:
            self._fill_terminal(session)
            return
        tabs_fill = getattr(self, f"_fill_{self.tab}")
        tabs_fill(row)

    def _ask(self, question: Callable[[Any], Any], then: Callable[[Any], None], apart: bool = False) -> None:
        wanted = (self.kind, self.identity, self.tab)

        def answered(value: Any) -> None:
            if wanted == (self.kind, self.identity, self.tab) and self.is_attached:
                then(value)

        def failed(text: str) -> None:
            if wanted == (self.kind, self.identity, self.tab) and self.is_attached:
                self.say(text)

        if apart:
            self._workers.ask_apart(question, answered, lambda error, text: failed(text))
        else:
            self._workers.ask("detail", question, answered, failed)

    def _present(self, make: Callable[[], Widget]) -> tuple[Widget, bool]:
        """The view of the tab, alone on the stage; True when it was made just now."""
        name = self._view_name(self.tab)
        view = self._views.get(name)
        fresh = view is None
        if view is None:
            view = self._views[name] = make()
            view.add_class("view")
            self.mount(view)
        focused = self.screen.focused
        moved = focused is not None and focused is not view and focused in self._views.values()
        for each in self._views.values():
            each.display = each is view
        if moved and view.can_focus:
            view.focus()
        self.say("")
        self._shown = (self.kind, self.identity, self.tab)
        self.post_message(self.ViewShown())
        return view, fresh

    def _table(self, columns: Any, rows: Any, empty: str) -> None:
        view, fresh = self._present(lambda: LineTable(columns, empty=empty, ascii=self._ascii))
        assert isinstance(view, LineTable)
        if not fresh and tuple(view.columns) != tuple(columns):
            view.set_columns(columns)
        view.set_empty(empty)
        view.set_rows(rows)

    # -- terminals ------------------------------------------------------------------------------------------------

    def show_terminal(self, session: Session) -> None:
        self.tab_of[CONTAINERS] = f"terminal-{id(session)}"
        self._draw_tabs()
        self._load()
        self.post_message(self.TabChanged())

    def terminals_changed(self) -> None:
        """One began or ended, or is shown elsewhere."""
        if self.is_attached and self.kind == CONTAINERS:
            self._draw_tabs()
            self.reload()

    @property
    def terminal(self) -> TerminalView | None:
        """The terminal that is shown."""
        return cast("TerminalView", self._views["terminal"]) if self.tab in self._terminals() else None

    def _fill_terminal(self, session: Session) -> None:
        shown = cast("TuidockApp", self.app).terminals
        view, _ = self._present(shown.make_view)
        if not shown.over_everything(session):
            cast("TerminalView", view).show(session)

    def _fill_logs(self, row: Row) -> None:
        assert isinstance(row, Container)
        if self._shown == (self.kind, self.identity, "logs"):
            return

        def ask(engine: Any) -> Any:
            from tuidock.app.log_sources import open_logs

            return open_logs(engine, [row])

        def show(opened: Any) -> None:
            from tuidock.app.widgets.log_view import LogView

            view, _ = self._present(LogView)
            assert isinstance(view, LogView)
            view.show(opened.sources, note=opened.note)
            view.add_rules(opened.rules)

        self._ask(ask, show)

    def _fill_stats(self, row: Row) -> None:
        from tuidock.app.screens.stats import StatsView

        view, _ = self._present(StatsView)
        assert isinstance(view, StatsView) and isinstance(row, Container)
        view.show(self.model, row)

    def _fill_ports(self, row: Row) -> None:
        assert isinstance(row, Container)
        empty = tr("No published ports; `-p 8080:80` when it is created publishes one.")

        def show(listeners: Any) -> None:
            self._table(tabs.PORT_COLUMNS, tabs.port_rows(row, listeners, self._ascii), empty)

        if row.status not in ("running", "paused"):
            show(None)
            return
        self._ask(lambda engine: engine.listeners(row.id), show)

    def _fill_inspect(self, row: Row) -> None:
        method = {
            "containers": "inspect_container",
            "images": "inspect_image",
            "volumes": "inspect_volume",
            "networks": "inspect_network",
        }[self.kind]
        identity = row_id(row)

        def show(value: Any) -> None:
            from tuidock.app.widgets.json_tree import JsonTree

            view, _ = self._present(JsonTree)
            assert isinstance(view, JsonTree)
            self.value = value
            view.show(value)

        self._ask(lambda engine: getattr(engine, method)(identity), show)

    def _fill_env(self, row: Row) -> None:
        identity = row_id(row)
        self._ask(
            lambda engine: engine.inspect_container(identity),
            lambda value: self._table(tabs.CONFIG_COLUMNS, tabs.config_rows(value), tr("Nothing is set.")),
        )

    def _fill_top(self, row: Row) -> None:
        assert isinstance(row, Container)
        if row.status not in ("running", "paused"):
            self._shown = (self.kind, self.identity, "top")
            self.say(tr("It does not run, so it has no processes."))
            return

        def show(value: Any) -> None:
            from tuidock.app.widgets.process_table import ProcessTable

            columns, rows = tabs.top_table(value)
            view, fresh = self._present(lambda: ProcessTable(columns, empty=tr("No processes."), ascii=self._ascii))
            assert isinstance(view, ProcessTable)
            if fresh and any(column.key == "cpu%" for column in columns):
                view.sort_by("cpu%", reverse=True)
            elif tuple(view.columns) != tuple(columns):
                view.set_columns(columns)
            view.set_empty(tr("No processes."))
            view.set_rows(rows)

        self._ask(lambda engine: engine.top(row.id, tabs.PS_COLUMNS), show)

    def _fill_timeline(self, row: Row) -> None:
        assert isinstance(row, Container)

        def show(value: Any) -> None:
            from tuidock.app.widgets.timeline import Timeline

            view, _ = self._present(Timeline)
            assert isinstance(view, Timeline)
            steps = tabs.timeline_steps(value, row)
            view.show(steps, tabs.ended_words(row))
            if not steps:
                self.say(tr("It has not been started yet, so there is no timeline."))

        self._ask(lambda engine: engine.inspect_container(row.id), show)

    def _fill_health(self, row: Row) -> None:
        identity, clock = row_id(row), self.model.clock

        def show(value: Any) -> None:
            from tuidock.app import health

            self.value = value
            self._table(health.COLUMNS, health.rows_of(value, clock(), self._ascii), tr(health.NONE))

        self._ask(lambda engine: engine.inspect_container(identity), show)

    def _fill_layers(self, row: Row) -> None:
        """In a thread of its own: what is wasted is found by comparing the names of all layers."""
        from tuidock.app.screens.layers import rows_of

        identity = row_id(row)
        self._ask(
            lambda engine: engine.layers(identity),
            lambda value: self._table(tabs.LAYER_COLUMNS, rows_of(value), tr("No layers.")),
            apart=True,
        )

    def _fill_history(self, row: Row) -> None:
        identity = row_id(row)
        clock = self.model.clock
        self._ask(
            lambda engine: engine.history(identity),
            lambda value: self._table(tabs.HISTORY_COLUMNS, tabs.history_rows(value, clock()), tr("No steps.")),
        )

    def _fill_users(self, row: Row) -> None:
        columns, rows = tabs.user_table(row, self.model)
        self._table(columns, rows, tr("Nobody uses it."))
