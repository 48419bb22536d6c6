"""Screens that survive their own mistakes.

Textual ends the message loop of a widget, and then the app, when a handler raises. Somebody who manages containers
over SSH must not lose the terminal because one container is odd: here the error becomes a toast and a line in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.message import Message
from textual.screen import Screen

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp


class GuardedScreen(Screen[None]):
    """A screen whose handlers may fail without ending anything."""

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            self.tuidock.report(error)

    @property
    def tuidock(self) -> TuidockApp:
        return cast("TuidockApp", self.app)
