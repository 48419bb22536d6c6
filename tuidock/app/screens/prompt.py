"""The line at the foot in which a person types: a command after `:`, a filter or a search after `/`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.suggester import Suggester
from textual.widgets import Input, Label

from tuidock.app.paths import common
from tuidock.app.screens.still_input import StillInput

if TYPE_CHECKING:
    from textual.widget import Widget

Completer = Callable[[str], Sequence[str]]
#: Columns that a hint leaves for what is typed.
MOST_TYPED = 16


class CompleteFrom(Suggester):
    """Suggests what a function knows about the text so far."""

    def __init__(self, completer: Completer) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._completer = completer

    async def get_suggestion(self, value: str) -> str | None:
        return next((each for each in self._completer(value) if each.startswith(value) and each != value), None)


class PromptLine(Horizontal):
    """A label and an input. It says nothing by messages but calls what it was opened with, because one line serves
    for several purposes one after the other."""

    DEFAULT_CSS = """
    PromptLine { height: 1; dock: bottom; background: $surface; }
    PromptLine Label { width: auto; color: $accent; text-style: bold; }
    PromptLine Input { width: 1fr; border: none; height: 1; padding: 0; background: $surface; }
    PromptLine #prompt-note { color: $tuidock-muted; text-style: none; padding: 0 1; }
    PromptLine #prompt-note.-wrong { color: $text-error; }
    PromptLine.-tall { height: 2; }
    PromptLine.-tall #prompt-note { dock: top; width: 100%; padding: 0; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS = [
        Binding("escape", "cancel", "back", show=False),
        Binding("tab", "complete", "complete", show=False),
        Binding("up", "older", show=False),
        Binding("down", "newer", show=False),
        Binding("ctrl+c", "cancel", show=False),
    ]

    def __init__(
        self,
        label: str,
        submitted: Callable[[str], None],
        *,
        value: str = "",
        changed: Callable[[str], str] | None = None,
        check: Callable[[str], str] | None = None,
        cancelled: Callable[[], None] | None = None,
        completer: Completer | None = None,
        past: list[str] | None = None,
        note: str = "",
    ) -> None:
        super().__init__(id="prompt")
        self._label, self._value, self._note = label, value, note
        self._submitted, self._changed, self._cancelled = submitted, changed, cancelled
        self._check = check
        self._completer = completer
        self._offers: list[str] = []  # what tab goes through, the one that is shown first
        self._past = past if past is not None else []
        self._at = len(self._past)
        self._before: Widget | None = None
        self._ended = False
        self._early: list[events.Key] | None = []

    def compose(self) -> ComposeResult:
        yield Label(self._label, markup=False)
        suggester = CompleteFrom(self._completer) if self._completer is not None else None
        yield StillInput(self._value, select_on_focus=False, suggester=suggester)
        yield Label(self._note, id="prompt-note", markup=False)

    def on_mount(self) -> None:
        self._before = self.screen.focused
        self.query_one(Input).focus()
        self.set_note(self._note)
        early, self._early = self._early or [], None
        for event in early:
            self.take(event)

    def take(self, event: events.Key) -> bool:
        """A key that reached the app. What is typed fast, pasted, or comes over a slow line in one piece was on its
        way before the line had the focus, and belongs to it all the same; True when it has been taken."""
        if self._ended:
            return False
        if self._early is not None:
            self._early.append(event)
            return True
        field = self.query_one(Input)
        if event.is_printable and event.character is not None:
            field.insert_text_at_cursor(event.character)
        elif field.has_focus:
            return False
        elif event.key == "enter":
            self.call_later(field.action_submit)
        elif event.key == "backspace":
            field.action_delete_left()
        elif event.key in ("escape", "ctrl+c"):
            self.action_cancel()
        return True

    def set_note(self, text: str, wrong: bool = False) -> None:
        """Beside what is typed while there is room. Then a hint goes, and what is wrong gets a line of its own."""
        note = self.query_one("#prompt-note", Label)
        typed = len(self._label) + max(MOST_TYPED, len(self.query_one(Input).value) + 1)
        fits = typed + len(text) + 2 <= self.app.size.width
        note.update(text)
        note.display = bool(text) and (fits or wrong)
        note.set_class(wrong, "-wrong")
        self.set_class(wrong and not fits, "-tall")
        self._note = "" if wrong else text

    def on_resize(self) -> None:
        if self._note:
            self.set_note(self._note)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._ended:
            return
        problem = self._changed(event.value) if self._changed is not None else ""
        if problem:
            self.set_note(problem, wrong=True)
        elif event.value != self._value:
            self.set_note("" if self._changed is not None else self._note)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self._ended:
            return
        text = event.value
        if self._check is not None and (problem := self._check(text)):
            self.set_note(problem, wrong=True)
            return
        if text.strip() and (not self._past or self._past[-1] != text):
            self._past.append(text)
        # Not from here: a dialog that this line opens would answer to a line that is gone.
        self.screen.call_later(self._submitted, text)
        self._close()

    def action_cancel(self) -> None:
        if self._ended:
            return
        self._close()
        if self._cancelled is not None:
            self._cancelled()

    def action_complete(self) -> None:
        field = self.query_one(Input)
        found = list(self._completer(field.value)) if self._completer is not None else []
        if self._offers and field.value == self._offers[0]:
            self._offers = [*self._offers[1:], self._offers[0]]
        else:
            self._offers = [each for each in found if each.startswith(field.value)]
            if len(longer := common(self._offers)) > len(field.value):
                self._offers, field.value = [], longer
        if self._offers:
            field.value = self._offers[0]
        field.cursor_position = len(field.value)

    def _recall(self, step: int) -> None:
        if not self._past:
            return
        self._at = max(0, min(len(self._past), self._at + step))
        field = self.query_one(Input)
        field.value = self._past[self._at] if self._at < len(self._past) else ""
        field.cursor_position = len(field.value)

    def action_older(self) -> None:
        self._recall(-1)

    def action_newer(self) -> None:
        self._recall(1)

    def _close(self) -> None:
        self._ended = True
        before = self._before
        if before is not None and before.is_attached and before.display:
            before.focus()
        self.remove()


def open_line(screen: Widget, prompt: PromptLine) -> None:
    """One line at a time."""
    for old in screen.query(PromptLine):
        old.action_cancel()
    screen.mount(prompt)
