"""Progress of long operations: changing lines on a terminal, one for each part; elsewhere docker's lines, or silence."""

from __future__ import annotations

import os
import sys
import time

from tuidock.cli import output
from tuidock.engine.clean import clean
from tuidock.engine.types import Progress
from tuidock.engine.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

_REDRAW_NS = 80_000_000
_BAR = 50

#: docker's words for the actions of `Engine.pull`.
PULL = {
    "waiting": "Pulling fs layer",
    "downloading": "Downloading",
    "verifying": "Verifying Checksum",
    "downloaded": "Download complete",
    "extracting": "Extracting",
    "pulled": "Pull complete",
    "exists": "Already exists",
    "retrying": "Retrying",
    "collecting": "Collecting",
}
#: Of these, what has a bar; it comes many times and is left out where nothing can be overwritten.
_MOVING = ("downloading", "extracting", "pushing", "collecting")
#: After these a part does not change any more.
_SETTLED = ("pulled", "exists", "pushed", "mounted")


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


def parts(
    steps: Iterator[Progress], words: Mapping[str, str], *, quiet: bool = False, descriptor: int = 1
) -> Iterator[Progress]:
    """Shows the steps whose action has a word, a line for each subject; hands on all others, to be told below them."""
    stream = sys.stderr if descriptor == 2 else sys.stdout
    lines = Lines(stream, descriptor) if not quiet and output.is_terminal(descriptor) else None
    try:
        for step in steps:
            word = words.get(step.action)
            if word is None:
                if lines is not None:
                    lines.end()
                yield step
            elif lines is not None:
                lines.put(step, word)
            elif not quiet and step.action not in _MOVING:
                stream.write(f"{clean(step.subject)}: {clean(_said(step, word))}\n")
                stream.flush()
    finally:
        if lines is not None:
            lines.end()


def follow_pull(steps: Iterator[Progress], *, quiet: bool = False, descriptor: int = 1) -> list[Progress]:
    """Shows a pull as docker does, but for the image's name at its end; answers what was `digest` and `pulled-image`."""
    stream = sys.stderr if descriptor == 2 else sys.stdout
    told = []
    for step in parts(steps, PULL, quiet=quiet, descriptor=descriptor):
        line = ""
        if step.action == "pulling":
            line = f"{step.subject}: Pulling from {step.message}"
        elif step.action == "digest":
            told.append(step)
            line = f"Digest: {step.message}"
        elif step.action == "pulled-image":
            told.append(step)
        elif step.action == "warning":
            output.note(f"WARNING: {step.message}")
        if line and not quiet:
            stream.write(clean(line) + "\n")
            stream.flush()
    return told


def _said(step: Progress, word: str) -> str:
    if step.action == "mounted":
        return f"{word} {step.message}"
    return f"{word}: {step.message}" if step.message and step.action in ("retrying", "downloading") else word


class Lines:
    """Lines that change in place. Where there are more than the terminal has, the settled ones at the top scroll away."""

    def __init__(self, stream: TextIO, descriptor: int) -> None:
        self._stream, self._descriptor = stream, descriptor
        self._steps: dict[str, tuple[Progress, str]] = {}
        self._drawn = self._drawn_at = 0

    def put(self, step: Progress, word: str) -> None:
        """News of one part."""
        before = self._steps.get(step.subject)
        self._steps[step.subject] = (step, word)
        moved = before is not None and before[0].action == step.action
        now = time.monotonic_ns()
        if not moved or now - self._drawn_at > _REDRAW_NS:
            self._drawn_at = now
            self._draw()

    def end(self) -> None:
        """Draws the last state and leaves it there; what comes now is a new block."""
        if self._steps:
            self._draw(whole=True)
        self._steps, self._drawn = {}, 0

    def _size(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self._descriptor)
        except OSError:
            columns, rows = 80, 24
        return columns or 80, rows or 24

    def _draw(self, *, whole: bool = False) -> None:
        columns, rows = self._size()
        room = max(1, rows - 1)
        texts = [f"\x1b[{self._drawn}A"] if self._drawn else []
        written = 0
        for subject, (step, word) in list(self._steps.items()):
            left = len(self._steps)
            if not whole and written == room:
                break
            texts.append(f"\r\x1b[2K{_line(step, word, columns)}\n")
            if left > room and step.action in _SETTLED and written == 0:
                del self._steps[subject]  # it scrolls away
            else:
                written += 1
        self._drawn = min(written, room)
        self._stream.write("".join(texts))
        self._stream.flush()


def _line(step: Progress, word: str, columns: int) -> str:
    text = f"{clean(step.subject)}: {clean(_said(step, word))}"
    if step.action in _MOVING and step.total and not step.message:
        amount = f"{human_size(min(step.done, step.total))}/{human_size(step.total)}"
        room = min(_BAR, columns - len(text) - len(amount) - 6)
        if room >= 10:
            full = min(room, step.done * room // step.total)
            head = ">" if full < room else ""
            text += f" [{('=' * full + head).ljust(room)}]"
        text += f"  {amount}"
    return output.ellipsis(text, max(1, columns - 1))
