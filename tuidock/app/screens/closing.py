"""A screen that closes once. What is typed fast, or a key that is held, is on its way to a screen when that has gone
already; a second dismiss would take away the screen below, or end in an error when that is the last."""

from __future__ import annotations

from typing import Any, cast

from textual.await_complete import AwaitComplete


class ClosesOnce:
    """Mixed into screens, before Textual's class."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Nothing unless the screen is the one on top."""
        if not self.is_active:  # type: ignore[attr-defined]
            return AwaitComplete()
        return cast("AwaitComplete", super().dismiss(result))  # type: ignore[misc]
