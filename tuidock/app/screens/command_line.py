"""`:` and what is typed behind it, on the main screen and on those above it.

A command that names what it is about means the same everywhere. One that does not is about what the screen shows: on
the list of ports it is the container of the port under the cursor, and never a row of the main screen that nobody sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from textual.binding import Binding

from tuidock.app.screens.prompt import PromptLine, open_line
from tuidock.app.words import tr

if TYPE_CHECKING:
    from textual.widget import Widget

    from tuidock.app.app import TuidockApp
    from tuidock.app.model import Row
    from tuidock.app.screens.main import MainScreen

#: The key is that of the main screen, also in a keymap of one's own.
COMMAND_KEY = Binding("colon", "command", "command", show=False, id="app.command")


def command_line(main: MainScreen, submitted: Callable[[str], None], own: Sequence[str] = ()) -> PromptLine:
    """The line at the foot after `:`; own: words that only this screen knows."""
    from tuidock.app.command_words import complete
    from tuidock.app.quoting import fault
    from tuidock.app.theme import theme_names

    app = main.tuidock
    columns = [each.key for each in main.pane().columns if each.sortable]
    own_commands = [each.id for each in app.config.plugins]
    more = {"theme": theme_names(app.available_themes), "sort": columns, "plugins": own_commands}
    return PromptLine(
        ":",
        submitted,
        past=app.commands_typed,
        completer=lambda text: [*(word for word in own if word.startswith(text)), *complete(app.model, text, more)],
        check=lambda text: f"{fault(text)}." if fault(text) else "",
        note=tr("tab completes"),
    )


class CommandLine:
    """Mixed into the screens above the main one."""

    def command_rows(self) -> tuple[str, list[Row]]:
        """What a command without names is about here: the kind, and the rows; none: it has to name them."""
        return "", []

    def command_words(self) -> Mapping[str, Callable[[list[str]], None]]:
        """Words that only this screen knows, with what they do to their arguments."""
        return {}

    def action_command(self) -> None:
        app = cast("TuidockApp", cast("Widget", self).app)
        if app.main is None or cast("Widget", self).query(PromptLine):
            return

        def submitted(text: str) -> None:
            from tuidock.app.elsewhere import execute_on

            execute_on(self, text)

        open_line(cast("Widget", self), command_line(app.main, submitted, sorted(self.command_words())))
