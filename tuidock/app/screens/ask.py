"""A dialog that asks for one or more short texts, such as a new name or a tag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.screens.lines import Item, KeyLine, PressableLine
from tuidock.app.screens.prompt import CompleteFrom
from tuidock.app.screens.still_input import StillInput
from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp


class Question(NamedTuple):
    """One text to ask for."""

    label: str
    value: str = ""
    placeholder: str = ""
    required: bool = True
    known: Sequence[str] = ()
    secret: bool = False


class AskScreen(ClosesOnce, ModalScreen[list[str] | None]):
    """Gives the texts, or None. With `go` the dialog stays until that has been accepted: it gets dialog and texts, and
    ends in `done` or `failed`."""

    def __init__(
        self, title: str, questions: Sequence[Question], *, yes: str = "ok", note: str = "",
        go: Callable[[AskScreen, list[str]], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._go, self._busy = go, False
        self._title, self._questions, self._yes, self._note = title, questions, yes, note

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            widest = max(len(question.label) for question in self._questions) + 2
            for question in self._questions:
                with Horizontal(classes="field"):
                    label = Label(question.label, markup=False)
                    label.styles.width = widest
                    yield label
                    known = list(question.known)
                    suggester = CompleteFrom(lambda text, known=known: known) if known else None  # type: ignore[misc]
                    yield StillInput(
                        question.value, placeholder=question.placeholder, suggester=suggester, password=question.secret
                    )
            if self._note:
                yield Static(self._note, classes="dialog-text", markup=False)
            yield Static("", id="dialog-error", markup=False)
            yield KeyLine(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one(KeyLine).set_items([Item("enter", self._yes, "enter"), Item("escape", tr("back"), "esc")])
        self.query(Input).first().focus()

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            self.dismiss(None)

    @on(PressableLine.Pressed)
    def _pressed(self, event: PressableLine.Pressed) -> None:
        if event.key == "escape":
            self.dismiss(None)
        else:
            self._entered()

    @on(Input.Submitted)
    def _entered(self) -> None:
        values = [field.value.strip() for field in self.query(Input)]
        for question, value, field in zip(self._questions, values, self.query(Input), strict=True):
            if question.required and not value:
                if self.focused is field:
                    self.failed(tr("{label} is missing.", label=question.label))
                field.focus()
                return
        if self._go is None:
            self.dismiss(values)
        elif self.is_active and not self._busy:
            self._busy = True
            self._go(self, values)

    def ask_engine(self, call: Callable[[Any], Any], done: Callable[[Any], None]) -> None:
        """Calls the engine; when it refuses, the dialog says so and stays."""

        def accepted(value: Any) -> None:
            self.dismiss(None)
            done(value)

        app = cast("TuidockApp", self.app)
        app.engine_workers.ask_apart(call, accepted, lambda error, text: self.failed(text))

    def failed(self, text: str) -> None:
        """It was refused: the texts stay, to be set right."""
        self._busy = False
        if not self.is_attached:
            cast("TuidockApp", self.app).say(text, "error")
            return
        error = self.query_one("#dialog-error", Static)
        error.update(f"✖ {clean(text)}")
        error.display = True
