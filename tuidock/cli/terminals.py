"""The caller's terminal during a session: its mode, and that it is put back."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # see `stream.py`


def in_foreground(descriptor: int) -> bool:
    """Whether the descriptor is our terminal, and what is typed there is for us."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


def hung_up(descriptor: int) -> bool:
    """Whether the terminal has gone, as with a lost SSH session."""
    import select

    watch = select.poll()
    watch.register(descriptor, 0)
    return any(event & select.POLLHUP for _, event in watch.poll(0))


class RawTerminal:
    """The caller's terminal in raw mode; `restore` may be called twice and always brings the old mode back."""

    def __init__(self, descriptor: int) -> None:
        import termios

        self._termios, self._descriptor = termios, descriptor
        self._saved: list[Any] | None = termios.tcgetattr(descriptor)
        self.enter()

    def enter(self) -> None:
        if self._saved is None:
            return
        t = self._termios
        mode = [*self._saved[:6], list(self._saved[6])]
        mode[0] &= ~(t.IGNBRK | t.BRKINT | t.PARMRK | t.ISTRIP | t.INLCR | t.IGNCR | t.ICRNL | t.IXON)
        mode[1] &= ~t.OPOST
        mode[2] = (mode[2] & ~(t.CSIZE | t.PARENB)) | t.CS8
        mode[3] &= ~(t.ECHO | t.ECHONL | t.ICANON | t.ISIG | t.IEXTEN)
        mode[6][t.VMIN], mode[6][t.VTIME] = 1, 0
        self._set(mode)

    def _set(self, mode: list[Any]) -> None:
        # a background process that sets the mode is stopped by SIGTTOU; for putting the terminal right that is wrong
        old = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            self._termios.tcsetattr(self._descriptor, self._termios.TCSADRAIN, mode)
        except self._termios.error:
            pass
        finally:
            signal.signal(signal.SIGTTOU, old)

    def restore(self) -> None:
        if self._saved is not None:
            self._set(self._saved)
            self._saved = None


class LineTerminal(RawTerminal):
    """The caller's terminal that goes on to echo, edit lines and send signals, but hands over at once what ends with the
    last of the detach keys: otherwise they would wait for the end of a line, or stop the output as ctrl-s and ctrl-q do."""

    def __init__(self, descriptor: int, keys: bytes, ends: bool) -> None:
        self._keys = keys
        self.ends = ends  # ctrl-d ends the input; where none is wanted it is a key as any other
        super().__init__(descriptor)

    def enter(self) -> None:
        if self._saved is None:
            return
        t = self._termios
        mode = [*self._saved[:6], list(self._saved[6])]
        mode[0] &= ~t.IXON
        mode[3] |= t.ICANON
        own = (t.VINTR, t.VQUIT, t.VSUSP, t.VERASE, t.VKILL, t.VWERASE, t.VLNEXT, t.VREPRINT, t.VEOL, t.VEOL2, t.VEOF)
        for index in own:
            if mode[6][index] in [bytes([key]) for key in self._keys] or (index == t.VEOF and not self.ends):
                mode[6][index] = b"\0"
        mode[6][t.VEOL] = self._keys[-1:]
        self._set(mode)
