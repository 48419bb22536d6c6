"""RE2 for patterns that come from outside: time is linear to the text, whatever the pattern.

`re` backtracks: a .dockerignore of one line, or `${v##*a*a*a*a*b}`, could stop a build for hours.
"""

from __future__ import annotations

import functools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MEMORY = 64 << 20
_SPECIAL = frozenset("\\.+*?()|[]{}^$-&~#")


def quoted(text: str) -> str:
    """The text as a pattern that matches only itself."""
    return "".join(["\\" + char if char in _SPECIAL else char for char in text])


class Automaton:
    """A compiled pattern. Raises ValueError for one that RE2 refuses."""

    __slots__ = ("_start", "search")

    def __init__(self, pattern: str) -> None:
        from re2 import _re2  # type: ignore[import-untyped]

        options = _re2.RE2.Options()
        options.never_capture = True
        options.log_errors = False
        options.max_mem = _MEMORY
        machine = _re2.RE2(pattern.encode(), options)
        if not machine.ok():
            said = machine.error()
            raise ValueError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))
        anchor = _re2.RE2.Anchor
        #: both take a text, where to begin and how long it is, and return [(start, end)], -1 without a match
        self.search: Callable[[bytes, int, int], Any] = functools.partial(machine.Match, anchor.UNANCHORED)
        self._start: Callable[[bytes, int, int], Any] = functools.partial(machine.Match, anchor.ANCHOR_BOTH)

    def matches(self, text: bytes) -> bool:
        """Whether the whole text matches."""
        return bool(self._start(text, 0, len(text))[0][1] >= 0)
