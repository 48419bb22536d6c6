"""The app's side of what goes on in the background: jobs begin, report, end; screens that show them are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app import messages
    from tuidock.app.app import TuidockApp
    from tuidock.app.jobs import Job, Tracker


class Background:
    """Mixed into the app."""

    def begin_job(  # type: ignore[misc]
        self: TuidockApp,
        title: str,
        kind: str,
        begin: Callable[[Any, Job], Iterator[Any]],
        make_tracker: Callable[[], Tracker],
        subject: str = "",
    ) -> Job:
        """Starts a long operation; begin is called in its thread."""
        from tuidock.app.jobs import Job

        job = Job(
            self.engine_workers.job_number(), title, kind=kind, subject=subject, begin=begin,
            make_tracker=make_tracker, started=self.model.clock(),
        )  # fmt: skip
        self.model.put_job(job)
        self._tell_of(job)
        self.engine_workers.job(job)
        return job

    def retry_job(self: TuidockApp, job: Job) -> Job | None:  # type: ignore[misc]
        """The same again, as a new job; the old one is dropped."""
        if job.begin is None or job.make_tracker is None:
            return None
        self.drop_job(job)
        return self.begin_job(job.title, job.kind, job.begin, job.make_tracker, job.subject)

    def drop_job(self: TuidockApp, job: Job) -> None:  # type: ignore[misc]
        """Nobody wants to see it any more."""
        if job in self.model.past_jobs:
            self.model.past_jobs.remove(job)
        if job.tracker is not None:
            job.tracker.close()
        self._tell_of(job)

    def drop_jobs(self: TuidockApp) -> None:  # type: ignore[misc]
        """The app ends: what they keep on the disk goes."""
        for job in self.model.every_job():
            job.feed.cancelled.set()
            if job.tracker is not None:
                job.tracker.close()

    def on_job_began(self: TuidockApp, message: messages.JobBegan) -> None:  # type: ignore[misc]
        self.model.put_job(message.job)
        self._tell_of(message.job)

    def on_job_news(self: TuidockApp, message: messages.JobNews) -> None:  # type: ignore[misc]
        """Takes what has come, and what comes soon after it in one go."""
        from tuidock.app.jobs import LOOK_EVERY

        job = message.job
        if job.ended:
            return
        job.take(self.model.clock())
        self._tell_of(job)

        def rested() -> None:
            if job.feed.rest():
                self.on_job_news(message)

        self.set_timer(LOOK_EVERY, rested)

    def on_job_ended(self: TuidockApp, message: messages.JobEnded) -> None:  # type: ignore[misc]
        from tuidock.app.jobs import DONE, FAILED, KEPT

        job = message.job
        job.end(message.error, message.sentence, self.model.clock())
        if job.tracker is not None:
            job.tracker.ended(self.model.clock(), job.state == DONE)
        self.model.put_job(job)
        for old in self.model.past_jobs[:-KEPT]:
            self.drop_job(old)
        shows = getattr(self.screen, "shows_job", None)
        shown = shows is not None and shows(job)
        if job.state == DONE and not shown:
            self.say(tr("{title}: done", title=clean(job.title)))
        elif job.state == FAILED and not shown:
            self.say(job.error, "error")
        self._tell_of(job)

    def _tell_of(self: TuidockApp, job: Job) -> None:  # type: ignore[misc]
        if (main := self.main) is not None:
            main.header.show()
        for screen in self.screen_stack:
            changed = getattr(screen, "job_changed", None)
            if changed is not None:
                changed(job)

    def show_jobs(self: TuidockApp, job: Job | None = None) -> None:  # type: ignore[misc]
        """The list of jobs, on top of the main screen, with the cursor on this one."""
        from tuidock.app.screens.jobs import JobsScreen

        for screen in self.screen_stack:
            if isinstance(screen, JobsScreen):
                if screen.is_current and job is not None:
                    screen.seek(job)
                return
        self.push_screen(JobsScreen(job))

    def show_output(self: TuidockApp, job: Job) -> None:  # type: ignore[misc]
        """What a command of one's own writes."""
        from tuidock.app.screens.output import OutputScreen

        if not any(isinstance(screen, OutputScreen) and screen.job is job for screen in self.screen_stack):
            self.push_screen(OutputScreen(job))

    def show_build(self: TuidockApp, job: Job) -> None:  # type: ignore[misc]
        from tuidock.app.screens.build import BuildScreen

        if not any(isinstance(screen, BuildScreen) and screen.job is job for screen in self.screen_stack):
            self.push_screen(BuildScreen(job))
