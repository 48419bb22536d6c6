"""The widget: draws a session, and gives it every key but two - the leader, behind which the app's own keys are, and
the detach keys, which leave.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final, cast

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tuidock.app.spans import Item
from tuidock.app.terminal import keys
from tuidock.app.terminal.cells import BLANK, runs, style_of
from tuidock.app.terminal.marking import Marking
from tuidock.app.terminal.pointing import Pointing
from tuidock.app.terminal.session import Session
from tuidock.app.widgets import narrow_updates
from tuidock.app.words import tr
from tuidock.engine.options.detach_keys import Detacher

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp

#: Seconds after a key in which what the program writes is its answer, and is shown at once instead of with the next frame.
_ECHO: Final = 0.25
_REVERSE, _PLAIN_REVERSE, _UNDER = Style(reverse=True), Style(reverse=False), Style(underline=True)
#: Behind the leader: key, what it does, label.
LEADER_KEYS: Final = (
    ("f", "full", "full/pane"), ("d", "leave", "leave"), ("c", "new", "new shell"), ("n", "next", "next"),
    ("p", "previous", "previous"), ("left_square_bracket", "mark", "mark and copy"), ("x", "end", "end it"),
    ("question_mark", "help", "help"),
)  # fmt: skip
_SHOWN: Final = {"left_square_bracket": "[", "question_mark": "?"}
MARK_KEYS: Final = (("space", "mark"), ("enter", "copy"), ("hjkl w b", "move"), ("escape", "back"))
_MOVES: Final = {
    "up": (-1, 0), "k": (-1, 0), "down": (1, 0), "j": (1, 0), "left": (0, -1), "h": (0, -1), "right": (0, 1),
    "l": (0, 1),
}  # fmt: skip


class TerminalView(Pointing, Widget, can_focus=True):
    """show(session). What only its surroundings can do comes as Wanted."""

    #: Looked at by the app: no key of its own goes before this widget's.
    takes_every_key: ClassVar[bool] = True
    ALLOW_SELECT = False
    DEFAULT_CSS = """
    TerminalView { height: 1fr; width: 1fr; background: $background; color: $foreground; }
    """

    class Wanted(Message):
        """One of LEADER_KEYS' deeds: full, leave, new, next, previous, end, help."""

        def __init__(self, what: str, view: TerminalView) -> None:
            super().__init__()
            self.what, self.view = what, view

    class KeysChanged(Message):
        """`items` gives others now."""

    def __init__(self, *, leader: str, detach: bytes, detach_shown: str, id: str | None = None) -> None:
        super().__init__(id=id)
        narrow_updates.install()
        self.session: Session | None = None
        self.marking: Marking | None = None
        self.leading = False
        self._leader, self._detach_keys, self._detach_shown = leader, detach, detach_shown
        self._detacher = Detacher(detach)
        self._top: int | None = None  # the first row shown, counted as in `marking`; None: the newest
        self._cursor_row = -1
        self._key_at = 0.0

    @property
    def tuidock(self) -> TuidockApp:
        return cast("TuidockApp", self.app)

    # -- what is shown ------------------------------------------------------------------------------------------

    def show(self, session: Session) -> None:
        if self.session is session:
            return
        self.release()
        self.session = session
        self._top, self.marking, self.leading = None, None, False
        self._detacher = Detacher(self._detach_keys)
        session.changed = self._changed
        self._fit()
        self.refresh()

    def release(self) -> None:
        """Somebody else shows the session now, or nobody."""
        if self.session is not None and self.session.changed == self._changed:
            self.session.changed = lambda: None
        self.session = None

    def on_unmount(self) -> None:
        self.release()

    def _fit(self) -> None:
        if self.session is not None and self.size.height and self.size.width:
            self.session.resize(self.size.height, self.size.width)

    def on_resize(self, event: events.Resize) -> None:
        self._fit()
        self.refresh()

    def on_show(self, event: events.Show) -> None:
        self._fit()

    def on_focus(self, event: events.Focus) -> None:
        self._report_focus(True)

    def on_blur(self, event: events.Blur) -> None:
        self.leading = False
        self._report_focus(False)

    def _report_focus(self, on: bool) -> None:
        if self.session is not None and self.session.emulator.has_mode(1004):
            self.session.send(b"\x1b[I" if on else b"\x1b[O")
        self.refresh()

    @property
    def _shown_from(self) -> int:
        assert self.session is not None
        history = self.session.emulator.history
        return history.gone if self._top is None else min(max(self._top, history.first), history.gone)

    def _show_from(self, row: int) -> None:
        """What comes is followed when the row is the first on the screen of the program, or below."""
        self._top = None if self.session is None or row >= self.session.emulator.history.gone else row

    def _changed(self) -> None:
        """The session has drawn something: only the rows that are different are drawn again."""
        if self.session is None or not self.is_attached:
            return
        emulator = self.session.emulator
        rows = emulator.take_dirty()
        if time.monotonic() - self._key_at < _ECHO:
            self.tuidock.key_pressed = True
        if rows is None or self._top is not None:
            self.refresh()
            return
        found = {*rows, self._cursor_row, emulator.cursor.y}
        width, height = self.size
        regions = [Region(0, y, width, 1) for y in sorted(found) if 0 <= y < height]
        if regions:
            self.refresh(*regions)

    def scroll_rows(self, rows: int) -> None:
        """Through the history: negative is up."""
        if self.session is None or self.session.emulator.alternate:
            return
        self._show_from(max(self.session.emulator.history.first, self._shown_from + rows))
        self.refresh()
        self.post_message(self.KeysChanged())

    # -- drawing ------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if self.session is None:
            return Strip.blank(width, base)
        emulator = self.session.emulator
        row = self._shown_from + y
        at = row - emulator.history.first
        if at >= emulator.total:
            return Strip.blank(width, base)
        cells = emulator.row(at)
        if len(cells) < width:
            cells = [*cells, *[BLANK] * (width - len(cells))]
        segments = []
        for text, look in runs(cells, width):
            style = base + style_of(look)
            if emulator.inverse:
                style += _PLAIN_REVERSE if style.reverse else _REVERSE
            segments.append(Segment(text, style))
        strip = Strip(segments, width)
        if self.marking is not None and (span := self.marking.span(row)) is not None:
            strip = _restyled(strip, *span)
        x = self._cursor_in(y, row)
        return strip if x is None else _restyled(strip, x, x + 1, self._cursor_style())

    def _cursor_in(self, y: int, row: int) -> int | None:
        """The column of the cursor when it is in this row."""
        assert self.session is not None
        emulator = self.session.emulator
        if self.marking is not None and self.marking.keys:
            return self.marking.cursor[1] if self.marking.cursor[0] == row else None
        if self.session.over or emulator.cursor.hidden or row != emulator.history.gone + emulator.cursor.y:
            return None
        self._cursor_row = y
        return min(int(emulator.cursor.x), self.size.width - 1)

    def _cursor_style(self) -> Style | None:
        """None: colours the other way round. A bar cannot be drawn in a cell; the line below it means the same."""
        assert self.session is not None
        block = self.session.emulator.cursor_shape in (0, 1, 2) or self.marking is not None
        return None if self.has_focus and block else _UNDER

    # -- keys ---------------------------------------------------------------------------------------------------

    def items(self) -> list[Item]:
        """The keys for the foot of the screen."""
        if self.marking is not None and self.marking.keys:
            return [Item("", tr(label), hint) for hint, label in MARK_KEYS]
        if self.leading:
            return [Item(what, tr(label), _SHOWN.get(key, key)) for key, what, label in LEADER_KEYS]
        found = [Item("lead", tr("keys"), self._leader_shown), Item("leave", tr("leave"), self._detach_shown)]
        if self._top is not None:
            behind = self.session.emulator.history.gone - self._shown_from if self.session is not None else 0
            found.append(Item("", tr("rows above the end: {count}", count=behind), "shift+pgdn"))
        else:
            found.append(Item("up", tr("back"), "shift+pgup"))
        return found

    @property
    def _leader_shown(self) -> str:
        return self._leader.replace("right_square_bracket", "]").replace("backslash", "\\")

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self._key_at = time.monotonic()
        if self.marking is not None and self.marking.keys:
            self._mark_key(event.key)
        elif self.leading:
            self._led(event)
        elif event.key == self._leader:
            self._lead(True)
        elif event.key in ("shift+pageup", "shift+pagedown"):
            self.scroll_rows((-1 if event.key == "shift+pageup" else 1) * max(1, self.size.height - 1))
        elif event.key in ("shift+home", "shift+end"):
            self.scroll_rows(-(1 << 30) if event.key == "shift+home" else 1 << 30)
        else:
            self._type(event)

    def _lead(self, on: bool) -> None:
        self.leading = on
        self.post_message(self.KeysChanged())

    def _led(self, event: events.Key) -> None:
        """A key behind the leader: one of the terminal's, the leader itself for the program, or one of the app's."""
        self._lead(False)
        if event.key == self._leader:
            self._type(event)
            return
        for key, what, _ in LEADER_KEYS:
            if event.key == key:
                self.do(what)
                return
        if event.key != "escape":
            self.call_later(self._app_key, event.key)

    async def _app_key(self, key: str) -> None:
        """As if the terminal had not had the focus."""
        for priority in (True, False):
            if await self.app._check_bindings(key, priority=priority):
                return

    def do(self, what: str) -> None:
        """One of the deeds of LEADER_KEYS, or lead, or up."""
        if what == "lead":
            self._lead(True)
        elif what == "up":
            self.scroll_rows(1 - self.size.height)
        elif what == "mark":
            self._begin_marking()
        elif what:
            self.post_message(self.Wanted(what, self))

    def _type(self, event: events.Key) -> None:
        session = self.session
        if session is None:
            return
        application = session.emulator.has_mode(1)
        data = keys.sequence(event.key, event.character, application=application)
        if session.over:
            self.post_message(self.Wanted("leave", self))
            return
        self._to_the_end()
        data, detached = self._detacher.feed(data)
        self._send(data)
        if detached:
            self.post_message(self.Wanted("leave", self))

    def _to_the_end(self) -> None:
        if self._top is not None or self.marking is not None:
            self._top = self.marking = None
            self.refresh()
            self.post_message(self.KeysChanged())

    def _send(self, data: bytes) -> None:
        if data and self.session is not None and not self.session.send(data):
            self.tuidock.say(tr("The program takes no input; what was typed is dropped."), "warning")

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        if self.session is not None:
            self._key_at = time.monotonic()
            self._to_the_end()
            self._send(keys.paste(event.text, bracketed=self.session.emulator.has_mode(2004)))

    # -- marking ------------------------------------------------------------------------------------------------

    def _begin_marking(self) -> None:
        if self.session is None:
            return
        emulator = self.session.emulator
        place = (emulator.history.gone + emulator.cursor.y, min(emulator.cursor.x, emulator.columns - 1))
        self.marking = Marking(emulator, place, keys=True)
        self.refresh()
        self.post_message(self.KeysChanged())

    def _mark_key(self, key: str) -> None:
        marking = self.marking
        assert marking is not None
        page = max(1, self.size.height - 1)
        if key in _MOVES:
            marking.move(*_MOVES[key])
        elif key in ("pageup", "shift+pageup", "ctrl+b", "pagedown", "shift+pagedown", "ctrl+f"):
            marking.move(-page if key in ("pageup", "shift+pageup", "ctrl+b") else page, 0)
        elif key in ("w", "b"):
            marking.word(key == "w")
        elif key in ("home", "0", "end", "dollar_sign"):
            marking.put(marking.cursor[0], 0 if key in ("home", "0") else 1 << 30)
        elif key in ("g", "G"):
            marking.put(0 if key == "g" else 1 << 60, 0)
        elif key in ("space", "v"):
            marking.toggle()
        elif key in ("enter", "y", "c"):
            self._copy(marking)
            return
        elif key in ("escape", "q"):
            self._to_the_end()
            return
        top = self._shown_from
        row = marking.cursor[0]
        wanted = row if row < top else row - self.size.height + 1 if row >= top + self.size.height else top
        self._show_from(wanted)
        self.refresh()

    def _copy(self, marking: Marking) -> None:
        text = marking.text()
        self._to_the_end()
        if text:
            self.tuidock.copy(text, tr("the selection"))
        else:
            self.tuidock.say(tr("Nothing is marked: space begins a mark."), "warning")


def _restyled(strip: Strip, start: int, end: int, style: Style | None = None) -> Strip:
    """Some cells in another style; None: colours the other way round."""
    before, inside, after = strip.divide([start, end, strip.cell_length])
    segments = [
        Segment(text, (old or Style()) + (style or (_PLAIN_REVERSE if old and old.reverse else _REVERSE)))
        for text, old, _ in inside
    ]
    return Strip.join([before, Strip(segments, inside.cell_length), after])
