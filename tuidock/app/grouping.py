"""Groups of a list: by which property, in which group a row is, and the line that stands above a group.

A list is grouped by one of the words below or by any label. Pure, because the first frame draws groups, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from tuidock.app import format as shown
from tuidock.app.format import PROJECT
from tuidock.app.model import CONTAINERS, IMAGES, NETWORKS, VOLUMES, Row
from tuidock.app.widgets.row_set import HEADER, Grouping
from tuidock.app.widgets.rows import Cell, Column
from tuidock.app.widgets.rows import Row as Line
from tuidock.app.words import tr
from tuidock.engine.types import Container, Image, Network, Volume

#: The words by which each list can be grouped, in the order in which the key steps through them; labels beside them.
WORDS = {
    CONTAINERS: ("project", "network", "state", "image"),
    IMAGES: ("repository", "state"),
    VOLUMES: ("project", "state", "driver"),
    NETWORKS: ("project", "driver"),
}
#: Columns whose numbers are added up, and how the sum is written.
_SUMS: dict[str, Callable[[float], str]] = {
    "cpu": lambda value: f"{value:.1f}%",
    "memory": lambda value: shown.size(int(value)),
    "size": lambda value: shown.size(int(value)),
    "pids": lambda value: f"{value:.0f}",
    "restarts": lambda value: f"{value:.0f}" if value else "",
}


def label_of(by: str) -> str:
    """The label that a list is grouped by; "" for the other words."""
    return PROJECT if by == "project" else by.removeprefix("label:") if "label:" in by else ""


def meant(kind: str, typed: str) -> str:
    """The word or `label:NAME` that a person means; "" for none."""
    if typed in ("", "none", "off", "-"):
        return ""
    if typed in WORDS[kind] or typed.startswith("label:"):
        return typed
    return "project" if typed == PROJECT else f"label:{typed}"


def words(by: str) -> str:
    """For the title of the list."""
    return by.removeprefix("label:")


def group_of(row: Row, by: str) -> str:
    """The name of the group; "" when it belongs to none."""
    if label := label_of(by):
        return row.labels.get(label, "")
    if by == "state":
        if isinstance(row, Container):
            return "failed" if shown.failed(row) else row.status
        if isinstance(row, Image):
            return "in use" if row.containers else "unused" if row.references else "dangling"
        return "in use" if isinstance(row, Volume) and row.users else "unused"
    if isinstance(row, Container):
        return " + ".join(sorted(each.network for each in row.networks)) if by == "network" else row.image
    if isinstance(row, Image):
        return shown.split_reference(row.references[0])[0] if row.references else ""
    return row.driver if isinstance(row, (Volume, Network)) else ""


def grouping(
    kind: str, by: str, row_of: Callable[[str], Row | None], columns: Sequence[Column], ascii: bool
) -> Grouping | None:
    """How the lines of a list are put together; None when it is not grouped."""
    if not by or (by not in WORDS[kind] and not label_of(by)):
        return None

    def find(line: Line) -> str:
        row = row_of(line.key)
        return group_of(row, by) if row is not None else ""

    def header(name: str, lines: Sequence[Line], folded: bool) -> Line:
        return header_line(kind, name or without(by), lines, columns, folded, ascii)

    return Grouping(find, header)


def widest(by: str, rows: Sequence[Row]) -> int:
    """Cells that the longest header needs; 0 when the rows are not grouped."""
    names = {group_of(row, by) for row in rows} if by else set()
    return max((len(name or without(by)) for name in names), default=-5) + 5 + len(str(len(rows))) * bool(names)


def without(by: str) -> str:
    """The name of the group of those that are in none."""
    return "no project" if by == "project" else f"without {words(by)}"


def header_line(
    kind: str, name: str, lines: Sequence[Line], columns: Sequence[Column], folded: bool, ascii: bool
) -> Line:
    """Name and number of rows, how many there are in which state, and sums."""
    mark = ("+" if folded else "-") if ascii else ("▸" if folded else "▾")
    cells: list[Cell] = []
    for at, column in enumerate(columns):
        if column.key == "name":
            cells.append(Cell(f"{mark} {name} · {len(lines)}", "accent"))
        elif column.key == "state":
            count = Counter(line.cell(at).text.partition(" ")[0] for line in lines)
            cells.append(Cell(" ".join(f"{number} {glyph}" for glyph, number in count.most_common()), "muted"))
        elif column.key == "use":
            used = sum(line.cell(at).text == "in use" for line in lines)
            cells.append(Cell(tr("{used} in use", used=used) if used else "", "muted"))
        elif column.key in _SUMS:
            found = [value for line in lines if isinstance(value := line.sort_key(at)[1], (int, float))]
            cells.append(Cell(_SUMS[column.key](sum(found)) if found else "", "muted"))
        else:
            cells.append(Cell(""))
    return Line(HEADER + name, tuple(cells))
