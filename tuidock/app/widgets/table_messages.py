"""What a table says to its screen; handlers are named on_line_table_...."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from tuidock.app.widgets.line_table import LineTable


class TableMessage(Message):
    """Base of what a table says."""

    def __init__(self, table: LineTable) -> None:
        super().__init__()
        self.table = table

    @property
    def control(self) -> LineTable:
        return self.table


class TableMessages:
    """Mixed into LineTable, so that they are LineTable.CursorMoved and so on."""

    class CursorMoved(TableMessage, namespace="line_table"):
        """The cursor stands on another key (None: the table is empty)."""

        def __init__(self, table: LineTable, key: str | None) -> None:
            super().__init__(table)
            self.key = key

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, TableMessages.CursorMoved) and message.table is self.table

    class RowSelected(TableMessage, namespace="line_table"):
        """Enter, or a click on the row under the cursor."""

        def __init__(self, table: LineTable, key: str) -> None:
            super().__init__(table)
            self.key = key

    class MarksChanged(TableMessage, namespace="line_table"):
        """The set of marked keys changed."""

        def __init__(self, table: LineTable, marks: frozenset[str]) -> None:
            super().__init__(table)
            self.marks = marks

    class HeaderClicked(TableMessage, namespace="line_table"):
        """A title was clicked; the table has already sorted by it."""

        def __init__(self, table: LineTable, column_key: str) -> None:
            super().__init__(table)
            self.column_key = column_key

    class VisibleChanged(TableMessage, namespace="line_table"):
        """Other rows are on screen now: what is worth sampling."""

        def __init__(self, table: LineTable, keys: tuple[str, ...]) -> None:
            super().__init__(table)
            self.keys = keys
