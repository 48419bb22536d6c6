"""Progress of long operations: a changing line for each part on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
import time

from tuidock.cli import output
from tuidock.engine.clean import clean
from tuidock.engine.types import Progress
from tuidock.engine.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_REDRAW_NS = 80_000_000


def show(steps: Iterator[Progress], *, quiet: bool = False, descriptor: int = 1) -> list[Progress]:
    """Runs the operation to its end and answers the last Progress of each subject and action, in order."""
    stream = sys.stderr if descriptor == 2 else sys.stdout
    live = not quiet and output.is_terminal(descriptor)
    last: dict[tuple[str, str], Progress] = {}
    drawn, width = 0, 0
    for step in steps:
        last[(step.subject, step.action)] = step
        now = time.monotonic_ns()
        if live and now - drawn > _REDRAW_NS:
            drawn = now
            text = _text(step)
            stream.write("\r" + text.ljust(width))
            stream.flush()
            width = len(text)
    if width:
        stream.write("\r" + " " * width + "\r")
        stream.flush()
    return list(last.values())


def _text(step: Progress) -> str:
    subject = clean(step.subject.removeprefix("sha256:"))
    amount = ""
    if step.total:
        amount = f" {human_size(step.done)}/{human_size(step.total)} ({min(100, step.done * 100 // step.total)} %)"
    elif step.done:
        amount = f" {human_size(step.done)}"
    return output.ellipsis(f"{output.ellipsis(subject, 24)}: {clean(step.action)}{amount}", 79)
