"""Partial repaints that send the changed columns only.

Textual 8.2.8 asks widgets for exact regions and then sends every line from the widget's first column up to the region's
end (`ChopsUpdate.render_segments` crops with 0). For a table whose CPU column stands at column 80 that is ten times the
bytes, once a second, over SSH. This puts the missing left edge in; the version is pinned, and a test holds the result
against a full repaint.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate


def _render_segments(update: ChopsUpdate, console: Console) -> str:
    pieces: list[str] = []
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= right or end <= left:
                continue
            first, last = max(left, x), min(right, end)
            if first > x or last < end:
                strip = strip.crop(first - x, last - x)
            pieces.append(Control.move_to(first, y).segment.text)
            pieces.append(strip.render(console))
    return "".join(pieces)


def install() -> None:
    """Use it in this process; harmless to call again."""
    ChopsUpdate.render_segments = _render_segments  # type: ignore[method-assign, assignment]
