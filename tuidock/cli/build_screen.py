"""The moving picture of a build on a terminal: a line for each step, the running one's last lines below it.

Everything is drawn again in place, at most ten times a second; what does not fit the window scrolls away above.
"""

from __future__ import annotations

import os
import sys
import time

from tuidock.cli.build_view import Line, View, ends
from tuidock.engine.clean import clean
from tuidock.engine.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from tuidock.engine.errors import BuildFailed
    from tuidock.engine.image_types import BuildEvent

_REDRAW = 0.1
_OUTPUT = 6


class _Shown:
    """How a step is going."""

    __slots__ = ("bytes", "seconds", "since", "state")

    def __init__(self) -> None:
        self.state, self.seconds, self.since, self.bytes = "", 0.0, 0.0, ""


class Screen(View):
    """Drawn on stderr."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()
        self._drawn, self._rows = 0.0, 0
        self._shown: dict[int, _Shown] = {}
        self._warnings: list[str] = []

    def state(self, line: Line, event: BuildEvent) -> None:
        shown = self._shown.setdefault(event.step, _Shown())
        shown.state, shown.seconds = event.state, event.seconds
        if event.state == "running":
            shown.since = time.monotonic()
        self._draw(force=event.state == "failed")

    def wrote(self, step: int, text: str) -> None:
        self._draw()

    def moved(self, line: Line, event: BuildEvent) -> None:
        shown = self._shown.get(event.step)
        if shown is not None and event.done:
            total = f" / {human_size(event.total)}" if event.total else ""
            shown.bytes = human_size(event.done) + total
        self._draw()

    def warning(self, text: str) -> None:
        self._warnings.append(text)

    def built(self, image_id: str, tags: Iterable[str]) -> None:
        first, *others = [text.removesuffix(" done").removesuffix(",") for text in ends(image_id, tags)]
        self._draw(force=True, end=[f" => {first}", *[f" => => {text}" for text in others]], finished=True)
        for text in self._warnings:
            sys.stderr.write(f"WARNING: {clean(text)}\n")

    def failed(self, error: BuildFailed) -> None:
        self._draw(force=True)
        super().failed(error)

    def _draw(self, *, force: bool = False, end: Iterable[str] = (), finished: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._drawn < _REDRAW:
            return
        self._drawn = now
        columns, rows = _size()
        done = sum(shown.state in ("done", "cached") for shown in self._shown.values())
        word = "FINISHED" if finished else ""
        lines = [f"[+] Building {now - self._began:.1f}s ({done}/{len(self.lines)}) {word}".rstrip()]
        for number, line in self.lines.items():
            lines += self._lines(number, line, now, columns)
        lines += end
        if len(lines) > rows - 1 and not finished:
            lines = [lines[0], *lines[-(rows - 2) :]]
        text = f"\x1b[{self._rows}A" if self._rows else ""
        text += "".join([f"\x1b[2K{one[: columns - 1]}\n" for one in lines])
        text += "\x1b[J"
        self._rows = len(lines)
        sys.stderr.write(text)
        sys.stderr.flush()

    def _lines(self, number: int, line: Line, now: float, columns: int) -> list[str]:
        shown = self._shown.get(number)
        if shown is None:
            return []
        words = {"cached": "CACHED ", "failed": "ERROR "}.get(shown.state, "")
        seconds = now - shown.since if shown.state == "running" else shown.seconds
        right = f"{shown.bytes}  {seconds:.1f}s" if shown.bytes and shown.state == "running" else f"{seconds:.1f}s"
        left = f" => {words}{line.title}"
        room = max(10, columns - len(right) - 2)
        found = [f"{left[:room]:<{room}} {right}"]
        if shown.state == "running":
            found += [f" => => # {clean(text)}" for text in self.tail.get(number, [])[-_OUTPUT:]]
        return found


def _size() -> tuple[int, int]:
    try:
        size = os.get_terminal_size(2)
    except OSError:
        return 80, 24
    return max(size.columns or 80, 20), max(size.lines or 24, 5)  # a terminal that nobody has sized says 0
