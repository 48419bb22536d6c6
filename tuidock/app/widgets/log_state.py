"""What the log view says about itself: the line beside its title, and why there is nothing to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuidock.app.format import number, size
from tuidock.app.widgets.log_rows import RowMaker
from tuidock.app.words import mark, tr, trn

if TYPE_CHECKING:
    from tuidock.app.logs.records import Line
    from tuidock.app.logs.session import Session
    from tuidock.app.logs.unseen import Unseen
    from tuidock.app.widgets.log_view import LogView


_TIMES = {"local": mark("local time"), "utc": mark("utc time"), "relative": mark("relative time")}


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
        words = [self._search_words(), tr("following") if self.follow else tr("paused")]
        if self._select_from is not None:
            rows = abs(self._select_to - self._select_from) + 1
            words = [trn("{count} row selected", "{count} rows selected", rows)]
        if self._unseen is not None and self._unseen.count:
            words.append(_counted("{count} line skipped", "{count} lines skipped", self._unseen.count))
        words += self._line_words()
        if lost := sum(directory.dropped for directory in session.directories):
            words.append(tr("{size} lost, the disk was full", size=size(lost)))
        if self._maker.fields:
            words.append(tr("fields {names}", names=",".join(self._maker.fields)))
        words.append(tr("wrap on") if self.wrap else tr("wrap off"))
        if self.timestamps != "off":
            words.append(tr(_TIMES[self.timestamps]))
        if self._shift:
            words.append(tr("column {number}", number=self._shift + 1))
        return " · ".join(filter(None, words))

    def _search_words(self: LogView) -> str:  # type: ignore[misc]
        session = self._session
        if session is None or session.query is None:
            return ""
        done, at = session.searched, self.hit_number
        if at is not None:
            words = tr("hit {number} of {count}", number=number(at), count=number(session.hit_count))
        else:
            words = _counted("{count} hit", "{count} hits", session.hit_count)
        return words if done >= 1 else f"{words} … {done:.0%}"

    def _line_words(self: LogView) -> list[str]:  # type: ignore[misc]
        session = self._session
        assert session is not None
        count = number(session.line_count)
        if not session.keep:
            if session.counted < 0.99:
                return [tr("{count}+ lines, {share} counted", count=count, share=f"{session.counted:.0%}")]
            return [_counted("{count} line", "{count} lines", session.line_count)]
        kept = number(session.kept_count)
        words = [tr("{kept} of {count} lines with {filter}", kept=kept, count=count, filter=session.keep.words)]
        if any(session.around):
            words.append(tr("{count} around", count=session.around.words))
        if session.filtered < 1 and session.view.pending:
            words.append(tr("filtering {share}", share=f"{session.filtered:.0%}"))
        return words

    def _empty_text(self: LogView) -> str:  # type: ignore[misc]
        session = self._session
        if session is None:
            return self._note
        problem = next((directory.problem for directory in session.directories if directory.problem), "")
        if session.view.pending and session.keep:
            return f"{tr('searching …')} {session.filtered:.0%}"
        if session.keep and session.size:
            hidden = number(session.line_count)
            return tr("nothing fits {filter}: {count} lines hidden", filter=session.keep.words, count=hidden)
        if session.size and session.floor != ((0, 0),) * len(session.readers):
            return tr("nothing in this range yet; 0 shows everything")
        if session.size and not problem:
            return ""  # its lines come with the size of the view
        return self._note or problem or tr("no output yet")


def _counted(one: str, many: str, count: int) -> str:
    return trn(one, many, count, count=number(count))
