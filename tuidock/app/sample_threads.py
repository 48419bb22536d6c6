"""The thread that samples what is on the screen; `workers.py` has the others."""

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


class SampleThread:
    """Mixed into Workers."""

    post: Callable[[Message], Any]
    stopping: threading.Event
    _engine: Door | None
    _opened: threading.Event

    def __init__(self) -> None:
        self._sampling = threading.Condition()
        self._wanted: tuple[str, ...] = ()
        self._awake = True
        self._touched = time.monotonic()
        self.charts = False  # somebody looks at curves, which want a sample each second

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
                if not (self._wanted and self._awake):
                    self._sampling.wait()
                    continue
                wanted = self._wanted
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
            rests = not self.charts and time.monotonic() - self._touched > REST_AFTER
            self.stopping.wait(2.0 if rests else 1.0)
