"""Threads that follow the engine's long operations, one for each job; `workers.py` has the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tuidock.app.report import sentence

if TYPE_CHECKING:
    from textual.message import Message

    from tuidock.app.jobs import Job
    from tuidock.app.workers import Door


class JobThreads:
    """Mixed into Workers."""

    post: Callable[[Message], Any]
    stopping: threading.Event
    _thread: Callable[..., None]
    _job_numbers: Iterator[int]

    def engine(self) -> Door:
        raise NotImplementedError

    def job_number(self) -> int:
        return next(self._job_numbers)

    def job(self, job: Job) -> None:
        """Follows a long operation in the background, in a thread of its own."""
        self._thread("tuidock-job", self._job, job)

    def _job(self, job: Job) -> None:
        assert job.begin is not None
        try:
            self._follow_job(job, job.begin(self.engine(), job))
        except Exception as error:
            self._end_job(job, error)
        else:
            self._end_job(job, None)

    def _follow_job(self, job: Job, news: Iterator[Any]) -> None:
        from tuidock.app.jobs import GivenUp
        from tuidock.app.messages import JobNews

        job.tell = lambda: self.post(JobNews(job))
        try:
            for each in news:
                job.put(each)
                if self.stopping.is_set():
                    raise GivenUp
        finally:
            close = getattr(news, "close", None)
            if close is not None:
                close()

    def _end_job(self, job: Job, error: Exception | None) -> None:
        from tuidock.app.jobs import GivenUp
        from tuidock.app.messages import JobEnded

        text = "" if error is None or isinstance(error, GivenUp) else sentence(error)
        self.post(JobEnded(job, error, text))

    def _pull_missing(self, engine: Door, reference: str) -> None:
        """The image that a new container wants, as a job that can be watched."""
        from tuidock.app.jobs import Job
        from tuidock.app.messages import JobBegan
        from tuidock.app.transfers import Transfer

        job = Job(
            self.job_number(), f"pull {reference}", kind="pull", subject=reference,
            begin=lambda engine, job: engine.pull(reference), make_tracker=Transfer, started=time.time_ns(),
        )  # fmt: skip
        self.post(JobBegan(job))
        try:
            self._follow_job(job, engine.pull(reference))
        except Exception as error:
            self._end_job(job, error)
            raise
        self._end_job(job, None)
