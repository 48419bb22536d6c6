"""The question before something is lost: what goes, what may be ticked, and one key to say yes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.screens.lines import Item, KeyLine, PressableLine
from tuidock.app.screens.still_input import StillInput
from tuidock.app.words import tr


class Choice(NamedTuple):
    """Something to tick, by its key."""

    key: str
    label: str
    on: bool = False


class Answer(NamedTuple):
    """Yes, with what was ticked; remember: not to be asked again in this session."""

    ticked: frozenset[str]
    remember: bool = False


class ConfirmScreen(ClosesOnce, ModalScreen[Answer | None]):
    """A question with y and n. `refuse` gives a sentence when what is ticked cannot work; `expect` has to be typed
    when the loss is great."""

    def __init__(
        self,
        title: str,
        lines: Sequence[str] = (),
        *,
        yes: str = "yes",
        choices: Sequence[Choice] = (),
        expect: str = "",
        remember: bool = False,
        refuse: Callable[[frozenset[str]], str] | None = None,
    ) -> None:
        super().__init__()
        self._title, self._lines, self._yes = title, lines, yes
        self._choices = choices
        self._ticked = {choice.key for choice in choices if choice.on}
        self._expect, self._remember, self._refuse = expect, remember, refuse

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            if self._lines:
                yield Static("\n".join(self._lines), classes="dialog-text", markup=False)
            if self._choices:
                yield Static(self._choice_text(), id="choices", markup=False)
            if self._expect:
                yield StillInput(placeholder=tr("type {expect} to confirm", expect=self._expect), id="expect")
            if self._remember:
                yield Static(tr("Not asking again lasts for this session."), classes="dialog-text", markup=False)
            yield Static("", id="dialog-error", markup=False)
            yield KeyLine(id="dialog-keys")

    def on_mount(self) -> None:
        items = []
        if not self._expect:
            items.append(Item("y", self._yes, "y/enter"))
        else:
            items.append(Item("enter", self._yes, "enter"))
        if self._remember:
            items.append(Item("ctrl+a", tr("do not ask again"), "ctrl+a"))
        items.append(Item("n", tr("back"), "esc" if self._expect else "n/esc"))
        self.query_one(KeyLine).set_items(items)
        if self._expect:
            self.query_one(Input).focus()

    def _choice_text(self) -> str:
        return "\n".join(
            f"[{'x' if choice.key in self._ticked else ' '}] {choice.key}  {choice.label}" for choice in self._choices
        )

    def on_key(self, event: events.Key) -> None:
        if self._press(event.key):
            event.stop()
            event.prevent_default()

    @on(PressableLine.Pressed)
    def _pressed(self, event: PressableLine.Pressed) -> None:
        self._press(event.key)

    def _press(self, key: str) -> bool:
        typing = bool(self._expect) and isinstance(self.focused, Input)
        if key == "escape" or (key in ("n", "q") and not typing):
            self.dismiss(None)
        elif key == "enter" or (key == "y" and not typing):
            self._say_yes(False)
        elif key == "ctrl+a" and self._remember:
            self._say_yes(True)
        elif not typing and key in {choice.key for choice in self._choices}:
            self._ticked ^= {key}
            self.query_one("#choices", Static).update(self._choice_text())
            self._complain("")
        else:
            return False
        return True

    @on(Input.Submitted)
    def _entered(self) -> None:
        self._say_yes(False)

    def _say_yes(self, remember: bool) -> None:
        ticked = frozenset(self._ticked)
        problem = self._refuse(ticked) if self._refuse is not None else ""
        if self._expect and self.query_one(Input).value.strip() != self._expect:
            problem = tr("Type {expect} and press enter, or esc to go back.", expect=self._expect)
        if problem:
            self._complain(problem)
            return
        if self.is_current:
            self.dismiss(Answer(ticked, remember))

    def _complain(self, text: str) -> None:
        error = self.query_one("#dialog-error", Static)
        error.update(text)
        error.display = bool(text)
