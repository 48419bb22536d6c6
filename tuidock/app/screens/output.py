"""What a command of one's own writes, while it runs and afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult

from tuidock.app import jobs, screen_keys
from tuidock.app.plugin_runs import Output
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.rows import Cell
from tuidock.app.widgets.status import StatusLine
from tuidock.app.widgets.text_view import TextView
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuidock.app.jobs import Job


class OutputScreen(Keyed):
    """Follows the end unless somebody has scrolled up."""

    BINDINGS = bindings(screen_keys.OUTPUT)
    KEYS, HELP_TITLE = screen_keys.OUTPUT, mark("Output of a command")

    def __init__(self, job: Job) -> None:
        super().__init__(name="output", classes="file-screen")
        self.job = job

    def compose(self) -> ComposeResult:
        yield StatusLine(id="file-status")
        yield TextView(numbers=False, ascii=self.tuidock.config.ascii)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(TextView).focus()
        self.call_after_refresh(self._draw)

    def shows_job(self, job: Job) -> bool:
        """Whether somebody who looks here sees how it ends."""
        return self.is_current and job is self.job

    def job_changed(self, job: Job) -> None:
        if job is self.job and self.is_mounted:
            self._draw()

    def _draw(self) -> None:
        job, view = self.job, self.query_one(TextView)
        assert isinstance(job.tracker, Output)
        at_end = view.scroll_offset.y >= view.max_scroll_y
        view.show(job.tracker.text)
        if at_end:
            view.scroll_to(y=view.max_scroll_y, animate=False, immediate=True, force=True)
        words, style = {
            jobs.RUNNING: (tr("running · {lines}", lines=job.message), "busy"),
            jobs.STOPPING: (tr("giving up …"), "warn"),
            jobs.DONE: (tr("done · {lines}", lines=job.message), "good"),
            jobs.FAILED: (job.error, "bad"),
            jobs.GIVEN_UP: (tr("given up"), "muted"),
        }[job.state]
        self.query_one("#file-status", StatusLine).set([clean(job.title)], [Cell(words, style)])
        self.draw_keys()

    def hidden_keys(self) -> Sequence[str]:
        return ("output.give_up",) if self.job.ended else ("output.retry",)

    def action_wrap(self) -> None:
        view = self.query_one(TextView)
        view.set_wrap(not view.wrap)

    def action_copy(self) -> None:
        lines = self.query_one(TextView).text.split("\n")
        self.tuidock.copy("\n".join(clean(line) for line in lines), tr("the output"))

    def action_give_up(self) -> None:
        if not self.job.ended:
            self.job.give_up()
            self.tuidock._tell_of(self.job)

    def action_retry(self) -> None:
        if self.job.ended and (again := self.tuidock.retry_job(self.job)) is not None:
            self.job = again
            self._draw()

    def action_back(self) -> None:
        self.dismiss()
