"""Every new widget is told its size.

Textual 8.2.8 sends Resize to widgets that the last layout did not know. But asking any widget for its size between two
layouts - a refresh is enough - may renew the very map that is compared with, and then a widget that was mounted
meanwhile is never told: a log view stayed empty. This compares with the last layout and nothing else; the version is
pinned, and a test mounts a widget that way.
"""

from __future__ import annotations

from textual._compositor import Compositor, ReflowResult
from textual.geometry import Size
from textual.widget import Widget

_reflow = Compositor.reflow


def _reflow_from_the_last(compositor: Compositor, parent: Widget, size: Size) -> ReflowResult:
    last = getattr(compositor, "_tuidock_last_map", None)
    if last is not None:
        compositor._full_map = last
    result = _reflow(compositor, parent, size)
    compositor._tuidock_last_map = compositor._full_map  # type: ignore[attr-defined]
    return result


def install() -> None:
    """Use it in this process; harmless to call again."""
    Compositor.reflow = _reflow_from_the_last  # type: ignore[method-assign, assignment]
