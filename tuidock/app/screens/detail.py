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

from tuidock.app import panes
from tuidock.app.model import CONTAINERS, KINDS, Row, ViewModel, row_name
from tuidock.app.screens.detail_views import Filling
from tuidock.app.screens.lines import Item, PressableLine, TabLine
from tuidock.engine.clean import clean
from tuidock.engine.types import Event

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


class Detail(Filling, Vertical):
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
