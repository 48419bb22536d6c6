"""What `build` shows while it builds: BuildKit's ways, on stderr. plain for logs and pipes, tty for a person, rawjson for
programs, quiet for scripts that want the id.

Shown are the steps that make files and FROM, numbered within their stage, as docker numbers them.
"""

from __future__ import annotations

import sys
import time

from tuidock.cli import output
from tuidock.engine.clean import clean
from tuidock.engine.errors import BuildFailed
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from tuidock.engine.image_types import BuildEvent, BuildStep

_SHOWN = frozenset(("FROM", "RUN", "COPY", "ADD", "WORKDIR"))
_TAIL = 10
_AROUND = 3


class Line(Named):
    """A step as it is shown: label is `[stage 2/5]`, text the instruction, with values once they are known."""

    number: int
    label: str
    step: BuildStep
    text: str

    @property
    def title(self) -> str:
        return f"{self.label} {clean(self.text)}"


def lines_of(steps: Sequence[BuildStep]) -> dict[int, Line]:
    """The shown steps by their number in the plan."""
    shown = [step for step in steps if step.text.split(None, 1)[0].upper() in _SHOWN]
    totals: dict[str, int] = {}
    for step in shown:
        totals[step.stage] = totals.get(step.stage, 0) + 1
    several = len({step.stage for step in steps}) > 1
    seen: dict[str, int] = {}
    found: dict[int, Line] = {}
    for step in shown:
        seen[step.stage] = seen.get(step.stage, 0) + 1
        name = f"{clean(step.stage)} " if several else ""
        label = f"[{name}{seen[step.stage]}/{totals[step.stage]}]"
        found[step.number] = Line(len(found) + 1, label, step, step.text)
    return found


class View:
    """Takes events; the base says nothing, which is --quiet. tail keeps the last lines of each step for the error."""

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self.source: list[str] = []
        self.name = ""
        self.tail: dict[int, list[str]] = {}
        self._partial: dict[tuple[int, str], bytes] = {}

    def take(self, event: BuildEvent) -> None:
        if event.kind == "plan":
            self.lines = lines_of(event.steps)
            self.source, self.name = event.source.split("\n"), event.message
            self.planned()
        elif event.kind == "output":
            for text in self._whole(event):
                self._keep(event.step, text)
                self.wrote(event.step, text)
        elif event.kind == "state":
            if event.state != "running":
                self._flush(event.step)
            if event.step in self.lines:
                if event.text:
                    self.lines[event.step] = self.lines[event.step]._replace(text=event.text)
                self.state(self.lines[event.step], event)
        elif event.kind == "warning":
            self.warning(event.message)
        elif event.kind == "bytes" and event.step in self.lines:
            self.moved(self.lines[event.step], event)

    def _whole(self, event: BuildEvent) -> list[str]:
        """The lines that are complete; a rest waits for its end."""
        key = (event.step, event.stream)
        *whole, rest = (self._partial.pop(key, b"") + event.output).split(b"\n")
        if len(rest) > 1 << 16:
            whole, rest = [*whole, rest], b""
        if rest:
            self._partial[key] = rest
        return [line.decode("utf-8", "replace").rstrip("\r") for line in whole]

    def _flush(self, step: int) -> None:
        for key in [key for key in self._partial if key[0] == step]:
            text = self._partial.pop(key).decode("utf-8", "replace")
            self._keep(step, text)
            self.wrote(step, text)

    def _keep(self, step: int, text: str) -> None:
        kept = self.tail.setdefault(step, [])
        kept.append(text)
        del kept[:-_TAIL]

    def planned(self) -> None:
        """The plan is known."""

    def wrote(self, step: int, text: str) -> None:
        """A line of a command."""

    def state(self, line: Line, event: BuildEvent) -> None:
        """A step changed."""

    def moved(self, line: Line, event: BuildEvent) -> None:
        """Bytes of a step."""

    def warning(self, text: str) -> None:
        """Something to know."""

    def built(self, image_id: str, tags: Iterable[str]) -> None:
        """The image is there; image_id "": none was stored, only files were wanted."""

    def failed(self, error: BuildFailed) -> None:
        """What led to it: the step's last lines, and the Dockerfile around it."""
        line = self.lines.get(error.step)
        parts = []
        if line is not None and self.tail.get(error.step):
            parts += ["------", f" > {line.title}:", *[clean(text) for text in self.tail[error.step]], "------"]
        if error.line and not error.excerpt and self.source:
            last = line.step.end_line if line is not None and line.step.line == error.line else error.line
            parts += _excerpt(self.name, self.source, error.line, max(last, error.line))
        if parts:
            sys.stderr.write("\n".join(parts) + "\n")
            sys.stderr.flush()


