"""A terminal over the whole screen, with one line below it: the sessions, and the keys that are the app's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.content import Content

from tuidock.app import spans
from tuidock.app.model import CONTAINERS, Row
from tuidock.app.screens.command_line import COMMAND_KEY, CommandLine
from tuidock.app.screens.guarded import GuardedScreen
from tuidock.app.screens.lines import Item, PressableLine, content
from tuidock.app.terminal.view import TerminalView

if TYPE_CHECKING:
    from tuidock.app.terminal.hub import Terminals
    from tuidock.app.terminal.session import Session


class Foot(PressableLine):
    """Tabs on the left, keys on the right."""

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._tabs: tuple[Item, ...] = ()
        self._active = ""

    def set(self, tabs: Sequence[Item], active: str, items: Sequence[Item]) -> None:
        fresh = tuple(tabs), active, tuple(items)
        if fresh != (self._tabs, self._active, self.items):
            self._tabs, self._active, self.items = fresh
            self.refresh()

    def render(self) -> Content:
        width = self.size.width
        left, places = spans.tabs(self._tabs, self._active, "", width // 2)
        used = sum(len(text) for text, _ in left) + 3
        right, more = spans.keys(self.items, max(0, width - used))
        self._places = [*places, *((start + used, end + used, key) for start, end, key in more)]
        return content([*left, (" │ ", "faint"), *right], width)


class TerminalScreen(CommandLine, GuardedScreen):
    """One session at a time."""

    BINDINGS = [COMMAND_KEY]
    DEFAULT_CSS = "TerminalScreen > Foot { padding: 0 1; }"

    def __init__(self, terminals: Terminals, session: Session) -> None:
        super().__init__(id="terminal")
        self._terminals, self._first = terminals, session
        self.view = terminals.make_view()

    def compose(self) -> ComposeResult:
        yield self.view
        yield Foot()

    def on_mount(self) -> None:
        self.view.focus()
        self.call_after_refresh(self.show, self._first)

    def command_rows(self) -> tuple[str, list[Row]]:
        session = self.view.session
        row = self.tuidock.model.get(CONTAINERS, session.container) if session is not None else None
        return CONTAINERS, [row] if row is not None else []

    def show(self, session: Session) -> None:
        self.view.show(session)
        self.draw_foot()

    @on(TerminalView.KeysChanged)
    def draw_foot(self) -> None:
        if not self.is_mounted:
            return
        sessions = self._terminals.sessions
        tabs = [Item(f"session:{id(each)}", self.label(each)) for each in sessions]
        active = f"session:{id(self.view.session)}"
        self.query_one(Foot).set(tabs, active, self.view.items())

    def label(self, session: Session) -> str:
        row = self.tuidock.model.containers().get(session.container)
        name = row.name if row is not None else session.container[:12]
        return f"{name}:{session.title}" if session.kind != "attach" else name

    @on(PressableLine.Pressed)
    def _pressed(self, event: PressableLine.Pressed) -> None:
        event.stop()
        for session in self._terminals.sessions:
            if event.key == f"session:{id(session)}":
                self.show(session)
                return
        self.view.do(event.key)

    def gone(self) -> None:
        """The session that was shown is over."""
        self.view.release()
        self.dismiss()

    def on_unmount(self) -> None:
        if (main := self.tuidock.main) is not None:
            main.detail.terminals_changed()

    @on(TerminalView.Wanted)
    def _wanted(self, event: TerminalView.Wanted) -> None:
        event.stop()
        session = self.view.session
        if session is None:
            return
        if event.what == "full":
            self.view.release()
            self.dismiss()
            self.app.call_later(self._terminals.show_beside, session)
        elif event.what == "leave":
            self._terminals.leave(session)
            if self.view.session is not None:  # else it was dropped, and this screen with it
                self.gone()
        elif event.what in ("next", "previous"):
            step = 1 if event.what == "next" else -1
            found = self._terminals.step(session, step, among=self._terminals.sessions)
            if found is not None:
                self.show(found)
        else:
            self._terminals.do(event.what, session)
