"""A screen whose keys come from `screen_keys.py`: bindings, the line at the foot and its presses, help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType

from tuidock.app.screen_keys import READ_ONLY, Key, items, refused
from tuidock.app.screens.command_line import COMMAND_KEY, CommandLine
from tuidock.app.screens.lines import KeyLine, PressableLine
from tuidock.app.screens.log_keys import LogKeys
from tuidock.app.screens.prompt import PromptLine
from tuidock.app.words import tr

if TYPE_CHECKING:
    from tuidock.app.widgets.log_view import LogView


def bindings(keys: Sequence[Key]) -> list[BindingType]:
    return [Binding(key.keys, key.id.partition(".")[2], key.footer or key.help, show=False, id=key.id) for key in keys]


class Keyed(CommandLine, LogKeys):
    """Base of the full screens beside the main one. A key does nothing while a line at the foot is being typed in."""

    BINDINGS: ClassVar[list[BindingType]] = [COMMAND_KEY]
    KEYS: ClassVar[tuple[Key, ...]] = ()
    HELP_TITLE: ClassVar[str] = ""

    @property
    def log_view(self) -> LogView | None:
        return None

    def hidden_keys(self) -> Sequence[str]:
        """Keys that make no sense now, and are not offered at the foot."""
        return ()

    def key_labels(self) -> Mapping[str, str]:
        """Keys that are called otherwise now, by what they would do."""
        return {}

    def draw_keys(self) -> None:
        labels = self.key_labels()
        shown = items(self.KEYS, self.tuidock.read_only, self.hidden_keys(), self.tuidock.keymap)
        self.query_one("#keys", KeyLine).set_items(
            [item._replace(text=labels.get(item.key, item.text)) for item in shown]
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

    @on(PressableLine.Pressed, "#keys")
    async def _foot_pressed(self, event: PressableLine.Pressed) -> None:
        event.stop()
        await self.run_action(event.key.partition(".")[2])

    def action_help(self) -> None:
        from tuidock.app.screens.help import show_help

        show_help(self.tuidock, self.HELP_TITLE)
