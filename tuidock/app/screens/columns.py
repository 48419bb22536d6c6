"""Which columns a list shows and in which order: boxes to tick and to move, and the list below follows at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tuidock.app.lists import ALWAYS
from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.screens.lines import Item, KeyLine, PressableLine
from tuidock.app.widgets.rows import Column
from tuidock.app.words import tr


class ColumnsScreen(ClosesOnce, ModalScreen[None]):
    """space or enter ticks, J and K move, esc closes. `changed` is called with the keys of all columns in their order and
    with the hidden ones after each change; `standard` gives both as they are when nobody has chosen."""

    def __init__(
        self,
        columns: Sequence[Column],
        order: Sequence[str],
        hidden: frozenset[str],
        standard: tuple[Sequence[str], frozenset[str]],
        changed: Callable[[tuple[str, ...], frozenset[str]], None],
    ) -> None:
        super().__init__()
        self._known = {each.key: each for each in columns}
        self._order, self._hidden = self._complete(order), set(hidden)
        self._standard, self._changed = standard, changed

    def _complete(self, order: Sequence[str]) -> list[str]:
        named = [key for key in order if key in self._known]
        return named + [key for key in self._known if key not in named]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(tr("Columns"), classes="dialog-title", markup=False)
            yield OptionList(*(Option(self._line(key)) for key in self._order), markup=False, compact=True)
            yield Static(
                tr("\nWhat does not fit is left out, the least important first."), classes="dialog-text", markup=False
            )
            yield KeyLine(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one(KeyLine).set_items(
            [
                Item("space", tr("show or hide"), "space"),
                Item("K", tr("up"), "K"),
                Item("J", tr("down"), "J"),
                Item("r", tr("as it was"), "r"),
                Item("escape", tr("back"), "esc"),
            ]
        )
        choices = self.query_one(OptionList)
        choices.highlighted = next((at for at, key in enumerate(self._order) if key not in ALWAYS), 0)
        choices.focus()

    def _line(self, key: str) -> Content:
        mark = " " if key in self._hidden else "x"
        hint = "always" if key in ALWAYS else ""
        return Content.assemble(f"[{mark}] {self._known[key].title:<10}", (hint, "$tuidock-muted"))

    def _draw(self, cursor: int) -> None:
        choices = self.query_one(OptionList)
        for at, key in enumerate(self._order):
            choices.replace_option_prompt_at_index(at, self._line(key))
        choices.highlighted = cursor
        self._changed(tuple(self._order), frozenset(self._hidden))

    def _toggle(self, at: int) -> None:
        if self._order[at] not in ALWAYS:
            self._hidden ^= {self._order[at]}
            self._draw(at)

    def _move(self, at: int, step: int) -> None:
        to = at + step
        if 0 <= to < len(self._order):
            self._order[at], self._order[to] = self._order[to], self._order[at]
            self._draw(to)

    def _press(self, key: str) -> bool:
        at = self.query_one(OptionList).highlighted
        if key in ("escape", "q", "C"):
            self.dismiss(None)
        elif at is None:
            return False
        elif key == "space":
            self._toggle(at)
        elif key in ("J", "shift+down", "K", "shift+up"):
            self._move(at, 1 if key in ("J", "shift+down") else -1)
        elif key == "r":
            self._order, self._hidden = self._complete(self._standard[0]), set(self._standard[1])
            self._draw(at)
        else:
            return False
        return True

    def on_key(self, event: events.Key) -> None:
        choices = self.query_one(OptionList)
        if event.key in ("j", "k"):
            choices.action_cursor_down() if event.key == "j" else choices.action_cursor_up()
        elif not self._press(event.key):
            return
        event.stop()
        event.prevent_default()

    @on(PressableLine.Pressed)
    def _pressed(self, event: PressableLine.Pressed) -> None:
        self._press(event.key)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._toggle(event.option_index)
