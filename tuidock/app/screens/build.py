"""A build that one can watch: its steps, the output of one of them, the Dockerfile beside it.

Wide: steps and output on the left, the Dockerfile on the right with the lines of the step marked. Below 120 columns the
Dockerfile takes the place of the output when it is asked for. The build goes on when the screen is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Static

from tuidock.app import builds, job_rows, jobs, screen_keys
from tuidock.app.screens.build_end import BuildEnd
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import Cell, LineTable
from tuidock.app.widgets.log_view import LogSource, LogView
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.status import StatusLine
from tuidock.app.widgets.text_view import TextView
from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuidock.app.jobs import Job

#: From this width on the Dockerfile stands beside the steps.
BESIDE = 120


class BuildScreen(BuildEnd, Keyed):
    """See above."""

    BINDINGS = bindings(screen_keys.BUILD)
    KEYS, HELP_TITLE = screen_keys.BUILD, "Build"

    def __init__(self, job: Job) -> None:
        super().__init__(name="build", classes="build-screen")
        self.job = job
        self._follow = True
        self._shown_step = -1
        self._shown_log = ""
        self._source_instead = False
        self._ticking: Timer | None = None
        self._note = ""

    def compose(self) -> ComposeResult:
        ascii = self.tuidock.config.ascii
        yield StatusLine(id="build-status")
        with Horizontal(id="build-body"):
            with Vertical(id="build-left"):
                yield PlainTable(job_rows.STEP_COLUMNS, header=False, empty=tr("reading the Dockerfile …"), ascii=ascii)
                yield StatusLine(id="output-title")
                yield LogView(id="build-output")
            yield TextView(dockerfile=True, ascii=ascii, id="build-source")
        yield Static("", id="build-note", markup=False)
        yield KeyLine(id="keys")

    @property
    def build(self) -> builds.Build:
        tracker = self.job.tracker
        assert isinstance(tracker, builds.Build)
        return tracker

    @property
    def log_view(self) -> LogView | None:
        return self.query_one(LogView)

    def log_name(self) -> str:
        return f"{self.job.title.replace(' ', '-')}-{self.step}"

    @property
    def table(self) -> PlainTable:
        return self.query_one(PlainTable)

    @property
    def step(self) -> int:
        """The step that is looked at."""
        key = self.table.cursor_key
        return int(key) if key else builds.GENERAL

    def on_mount(self) -> None:
        self.table.focus()
        self._arrange()
        self._draw()

    def on_resize(self) -> None:
        self._arrange()
        self._draw()

    def on_screen_resume(self) -> None:
        self._draw()

    def on_screen_suspend(self) -> None:
        self._tick(False)

    def _arrange(self) -> None:
        wide = self.app.size.width >= BESIDE
        source, output = self.query_one("#build-source"), self.query_one("#build-output")
        source.display = wide or self._source_instead
        self.query_one("#build-left").styles.width = "58%" if wide else "100%"
        source.set_class(wide, "-beside")
        # Narrow: below the steps there is one thing, the output or the Dockerfile.
        body = self.query_one("#build-body")
        body.styles.layout = "horizontal" if wide else "vertical"
        output.display = wide or not self._source_instead
        left = self.query_one("#build-left")
        left.styles.height = "1fr"
        if not wide and self._source_instead:
            left.styles.height = self._table_height() + 1
        self.table.styles.height = self._table_height()

    def _table_height(self) -> int:
        """All steps when they fit into half of the screen, else half of it."""
        room = max(4, self.app.size.height - 4)
        return max(1, min(self.build.length or 1, room // 2))

    # -- news -------------------------------------------------------------------------------------------------------

    def shows_job(self, job: Job) -> bool:
        return self.is_current and job is self.job

    def job_changed(self, job: Job) -> None:
        if job is self.job and self.is_current and self.is_mounted:
            self._draw()

    def _draw(self) -> None:
        build, app = self.build, self.tuidock
        now = app.model.clock()
        rows = [job_rows.step_row(number, build, now, app.config.ascii) for number in build.steps if number]
        table = self.table
        if table.renew(rows):
            self._arrange()
        if self._follow and build.current and self.step != build.current:
            table.move_cursor(str(build.current))
        self.query_one("#build-source", TextView).show(build.source)
        self._draw_status(now)
        self._look_at_step()
        self._tick(not self.job.ended and self.is_current)
        self._draw_note()

    def _draw_status(self, now: int) -> None:
        build, job = self.build, self.job
        took = job_rows.seconds(((job.ended_at or now) - job.started) / 1e9)
        words = []
        if build.length:
            words.append(f"{build.count(builds.CACHED)} of {build.length} steps cached")
        if job.ended:
            words.append({jobs.DONE: f"done in {took}", jobs.FAILED: f"failed after {took}"}.get(job.state, "given up"))
        elif job.state == jobs.STOPPING:
            words.append(tr("giving up …"))
        else:
            words.append(took)
        if build.warnings:
            words.append(f"{len(build.warnings)} warning{'s' * (len(build.warnings) != 1)}")
        self.query_one("#build-status", StatusLine).set([clean(job.title)], [" · ".join(words)])

    def _look_at_step(self) -> None:
        """The output and the lines of the step under the cursor."""
        number = self.step
        build = self.build
        step = build.steps.get(number)
        source = self.query_one("#build-source", TextView)
        if step is not None:
            source.mark(step.plan.line, step.plan.end_line, step.state == builds.FAILED)
        view = self.query_one(LogView)
        directory = build.logs.path(number) if step is not None and step.wrote and not build.logs.closed else ""
        if (number, directory) != (self._shown_step, self._shown_log):
            self._shown_step, self._shown_log = number, directory
            if directory:
                view.show([LogSource(str(number), f"step {number}", directory)], note="")
            else:
                view.empty(self._why_empty(number))
        elif not directory:
            view.empty(self._why_empty(number))
        self._draw_output_title(view.state_text if directory else "")

    def _why_empty(self, number: int) -> str:
        step = self.build.steps.get(number)
        if step is None:
            return "" if not self.job.ended else tr("It did not come to a step.")
        return {
            builds.WAITING: tr("It waits for the steps before it."),
            builds.RUNNING: tr("No output yet."),
            builds.CACHED: tr("Taken from the cache: nothing of it has changed."),
            builds.CANCELLED: tr("It was given up."),
        }.get(step.state, tr("It wrote nothing."))

    def _draw_output_title(self, state: str) -> None:
        step = self.build.steps.get(self.step)
        if self._source_instead and self.app.size.width < BESIDE:
            title = "Dockerfile" + (f", line {step.plan.line}" if step is not None and step.plan.line else "")
            state = ""
        elif step is not None:
            title = f"output of {self.step}/{self.build.length} {' '.join(step.plan.text.split())}"
        else:
            title = "output"
        self.query_one("#output-title", StatusLine).set([Cell(title, "muted")], [Cell(state, "muted")])

    def on_log_view_state_changed(self, event: Any) -> None:
        self._draw_output_title(event.text if self._shown_log else "")

    def _tick(self, on: bool) -> None:
        """Seconds pass for a step that runs, while somebody looks."""
        if on and self._ticking is None:
            self._ticking = self.set_interval(1.0, self._draw)
        elif not on and self._ticking is not None:
            self._ticking.stop()
            self._ticking = None

    def _draw_note(self) -> None:
        job, build = self.job, self.build
        text = ""
        if job.state == jobs.FAILED:
            text = jobs.whole_sentence(job.error) + (
                tr(" enter opens a shell in the last good state.") if self.keep else ""
            )
        elif job.state == jobs.DONE and build.image:
            name = f"{', '.join(build.tags)} is " if build.tags else tr("The image is ")
            text = tr(
                "{name}{value}. R runs it, i shows it, F looks into its layers.",
                name=name,
                value=build.image.removeprefix("sha256:")[:12],
            )
        elif job.state == jobs.DONE and build.files:
            text = tr("The files are in {files}.", files=build.files)
        elif build.warnings:
            text = build.warnings[-1]
        text = clean(text)
        if text != self._note:
            self._note = text
            note = self.query_one("#build-note", Static)
            note.update(text)
            note.set_class(job.state == jobs.FAILED, "-wrong")
            note.display = bool(text)
        self.draw_keys()

    def key_labels(self) -> Mapping[str, str]:
        step = self.build.steps.get(self.step)
        at_failed = self.keep and step is not None and step.state == builds.FAILED and not self.tuidock.read_only
        return {"build.open": "shell before it"} if at_failed else {}

    def hidden_keys(self) -> Sequence[str]:
        hidden = []
        if self.job.state != jobs.DONE or not self.build.image:
            hidden += ["build.run", "build.inspect", "build.files"]
        if not self.keep:
            hidden.append("build.shell")
        hidden += ["build.give_up", "build.follow"] if self.job.ended else ["build.retry"]
        if self.app.size.width >= BESIDE:
            hidden.append("build.source")
        return hidden

    # -- keys -------------------------------------------------------------------------------------------------------

    @on(LineTable.CursorMoved)
    def _moved(self) -> None:
        if self.step != self.build.current:
            self._follow = False
        self._look_at_step()
        self._draw_note()

    @on(LineTable.RowSelected)
    def action_open(self) -> None:
        step = self.build.steps.get(self.step)
        if self.keep and step is not None and step.state == builds.FAILED and not self.tuidock.read_only:
            self.action_shell()
        else:
            self.query_one(LogView).focus()

    def action_follow(self) -> None:
        self._follow = True
        self._draw()

    def action_source(self) -> None:
        self._source_instead = not self._source_instead
        self._arrange()
        self._look_at_step()

    def action_next(self) -> None:
        places = [each for each in (self.table, self.query_one(LogView), self.query_one(TextView)) if each.display]
        at = next((i for i, each in enumerate(places) if each.has_focus), -1)
        places[(at + 1) % len(places)].focus()

    def action_back(self) -> None:
        if self.query_one(LogView).has_focus:
            self.query_one(LogView).clear_search()
            self._draw_output_title(self.query_one(LogView).state_text)
            self.table.focus()
            return
        self.dismiss()
