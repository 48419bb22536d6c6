"""Screens that survive their own mistakes.

Textual ends the message loop of a widget, and then the app, when a handler raises. Somebody who manages containers
over SSH must not lose the terminal because one container is odd: here the error becomes a toast and a line in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events
from textual.message import Message
from textual.screen import Screen

from tuidock.app.screens.closing import ClosesOnce

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp


class GuardedScreen(ClosesOnce, Screen[None]):
    """A screen whose handlers may fail without ending anything."""

    async def _on_idle(self, event: events.Idle) -> None:
        await super()._on_idle(event)
        # Textual shows what has changed with the next frame, which at few frames a second is far away. What a key has
        # changed is shown at once; all that streams keeps to the frames.
        if self.tuidock.key_pressed and self._dirty_widgets and self.is_current:
            self.tuidock.key_pressed = False
            self._on_timer_update()

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            self.tuidock.report(error)

    @property
    def tuidock(self) -> TuidockApp:
        return cast("TuidockApp", self.app)
