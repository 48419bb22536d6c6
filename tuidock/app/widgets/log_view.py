"""The log view: logs of every size, followed, searched, filtered, merged by time.

It never holds the log: a session reads what stands on screen, a thread counts and searches. Not a ScrollView, because
that needs to know how many rows there are; here the window is anchored to a line and the scroll bar goes by bytes. News
come by inotify (`log_news`) and lead to at most eight redraws a second; without news nothing runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Literal

from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.reactive import reactive
from textual.widget import Widget

from tuidock.app.logs.ansi import render
from tuidock.app.logs.around import Around
from tuidock.app.logs.merge import Cursor
from tuidock.app.logs.query import QueryError
from tuidock.app.logs.records import Line, Position
from tuidock.app.logs.session import LogSource, Session
from tuidock.app.logs.unseen import Unseen
from tuidock.app.widgets import narrow_updates
from tuidock.app.widgets.log_bindings import COMPONENTS, LOG_BINDINGS, LOG_CSS, LogActions
from tuidock.app.widgets.log_drawing import LogDrawing
from tuidock.app.widgets.log_messages import LogMessages
from tuidock.app.widgets.log_news import LogNews
from tuidock.app.widgets.log_places import LogPlaces
from tuidock.app.widgets.log_rows import TIMESTAMPS, RowMaker, Timestamps
from tuidock.app.widgets.log_search import LogSearch
from tuidock.app.widgets.log_state import LogState
from tuidock.engine.clean import clean
from tuidock.engine.units import rfc3339

__all__ = ["LogSource", "LogView", "QueryError"]

#: What may be saved: what is shown, everything there is, or what is selected.
Part = Literal["shown", "all", "selected"]


class LogView(LogActions, LogMessages, LogNews, LogSearch, LogPlaces, LogState, LogDrawing, Widget, can_focus=True):
    """Shows sources; asks its screen for a line to type a search in, for the clipboard and for a file name."""

    ALLOW_SELECT = True
    BINDINGS: ClassVar[list[BindingType]] = LOG_BINDINGS
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"log-view--{name}" for name in COMPONENTS}
    DEFAULT_CSS = LOG_CSS

    follow: reactive[bool] = reactive(True, repaint=False, init=False)
    wrap: reactive[bool] = reactive(False, repaint=False, init=False)
    timestamps: reactive[Timestamps] = reactive("off", repaint=False, init=False)

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        narrow_updates.install()
        self._styles: dict[str, Style] = {}
        self._maker = RowMaker(self._style)
        self._session: Session | None = None
        self._note = ""
        self._shift = 0
        self._current: Line | None = None
        self._seeking = 0
        self._select_from: int | None = None
        self._select_to = 0
        self._told_state = ""
        self._had: tuple[int, ...] = ()
        self._unseen: Unseen | None = None
        self._last_end: dict[str, int] = {}
        self._told_runs: set[tuple[str, str, int]] = set()

    # What is shown

    def show(self, sources: Sequence[LogSource], *, note: str = "") -> None:
        """Show these logs from their end. note says why there may be nothing to see."""
        self._drop()
        self._note = note
        maker = self._maker
        maker.names = [clean(source.name) for source in sources]
        maker.toggled.clear()
        maker.forget()
        self._session = Session(sources, maker.rows_of, self._scans_reported)
        maker.origin = self._session.origin()
        maker.number_of = self._session.number_of
        self._unseen = Unseen(self._session.lines_before)
        self._last_end.clear()
        self._told_runs.clear()
        self._paint_sources()
        self._shift, self._current, self._seeking, self._select_from = 0, None, 0, None
        self.set_reactive(LogView.follow, True)
        self._resize()
        self._listen()
        self._changed()

    def empty(self, note: str) -> None:
        """Show no log, and why."""
        if self._session is None and note == self._note:
            return
        self._drop()
        self._note = note
        self.refresh()
        self._changed()

    def poke(self) -> None:
        """Look now; not needed, the files and directories are watched."""
        self._look()

    @property
    def sources(self) -> tuple[LogSource, ...]:
        return self._session.sources if self._session is not None else ()

    # Search, filter, range

    def set_filter(self, text: str) -> None:
        """ "" shows all, "re" keeps, "!re" leaves out what matches. Raises QueryError."""
        if self._session is not None:
            self._session.set_filter(text)
            self._after_rebuild()

    def set_level(self, least: str) -> None:
        """Only lines at least so severe: debug, info, warn, error; "" shows all."""
        if self._session is not None:
            self._session.set_level(least)
            self._after_rebuild()

    def set_around(self, above: int, below: int) -> None:
        """So many lines above and below each one that the filter keeps."""
        if self._session is not None:
            self._session.set_around(Around(above, below))
            self._moved()
            self.refresh()

    def set_fields(self, names: Sequence[str]) -> None:
        """Show these fields of JSON and logfmt lines as columns; none shows the lines as they are."""
        self._maker.show_fields(names)
        self._relayout()

    def field_names(self) -> list[str]:
        """The fields that lines on screen have."""
        rows = self._session.view.rows if self._session is not None else []
        names = [name for row in rows if row.part == 0 for name in self._maker.names_in(row.line)]
        return list(dict.fromkeys(names))

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields that are shown as columns."""
        return self._maker.fields

    @property
    def filter_text(self) -> str:
        return self._session.keep.text if self._session is not None else ""

    @property
    def is_filtered(self) -> bool:
        """Whether there are lines that are not shown."""
        session = self._session
        return session is not None and (bool(session.keep) or any(place > (0, 0) for place in session.floor))

    @property
    def least_level(self) -> str:
        return self._session.keep.least if self._session is not None else ""

    def since(self, seconds: float | None) -> None:
        """Show only the last so many seconds; None shows everything."""
        self.since_moment(0 if seconds is None else time.time_ns() - int(seconds * 1e9))

    def since_moment(self, moment: int) -> None:
        """Show only what came at that time and later; 0 shows everything."""
        session = self._session
        if session is None:
            return
        if moment:
            session.set_floor(tuple(reader.since(moment) for reader in session.readers), moment)
        else:
            session.set_floor(None)
        self._after_rebuild()

    def clear_screen(self) -> None:
        """Hide everything up to now; `0` brings it back."""
        if self._session is not None:
            self._session.set_floor(self._session.end(), time.time_ns())
            self._after_rebuild()

    def toggle_fold(self) -> None:
        """Unfold the JSON of the line one stands on, or of all lines when one stands on none."""
        maker, line = self._maker, self._current
        if line is not None:
            maker.toggled ^= {(line.source, *line.start)}
        else:
            maker.unfold_all = not maker.unfold_all
            maker.toggled.clear()
        self._relayout()

    # Selecting, copying, saving

    def selected_text(self) -> str:
        """What is selected by lines or with the mouse."""
        if self._select_from is not None:
            first, last = sorted((self._select_from, self._select_to))
            return self._text_between(first, last, 0, None)
        selection = self.text_selection
        found = self.get_selection(selection) if selection is not None else None
        return found[0] if found else ""

    def current_text(self) -> str:
        """The whole line one stands on, or the last one on screen, as clean text."""
        rows = self._session.view.rows if self._session is not None else []
        line = self._current or next((row.line for row in reversed(rows) if row.line.stream != "note"), None)
        return render(line.text).text if line is not None else ""

    def lines(self, part: Part, times: bool = False) -> Callable[[], Iterable[str]]:
        """Gives lines as clean text, with their times in UTC or without, as often as it is called and in any thread, also
        when the view shows something else by then."""
        session = self._session
        names = list(self._maker.names) if len(self._maker.names) > 1 else []
        if session is None:
            return tuple
        if part == "selected":
            selected = self._selected_lines(times, names)
            return lambda: selected
        return lambda: (_saved(line, times, names) for line in session.everything(part == "all"))

    def _selected_lines(self, times: bool, names: Sequence[str]) -> list[str]:
        """Whole lines of a selection by rows; a selection with the mouse as it is."""
        session = self._session
        if session is None or self._select_from is None:
            return self.selected_text().split("\n")
        first, last = sorted((self._select_from, self._select_to))
        rows = session.view.between(first, last)
        lines = {(row.line.source, row.line.start): row.line for row in rows if row.line.stream != "note"}
        return [_saved(line, times, names) for line in lines.values()]

    # Moving

    def scroll_rows(self, rows: int) -> None:
        """Move by rows; upwards ends following, arriving at the end resumes it."""
        session = self._session
        if session is None:
            return
        if rows < 0 and self.follow:
            self.follow = False
        session.view.scroll(rows)
        if rows > 0 and not self.follow and session.view.at_end and not session.view.pending:
            self.follow = True
        self._moved()

    def show_line(self, key: str, position: Position) -> None:
        """Go to the line of a source that begins there, and stand on it."""
        session = self._session
        at = next((i for i, source in enumerate(self.sources) if source.key == key), -1)
        line = session.readers[at].after(position) if session is not None and at >= 0 else None
        if session is not None and line is not None:
            self._current, self._seeking = line, 0
            self._go(session.merged.at_line(line), above=session.view.height // 3)
            self._show_column(line)
            self.refresh()

    def _go(self, cursor: Cursor, above: int = 0) -> None:
        assert self._session is not None
        self.follow = False
        self._session.view.go(cursor, above)
        self._moved()

    # News

    def _moved(self) -> None:
        """Show what there is now, at the end or where one reads."""
        session = self._session
        if session is None:
            return
        before = session.view.rows
        if self.follow:
            session.view.to_end()
            if self._unseen is not None and not session.keep:
                self._unseen.shown(session.view.rows)
        else:
            session.view.fill()
        if before != session.view.rows or not before or self._bar() != self._had:
            self.refresh()
        self._changed()

    def _after_rebuild(self) -> None:
        self._restart_unseen()
        self._current = None
        self._select_from = None
        self.set_reactive(LogView.follow, True)
        self.screen.clear_selection()
        self._moved()
        self.refresh()

    def _relayout(self) -> None:
        """Lines take other rows now: what was selected by row is no more."""
        self._maker.forget()
        self._select_from = None
        if self.is_mounted:
            self.screen.clear_selection()
        self._moved()
        self.refresh()

    def _changed(self) -> None:
        text = self.state_text
        if text != self._told_state and self.is_mounted:
            self._told_state = text
            self.post_message(self.StateChanged(self, text))

    def on_resize(self, event: events.Resize) -> None:
        self._resize()

    def _resize(self) -> None:
        if self._session is None:
            return
        width, height = max(1, self.size.width - 1), self.size.height
        if width != self._maker.width:
            self._maker.width = width
            self._maker.forget()
            self._select_from = None
        self._session.view.height = height
        self._moved()
        self.refresh()

    def _restart_unseen(self) -> None:
        if self._unseen is not None:
            self._unseen.restart()

    # Watching its own state

    def watch_follow(self, follow: bool) -> None:
        self._restart_unseen()
        if follow:
            self._current = None
        self._moved()
        self.refresh()

    def watch_wrap(self, wrap: bool) -> None:
        self._maker.wrap = wrap
        self._shift = 0
        self._relayout()

    def watch_timestamps(self, timestamps: Timestamps) -> None:
        self._maker.timestamps = timestamps
        self._relayout()

    def validate_timestamps(self, timestamps: Any) -> Timestamps:
        return timestamps if timestamps in TIMESTAMPS else "off"


def _saved(line: Line, times: bool, names: Sequence[str]) -> str:
    name = f"{names[line.source]} " if names else ""
    moment = f"{rfc3339(line.time)} " if times and line.time else ""
    return f"{moment}{name}{render(line.text).text}"
