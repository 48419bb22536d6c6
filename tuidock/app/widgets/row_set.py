"""The rows of a table in their order: sorting, hiding, grouping and finding by key, without a screen.

Grouped rows stand below a header line of their group, which is a row like others to whoever draws: it has a key and cells.
It is none to whoever counts, marks or sorts: those see the rows of the group.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from tuidock.app.widgets.rows import Cell, Column, Row

#: What the key of a group's header begins with; no name or id holds a NUL.
HEADER = "group\0"


class Grouping(NamedTuple):
    """How rows are put together: the group of a row, "" for those that belong to none, which come last; and the header
    line of a group, made of its name, its rows and whether it is folded."""

    group_of: Callable[[Row], str]
    header: Callable[[str, Sequence[Row], bool], Row]


class RowSet:
    """Rows by key; `shown` is the list of keys in display order with the headers of groups, without what is filtered away
    or folded; `passing` are the rows that the filter lets through, folded or not."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._rows: dict[str, Row] = {}
        self._positions: dict[str, int] = {}
        self._predicate: Callable[[Row], bool] | None = None
        self._grouping: Grouping | None = None
        self._group_at: dict[str, str] = {}
        self._headers: dict[str, Row] = {}
        self._members: dict[str, list[str]] = {}
        self._stale: set[str] = set()
        self.folded: set[str] = set()
        self.shown: list[str] = []
        self.passing: list[str] = []
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
        """The row, or the header of a group."""
        if key is None:
            return None
        return self._rows.get(key) or self._headers.get(key)

    def position(self, key: str | None) -> int:
        return self._positions.get(key, -1) if key is not None else -1

    def between(self, one: str | None, other: str | None) -> list[str]:
        """The shown rows from one key to the other, both included."""
        first, last = sorted((self.position(one), self.position(other)))
        return [key for key in self.shown[first : last + 1] if key in self._rows] if first >= 0 else []

    def replace(self, rows: Sequence[Row]) -> None:
        self._rows = {row.key: row for row in rows}
        self.resort()

    def put(self, row: Row, keep_order: bool = False) -> None:
        known = row.key in self._rows
        changes = not keep_order and (not known or self.place_changes(self._rows[row.key], row))
        self._rows[row.key] = row
        if self._grouping is not None:
            self._stale.add(self._group_at.get(row.key, ""))
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
        if self._grouping is not None and self._grouping.group_of(new) != self._group_at.get(new.key):
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
        self.passing = [row.key for row in rows]
        self.shown = self._by_groups(rows) if self._grouping is not None else self.passing
        self._positions = {key: i for i, key in enumerate(self.shown)}

    # Groups

    def group_with(self, grouping: Grouping | None, folded: Collection[str] = ()) -> None:
        """Puts rows together from now on; folded are names of groups of which only the header is shown."""
        self._grouping, self.folded = grouping, set(folded)
        self._group_at, self._headers, self._members = {}, {}, {}
        self.resort()

    @property
    def grouped(self) -> bool:
        return self._grouping is not None

    @property
    def groups(self) -> list[str]:
        """Keys of the headers in their order."""
        return list(self._headers)

    def _by_groups(self, rows: Sequence[Row]) -> list[str]:
        assert self._grouping is not None
        together: dict[str, list[Row]] = {}
        for row in rows:
            together.setdefault(self._grouping.group_of(row), []).append(row)
        self._group_at = {row.key: name for name, each in together.items() for row in each}
        self._headers, self._members = {}, {}
        self._stale.clear()
        shown: list[str] = []
        for name in sorted(together, key=lambda name: (not name, name.casefold(), name)):
            key = HEADER + name
            self._members[key] = [row.key for row in together[name]]
            self._headers[key] = self._grouping.header(name, together[name], name in self.folded)._replace(key=key)
            shown.append(key)
            if name not in self.folded:
                shown += self._members[key]
        return shown

    def is_header(self, key: str | None) -> bool:
        return key in self._headers

    def header_of(self, key: str | None) -> str:
        """The key of the header above a row; "" without groups."""
        name = self._group_at.get(key) if key is not None else None
        return HEADER + name if name is not None else ""

    def members(self, header: str | None) -> list[str]:
        """The rows of a group that the filter lets through, folded or not."""
        return self._members.get(header, []) if header is not None else []

    def fold(self, names: Collection[str]) -> None:
        """Shows only the headers of exactly these groups."""
        self.folded = set(names)
        self.resort()

    def renew_headers(self) -> list[tuple[str, Row, Row]]:
        """Headers of groups whose rows have changed, as (key, before, now)."""
        stale, self._stale = self._stale, set()
        changed: list[tuple[str, Row, Row]] = []
        if self._grouping is None:
            return changed
        for name in stale:
            key = HEADER + name
            old = self._headers.get(key)
            if old is None:
                continue
            rows = [self._rows[each] for each in self._members[key]]
            new = self._grouping.header(name, rows, name in self.folded)._replace(key=key)
            if new != old:
                self._headers[key] = new
                changed.append((key, old, new))
        return changed
