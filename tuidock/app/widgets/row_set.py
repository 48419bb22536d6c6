"""The rows of a table in their order: sorting, hiding and finding by key, without a screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuidock.app.widgets.rows import Cell, Column, Row


class RowSet:
    """Rows by key; `shown` is the list of keys in display order without the hidden ones."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._rows: dict[str, Row] = {}
        self._positions: dict[str, int] = {}
        self._predicate: Callable[[Row], bool] | None = None
        self.shown: list[str] = []
        self.sort_column = ""
        self.reverse = False
        self.set_columns(columns)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def set_columns(self, columns: Sequence[Column]) -> None:
        self._index = {column.key: i for i, column in enumerate(columns)}
        if self.sort_column not in self._index:
            self.sort_column = ""

    def get(self, key: str | None) -> Row | None:
        return self._rows.get(key) if key is not None else None

    def position(self, key: str | None) -> int:
        return self._positions.get(key, -1) if key is not None else -1

    def between(self, one: str | None, other: str | None) -> list[str]:
        """The shown keys from one to the other, both included."""
        first, last = sorted((self.position(one), self.position(other)))
        return self.shown[first : last + 1] if first >= 0 else []

    def replace(self, rows: Sequence[Row]) -> None:
        self._rows = {row.key: row for row in rows}
        self.resort()

    def put(self, row: Row, keep_order: bool = False) -> None:
        known = row.key in self._rows
        changes = not keep_order and (not known or self.place_changes(self._rows[row.key], row))
        self._rows[row.key] = row
        if changes:
            self.resort()

    def remove(self, key: str) -> None:
        if self._rows.pop(key, None) is not None:
            self.resort()

    def with_cells(self, row: Row, cells: Mapping[str, Cell | str], sort_keys: Mapping[str, Any]) -> Row:
        """The row with some cells and the values that they sort by replaced."""
        changed: list[Cell | str] = list(row.cells)
        for column_key, cell in cells.items():
            index = self._index.get(column_key)
            if index is not None:
                changed += [Cell("")] * (index + 1 - len(changed))
                changed[index] = cell
        values = list(row.sort_keys)
        if sort_keys:
            values += [row.sort_key(i)[1] for i in range(len(values), len(changed))]
            for column_key, value in sort_keys.items():
                if column_key in self._index:
                    values[self._index[column_key]] = value
        return row._replace(cells=tuple(changed), sort_keys=tuple(values))

    def place_changes(self, old: Row, new: Row) -> bool:
        """Whether the row would move or be hidden or shown."""
        if self._predicate is not None and self._predicate(old) != self._predicate(new):
            return True
        index = self._index.get(self.sort_column)
        return index is not None and old.sort_key(index) != new.sort_key(index)

    def sort_by(self, column_key: str, reverse: bool) -> None:
        self.sort_column = column_key if column_key in self._index else ""
        self.reverse = reverse
        self.resort()

    def set_predicate(self, predicate: Callable[[Row], bool] | None) -> None:
        self._predicate = predicate
        self.resort()

    def resort(self) -> None:
        rows = list(self._rows.values())
        if self._predicate is not None:
            rows = [row for row in rows if self._predicate(row)]
        index = self._index.get(self.sort_column)
        if index is not None:
            column = index
            rows.sort(key=lambda row: row.sort_key(column), reverse=self.reverse)
        elif self.reverse:
            rows.reverse()
        self.shown = [row.key for row in rows]
        self._positions = {key: i for i, key in enumerate(self.shown)}
