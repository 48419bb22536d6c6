"""Which columns a list shows: boxes to tick, and the list below follows at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tuidock.app.columns import ALWAYS
from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.screens.lines import Item, KeyLine, PressableLine
from tuidock.app.widgets.rows import Column


class ColumnsScreen(ClosesOnce, ModalScreen[None]):
    """space or enter ticks, esc closes. `changed` is called with the key of each column that was ticked or unticked."""

    def __init__(self, columns: Sequence[Column], hidden: set[str], changed: Callable[[str], None]) -> None:
        super().__init__()
        self._columns = columns
        self._hidden, self._changed = hidden, changed

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Columns", classes="dialog-title", markup=False)
            yield OptionList(*(Option(self._line(each)) for each in self._columns), markup=False, compact=True)
            yield Static("\nWhat does not fit is left out, from the right.", classes="dialog-text", markup=False)
            yield KeyLine(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one(KeyLine).set_items([Item("space", "show or hide", "space"), Item("escape", "back", "esc")])
        choices = self.query_one(OptionList)
        first = next((at for at, each in enumerate(self._columns) if each.key not in ALWAYS), 0)
        choices.highlighted = first
        choices.focus()

    def _line(self, column: Column) -> Content:
        mark = " " if column.key in self._hidden else "x"
        hint = "always" if column.key in ALWAYS else ""
        return Content.assemble(f"[{mark}] {column.title:<10}", (hint, "$tuidock-muted"))

    def _toggle(self, at: int) -> None:
        column = self._columns[at]
        if column.key in ALWAYS:
            return
        self._changed(column.key)
        self.query_one(OptionList).replace_option_prompt_at_index(at, self._line(column))

    def on_key(self, event: events.Key) -> None:
        choices = self.query_one(OptionList)
        if event.key in ("escape", "q", "C"):
            self.dismiss(None)
        elif event.key == "space" and choices.highlighted is not None:
            self._toggle(choices.highlighted)
        elif event.key in ("j", "k"):
            choices.action_cursor_down() if event.key == "j" else choices.action_cursor_up()
        else:
            return
        event.stop()
        event.prevent_default()

    @on(PressableLine.Pressed)
    def _pressed(self, event: PressableLine.Pressed) -> None:
        if event.key == "escape":
            self.dismiss(None)
        elif (at := self.query_one(OptionList).highlighted) is not None:
            self._toggle(at)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._toggle(event.option_index)
