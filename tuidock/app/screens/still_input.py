"""An input that stands still: a blinking cursor is a write to the terminal twice a second, for as long as it is open."""

from __future__ import annotations

from typing import Any

from textual.widgets import Input


class StillInput(Input):
    """Textual's input on one line, without a box and without blinking."""

    def __init__(self, value: str = "", **options: Any) -> None:
        super().__init__(value, compact=True, **options)
        self.cursor_blink = False
