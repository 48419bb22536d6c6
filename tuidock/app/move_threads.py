"""Threads of the actions: what is done to one object or many, and a new container with the image that it wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tuidock.app.job_threads import JobThreads
from tuidock.app.report import sentence

if TYPE_CHECKING:
    from tuidock.app.command_log import CommandLog
    from tuidock.app.workers import Door
    from tuidock.engine.types import Container

#: Actions on many objects that run at the same time.
PARALLEL = 8


class MoveThreads(JobThreads):
    """Mixed into Workers."""

    log: CommandLog

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
        self, request: Any, start: bool, then: Callable[[Container | None], None], failed: Callable[[str], None],
        words: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Creates a container and starts it; a missing image is pulled first, as `tuidock run` does. words are those that
        followed `run` on the command line."""
        self._thread("tuidock-run", self._run, request, start, then, failed, words)

    def _run(
        self, request: Any, start: bool, then: Callable[[Container | None], None], failed: Callable[[str], None],
        words: Sequence[str],
    ) -> None:  # fmt: skip
        from tuidock.app.messages import Answered
        from tuidock.engine.errors import NotFound

        entry = self.log.begin(["tuidock", "run" if start else "create", *words])
        try:
            recorded = self.engine()
            engine = getattr(recorded, "inner", recorded)  # one command, not one for each of its steps
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
            self.log.end(entry)
            self.post(Answered(then, engine.container(identity)))
        except Exception as error:
            if not entry.ended:
                self.log.end(entry, str(error))
            self.post(Answered(failed, sentence(error)))
