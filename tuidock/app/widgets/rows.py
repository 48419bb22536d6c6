"""Columns, rows and cells of a table, and how columns share the width: values without a screen.

Widths are fixed numbers, never measured from the content, because measuring makes every update touch every row. A
terminal too narrow for all columns drops whole columns, the least important first, so that what is left stays readable.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, NamedTuple

from rich.cells import cell_len, set_cell_size

from tuidock.engine.clean import clean

Align = Literal["left", "right"]
#: Names that a cell or row may carry as its style; a theme gives them colours.
STYLES = ("", "muted", "good", "warn", "bad", "accent", "busy")
GUTTER = 2
#: Columns of this priority are nice to have: they go before a more important one is cut short.
EXTRA = 5


class Cell(NamedTuple):
    """A text and the name of its style."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """priority 0 is never dropped, the highest number goes first; want is the width that its texts need, which comes
    before columns of a priority of EXTRA and more; grow is the share of width left over."""

    key: str
    title: str
    width: int
    align: Align = "left"
    priority: int = 0
    grow: int = 0
    sortable: bool = True
    want: int = 0


class Row(NamedTuple):
    """One line. sort_keys has one value per column where texts do not sort as their values do (sizes, ages)."""

    key: str
    cells: tuple[Cell | str, ...]
    sort_keys: tuple[Any, ...] = ()
    style: str = ""

    def cell(self, index: int) -> Cell:
        if index >= len(self.cells):
            return Cell("")
        cell = self.cells[index]
        return cell if isinstance(cell, Cell) else Cell(cell)

    def sort_key(self, index: int) -> tuple[int, Any]:
        """Numbers before words before nothing at all, so that mixed columns never raise."""
        value = self.sort_keys[index] if index < len(self.sort_keys) else self.cell(index).text.casefold()
        if value is None or value == "" or value == "-":
            return (2, "")
        return (0, value) if isinstance(value, (int, float)) else (1, str(value))


class Placed(NamedTuple):
    """A column that is shown: its number among all columns, its first cell on screen and its width there."""

    number: int
    column: Column
    x: int
    width: int


def place(
    columns: Sequence[Column], width: int, gutter: int = GUTTER, hidden: Collection[str] = (), order: Sequence[str] = ()
) -> list[Placed]:
    """The columns that fit into the width, with their places; one blank stands between two columns. order are keys of
    columns that come first, in this order."""
    shown = [i for i, column in enumerate(columns) if column.key not in hidden]
    if order:
        rank = {key: at for at, key in enumerate(order)}
        shown.sort(key=lambda i: rank.get(columns[i].key, len(rank)))
    room = max(1, width - gutter)

    wanted = {i: max(column.width, column.want) for i, column in enumerate(columns)}

    def need(widths: dict[int, int]) -> int:
        return sum(widths[i] for i in shown) + max(0, len(shown) - 1)

    def drop(widths: dict[int, int], down_to: int) -> None:
        while len(shown) > 1 and need(widths) > room:
            least = max(shown, key=lambda i: (columns[i].priority, i))
            if columns[least].priority < down_to:
                return
            shown.remove(least)

    drop(wanted, EXTRA)
    given = {i: column.width for i, column in enumerate(columns)}
    drop(given, 1)
    spare = room - need(given)
    for i in shown:
        more = max(0, min(wanted[i] - given[i], spare))
        given[i] += more
        spare -= more
    growing = [i for i in shown if columns[i].grow]
    if spare > 0 and growing:
        shares = sum(columns[i].grow for i in growing)
        left = spare
        for i in growing:
            more = spare * columns[i].grow // shares
            given[i] += more
            left -= more
        given[growing[0]] += left
    placed, x = [], gutter
    for i in shown:
        cells = min(given[i], max(0, width - x))
        if cells <= 0:
            break
        placed.append(Placed(i, columns[i], x, cells))
        x += cells + 1
    return placed


def fit(text: str, width: int, align: Align = "left", ellipsis: str = "…") -> str:
    """The text, cleaned, in exactly so many terminal cells."""
    text = clean(text)
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        if width <= len(ellipsis):
            return set_cell_size(text, width)
        return set_cell_size(text, width - len(ellipsis)) + ellipsis
    blank = " " * (width - length)
    return blank + text if align == "right" else text + blank
