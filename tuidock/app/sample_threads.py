"""The thread that samples what runs; `workers.py` has the others.

What is on the screen is sampled each second, or each two when nobody has pressed a key for a while. All others are sampled
for their history (`history.py`) each ten seconds, and rarer when there are so many that it would cost more than 0.3 % of a
processor. Nothing is sampled while the terminal has lost the focus.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tuidock.app import machine
from tuidock.app.model import HostLoad
from tuidock.app.report import sentence

if TYPE_CHECKING:
    from textual.message import Message

    from tuidock.app.workers import Door

#: Seconds without a key after which figures are sampled every two seconds only.
REST_AFTER = 4.0
#: Seconds between two samples of what nobody looks at, how many containers are sampled at once, and how many times longer
#: than that takes it rests.
OTHERS_EVERY, OTHERS, SPARE = 10.0, 50, 300
#: While the overview is on the screen.
OVERVIEW_EVERY, OVERVIEW = 2.0, 250


class SampleThread:
    """Mixed into Workers."""

    post: Callable[[Message], Any]
    stopping: threading.Event
    _engine: Door | None
    _opened: threading.Event

    def __init__(self) -> None:
        self._sampling = threading.Condition()
        self._wanted: tuple[str, ...] = ()
        self._running: tuple[str, ...] = ()
        self._turn = 0  # whose turn it is among those that nobody looks at
        self._others_due = time.monotonic() + OTHERS_EVERY
        self._awake = True
        self._touched = time.monotonic()
        self.charts = False  # somebody looks at curves, which want a sample each second
        self._overview = False

    @property
    def _root(self) -> str:
        return str(getattr(self._engine, "root", "") or "/")

    def host(self) -> HostLoad:
        """How the machine is used now."""
        return machine.host_load(None, self._root)[0]

    def want_samples(self, ids: Iterable[str]) -> None:
        """Which running containers are on screen; none ends the sampling."""
        wanted = tuple(ids)
        if wanted == self._wanted:
            return
        with self._sampling:
            self._wanted = wanted
            self._sampling.notify()

    def set_running(self, ids: Iterable[str]) -> None:
        """All that run, on screen or not."""
        running = tuple(ids)
        if running != self._running:
            with self._sampling:
                self._running = running
                self._sampling.notify()

    def set_overview(self, on: bool) -> None:
        """Somebody looks at all that runs together, and at the machine."""
        with self._sampling:
            self._overview = on
            self._others_due = 0.0
            self._sampling.notify()

    def set_awake(self, awake: bool) -> None:
        """False while the terminal has lost the focus: then nothing is sampled."""
        with self._sampling:
            self._awake = awake
            self._sampling.notify()

    def touched(self) -> None:
        """A key was pressed: somebody is there."""
        self._touched = time.monotonic()

    def _sample(self) -> None:
        from tuidock.app.messages import EngineFailed, StatsRead

        times: tuple[int, int] | None = None
        failed = False
        self._opened.wait()
        while not self.stopping.is_set():
            with self._sampling:
                now = time.monotonic()
                if not self._awake or not (self._wanted or self._running or self._overview):
                    self._sampling.wait()
                    continue
                if not self._wanted and not self._overview and now < self._others_due:
                    self._sampling.wait(self._others_due - now)
                    continue
                wanted = self._wanted
                others = self._others() if now >= self._others_due else ()
                wanted = (*wanted, *(each for each in others if each not in wanted))
            if self._engine is None:
                return
            try:
                samples = self._engine.stats(wanted)
                load, times = machine.host_load(times, self._root)
                self.post(StatsRead(samples, load))
                failed = False
            except Exception as error:
                if not failed:
                    self.post(EngineFailed(sentence(error)))
                failed = True
            if others:
                every = (
                    OVERVIEW_EVERY if self._overview else OTHERS_EVERY * min(1.0, OTHERS / len(self._running or others))
                )
                spare = 0.0 if self._overview else (time.monotonic() - now) * SPARE
                self._others_due = time.monotonic() + max(every, spare) - 0.05
            rests = not self.charts and time.monotonic() - self._touched > REST_AFTER
            self.stopping.wait(OVERVIEW_EVERY if rests or self._overview else 1.0)

    def _others(self) -> tuple[str, ...]:
        """The next containers that run, in turn."""
        count = OVERVIEW if self._overview else OTHERS
        running = self._running
        if len(running) <= count:
            return running
        start = self._turn % len(running)
        self._turn = start + count
        return (*running, *running)[start : start + count]
