"""Named steps with how long each took, as bars of eighths on one scale: where the milliseconds of a start went."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from tuidock.app.widgets.rows import fit
from tuidock.app.widgets.status import StyledLine, bar
from tuidock.engine.clean import clean


def duration(nanoseconds: int) -> str:
    """0.3 ms, 12 ms, 1.8 s, 3 min."""
    milli = nanoseconds / 1e6
    if milli < 10:
        return f"{milli:.1f} ms"
    if milli < 1_000:
        return f"{milli:.0f} ms"
    seconds = milli / 1_000
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


class Timeline(StyledLine):
    """One line a step, the sum, and the words about the end."""

    DEFAULT_CSS = """
    Timeline { height: auto; }
    """

    def __init__(
        self, *, ascii: bool = False, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._ascii = ascii
        self._steps: tuple[tuple[str, int], ...] = ()
        self._ended = ""

    def show(self, steps: Sequence[tuple[str, int]], ended: str = "") -> None:
        """Steps as (label, nanoseconds), in their order."""
        self._steps = tuple((clean(label), nanoseconds) for label, nanoseconds in steps)
        self._ended = clean(ended)
        self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self._steps) + (len(self._steps) > 1) + bool(self._ended) or 1

    def render_line(self, y: int) -> Strip:
        base, width = self.rich_style, self.size.width
        count = len(self._steps)
        label_width = min(26, max(8, width // 3))
        if y < count:
            label, nanoseconds = self._steps[y]
            longest = max(1, max(step[1] for step in self._steps))
            room = max(1, width - label_width - 12)
            pieces = [
                self.segment(fit(label, label_width)),
                self.segment(fit(duration(nanoseconds), 9, "right") + "  ", "muted"),
                self.segment(bar(max(nanoseconds / longest, 1 / (8 * room)), room, self._ascii), "accent"),
            ]
        elif y == count and count > 1:
            whole = duration(sum(step[1] for step in self._steps))
            pieces = [self.segment(fit("together", label_width) + fit(whole, 9, "right"), "muted")]
        elif self._ended and y == count + (count > 1):
            pieces = [self.segment(fit("ended", label_width)), self.segment("  " + self._ended, "muted")]
        elif not count and y == 0:
            pieces = [self.segment("nothing recorded yet", "muted")]
        else:
            pieces = []
        return Strip(pieces).crop_extend(0, width, base)
