"""The processes of a container: a table with columns to choose, and a key that sends a signal to one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tuidock.app.widgets.plain_table import PlainTable


class ProcessTable(PlainTable):
    """Rows by pid; the busiest first until another order is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+k,K,enter", "kill", "signal", show=False, id="top.kill"),
        Binding("C", "columns", "columns", show=False, id="top.columns"),
    ]

    class Kill(Message):
        """A signal is to be sent to the process under the cursor."""

        def __init__(self, table: ProcessTable, pid: int, command: str) -> None:
            super().__init__()
            self.table, self.pid, self.command = table, pid, command

    def action_kill(self) -> None:
        row = self.row(self.cursor_key or "")
        if row is not None and row.key.isdigit():
            self.post_message(self.Kill(self, int(row.key), row.cell(len(self.columns) - 1).text))

    def action_columns(self) -> None:
        from tuidock.app.screens.columns import ColumnsScreen

        self.app.push_screen(
            ColumnsScreen(self.columns, self._order, self._hidden, ((), frozenset()), self.arrange_columns)
        )

    def arrange_columns(self, order: Iterable[str], hidden: Iterable[str]) -> None:
        self._order, self._hidden = tuple(order), frozenset(hidden) - {"pid"}
        self._layout_columns()
