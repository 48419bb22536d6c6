"""A short list to choose from: what to copy, which port, which shell. Letters narrow it down, digits choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tuidock.app.filters import fuzzy
from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.screens.still_input import StillInput
from tuidock.app.words import tr

#: Seconds that the cursor rests on a line before it is shown.
PREVIEW_AFTER = 0.08


class Choice(NamedTuple):
    """One thing to choose: what is shown, a hint beside it, and what choosing it gives."""

    label: str
    value: Any
    hint: str = ""


class PickerScreen(ClosesOnce, ModalScreen[Any]):
    """Gives the value of the chosen line, or None. preview gets the value on which the cursor rests; start is the first."""

    def __init__(
        self, title: str, choices: Sequence[Choice], *, narrow: bool = False,
        preview: Callable[[Any], None] | None = None, start: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._title, self._choices = title, list(choices)
        self._shown = self._choices
        self._narrow = narrow
        self._preview, self._start = preview, start
        self._waiting: Timer | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            if self._narrow:
                yield StillInput(placeholder=tr("type to narrow down"))
            yield OptionList(*self._options(), markup=False, compact=True)

    def _options(self) -> list[Option]:
        widest = max((len(choice.label) for choice in self._shown), default=0)
        options = []
        for at, choice in enumerate(self._shown, 1):
            digit = f"{at} " if at < 10 and not self._narrow else ""
            name = choice.label.ljust(widest + 2)
            options.append(Option(Content.assemble((digit, "$tuidock-muted"), name, (choice.hint, "$tuidock-muted"))))
        return options

    def on_mount(self) -> None:
        choices = self.query_one(OptionList)
        if choices.option_count:
            choices.highlighted = next((at for at, each in enumerate(self._shown) if each.value == self._start), 0)
        if not self._narrow:
            choices.focus()

    def on_key(self, event: events.Key) -> None:
        choices = self.query_one(OptionList)
        if event.key == "escape" or (event.key == "q" and not self._narrow):
            self.dismiss(None)
        elif event.key.isdigit() and not self._narrow and 0 < int(event.key) <= len(self._shown):
            self.dismiss(self._shown[int(event.key) - 1].value)
        elif event.key in ("down", "up") and self._narrow:
            choices.action_cursor_down() if event.key == "down" else choices.action_cursor_up()
        elif event.key in ("j", "k") and not self._narrow:
            choices.action_cursor_down() if event.key == "j" else choices.action_cursor_up()
        else:
            return
        event.stop()
        event.prevent_default()

    @on(OptionList.OptionHighlighted)
    def _looked_at(self, event: OptionList.OptionHighlighted) -> None:
        """Shows it when the cursor rests on it: a held key passes many."""
        event.stop()
        if self._waiting is not None:
            self._waiting.stop()
        if self._preview is not None:
            self._waiting = self.set_timer(PREVIEW_AFTER, self._show_preview)

    def _show_preview(self) -> None:
        at = self.query_one(OptionList).highlighted
        if self._preview is not None and self.is_current and at is not None and at < len(self._shown):
            self._preview(self._shown[at].value)

    @on(Input.Changed)
    def _narrowed(self, event: Input.Changed) -> None:
        self._shown = [each for each in self._choices if fuzzy(event.value, f"{each.label} {each.hint}")]
        choices = self.query_one(OptionList)
        choices.set_options(self._options())
        if self._shown:
            choices.highlighted = 0

    @on(Input.Submitted)
    def _entered(self) -> None:
        at = self.query_one(OptionList).highlighted
        if at is not None and at < len(self._shown):
            self.dismiss(self._shown[at].value)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self.is_current:
            self.dismiss(self._shown[event.option_index].value)
