"""The thread that scans: one for a log view, asleep while there is nothing to scan."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from tuidock.app.logs.scan import Scan

#: Seconds between two reports.
REPORT_EVERY: Final = 0.2


class Scanner:
    """Runs scans, the first in the list first, and calls `report` from its thread now and then and at the end."""

    def __init__(self, report: Callable[[], None]) -> None:
        self._report = report
        self._scans: tuple[Scan, ...] = ()
        self._wake = threading.Condition()
        self._due = False
        self._stopped = False
        self._thread: threading.Thread | None = None

    def run(self, scans: Sequence[Scan]) -> None:
        """Scan these from now on; what is being scanned otherwise is given up after its chunk."""
        with self._wake:
            self._scans = tuple(scans)
            self._due = True
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._loop, name="log scanner", daemon=True)
                self._thread.start()
            self._wake.notify()

    def poke(self) -> None:
        """There may be more to scan."""
        with self._wake:
            self._due = True
            self._wake.notify()

    def stop(self) -> None:
        """End the thread; returns when it has ended."""
        with self._wake:
            self._stopped = True
            self._scans = ()
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _loop(self) -> None:
        while True:
            with self._wake:
                while not self._due and not self._stopped:
                    self._wake.wait()
                if self._stopped:
                    return
                self._due = False
            reported = time.monotonic()
            while any(scan.step() for scan in self._scans):
                if time.monotonic() - reported >= REPORT_EVERY:
                    self._report()
                    reported = time.monotonic()
            if not self._stopped:
                self._report()
