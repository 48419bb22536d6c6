"""What the events of a build add up to: steps with their states, where the output is, what came out. No widget."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from tuidock.app import format as shown
from tuidock.app.step_logs import StepLogs
from tuidock.engine.image_types import BuildEvent, BuildStep

WAITING, RUNNING, CACHED, DONE, FAILED, CANCELLED = "waiting", "running", "cached", "done", "failed", "cancelled"
#: State -> glyph, plain glyph, style. The word stands beside it always.
GLYPHS = {
    WAITING: ("○", "o", "muted"),
    RUNNING: ("●", "*", "busy"),
    CACHED: ("✓", "+", "muted"),
    DONE: ("✓", "+", "good"),
    FAILED: ("✖", "!", "bad"),
    CANCELLED: ("◌", "-", "muted"),
}
#: Step 0: output that belongs to no step, such as reading the context.
GENERAL = 0


class Step:
    """A line of the plan and how it goes."""

    __slots__ = ("done", "plan", "seconds", "started", "state", "total", "wrote")

    def __init__(self, plan: BuildStep) -> None:
        self.plan = plan
        self.state = WAITING
        self.seconds = 0.0
        self.started = -1  # nobody saw it begin
        self.done = self.total = 0
        self.wrote = False

    def elapsed(self, now: int) -> float:
        """Seconds that it took, or takes so far."""
        if self.state == RUNNING and self.started >= 0:
            return max(0.0, (now - self.started) / 1e9)
        return self.seconds

    @property
    def bytes_words(self) -> str:
        if self.state == RUNNING and self.done and self.total > self.done:
            return f"{shown.size(self.done)}/{shown.size(self.total)}"
        count = self.total or self.done
        return shown.size(count) if count else ""


class Build:
    """All steps by number."""

    def __init__(self, tags: Sequence[str] = (), command: str = "", files: str = "") -> None:
        self.tags, self.command, self.files = tuple(tags), command, files
        self.steps: dict[int, Step] = {}
        self.source = ""
        self.image = ""
        self.exporting = False
        self.warnings: list[str] = []
        self.logs = StepLogs()
        self.revision = 0

    # -- the job's thread -----------------------------------------------------------------------------------------

    def key(self, news: BuildEvent) -> Hashable | None:
        """Output goes to the files at once; the app only learns that there is some."""
        if news.kind == "output":
            self.logs.write(news.step, news.stream or "stdout", news.output)
            return ("output", news.step)
        if news.kind == "state" and news.state != RUNNING:
            self.logs.end(news.step)
        if news.kind == "bytes":
            return ("bytes", news.step)
        return (news.kind, news.step, news.state, news.message)

    # -- the app --------------------------------------------------------------------------------------------------

    def take(self, news: list[BuildEvent], now: int) -> None:
        self.revision += 1
        for event in news:
            if event.kind == "plan":
                self.source = event.source or self.source
                self.steps = {plan.number: self._known(plan) for plan in event.steps}
            elif event.kind == "warning":
                self.warnings.append(event.message)
            elif event.kind == "exporting":
                self.exporting = True
            elif event.kind == "built":
                # where only files are wanted the image is gone again
                self.exporting = False
                self.image = event.message if event.state or not self.files else ""
            else:
                self._step(event, now)

    def _known(self, plan: BuildStep) -> Step:
        """A plan may come again when more is known; what has happened stays."""
        step = self.steps.get(plan.number) or Step(plan)
        step.plan = plan
        return step

    def _step(self, event: BuildEvent, now: int) -> None:
        step = self.steps.get(event.step)
        if step is None:
            step = self.steps[event.step] = Step(BuildStep(event.step, "", event.message))
        if event.kind == "output":
            step.wrote = True
        elif event.kind == "bytes":
            if event.done or event.total:
                step.done, step.total = event.done, event.total
        elif event.kind == "state":
            step.state = event.state
            if event.text:  # with the values of its variables
                step.plan = step.plan._replace(text=event.text)
            if event.state == RUNNING:
                step.started = now
            else:
                step.seconds = event.seconds
                step.done, step.total = 0, event.total or step.total

    def ended(self, now: int, good: bool = False) -> None:
        """The job is over: nothing waits or runs any more."""
        for step in self.steps.values():
            if step.state == RUNNING:
                step.seconds = step.elapsed(now)
                step.state = CANCELLED
        self.revision += 1

    def close(self) -> None:
        self.logs.close()

    # -- what it adds up to ---------------------------------------------------------------------------------------

    def count(self, *states: str) -> int:
        return sum(step.state in states for number, step in self.steps.items() if number)

    @property
    def length(self) -> int:
        return sum(1 for number in self.steps if number)

    @property
    def current(self) -> int:
        """The step worth looking at: the one that failed, else the last that runs, else the last that has begun."""
        failed = [number for number, step in self.steps.items() if step.state == FAILED]
        running = [number for number, step in self.steps.items() if step.state == RUNNING]
        begun = [number for number, step in self.steps.items() if step.state != WAITING]
        chosen = failed or running or begun or list(self.steps)
        return chosen[-1] if chosen else GENERAL

    @property
    def done(self) -> int:
        return self.count(CACHED, DONE)

    @property
    def total(self) -> int:
        return self.length

    @property
    def words(self) -> str:
        """ "step 4 of 9, 3 cached" """
        if not self.length:
            context = self.steps.get(GENERAL)
            return f"reading the context {context.bytes_words if context is not None else ''}".rstrip()
        if self.exporting:
            return f"writing {self.files}"
        running = [step.plan.number for step in self.steps.values() if step.state == RUNNING]
        where = f"step {' and '.join(map(str, running[:3]))} of {self.length}" if running else f"{self.length} steps"
        cached = self.count(CACHED)
        return f"{where}, {cached} cached" if cached else where
