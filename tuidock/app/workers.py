"""The one place where threads and the app meet, and the only one that calls the engine.

The engine blocks; the app must not. One thread follows the events and reads the rows they name, one samples what is
on screen, one answers questions of the screens (the newest of a kind wins, so that moving the cursor fast does not
queue up work), and each action gets threads of its own. All are daemons: quitting never waits for a container that
takes ten seconds to stop. They talk to the app by posting messages, which Textual allows from any thread.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from tuidock.app import machine
from tuidock.app.command_log import CommandLog, Recorded
from tuidock.app.model import CONTAINERS, IMAGES, KINDS, NETWORKS, VOLUMES
from tuidock.app.move_threads import MoveThreads
from tuidock.app.question_threads import QuestionThreads
from tuidock.app.report import sentence
from tuidock.app.sample_threads import SampleThread
from tuidock.app.words import tr
from tuidock.engine.types import Event

if TYPE_CHECKING:
    from textual.message import Message


#: Above this many named containers one list costs less than asking for each.
SINGLE_READS = 12
_NO_NEWS = ("exec_", "top", "attach", "detach", "resize", "copy", "export", "archive-path", "extract-to-dir")


class Door(Protocol):
    """What the app needs of the engine; tuidock.engine.Engine has it."""

    read_only: bool

    def __getattr__(self, name: str) -> Callable[..., Any]: ...


def lists_named_by(events: Iterable[Event]) -> tuple[set[str], set[str]]:
    """Which containers (ids) and which whole lists have to be read again after these events."""
    containers: set[str] = set()
    lists: set[str] = set()
    for event in events:
        if event.action.startswith(_NO_NEWS):
            continue
        if event.type == "container":
            containers.add(event.id)
            if event.action in ("create", "destroy", "rename"):
                lists |= {IMAGES, VOLUMES, NETWORKS}
            elif event.action in ("start", "die", "restart"):
                lists.add(NETWORKS)
        elif event.type in ("image", "volume", "network"):
            lists.add(event.type + "s")
        elif event.type == "daemon":  # another database
            lists |= set(KINDS)
    return containers, lists


class Workers(MoveThreads, SampleThread, QuestionThreads):
    """Threads around one engine. `post` is set by the app as soon as it can take messages."""

    def __init__(self, make_engine: Callable[[], Door]) -> None:
        SampleThread.__init__(self)
        QuestionThreads.__init__(self)
        self._make_engine = make_engine
        self._engine: Door | None = None
        self.log = CommandLog()
        self._opening = threading.Lock()
        self._opened = threading.Event()
        self._ground: tuple[int, int] | None = None
        self._leaving: threading.Event | None = None  # wakes the thread that waits for events
        self._open_failure = ""
        self.post: Callable[[Message], Any] = lambda message: None
        self.stopping = threading.Event()
        self.first_rows: dict[str, list[Any]] = {}
        self._job_numbers = itertools.count(1)
        self._began = time.time_ns()

    # -- life -------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Starts opening the engine and reading the first rows while the app is still being imported."""
        self._thread("tuidock-open", self._open)

    def _open(self) -> None:
        try:
            self._began = time.time_ns()
            self._engine = engine = self._make_engine()
            self._ground = ground_of(engine)
            for kind in KINDS:
                self.first_rows[kind] = getattr(engine, kind)()
        except Exception as error:
            self._open_failure = sentence(error)
        self._opened.set()

    def wait_open(self, timeout: float) -> bool:
        return self._opened.wait(timeout)

    @property
    def open_failure(self) -> str:
        """Why the engine could not be opened; "" when it could, or while nobody knows yet."""
        return self._open_failure

    def start(self, post: Callable[[Message], Any]) -> None:
        """Begins to report; called once the app can take messages."""
        self.post = post
        for name, target in (
            ("tuidock-events", self._follow),
            ("tuidock-answers", self._answer),
            ("tuidock-samples", self._sample),
        ):
            self._thread(name, target)

    def stop(self) -> None:
        self.stopping.set()
        if self._leaving is not None:
            self._leaving.set()
        for condition in (self._asked, self._sampling):
            with condition:
                condition.notify_all()
        self.post = lambda message: None

    @staticmethod
    def _thread(name: str, target: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=target, args=arguments, name=name, daemon=True).start()

    def engine(self) -> Door:
        """The engine, opened anew when another process has removed the data root; for the threads of this module,
        because opening it may take a while."""
        self._opened.wait()
        with self._opening:
            if self._engine is None:
                raise RuntimeError(self._open_failure or "The engine could not be opened.")
            if ground_of(self._engine) != self._ground:
                self._engine = self._make_engine()
                self._ground = ground_of(self._engine)
            return cast("Door", Recorded(self._engine, self.log))

    # -- events -> rows ---------------------------------------------------------------------------------------

    def _follow(self) -> None:
        from tuidock.app.messages import EngineFailed, HostRead, RowsRead
        from tuidock.engine.watch import Stop

        self._leaving = leaving = Stop()
        self._opened.wait()
        if self._engine is None:
            self.post(EngineFailed(self._open_failure or tr("The engine could not be opened.")))
            return
        engine = self._engine
        if self.stopping.is_set():
            return
        for kind, rows in self.first_rows.items():
            self.post(RowsRead(kind, rows))
        try:
            self.post(HostRead(machine.host_name(), self.host()))
        except Exception as error:
            self.post(EngineFailed(sentence(error)))
        delay = 1.0
        since = self._began
        while not self.stopping.is_set():
            try:
                for batch in engine.events(since=since, follow=True, stop=leaving):
                    if self.stopping.is_set():
                        return
                    if batch:
                        since = max(since, batch[-1].time)
                        self._read_named(engine, batch)
                    delay = 1.0
            except Exception as error:
                self.post(EngineFailed(sentence(error)))
            if self.stopping.wait(delay):
                return
            delay = min(delay * 2, 30.0)
            if self._ground is not None and ground_of(engine) is None:
                self._wait_for_ground(engine)
            try:
                engine = self.engine()
            except Exception as error:
                self.post(EngineFailed(sentence(error)))
                continue
            self._read_lists(engine, KINDS)

    def _wait_for_ground(self, engine: Door) -> None:
        """The data root has gone: nothing is there to be seen until somebody makes it anew."""
        from tuidock.app.messages import EngineFailed, RowsRead

        for kind in KINDS:
            self.post(RowsRead(kind, []))
        self.post(
            EngineFailed(tr("The data root {root} was removed; what is done next makes it anew.", root=self._root))
        )
        while ground_of(engine) is None and not self.stopping.wait(1.0):
            pass

    def _read_named(self, engine: Door, batch: Sequence[Event]) -> None:
        from tuidock.app.messages import ContainersRead, EngineFailed, EventsRead

        containers, lists = lists_named_by(batch)
        if len(containers) > SINGLE_READS:
            lists.add(CONTAINERS)
        elif containers:
            rows, gone = [], []
            for each in containers:
                try:
                    rows.append(engine.container(each))
                except Exception as error:
                    if type(error).__name__ == "NotFound":
                        gone.append(each)
                    else:
                        self.post(EngineFailed(sentence(error)))
            self.post(ContainersRead(rows, gone))
        self._read_lists(engine, lists)
        self.post(EventsRead(batch))

    def _read_lists(self, engine: Door, kinds: Iterable[str]) -> None:
        from tuidock.app.messages import EngineFailed, RowsRead

        for kind in kinds:
            try:
                self.post(RowsRead(kind, getattr(engine, kind)()))
            except Exception as error:
                self.post(EngineFailed(sentence(error)))

    def refresh(self) -> None:
        """Reads all lists again, for a person who does not trust the events."""
        self._thread("tuidock-refresh", lambda: self._read_lists(self.engine(), KINDS))


def ground_of(engine: Door) -> tuple[int, int] | None:
    """What tells one data root from the next in the same place; None when there is none."""
    paths = getattr(getattr(engine, "instance", None), "paths", None)
    if paths is None:
        return None
    try:
        status = os.stat(paths.instance)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
