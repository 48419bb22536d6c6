"""Stages in the order in which they need each other, those that do not at the same time.

Each stage is a generator. It is run here, without any thread, as long as the cache answers; only stages that have real
work to do get threads, and only when there are several. Their events come through a bounded queue, so whoever reads
slowly slows them.
"""

from __future__ import annotations

import os

from tuidock.engine.build.stages import StageBuild
from tuidock.engine.image_types import BuildEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections import deque
    from collections.abc import Generator, Iterator

    from tuidock.engine.build.workshop import Workshop

    Events = Generator[BuildEvent, None, None]

_WAITING = 64


class _Closed(Exception):
    """Nobody takes events any more."""


class _Queue:
    """Events of several stages for one reader; None ends a stage."""

    def __init__(self) -> None:
        import threading
        from collections import deque

        self._items: deque[tuple[int, BuildEvent | None]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, stage: int, event: BuildEvent | None) -> None:
        with self._changed:
            while len(self._items) >= _WAITING and not self._closed and event is not None:
                self._changed.wait()
            if self._closed and event is not None:
                raise _Closed
            self._items.append((stage, event))
            self._changed.notify_all()

    def get(self) -> tuple[int, BuildEvent | None]:
        with self._changed:
            while not self._items:
                self._changed.wait()
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class _Runner:
    """A stage that has real work to do."""

    def __init__(self, stage: StageBuild, events: Events) -> None:
        self.stage, self.events = stage, events
        self.thread: threading.Thread | None = None
        self.failure: BaseException | None = None

    def start(self, queue: _Queue, places: threading.Semaphore) -> None:
        import threading

        index = self.stage.plan.stage

        def run() -> None:
            with places:
                try:
                    for event in self.events:
                        queue.put(index, event)
                except _Closed:
                    pass
                except BaseException as error:
                    self.failure = error
                finally:
                    self._close()
                    queue.put(index, None)

        self.thread = threading.Thread(target=run, name=f"tuidock-stage-{index}", daemon=True)
        self.thread.start()

    def _close(self) -> None:
        try:
            self.events.close()
        except BaseException as error:
            self.failure = self.failure or error


class Schedule:
    """Runs all stages of a workshop's plan; `run` is a generator that can be closed at any time."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._left = dict(workshop.plan.stages)
        self._active: dict[int, _Runner] = {}
        self._running: dict[int, int] = {}  # step by stage
        self._queue: _Queue | None = None
        self._places: threading.Semaphore | None = None

    def run(self) -> Iterator[BuildEvent]:
        """Raises the first failure, when all others have stopped."""
        try:
            while self._left or self._active:
                yield from self._begin()
                if not self._active:
                    continue
                yield from self._wait()
        finally:
            self._stop()

    def _begin(self) -> Iterator[BuildEvent]:
        """Starts what can be: until it has real work to do, which most of an unchanged build never has."""
        for index, plan in list(self._left.items()):
            if not plan.needs <= self._workshop.results.keys():
                continue
            del self._left[index]
            stage = StageBuild(self._workshop, plan)
            events = stage.run()
            working = False
            try:
                for event in events:
                    working = event.kind == "state" and event.state == "running"
                    yield event
                    if working:
                        self._active[index] = _Runner(stage, events)
                        self._running[index] = event.step
                        break
            finally:
                if not working:
                    events.close()

    def _wait(self) -> Iterator[BuildEvent]:
        """Until one of the active stages has ended."""
        if len(self._active) == 1:
            ((index, runner),) = self._active.items()
            if runner.thread is None:
                yield from runner.events
                del self._active[index]
                return
        queue, places = self._threaded()
        for runner in self._active.values():
            if runner.thread is None:
                runner.start(queue, places)
        while True:
            index, event = queue.get()
            if event is not None:
                self._note(index, event)
                yield event
                continue
            runner = self._active.pop(index)
            assert runner.thread is not None
            runner.thread.join()
            self._running.pop(index, None)
            if runner.failure is not None:
                self._stop()
                for step in self._running.values():
                    yield BuildEvent("state", step, "cancelled")
                raise runner.failure
            return

    def _note(self, stage: int, event: BuildEvent) -> None:
        if event.kind == "state" and event.state == "running":
            self._running[stage] = event.step
        elif event.kind == "state":
            self._running.pop(stage, None)

    def _threaded(self) -> tuple[_Queue, threading.Semaphore]:
        import threading

        if self._queue is None or self._places is None:
            self._queue, self._places = _Queue(), threading.Semaphore(max(2, os.cpu_count() or 1))
        return self._queue, self._places

    def _stop(self) -> None:
        """Cancels what is under way and waits until nothing is left of it."""
        if self._queue is not None:
            self._queue.close()
        for runner in self._active.values():
            if runner.thread is not None:
                runner.thread.join()
            else:
                runner.events.close()
        self._active.clear()
