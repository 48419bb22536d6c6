"""A terminal that runs: an emulator, the channel that feeds it, and a pace that leaves the app its time.

A program that floods is read no faster than it is drawn, and half of the time the app has for itself; the rest waits in
the kernel, and the program with it, as on any terminal. Nothing is kept beyond the history of the emulator.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from tuidock.app.terminal.channels import Channel
from tuidock.app.terminal.emulator import Emulator
from tuidock.app.terminal.parser import Parser
from tuidock.app.terminal.sequences import Interpreter

#: Input that a program has not taken yet; what comes beyond is refused.
_MOST_INPUT: Final = 4 << 20
#: A program that asks, and never reads the answers, is not answered any more.
_MOST_ANSWERS: Final = 4096
#: Seconds of drawing without a pause.
_STRETCH: Final = 0.005


class Session:
    """One program on its terminal. changed is called when something looks different, ended once."""

    def __init__(
        self, title: str, container: str, *, columns: int, lines: int, newlines: bool = False, kind: str = "exec"
    ) -> None:
        self.title, self.container, self.kind = title, container, kind
        self.emulator = Emulator(columns, lines, self._answer, newlines=newlines)
        self.changed: Callable[[], None] = lambda: None
        self.ended: Callable[[Session], None] = lambda session: None
        self.lost: Callable[[Session], None] = lambda session: None
        self.began = time.monotonic()
        self.over = False
        self.exit_code: int | None = None
        self.bytes_read = 0
        self._parser = Parser(Interpreter(self.emulator))
        self._channel: Channel | None = None
        self._outgoing = bytearray()
        self._loop = asyncio.get_running_loop()
        self._watched: tuple[int, ...] = ()
        self._resting: asyncio.TimerHandle | None = None
        self._writing = -1

    # -- life ---------------------------------------------------------------------------------------------------

    def join(self, channel: Channel) -> None:
        """Begins to read."""
        self._channel = channel
        self._watch()
        self._flush()

    def _watch(self) -> None:
        if self._channel is not None and not self._watched:
            self._watched = self._channel.watched
            for fd in self._watched:
                self._loop.add_reader(fd, self._read)

    def _unwatch(self) -> None:
        for fd in self._watched:
            self._loop.remove_reader(fd)
        self._watched = ()
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _stop_writing(self) -> None:
        if self._writing >= 0:
            self._loop.remove_writer(self._writing)
            self._writing = -1

    def lost_channel(self) -> Channel | None:
        """What was joined, which nobody reads now."""
        return self._channel

    def close(self) -> None:
        """Hangs up. It does not count as ended by itself: nobody is told."""
        self._unwatch()
        self._stop_writing()
        self.over = True
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def finish(self, exit_code: int | None) -> None:
        """There is nothing more to come."""
        if not self.over:
            self.close()
            self.exit_code = exit_code
            self.changed()
            self.ended(self)

    # -- output -------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        assert self._channel is not None
        data = self._channel.read()
        if data is None:
            if self._channel.lost:
                self._unwatch()
                self._stop_writing()
                self.lost(self)
            else:
                self.finish(self._channel.exit_code)
            return
        if not data:
            if self._watched != self._channel.watched:
                self._unwatch()
                self._watch()
            return
        began = time.perf_counter()
        self.show(data)
        spent = time.perf_counter() - began
        if spent > _STRETCH:
            self._unwatch()
            self._resting = self._loop.call_later(spent, self._rested)

    def _rested(self) -> None:
        self._resting = None
        self._watch()

    def show(self, data: bytes) -> None:
        """Draws bytes as if they came from the program."""
        self.bytes_read += len(data)
        self._parser.feed(data)
        self.changed()

    # -- input --------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> bool:
        """Bytes for the program; False when it has taken none for so long that there is no room."""
        if self.over or len(self._outgoing) + len(data) > _MOST_INPUT:
            return self.over
        self._outgoing += data
        self._flush()
        return True

    def _answer(self, data: bytes) -> None:
        if not self.over and len(self._outgoing) < _MOST_ANSWERS:
            self._outgoing += data
            self._flush()

    def _flush(self) -> None:
        if self._channel is None:
            return
        while self._outgoing and (taken := self._channel.write(bytes(self._outgoing[:65536]))):
            del self._outgoing[:taken]
        if not self._outgoing and self._channel.pending:
            self._channel.write(b"")
        if not self._outgoing and not self._channel.pending:
            self._stop_writing()
        elif self._writing < 0:
            self._writing = self._channel.fileno()
            self._loop.add_writer(self._writing, self._flush)

    def resize(self, lines: int, columns: int) -> None:
        if lines < 1 or columns < 2 or (lines, columns) == (self.emulator.lines, self.emulator.columns):
            return
        self.emulator.resize(lines, columns)
        if self._channel is not None:
            self._channel.resize(lines, columns)
