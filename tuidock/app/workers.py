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
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tuidock.app.job_threads import JobThreads
from tuidock.app.model import CONTAINERS, IMAGES, KINDS, NETWORKS, VOLUMES, HostLoad
from tuidock.app.report import sentence
from tuidock.engine.types import Container, Event

if TYPE_CHECKING:
    from textual.message import Message


#: Above this many named containers one list costs less than asking for each.
SINGLE_READS = 12
#: Actions on many objects that run at the same time.
PARALLEL = 8
#: Seconds without a key after which figures are sampled every two seconds only.
REST_AFTER = 4.0
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


class Workers(JobThreads):
    """Threads around one engine. `post` is set by the app as soon as it can take messages."""

    def __init__(self, make_engine: Callable[[], Door]) -> None:
        self._make_engine = make_engine
        self._engine: Door | None = None
        self._opening = threading.Lock()
        self._opened = threading.Event()
        self._ground: tuple[int, int] | None = None
        self._leaving: threading.Event | None = None  # wakes the thread that waits for events
        self._open_failure = ""
        self.post: Callable[[Message], Any] = lambda message: None
        self.stopping = threading.Event()
        self.first_rows: dict[str, list[Any]] = {}
        self._questions: dict[str, tuple[Callable[[Door], Any], Callable[[Any], None], Callable[[str], None]]] = {}
        self._asked = threading.Condition()
        self._sampling = threading.Condition()
        self._wanted: tuple[str, ...] = ()
        self._awake = True
        self._touched = time.monotonic()
        self.charts = False  # somebody looks at curves, which want a sample each second
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

    def host(self) -> HostLoad:
        """How the machine is used now."""
        return host_load(None, self._root)[0]

    @property
    def _root(self) -> str:
        return str(getattr(self._engine, "root", "") or "/")

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
            return self._engine

    # -- events -> rows ---------------------------------------------------------------------------------------

    def _follow(self) -> None:
        from tuidock.app.messages import EngineFailed, HostRead, RowsRead
        from tuidock.engine.watch import Stop

        self._leaving = leaving = Stop()
        self._opened.wait()
        if self._engine is None:
            self.post(EngineFailed(self._open_failure or "The engine could not be opened."))
            return
        engine = self._engine
        if self.stopping.is_set():
            return
        for kind, rows in self.first_rows.items():
            self.post(RowsRead(kind, rows))
        try:
            self.post(HostRead(host_name(), self.host()))
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
        self.post(EngineFailed(f"The data root {self._root} was removed; what is done next makes it anew."))
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

    # -- samples ----------------------------------------------------------------------------------------------

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
                load, times = host_load(times, self._root)
                self.post(StatsRead(samples, load))
                failed = False
            except Exception as error:
                if not failed:
                    self.post(EngineFailed(sentence(error)))
                failed = True
            rests = not self.charts and time.monotonic() - self._touched > REST_AFTER
            self.stopping.wait(2.0 if rests else 1.0)

    # -- questions of the screens -------------------------------------------------------------------------------

    def ask(
        self,
        topic: str,
        question: Callable[[Door], Any],
        then: Callable[[Any], None],
        failed: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Asks the engine; a newer question of the same topic replaces one that waits. Answers come on the app's
        own thread."""
        with self._asked:
            self._questions[topic] = (question, then, failed)
            self._asked.notify()

    def ask_apart(
        self,
        question: Callable[[Door], Any],
        then: Callable[[Any], None],
        failed: Callable[[BaseException, str], None],
    ) -> None:
        """Asks in a thread of its own, for what may take long: a registry, or the files of a large image. What went
        wrong is told as the exception and as a sentence."""
        from tuidock.app.messages import Answered

        def work() -> None:
            try:
                answer = question(self.engine())
            except Exception as error:
                text = sentence(error)
                fault = error
                self.post(Answered(lambda fault: failed(fault, text), fault))
            else:
                self.post(Answered(then, answer))

        self._thread("tuidock-question", work)

    def forget(self, topic: str) -> None:
        with self._asked:
            self._questions.pop(topic, None)

    def _answer(self) -> None:
        from tuidock.app.messages import Answered

        self._opened.wait()
        while True:
            with self._asked:
                while not self._questions and not self.stopping.is_set():
                    self._asked.wait()
                if self.stopping.is_set():
                    return
                topic = next(iter(self._questions))
                question, then, failed = self._questions.pop(topic)
            try:
                self.post(Answered(then, question(self.engine())))
            except Exception as error:
                self.post(Answered(failed, sentence(error)))

    # -- actions ------------------------------------------------------------------------------------------------

    def move(self, verb: str, targets: Sequence[tuple[str, str]], call: Callable[[Door, str], Any]) -> None:
        """Does something to objects, given as (reference, name); verb is the past participle for the toast."""
        self._thread(f"tuidock-{verb}", self._move, verb, list(targets), call)

    def _move(self, verb: str, targets: list[tuple[str, str]], call: Callable[[Door, str], Any]) -> None:
        from tuidock.app.messages import MovesEnded

        done: list[str] = []
        failed: list[str] = []
        waiting: Iterator[tuple[str, str]] = iter(targets)
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    target = next(waiting, None)
                if target is None:
                    return
                try:
                    call(self.engine(), target[0])
                    done.append(target[1])
                except Exception as error:
                    failed.append(sentence(error))

        helpers = [threading.Thread(target=work, daemon=True) for _ in range(min(PARALLEL, len(targets)) - 1)]
        for each in helpers:
            each.start()
        work()
        for each in helpers:
            each.join()
        self.post(MovesEnded(verb, done, failed))

    def run(
        self, request: Any, start: bool, then: Callable[[Container | None], None], failed: Callable[[str], None]
    ) -> None:
        """Creates a container and starts it; a missing image is pulled first, as `tuidock run` does."""
        self._thread("tuidock-run", self._run, request, start, then, failed)

    def _run(
        self, request: Any, start: bool, then: Callable[[Container | None], None], failed: Callable[[str], None]
    ) -> None:
        from tuidock.app.messages import Answered
        from tuidock.engine.errors import NotFound

        try:
            engine = self.engine()
            if request.pull == "always":
                self._pull_missing(engine, str(request.config.get("Image", "")))
            try:
                identity = engine.create(request)
            except NotFound as error:
                if error.kind != "image" or request.pull == "never":
                    raise
                self._pull_missing(engine, error.reference)
                identity = engine.create(request)
            if start:
                try:
                    engine.start(identity)
                except Exception:
                    if request.host_config.get("AutoRemove"):
                        engine.remove(identity, force=True, volumes=True)
                    raise
            self.post(Answered(then, engine.container(identity)))
        except Exception as error:
            self.post(Answered(failed, sentence(error)))


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


def host_name() -> str:
    return os.uname().nodename


def host_load(before: tuple[int, int] | None, root: str = "/") -> tuple[HostLoad, tuple[int, int] | None]:
    """How the machine and the disk under root are used, and the processor times to compare with the next time."""
    cpu, times = -1.0, None
    try:
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
        times = (sum(fields), fields[3] + fields[4])
        if before is not None and times[0] > before[0]:
            cpu = max(0.0, 100.0 * (1 - (times[1] - before[1]) / (times[0] - before[0])))
        memory: dict[str, int] = {}
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name in ("MemTotal", "MemAvailable"):
                    memory[name] = int(value.split()[0]) * 1024
                if len(memory) == 2:
                    break
        disk = os.statvfs(root)
        total = memory.get("MemTotal", -1)
        used = total - memory["MemAvailable"] if "MemAvailable" in memory else -1
        return HostLoad(cpu, used, total, disk.f_bavail * disk.f_frsize), times
    except (OSError, ValueError, IndexError):
        return HostLoad(), times
