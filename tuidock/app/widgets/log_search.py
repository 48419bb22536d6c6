"""Searching in the log view: counting goes on in the session's thread, this walks from hit to hit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuidock.app.logs.scan import PENDING
from tuidock.app.widgets.log_rows import RowMaker

if TYPE_CHECKING:
    from tuidock.app.logs.records import Line
    from tuidock.app.logs.session import Session
    from tuidock.app.widgets.log_view import LogView


class LogSearch:
    """Mixed into LogView, whose state it uses."""

    _session: Session | None
    _maker: RowMaker
    _current: Line | None
    _seeking: int
    _shift: int

    @property
    def hits(self: LogView) -> int:  # type: ignore[misc]
        return self._session.hit_count if self._session is not None else 0

    @property
    def hit_number(self: LogView) -> int | None:  # type: ignore[misc]
        """Which hit one stands on, from 1."""
        if self._session is None or self._current is None or self._session.query is None:
            return None
        return self._session.hit_number(self._current)

    @property
    def search_progress(self: LogView) -> float:  # type: ignore[misc]
        return self._session.searched if self._session is not None else 1.0

    def search(self: LogView, pattern: str) -> None:  # type: ignore[misc]
        """Search the whole log and go to the nearest hit. Raises QueryError (a ValueError) for a bad pattern."""
        if self._session is None:
            return
        self._session.search(pattern)
        self._current = None
        self._seek(-1 if self.follow else 1)
        self.refresh()

    @property
    def is_searched(self: LogView) -> bool:  # type: ignore[misc]
        return self._session is not None and self._session.query is not None

    def clear_search(self: LogView) -> None:  # type: ignore[misc]
        if self._session is not None:
            self._session.search("")
        self._current, self._seeking = None, 0
        self.refresh()
        self._changed()

    def next_hit(self: LogView) -> None:  # type: ignore[misc]
        self._seek(1)

    def previous_hit(self: LogView) -> None:  # type: ignore[misc]
        self._seek(-1)

    def _seek(self: LogView, direction: int) -> None:  # type: ignore[misc]
        """Go to the next hit in that direction, at once or as soon as the thread has come so far."""
        session = self._session
        self._seeking = 0
        if session is None or session.query is None:
            return
        rows, merged = session.view.rows, session.merged
        if self._current is not None:
            at = merged.at_line(self._current)
            if direction > 0:
                source = self._current.source
                at = (*at[:source], self._current.next, *at[source + 1 :])
        elif direction > 0:
            at = rows[0].before if rows else merged.start()
        else:
            at = rows[-1].after if rows else merged.end()
        hit = session.hit_after(at) if direction > 0 else session.hit_before(at)
        if hit == PENDING:
            self._seeking = direction
        elif hit is not None:
            self._current = hit
            self.follow = False
            if not any(row.line.start == hit.start and row.line.source == hit.source for row in rows):
                session.view.go(merged.at_line(hit), above=session.view.height // 3)
            self._show_column(hit)
            self._moved()
        self._changed()

    def _show_column(self: LogView, line: Line) -> None:  # type: ignore[misc]
        """Scroll sideways until the hit is on screen."""
        session = self._session
        if session is None or session.query is None or self.wrap or not self.size.width:
            return
        layout = self._maker.layout(line)
        spans = session.query.spans(layout.text)
        room = self._maker.width - len(layout.prefix)
        if spans and not self._shift <= spans[0][0] < self._shift + room - 4:
            self._shift = max(0, spans[0][0] - room // 2) if spans[0][0] >= room - 4 else 0
