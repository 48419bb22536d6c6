"""The data root as a whole: events, info, check, sweep, rebuild, reset, boot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from tuidock.engine.doors.images import Images
from tuidock.engine.doors.looking import Looking
from tuidock.engine.doors.moving import Moving
from tuidock.engine.doors.places import Places
from tuidock.engine.errors import EngineError
from tuidock.engine.types import Event, Problem, UsageRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any


class System(Looking, Moving, Images, Places):
    """What concerns all objects together."""

    def events(
        self, *, since: int = 0, until: int = 0, follow: bool = True, stop: threading.Event | None = None
    ) -> Iterator[list[Event]]:
        """Batches from the journal; with follow it blocks without polling until `stop` is set. since 0: from now on."""
        from tuidock.engine.events import read_events

        return read_events(self.instance.paths.journal, since=since, until=until, follow=follow, stop=stop)

    def newest_events(self, most: int) -> list[Event]:
        """The last ones that the journal still tells of, the earliest first."""
        from tuidock.engine.events import newest

        return newest(self.instance.paths.journal, most)

    def info(self) -> dict[str, Any]:
        """docker's `info` keys."""
        from tuidock.engine.system import usage

        return usage.info(self.instance, self.containers(), len(self.images()))

    def version(self) -> dict[str, Any]:
        """Version of the program and of what it stands on."""
        from tuidock.engine.system import usage

        return usage.version()

    def disk_usage(self) -> list[UsageRow]:
        """The four lines of `system df`."""
        from tuidock.engine.system import usage

        return usage.disk_usage(self.instance, self.images())

    def check(self, *, repair: bool = False, fast: bool = False) -> Iterator[Problem]:
        """Looks for everything that could be wrong; repair puts it right."""
        from tuidock.engine.system.check import check

        if repair:
            self._change("repair")
        return check(self.instance, repair=repair, fast=fast)

    def sweep(self) -> list[str]:
        """Puts right what kills and crashes left; returns what was done."""
        from tuidock.engine.containers.sweep import sweep

        self._change("sweep")
        return sweep(self.instance)

    def rebuild(self) -> list[str]:
        """Makes state.db anew from the other files; returns what was taken in."""
        from tuidock.engine.events import append
        from tuidock.engine.system.reset import rebuild

        self._change("rebuild the database")
        done = rebuild(self.instance)
        append(self.instance.paths.journal, "daemon", "reload", self.instance.id)
        return done

    def reset(self) -> None:
        """Removes everything of this data root."""
        from tuidock.engine.system.reset import reset

        self._change("reset")
        reset(self.instance)

    def boot(self, failed: Callable[[str, EngineError], None] | None = None) -> list[str]:
        """After a reboot: marks what ran as exited and starts what its restart policy wants; returns the names.

        One that cannot start does not keep the others from it: failed is told, or the first failure raised at the end.
        """
        from tuidock.engine.containers.booting import wanted_after_boot

        self._change("start containers")
        self.sweep()
        started: list[str] = []
        failures: list[EngineError] = []
        for name in wanted_after_boot(self.instance):
            try:
                self.start(name)
            except EngineError as error:
                failures.append(error)
                if failed is not None:
                    failed(name, error)
            else:
                started.append(name)
        if failures and failed is None:
            raise failures[0]
        return started

    @property
    def root(self) -> str:
        """The data root."""
        return os.path.abspath(self.instance.paths.root)
