"""What the log view says about itself: the line beside its title, and why there is nothing to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuidock.app.format import size
from tuidock.app.widgets.log_rows import RowMaker

if TYPE_CHECKING:
    from tuidock.app.logs.records import Line
    from tuidock.app.logs.session import Session
    from tuidock.app.logs.unseen import Unseen
    from tuidock.app.widgets.log_view import LogView


class LogState:
    """Mixed into LogView, whose state it uses."""

    _session: Session | None
    _maker: RowMaker
    _current: Line | None
    _unseen: Unseen | None
    _select_from: int | None
    _select_to: int
    _shift: int
    _note: str

    @property
    def state_text(self: LogView) -> str:  # type: ignore[misc]
        """hit 3 of 34 · following · 18 421 lines · wrap off"""
        session = self._session
        if session is None:
            return self._note
        words = [self._search_words(), "following" if self.follow else "paused"]
        if self._select_from is not None:
            words = [f"{abs(self._select_to - self._select_from) + 1} rows selected"]
        if self._unseen is not None and self._unseen.count:
            words.append(f"{_count(self._unseen.count)} lines skipped")
        words += self._line_words()
        if lost := sum(directory.dropped for directory in session.directories):
            words.append(f"{size(lost)} lost, the disk was full")
        if self._maker.fields:
            words.append(f"fields {','.join(self._maker.fields)}")
        words.append(f"wrap {'on' if self.wrap else 'off'}")
        if self.timestamps != "off":
            words.append(f"{self.timestamps} time")
        if self._shift:
            words.append(f"column {self._shift + 1}")
        return " · ".join(filter(None, words))

    def _search_words(self: LogView) -> str:  # type: ignore[misc]
        session = self._session
        if session is None or session.query is None:
            return ""
        done, hits = session.searched, _count(session.hit_count)
        number = self.hit_number
        words = f"hit {_count(number)} of {hits}" if number is not None else f"{hits} hit{'s' * (hits != '1')}"
        return words if done >= 1 else f"{words} … {done:.0%}"

    def _line_words(self: LogView) -> list[str]:  # type: ignore[misc]
        session = self._session
        assert session is not None
        count = _count(session.line_count)
        if not session.keep:
            if session.counted < 0.99:
                return [f"{count}+ lines, {session.counted:.0%} counted"]
            return [f"{count} line{'s' * (session.line_count != 1)}"]
        words = [f"{_count(session.kept_count)} of {count} lines with {session.keep.words}"]
        if any(session.around):
            words.append(f"{session.around.words} around")
        if session.filtered < 1 and session.view.pending:
            words.append(f"filtering {session.filtered:.0%}")
        return words

    def _empty_text(self: LogView) -> str:  # type: ignore[misc]
        session = self._session
        if session is None:
            return self._note
        problem = next((directory.problem for directory in session.directories if directory.problem), "")
        if session.view.pending and session.keep:
            return f"searching … {session.filtered:.0%}"
        if session.keep and session.size:
            return f"nothing fits {session.keep.words}: {_count(session.line_count)} lines hidden"
        if session.size and session.floor != ((0, 0),) * len(session.readers):
            return "nothing in this range yet; 0 shows everything"
        if session.size and not problem:
            return ""  # its lines come with the size of the view
        return self._note or problem or "no output yet"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")
