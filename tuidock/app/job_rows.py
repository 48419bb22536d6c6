"""Jobs as lines of a table: what, a bar, bytes, how fast, in which state. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuidock.app import format as shown
from tuidock.app import jobs
from tuidock.app.builds import GLYPHS, RUNNING, Build
from tuidock.app.transfers import Part, Transfer
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.app.widgets.status import bar
from tuidock.app.words import tr

if TYPE_CHECKING:
    from tuidock.app.jobs import Job

COLUMNS = (
    Column("what", "JOB", 22, grow=2, sortable=False),
    Column("bar", "", 10, priority=3, grow=3, sortable=False),
    Column("bytes", "BYTES", 13, "right", priority=1, sortable=False),
    Column("rate", "RATE", 7, "right", priority=2, sortable=False),
    Column("state", "STATE", 18, grow=1, sortable=False),
)
#: Cells up to which a title is shown whole where there is room.
_WHOLE = 44
_GLYPHS = {
    jobs.RUNNING: ("●", "*", "busy"),
    jobs.STOPPING: ("◐", "=", "warn"),
    jobs.DONE: ("✓", "+", "good"),
    jobs.FAILED: ("✖", "!", "bad"),
    jobs.GIVEN_UP: ("○", "o", "muted"),
}
_PART_STYLES = {"waiting": "muted", "retrying": "warn", "there already": "muted", "done": "good", "taken": "good"}


def seconds(count: float) -> str:
    """0.3 s, 12 s, 3 min 20 s."""
    if count < 10:
        return f"{count:.1f} s"
    if count < 120:
        return f"{count:.0f} s"
    return f"{int(count) // 60} min {int(count) % 60:02d} s"


def columns_for(rows: Sequence[Row]) -> tuple[Column, ...]:
    """The columns, the first one as wide as what is in it."""
    longest = max((len(row.cell(0).text) for row in rows), default=0)
    return (COLUMNS[0]._replace(want=min(_WHOLE, longest)), *COLUMNS[1:])


def rows_of(job: Job, now: int, width: int, ascii: bool = False, parts: bool = True) -> list[Row]:
    """The job and, below it, its parts; width is that of the bar."""
    found = [_job_row(job, now, width, ascii)]
    tracker = job.tracker
    if not parts:
        return found
    if isinstance(tracker, Transfer):
        found += [_part_row(job.number, part, now, width, ascii) for part in tracker.parts.values()]
    elif isinstance(tracker, Build):
        found += [
            Row(
                f"{job.number} {number}",
                (
                    f"  {number}/{tracker.length} {step.plan.text}",
                    Cell(bar(step.done / step.total, width, ascii) if step.total else "", "busy"),
                    step.bytes_words,
                    "",
                    Cell(tr("running {now}", now=seconds(step.elapsed(now))), "busy"),
                ),
            )
            for number, step in tracker.steps.items()
            if step.state == RUNNING and number
        ]
    return found


def _job_row(job: Job, now: int, width: int, ascii: bool) -> Row:
    glyph, plain, style = _GLYPHS[job.state]
    took = seconds(((job.ended_at or now) - job.started) / 1e9)
    state = {
        jobs.RUNNING: job.message or "beginning",
        jobs.STOPPING: tr("giving up …"),
        jobs.DONE: f"done in {took}",
        jobs.FAILED: "failed",
        jobs.GIVEN_UP: "given up",
    }[job.state]
    fraction = 1.0 if job.state == jobs.DONE else job.done / job.total if job.total else 0.0
    amount = rate = ""
    if isinstance(job.tracker, Transfer):
        amount = shown.size(job.done) if job.done else ""
        if job.total > job.done and job.state == jobs.RUNNING:
            amount = f"{amount or '0B'} / {shown.size(job.total)}"
        speed = job.tracker.rate(now)
        rate = shown.rate(speed) if speed and job.state == jobs.RUNNING else ""
    return Row(
        str(job.number),
        (
            f"{plain if ascii else glyph} {job.title}",
            Cell(bar(fraction, width, ascii) if not job.ended else "", style),
            amount,
            rate,
            Cell(state, style),
        ),
    )


def _part_row(number: int, part: Part, now: int, width: int, ascii: bool) -> Row:
    speed = part.rate(now)
    words = part.words
    style = _PART_STYLES.get(words, {"retrying": "warn", "failed": "bad"}.get(part.action, "busy"))
    over = part.over
    return Row(
        f"{number} {part.subject}",
        (
            Cell(f"  {part.subject}", "muted"),
            Cell(
                bar(part.fraction, width, ascii),
                "muted" if over else "accent" if part.action == "extracting" else "busy",
            ),
            Cell(part.bytes_words, "muted" if over else ""),
            shown.rate(speed) if speed else "",
            Cell(words, style),
        ),
    )


def step_row(number: int, build: Build, now: int, ascii: bool = False) -> Row:
    """A step of a build, for STEP_COLUMNS."""
    step = build.steps[number]
    glyph, plain, style = GLYPHS.get(step.state, ("?", "?", ""))
    elapsed = step.elapsed(now)
    took = (
        seconds(elapsed)
        if step.state in (RUNNING, "done", "failed", "cancelled") and (elapsed or step.started >= 0)
        else ""
    )
    text = " ".join(step.plan.text.split())
    return Row(
        str(number),
        (
            Cell(f"{number}/{build.length}", "muted"),
            Cell(text, "muted" if step.state in ("waiting", "cached", "cancelled") else ""),
            Cell(f"{plain if ascii else glyph} {step.state}", style),
            Cell(took, "muted"),
            Cell(step.bytes_words, "muted"),
            Cell(step.plan.stage, "muted"),
        ),
    )


STEP_COLUMNS = (
    Column("number", "", 5, "right", sortable=False),
    Column("text", "STEP", 24, grow=3, sortable=False),
    Column("state", "STATE", 11, sortable=False),
    Column("time", "TIME", 8, "right", priority=1, sortable=False),
    Column("bytes", "BYTES", 9, "right", priority=2, sortable=False),
    Column("stage", "STAGE", 8, priority=5, sortable=False),
)
