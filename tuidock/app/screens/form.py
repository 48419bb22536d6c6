"""A form for one command of tuidock that shows the command line as it grows, so that it teaches what it does.

Each form is a table of fields and ticks; this screen lays them out, moves between them, completes names and paths,
complains inline, and stays open until what it has begun is accepted.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, Label, Static

from tuidock.app import paths, program, quoting
from tuidock.app.quoting import words
from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.screens.lines import Item, KeyLine, PressableLine
from tuidock.app.screens.prompt import CompleteFrom
from tuidock.app.screens.still_input import StillInput
from tuidock.app.screens.tick_box import TickBox
from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp


class Field(NamedTuple):
    """One input. flag is what each of its words is preceded by; "" stands for itself. path: "file" or "directory"
    completes names of files; secret is not shown and never part of the command line. many and words are read as a shell
    does, with quotes."""

    key: str
    label: str
    placeholder: str
    flag: str = ""
    many: bool = False
    half: bool = False
    secret: bool = False
    path: str = ""
    words: bool = False


class Tick(NamedTuple):
    """A box to tick."""

    key: str
    label: str
    on: bool = False


def flag_words(fields: Sequence[Field], values: Mapping[str, str]) -> list[str]:
    """The flags of all fields that have one and are filled in."""
    argv: list[str] = []
    for field in fields:
        text = values.get(field.key, "").strip()
        if field.flag and text:
            for word in words(text) if field.many else [text]:
                argv += [field.flag, word]
    return argv


class Form(ClosesOnce, ModalScreen[None]):
    """Fields, ticks, the command line, what is wrong with it, and the keys."""

    TITLE_TEXT: ClassVar[str] = ""
    VERB: ClassVar[str] = ""
    NOTE: ClassVar[str] = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()
    TICKS: ClassVar[tuple[Tick, ...]] = ()
    #: (what to do, key, label); the first is also what enter does in a form that `ENTER_GOES`, or in its last field.
    KEYS: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    ENTER_GOES: ClassVar[bool] = False

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._given = dict(values or {})
        self._busy = False

    @property
    def tuidock(self) -> TuidockApp:
        return cast("TuidockApp", self.app)

    # -- what a form says of itself -------------------------------------------------------------------------------

    def heading(self) -> str:
        return self.TITLE_TEXT

    def known(self, key: str) -> list[str]:
        """Names that may be meant in a field."""
        return []

    def argv(self) -> list[str]:
        """The words behind the verb."""
        return flag_words(self.FIELDS, self.values())

    def command_text(self) -> str:
        return f"tuidock {self.VERB} {shlex.join(self.argv())}".rstrip()

    def note(self) -> str:
        """What is to be known before it is done."""
        return self.NOTE

    def hint(self) -> str:
        """What stands behind the command line, and is not copied with it."""
        return ""

    def problem(self) -> str:
        """What is wrong with it while it is being typed."""
        return ""

    def go(self, what: str) -> None:
        """One of KEYS was pressed."""
        raise NotImplementedError

    # -- parts ----------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form"):
            yield Static(clean(tr(self.heading())), classes="dialog-title", markup=False)
            with VerticalScroll(id="fields", can_focus=False):
                pending: Field | None = None
                for field in self.FIELDS:
                    if field.half and pending is None:
                        pending = field
                        continue
                    with Horizontal(classes="field"):
                        if pending is not None:
                            yield from self._field(pending)
                            pending = None
                        yield from self._field(field)
                if self.TICKS:
                    with Horizontal(classes="field ticks"):
                        for tick in self.TICKS:
                            yield TickBox(tr(tick.label), tick.on, compact=True, id=tick.key)
            if note := self.note():
                yield Static(tr(note), classes="dialog-text", markup=False)
            yield Static("", id="command-line", markup=False)
            yield Static("", id="dialog-error", markup=False)
            yield KeyLine(id="dialog-keys")

    def _field(self, field: Field) -> ComposeResult:
        yield Label(tr(field.label), markup=False, classes="field-label")
        suggester = None
        if field.path:
            only = field.path == "directory"
            suggester = CompleteFrom(lambda text: paths.completions(text, only) if text else [])
        elif known := self.known(field.key):
            suggester = CompleteFrom(lambda text: known)
        yield StillInput(
            clean(self._given.get(field.key, "")), placeholder=tr(field.placeholder), id=f"field-{field.key}",
            suggester=suggester, select_on_focus=False, password=field.secret,
        )  # fmt: skip

    def on_mount(self) -> None:
        keys = [Item(what, tr(label), key) for what, key, label in self.KEYS]
        self.query_one("#dialog-keys", KeyLine).set_items([*keys, Item("back", tr("back"), "esc")])
        empty = next((each for each in self.FIELDS if not self._given.get(each.key)), self.FIELDS[0])
        self.field(self.first_field() or empty.key).focus()
        self._draw()

    def first_field(self) -> str:
        """Where the cursor is at the beginning; "" is the first empty field."""
        return ""

    def field(self, key: str) -> Input:
        return self.query_one(f"#field-{key}", Input)

    def values(self) -> dict[str, str]:
        return {field.key: self.field(field.key).value for field in self.FIELDS}

    def ticks(self) -> dict[str, bool]:
        return {each.id or "": each.value for each in self.query(Checkbox)}

    # -- keys -----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        self.query_one("#command-line", Static).update(clean(f"{self.command_text()}   {self.hint()}".rstrip()))
        self.complain(self.problem())

    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _changed(self) -> None:
        self._draw()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        if self.ENTER_GOES or event.input.id == f"field-{self.FIELDS[-1].key}":
            self._press(self.KEYS[0][0])
        else:
            self.focus_next()

    @on(PressableLine.Pressed)
    def _pressed(self, event: PressableLine.Pressed) -> None:
        event.stop()
        self._press(event.key)

    def on_key(self, event: events.Key) -> None:
        named = {key: what for what, key, _ in self.KEYS if key != "enter"} | {"escape": "back", "ctrl+c": "copy"}
        if event.key in ("up", "down") and isinstance(self.focused, Input | Checkbox):
            (self.focus_previous if event.key == "up" else self.focus_next)()
        elif event.key == "tab" and self._complete():
            pass
        elif event.key in named:
            self._press(named[event.key])
        else:
            return
        event.stop()
        event.prevent_default()

    def _complete(self) -> bool:
        """tab in a path goes on as a shell does; where there is nothing to add it goes to the next field."""
        focused = self.focused
        field = next((each for each in self.FIELDS if focused is not None and focused.id == f"field-{each.key}"), None)
        if field is None or not field.path or not isinstance(focused, Input) or not focused.value:
            return False
        longer = paths.common(paths.completions(focused.value, field.path == "directory"))
        if len(longer) <= len(focused.value):
            return False
        focused.value = longer
        focused.cursor_position = len(longer)
        return True

    def _press(self, what: str) -> None:
        if what == "back":
            self.dismiss(None)
        elif what == "copy":
            self.tuidock.copy(program.runnable(self.command_text(), self.tuidock.data_root), "the command")
        elif not self._busy and self.is_active and not self._unreadable():
            self.go(what)

    def _unreadable(self) -> bool:
        """Complains about a quote that is not closed: split at blanks it would mean something else."""
        for field in self.FIELDS:
            if (field.many or field.words) and (problem := quoting.fault(self.field(field.key).value)):
                self.complain(f"{field.label}: {problem}.")
                self.field(field.key).focus()
                return True
        return False

    # -- telling --------------------------------------------------------------------------------------------------

    def missing(self, key: str, text: str) -> bool:
        """Complains when a field is empty, and goes there."""
        if self.field(key).value.strip():
            return False
        self.complain(text)
        self.field(key).focus()
        return True

    def busy(self, text: str) -> None:
        """The engine was asked; until it answers nothing else can be begun."""
        self._busy = True
        self.complain(text, wrong=False)

    def ask_engine(self, call: Callable[[Any], Any], done: Callable[[Any], None], waiting: str = "") -> None:
        """Calls the engine; the form closes when it has done it, and stays with what it says otherwise."""
        self.busy(waiting)

        def accepted(value: Any) -> None:
            self._busy = False
            if self.is_current:
                self.dismiss(None)
            done(value)

        self.tuidock.engine_workers.ask_apart(call, accepted, lambda error, text: self.failed(text))

    def failed(self, text: str) -> None:
        """The engine has refused: the form stays, so that it can be set right."""
        self._busy = False
        if self.is_attached:
            self.complain(text)
        else:
            self.tuidock.say(text, "error")

    def complain(self, text: str, wrong: bool = True) -> None:
        error = self.query_one("#dialog-error", Static)
        text = clean(text)
        error.update(f"✖ {text}" if text and wrong else text)
        error.set_class(wrong, "-wrong")
        error.display = bool(text)
