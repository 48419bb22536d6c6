"""The mouse over a terminal: the program's when it has asked for it, for marking and scrolling otherwise, and with shift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual import events

from tuidock.app.terminal import keys
from tuidock.app.terminal.marking import Marking
from tuidock.app.words import tr

if TYPE_CHECKING:
    from tuidock.app.terminal.view import TerminalView

#: Rows of the history, or arrow keys, for one step of the wheel.
WHEEL: Final = 3


class Pointing:
    """Mixed into the view."""

    marking: Marking | None
    _button = -1  # as the reports count; -1: none is held
    _reported: tuple[int, int, int] | None = None  # the last move that was told: button, column, row

    def _mouse_mode(self: TerminalView, *modes: int) -> bool:  # type: ignore[misc]
        return self.session is not None and any(self.session.emulator.has_mode(mode) for mode in modes)

    def _report(self: TerminalView, event: events.MouseEvent, button: int, *, pressed: bool = True) -> None:  # type: ignore[misc]
        assert self.session is not None
        held = 8 * event.meta + 16 * event.ctrl
        sgr = self.session.emulator.has_mode(1006)
        x, y = min(max(0, event.x), self.size.width - 1), min(max(0, event.y), self.size.height - 1)
        self._send(keys.mouse(button, x, y, pressed=pressed, sgr=sgr, modifiers=held))

    def on_mouse_down(self: TerminalView, event: events.MouseDown) -> None:  # type: ignore[misc]
        if self.session is None or event.button not in (1, 2, 3):
            return
        self._button = event.button - 1
        self._reported = (self._button, event.x, event.y)
        self.capture_mouse()
        event.stop()
        if self._mouse_mode(1000, 1002, 1003) and not event.shift:
            self._report(event, self._button)
            return
        self.marking = None
        if event.button == 1:
            self.marking = Marking(self.session.emulator, (0, 0), keys=False)
            self.marking.put(self._shown_from + event.y, event.x)
            self.marking.anchor = None
        self.refresh()

    def on_mouse_move(self: TerminalView, event: events.MouseMove) -> None:  # type: ignore[misc]
        if self.session is None:
            return
        if self._button >= 0 and self.marking is not None and not self.marking.keys:
            if self.marking.anchor is None:
                self.marking.anchor = self.marking.cursor
            self.marking.put(self._shown_from + event.y, event.x)
            self.refresh()
        elif (self._button >= 0 and self._mouse_mode(1002, 1003)) or self._mouse_mode(1003):
            move = (self._button, event.x, event.y)
            if move != self._reported:
                self._reported = move
                self._report(event, 32 + (self._button if self._button >= 0 else 3))

    def on_mouse_up(self: TerminalView, event: events.MouseUp) -> None:  # type: ignore[misc]
        if self._button < 0:
            return
        button, self._button = self._button, -1
        self.release_mouse()
        event.stop()
        if self.marking is not None and not self.marking.keys:
            marking, self.marking = self.marking, None
            if marking.anchor is not None and (text := marking.text()):
                self.marking = marking  # stays to be seen until something is typed
                self.tuidock.copy(text, tr("the selection"))
            self.refresh()
        elif self._mouse_mode(1000, 1002, 1003):
            self._report(event, button, pressed=False)

    def on_mouse_scroll_up(self: TerminalView, event: events.MouseScrollUp) -> None:  # type: ignore[misc]
        self._wheel(event, -1)

    def on_mouse_scroll_down(self: TerminalView, event: events.MouseScrollDown) -> None:  # type: ignore[misc]
        self._wheel(event, 1)

    def _wheel(self: TerminalView, event: events.MouseEvent, direction: int) -> None:  # type: ignore[misc]
        """For the program when it asked for the mouse; as arrows on the alternate screen, where there is no history."""
        if self.session is None:
            return
        event.stop()
        event.prevent_default()
        if self._mouse_mode(1000, 1002, 1003) and not event.shift:
            self._report(event, 64 if direction < 0 else 65)
        elif self.session.emulator.alternate:
            key = keys.sequence("up" if direction < 0 else "down", None, application=self.session.emulator.has_mode(1))
            self._send(key * WHEEL)
        else:
            self.scroll_rows(direction * WHEEL)
