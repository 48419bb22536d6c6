"""A table in which nothing is marked: what is under the cursor is what is acted on."""

from __future__ import annotations

from typing import ClassVar

from tuidock.app.widgets.line_table import LineTable


class PlainTable(LineTable):
    """A LineTable without marks. `o` belongs to the screen when there is nothing to sort by."""

    #: The action of the screen that space does here, which marks elsewhere; "" for none.
    SPACE: ClassVar[str] = ""

    def toggle_mark(self, key: str | None = None) -> None:
        """Nothing is marked here."""

    def mark_all(self) -> None:
        """Nothing is marked here."""

    def action_mark(self) -> None:
        if self.SPACE:
            getattr(self.screen, f"action_{self.SPACE}")()

    def action_range(self) -> None:
        """Nothing is marked here."""

    def action_clear_marks(self) -> None:
        """Nothing is marked here."""

    def action_sort_next(self) -> None:
        sort = getattr(self.screen, "action_sort", None)
        if sort is not None and not any(column.sortable for column in self.columns):
            sort()
        else:
            super().action_sort_next()
