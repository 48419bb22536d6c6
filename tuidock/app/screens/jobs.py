"""What goes on in the background, and what has become of it: a bar for each layer, errors with what to do about them.

The jobs belong to the app; this screen may come and go. Nothing is drawn without news, except for the seconds and rates
of what runs, once a second, while somebody looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Static

from tuidock.app import job_rows, jobs, screen_keys
from tuidock.app.model import IMAGES
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.rows import Row
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuidock.app.jobs import Job
    from tuidock.app.transfers import Part


#: Kinds of jobs that end with an image, which enter goes to.
_IMAGES = ("pull", "push", "load", "import", "commit")


class JobTable(PlainTable):
    """Knows how wide its bars are."""

    SPACE = "fold"

    def width_of(self, key: str) -> int:
        return next((placed.width for placed in self._placed if placed.column.key == key), 0)


class JobsScreen(Keyed):
    """A table of jobs and their parts, and a note about the one under the cursor."""

    BINDINGS = bindings(screen_keys.JOBS)
    KEYS, HELP_TITLE = screen_keys.JOBS, "Jobs"

    def __init__(self, job: Job | None = None) -> None:
        super().__init__(name="jobs", classes="jobs-screen")
        self._wanted = job  # the cursor goes there as soon as it has a line
        self._unfolded = {job.number} if job is not None else set()
        self._known: set[int] = set()
        self._ticking: Timer | None = None
        self._note = ""

    def compose(self) -> ComposeResult:
        yield StatusLine(id="jobs-status")
        table = JobTable(job_rows.COLUMNS, header=False, empty="", ascii=self.tuidock.config.ascii)
        table.set_empty(tr("Nothing goes on in the background. P pulls an image, B builds one."))
        yield table
        yield Static("", id="jobs-note", markup=False)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(JobTable).focus()
        self._draw()
        # The bars are as wide as the layout makes their column.
        self.call_after_refresh(self._draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def on_screen_resume(self) -> None:
        self._draw()

    def on_screen_suspend(self) -> None:
        self._tick(False)

    # -- news -------------------------------------------------------------------------------------------------------

    def shows_job(self, job: Job) -> bool:
        """Whether somebody who looks here sees how it ends."""
        return self.is_current

    def job_changed(self, job: Job) -> None:
        if self.is_current and self.is_mounted:
            self._draw()

    def seek(self, job: Job) -> None:
        self._wanted = job
        self._draw()

    def _draw(self) -> None:
        app = self.tuidock
        table = self.query_one(JobTable)
        now = app.model.clock()
        every = app.model.every_job()
        width = table.width_of("bar")
        rows: list[Row] = []
        for job in every:
            if not job.ended and job.number not in self._known:
                self._unfolded.add(job.number)
            self._known.add(job.number)
            rows += job_rows.rows_of(job, now, width, app.config.ascii, job.number in self._unfolded)
        columns = job_rows.columns_for(rows)
        if columns != table.columns:
            table.set_columns(columns)
        table.renew(rows)
        if self._wanted is not None and table.move_cursor(str(self._wanted.number)):
            self._wanted = None
        running = [job for job in every if not job.ended]
        failed = sum(job.state == jobs.FAILED for job in every)
        words = [f"{len(running)} running"] if running else []
        ended = len(every) - len(running) - failed
        words += [f"{failed} failed"] if failed else []
        words += [f"{ended} ended"] if ended else []
        self.query_one("#jobs-status", StatusLine).set([tr("Jobs")], [" · ".join(words)])
        self._tick(bool(running) and self.is_current)
        self._draw_note()

    def _tick(self, on: bool) -> None:
        if on and self._ticking is None:
            self._ticking = self.set_interval(1.0, self._draw)
        elif not on and self._ticking is not None:
            self._ticking.stop()
            self._ticking = None

    @property
    def job(self) -> Job | None:
        """The job under the cursor, also when the cursor is on one of its parts."""
        key = self.query_one(JobTable).cursor_key
        if key is None:
            return None
        number = int(key.partition(" ")[0])
        return next((job for job in self.tuidock.model.every_job() if job.number == number), None)

    def _part(self, job: Job | None) -> Part | None:
        """The part of the job that the cursor is on."""
        subject = (self.query_one(JobTable).cursor_key or "").partition(" ")[2]
        return getattr(job.tracker, "parts", {}).get(subject) if job is not None else None

    @on(LineTable.CursorMoved)
    def _moved(self) -> None:
        self._draw_note()

    def _draw_note(self) -> None:
        job = self.job
        text = ""
        part = self._part(job)
        if part is not None and part.action == "failed":
            text = jobs.whole_sentence(f"{part.subject}: {part.message}")
        elif job is not None and job.state == jobs.FAILED:
            text = jobs.whole_sentence(job.error) + (
                tr(" L logs in and tries again.") if job.wants_login else tr(" r tries again.")
            )
        elif job is not None and job.state == jobs.STOPPING:
            text = tr("It ends as soon as the network or the disk answers.")
        elif job is not None and job.state == jobs.DONE:
            digest = getattr(job.tracker, "digest", "")
            warning = getattr(job.tracker, "warning", "")
            text = " · ".join(each for each in (job.message, digest, warning) if each)
        text = clean(text)
        if text != self._note:
            self._note = text
            note = self.query_one("#jobs-note", Static)
            note.update(text)
            note.set_class(job is not None and job.state == jobs.FAILED, "-wrong")
            note.display = bool(text)
        self.draw_keys()

    def key_labels(self) -> Mapping[str, str]:
        job = self.job
        labels = {"jobs.give_up": "drop"} if job is not None and job.ended else {}
        return labels | ({"jobs.open": "log in"} if job is not None and job.wants_login else {})

    def hidden_keys(self) -> Sequence[str]:
        job = self.job
        if job is None:
            return ("jobs.open", "jobs.give_up", "jobs.retry", "jobs.login", "jobs.copy", "jobs.clear")
        hidden = []
        if not job.ended or job.begin is None:
            hidden.append("jobs.retry")
        if not job.wants_login:
            hidden.append("jobs.login")
        if not self.tuidock.model.past_jobs:
            hidden.append("jobs.clear")
        if not job.ended:
            hidden.append("jobs.copy")
        looked_into = ("build", "plugin", "migrate") if job.ended else ("build", "plugin")
        opens = job.kind in looked_into or job.wants_login or (job.state == jobs.DONE and job.kind in _IMAGES)
        if not opens:
            hidden.append("jobs.open")
        return hidden

    # -- keys -------------------------------------------------------------------------------------------------------

    @on(LineTable.RowSelected)
    def action_open(self) -> None:
        job = self.job
        if job is None:
            return
        if job.kind == "build":
            self.tuidock.show_build(job)
        elif job.kind == "plugin":
            self.tuidock.show_output(job)
        elif job.wants_login:
            self.action_login()
        elif job.kind == "migrate" and job.ended:
            from tuidock.app.screens.migrate import MigrateScreen

            self.dismiss()
            self.tuidock.push_screen(MigrateScreen(*job.subject.split(" ", 1)))
        elif job.state == jobs.DONE and job.kind in _IMAGES:
            results = getattr(job.tracker, "results", None) or [job.subject]
            main = self.tuidock.main
            row = next((row for each in results if (row := self.tuidock.model.find(IMAGES, each))), None)
            if main is not None and row is not None:
                self.dismiss()
                main.go(IMAGES)
                main.pane(IMAGES).seek(row.id)  # type: ignore[union-attr]

    def action_fold(self) -> None:
        """Shows or hides the layers of a job."""
        if (job := self.job) is not None:
            self._unfolded ^= {job.number}
            self._draw()
            self.query_one(JobTable).move_cursor(str(job.number))

    def action_give_up(self) -> None:
        job = self.job
        if job is None:
            return
        if job.ended:
            self.tuidock.drop_job(job)
        else:
            give_up(self.tuidock, job)

    def action_retry(self) -> None:
        job = self.job
        if job is None or not job.ended:
            return
        if (again := self.tuidock.retry_job(job)) is not None:
            self.seek(again)

    def action_login(self) -> None:
        job = self.job
        if job is None:
            return
        from tuidock.app.screens.registry_forms import ask_for_login

        ask_for_login(self.app, job.subject, self.action_retry if job.ended else lambda: None, job.error)

    def action_copy(self) -> None:
        job = self.job
        if job is None:
            return
        digest = getattr(job.tracker, "digest", "") or getattr(job.tracker, "image", "")
        self.tuidock.copy(clean(job.error or digest or job.title))

    def action_clear(self) -> None:
        for job in list(self.tuidock.model.past_jobs):
            self.tuidock.drop_job(job)

    def action_back(self) -> None:
        self.dismiss()


def give_up(app: object, job: Job) -> None:
    """Asks, and gives the job up; it ends when its thread has cleaned up."""
    from tuidock.app.app import TuidockApp

    assert isinstance(app, TuidockApp)

    def yes() -> None:
        job.give_up()
        app._tell_of(job)

    lines = {
        "build": tr("Steps that are done stay in the cache, so the next build begins where this one ends."),
        "pull": tr("What has come stays for a while: pulling it again goes on from there."),
    }
    app.confirm(
        tr("Give up {title}?", title=clean(job.title)),
        [lines[job.kind]] if job.kind in lines else [],
        tr("give up"),
        yes,
    )
