"""How many lines came while one followed a log that were never on screen.

A view that draws eight times a second cannot show 50 000 lines a second, and must not try to: it shows the newest, and
says exactly how many it passed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from tuidock.app.logs.merge import Cursor
from tuidock.app.logs.viewport import ShownRow


class Unseen:
    """lines_before: how many lines lie in front of a cursor, None while that is not counted yet."""

    def __init__(self, lines_before: Callable[[Cursor], int | None]) -> None:
        self._lines_before = lines_before
        self._gaps: deque[tuple[Cursor, Cursor]] = deque()
        self._last: Cursor | None = None
        self.count = 0

    def restart(self) -> None:
        """Following begins, or one has looked elsewhere meanwhile."""
        self._gaps.clear()
        self._last, self.count = None, 0

    def shown(self, rows: Sequence[ShownRow]) -> None:
        """These are on screen now."""
        if not rows:
            return
        first = rows[0].before
        if self._last is not None and any(one > other for one, other in zip(first[:-1], self._last[:-1], strict=True)):
            self._gaps.append((self._last, first))
        self._last = rows[-1].after
        self.settle()

    def settle(self) -> None:
        """Count the gaps that can be counted by now."""
        while self._gaps:
            left, right = (self._lines_before(cursor) for cursor in self._gaps[0])
            if left is None or right is None:
                return
            self._gaps.popleft()
            self.count += max(0, right - left)
