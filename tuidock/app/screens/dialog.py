"""A dialog whose keys come from `screen_keys.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.binding import BindingType
from textual.screen import ModalScreen

from tuidock.app.screen_keys import READ_ONLY, Key, items, refused
from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.screens.command_line import COMMAND_KEY, CommandLine
from tuidock.app.screens.keyed import bindings
from tuidock.app.screens.lines import KeyLine, PressableLine
from tuidock.app.screens.prompt import PromptLine
from tuidock.app.words import tr

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp

__all__ = ["Dialog", "bindings"]


class Dialog(CommandLine, ClosesOnce, ModalScreen[None]):
    """Base of dialogs with a list in them."""

    BINDINGS: ClassVar[list[BindingType]] = [COMMAND_KEY]
    KEYS: ClassVar[tuple[Key, ...]] = ()

    @property
    def tuidock(self) -> TuidockApp:
        return cast("TuidockApp", self.app)

    def hidden_keys(self) -> Sequence[str]:
        return ()

    def draw_keys(self) -> None:
        self.query_one("#dialog-keys", KeyLine).set_items(
            items(self.KEYS, self.tuidock.read_only, self.hidden_keys(), self.tuidock.keymap)
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        for key in self.KEYS:
            if key.id.partition(".")[2] == action:
                return not (key.changes and self.tuidock.read_only) and not self.query(PromptLine)
        return True

    def on_key(self, event: events.Key) -> None:
        """A key that would change something says why it does not."""
        if self.tuidock.read_only and not self.query(PromptLine) and refused(self.KEYS, event.key, self.tuidock.keymap):
            self.tuidock.say(tr(READ_ONLY), "warning")
            event.stop()

    @on(PressableLine.Pressed, "#dialog-keys")
    async def _foot_pressed(self, event: PressableLine.Pressed) -> None:
        event.stop()
        await self.run_action(event.key.partition(".")[2])
