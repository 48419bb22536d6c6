"""The terminal before Textual has it, and after it if it could not give it back itself."""

from __future__ import annotations

import os
import signal
import sys
import termios
from types import FrameType
from typing import Any

from tuidock.engine.guard import GIVEN_BACK, TAKEN, Guard

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
#: Everything that the app may have turned on, in case it ended without turning it off.
_MODES = (1000, 1003, 1015, 1006, 2004, 1004, 2026)
_LEAVE = "".join(f"\x1b[?{mode}l" for mode in _MODES) + "\x1b[<u\x1b[?7h\x1b[0m\x1b[2J\x1b[?1049l\x1b[?25h"


class Terminal:
    """Use as a context manager around the app."""

    def __init__(self) -> None:
        self.taken = False  # the first frame was shown, and nobody has given the terminal back yet
        self.attributes: list[Any] | None = None
        self._guard: Guard | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def show(self, picture: str) -> None:
        """Takes the terminal and draws. From now on keys wait, unseen, until somebody reads them."""
        self.attributes = termios.tcgetattr(0)
        raw = termios.tcgetattr(0)
        raw[0] &= ~(termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR)
        raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        raw[6][termios.VMIN] = 1
        self.taken = True
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ended)
        termios.tcsetattr(0, termios.TCSANOW, raw)
        _write(f"{_ENTER}\x1b[?2026h{picture}\x1b[?2026l")
        self.guarded(0, self.attributes)

    def guarded(self, terminal: int, attributes: list[Any]) -> None:
        """It is taken; should this program be killed, somebody gives it back with these attributes."""
        if self._guard is None:
            self._guard = Guard(terminal, attributes)
        self._guard.tell(TAKEN)

    def given_back(self) -> None:
        """There is nothing to be done when this program is killed."""
        if self._guard is not None:
            self._guard.tell(GIVEN_BACK)

    def restore(self) -> None:
        """Gives the terminal back as it was, unless Textual has done so."""
        if self.taken:
            self.taken = False
            _write(_LEAVE)
            if self.attributes is not None:
                termios.tcsetattr(0, termios.TCSANOW, self.attributes)
        self.given_back()

    def _ended(self, number: int, frame: FrameType | None) -> None:
        self.restore()
        # Nothing of the program has begun that would have to be ended.
        sys.stdout.flush()
        os._exit(128 + number)


def _write(text: str) -> None:
    data = text.encode("utf-8", "replace")
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        pass  # the terminal has gone