def _excerpt(name: str, source: Sequence[str], first: int, last: int) -> list[str]:
    shown = [f"{clean(name)}:{first}", "-" * 20]
    for number in range(max(1, first - _AROUND), min(len(source), last + _AROUND) + 1):
        mark = ">>>" if first <= number <= last else "   "
        shown.append(f"{number:4} | {mark} {clean(source[number - 1])}".rstrip())
    return [*shown, "-" * 20]


class Plain(View):
    """One line for each thing that happens, with the number of its step."""

    def __init__(self) -> None:
        super().__init__()
        self._last = 0
        self._began: dict[int, float] = {}
        self._ended = time.monotonic()

    def _say(self, number: int, text: str) -> None:
        before = "\n" if self._last not in (0, number) else ""
        self._last = number
        sys.stderr.write(f"{before}#{number} {text}\n")
        sys.stderr.flush()

    def wrote(self, step: int, text: str) -> None:
        if step in self.lines:
            spent = time.monotonic() - self._began.get(step, time.monotonic())
            self._say(self.lines[step].number, f"{spent:.3f} {clean(text)}")

    def state(self, line: Line, event: BuildEvent) -> None:
        if event.step not in self._began:
            self._began[event.step] = time.monotonic()
            self._say(line.number, line.title)
        self._ended = time.monotonic()
        if event.state == "cached":
            self._say(line.number, "CACHED")
        elif event.state == "done":
            self._say(line.number, f"DONE {event.seconds:.1f}s")
        elif event.state == "failed":
            self._say(line.number, f"ERROR: {clean(event.message)}" if event.message else "ERROR")

    def warning(self, text: str) -> None:
        sys.stderr.write(f"WARNING: {clean(text)}\n")

    def built(self, image_id: str, tags: Iterable[str]) -> None:
        number = len(self.lines) + 1
        for text in ends(image_id, tags):
            self._say(number, text)
        self._say(number, f"DONE {time.monotonic() - self._ended:.1f}s")


def ends(image_id: str, tags: Iterable[str]) -> list[str]:
    """What was done with the result."""
    if not image_id:
        return ["exporting the files of the result, done"]
    named = [f"naming to {clean(tag)} done" for tag in tags]
    return ["exporting to image", f"writing image {image_id} done", *named]


def show(events: Generator[BuildEvent, None, None], progress: str, tags: Sequence[str]) -> str:
    """Runs the build to its end and answers the image's id."""
    view = _view(progress)
    image_id = stored = ""
    try:
        for event in events:
            view.take(event)
            if event.kind == "built":
                image_id, stored = event.message, event.message if event.state else ""
    except BuildFailed as error:
        view.failed(error)
        raise
    finally:
        events.close()
    view.built(stored, tags)
    return image_id


def _view(progress: str) -> View:
    if progress == "quiet":
        return View()
    if progress == "rawjson":
        from tuidock.cli.build_raw import Raw

        return Raw()
    if progress == "tty" or (progress == "auto" and output.is_terminal(2)):
        from tuidock.cli.build_screen import Screen

        return Screen()
    return Plain()
