"""Places in a log to go to: times, marks, the runs of a container. Their rules stand between the lines as notes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tuidock.app.log_sources import Rule
from tuidock.app.words import tr

if TYPE_CHECKING:
    from tuidock.app.logs.merge import Note
    from tuidock.app.logs.records import Line, Position
    from tuidock.app.logs.session import Session
    from tuidock.app.widgets.log_view import LogView

#: A start is announced when the process runs already, and its first lines may be older than the announcement (ns).
ANNOUNCED_LATE: Final = 100_000_000


class LogPlaces:
    """Mixed into LogView, whose state it uses."""

    _session: Session | None
    _current: Line | None
    _last_end: dict[str, int]
    _told_runs: set[tuple[str, str, int]]

    def _add_rule(self: LogView, rule: Rule) -> None:  # type: ignore[misc]
        session = self._session
        if session is None:
            return
        text, moment, key, kind = rule
        name = next((s.name for s in session.sources if s.key == key), "")
        if name and len(session.sources) > 1 and name not in text:
            text = f"{name}: {text}"
        if kind in ("start", "end") and moment:
            if (key, kind, moment) in self._told_runs:
                return  # known from the journal, and announced as well
            self._told_runs.add((key, kind, moment))
            ended = self._last_end.get(key, 0)
            if kind == "end":
                self._last_end[key] = moment
            else:
                # between the end of the run before and the first line of this one
                moment = max(ended + 1 if ended < moment else 0, moment - ANNOUNCED_LATE)
        session.notes.add(text, moment, kind)
        self._place_notes()

    def add_rules(self: LogView, rules: Sequence[Rule]) -> None:  # type: ignore[misc]
        """What is known of the runs before, or has just happened."""
        for rule in rules:
            self._add_rule(rule)
        if rules:
            self._moved()
            self.refresh()

    def add_mark(self: LogView) -> None:  # type: ignore[misc]
        """A rule to find the place again: at the end while one follows, else above the line one stands on."""
        session = self._session
        if session is None:
            return
        number = len(session.notes.of("mark")) + 1
        text = tr("mark {number}  {time}", number=number, time=time.strftime("%H:%M:%S"))
        line = self._current or next((row.line for row in session.view.rows if row.line.stream != "note"), None)
        if self.follow or line is None:
            session.notes.add(text, 0, "mark")
        else:
            session.notes.add(text, line.time, "mark", (line.source, line.start))
            session.view.skip = 0
            self._place_notes()
        self._moved()

    def _place_notes(self: LogView) -> None:  # type: ignore[misc]
        """Notes have come: those in front of the first row are above the screen, and those at it are its first row."""
        session = self._session
        if session is not None and session.view.rows and not self.follow:
            place = _note_place(session.view.rows[0].line, session)
            session.view.top = (*session.view.top[:-1], place)

    def marks(self: LogView) -> list[Note]:  # type: ignore[misc]
        """All marks, the earliest first."""
        return self._session.notes.of("mark") if self._session is not None else []

    def clear_marks(self: LogView) -> None:  # type: ignore[misc]
        if self._session is not None:
            self._session.notes.drop("mark")
            self._moved()
            self.refresh()

    def go_to_time(self: LogView, moment_ns: int) -> None:  # type: ignore[misc]
        """Show the lines of that time first."""
        if self._session is not None:
            self._go(self._session.merged.since(moment_ns))

    def previous_mark(self: LogView) -> bool:  # type: ignore[misc]
        """To the mark above, and behind the first one to the last. False: there is none."""
        marks, session = self.marks(), self._session
        if not marks or session is None:
            return False
        line = next((row.line for row in session.view.rows), None)
        here = (time.time_ns(), 0) if self.follow or line is None else _note_place(line, session)
        above = [note for note in marks if note.position < here]
        self.go_to_note(above[-1] if above else marks[-1])
        return True

    def go_to_note(self: LogView, note: Note) -> None:  # type: ignore[misc]
        """With the note as the first row."""
        session = self._session
        line = session.notes.line_of(note) if session is not None else None
        if session is not None and line is not None:
            self._current = None
            self._go(session.merged.at_line(line))

    def previous_run(self: LogView) -> bool:  # type: ignore[misc]
        """To the beginning of the run before the one that is shown. False: nothing is known of one."""
        starts = self._starts()
        here = self._here()
        begun = [moment for moment in starts if moment <= here]
        if len(begun) < 2:
            if begun:
                self.go_to_time(begun[0])
            return False
        self.go_to_time(begun[-2])
        return True

    def next_run(self: LogView) -> None:  # type: ignore[misc]
        """To the beginning of the run behind the one that is shown, or to the end."""
        here = self._here()
        later = [moment for moment in self._starts() if moment > here]
        if later:
            self.go_to_time(later[0])
        else:
            self.follow = True

    def _starts(self: LogView) -> list[int]:  # type: ignore[misc]
        return [note.position[0] for note in self._session.notes.of("start")] if self._session is not None else []

    def _here(self: LogView) -> int:  # type: ignore[misc]
        """The time of the first row on screen; of the end while one follows."""
        session = self._session
        if session is None or self.follow:
            return time.time_ns()
        return next((row.line.time for row in session.view.rows if row.line.time), 0)


def _note_place(line: Line, session: Session) -> Position:
    """Where a note in front of the line would stand."""
    return line.start if line.stream == "note" else session.notes.beside(line)
