"""Groups of rows below headers that fold; the order is made in `row_set`, the state is in `line_table`."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tuidock.app.widgets.row_set import HEADER, Grouping, RowSet

if TYPE_CHECKING:
    from tuidock.app.widgets.line_table import LineTable


class TableGroups:
    """Mixed into LineTable, whose state it uses."""

    _rows: RowSet
    _cursor: str | None

    @property
    def on_header(self) -> bool:
        """The cursor is on the header of a group."""
        return self._rows.is_header(self._cursor)

    def is_header(self, key: str | None) -> bool:
        return self._rows.is_header(key)

    def members(self, header: str | None) -> list[str]:
        """The rows of a group that the filter lets through, folded or not."""
        return self._rows.members(header)

    @property
    def grouped(self) -> bool:
        return self._rows.grouped

    def group_with(self: LineTable, grouping: Grouping | None, folded: Collection[str] = ()) -> None:  # type: ignore[misc]
        """Puts rows together below headers; None takes them apart."""
        self._change(lambda: self._rows.group_with(grouping, folded))

    @property
    def folded(self) -> frozenset[str]:
        """Names of the groups of which only the header is shown."""
        return frozenset(self._rows.folded)

    def toggle_fold(self: LineTable, header: str) -> None:  # type: ignore[misc]
        name = header.removeprefix(HEADER)
        self._change(lambda: self._rows.fold(self._rows.folded ^ {name}))

    def fold_all(self: LineTable, on: bool) -> None:  # type: ignore[misc]
        names = [key.removeprefix(HEADER) for key in self._rows.groups] if on else []
        self._change(lambda: self._rows.fold(names))

    def renew_headers(self: LineTable) -> None:  # type: ignore[misc]
        """Draws counts and sums of groups anew; to be called when a number of rows have been updated."""
        for key, old, new in self._rows.renew_headers():
            self._refresh_cells(key, old, new)
