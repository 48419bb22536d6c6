"""One cell of the screen, and its colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import get_character_cell_size
from rich.color import Color
from rich.style import Style

#: As many code points as one cell keeps: a letter with accents. What a program piles up beyond is not kept.
MOST_CODE_POINTS: Final = 6


class Cell(NamedTuple):
    """A character with its looks; the names that pyte's screen expects. Colours are Rich's words, or "default".

    data is "" in the cell behind a wide character."""

    data: str = " "
    fg: str = "default"
    bg: str = "default"
    bold: bool = False
    italics: bool = False
    underscore: bool = False
    strikethrough: bool = False
    reverse: bool = False
    dim: bool = False
    hidden: bool = False


BLANK: Final = Cell()
#: SGR numbers that turn something on or off: name, value.
_SWITCHES: Final[dict[int, tuple[tuple[str, bool], ...]]] = {
    1: (("bold", True),), 2: (("dim", True),), 3: (("italics", True),), 4: (("underscore", True),),
    7: (("reverse", True),), 8: (("hidden", True),), 9: (("strikethrough", True),), 21: (("underscore", True),),
    22: (("bold", False), ("dim", False)), 23: (("italics", False),), 24: (("underscore", False),),
    27: (("reverse", False),), 28: (("hidden", False),), 29: (("strikethrough", False),),
}  # fmt: skip


def apply_sgr(cell: Cell, groups: Sequence[Sequence[int]]) -> Cell:
    """The looks after `CSI ... m`; a group is what stood between two semicolons, its parts what stood between colons."""
    at = 0
    changes: dict[str, object] = {}
    while at < len(groups):
        group = groups[at]
        number = group[0]
        at += 1
        if number == 0:
            cell, changes = BLANK, {}
        elif number == 4 and len(group) > 1:
            changes["underscore"] = group[1] != 0
        elif number in _SWITCHES:
            changes.update(_SWITCHES[number])
        elif 30 <= number <= 37 or 90 <= number <= 97:
            changes["fg"] = f"color({number - 30 if number < 90 else number - 82})"
        elif 40 <= number <= 47 or 100 <= number <= 107:
            changes["bg"] = f"color({number - 40 if number < 100 else number - 92})"
        elif number == 39:
            changes["fg"] = "default"
        elif number == 49:
            changes["bg"] = "default"
        elif number in (38, 48, 58):
            if len(group) > 1:
                colour = _colour(group[1], [*group[3:6]] if len(group) > 5 else [*group[2:]])
            else:
                rest = [each[0] for each in groups[at : at + 4]]
                colour = _colour(rest[0] if rest else 0, rest[1:])
                at += {5: 2, 2: 4}.get(rest[0] if rest else 0, 1)
            if colour and number != 58:
                changes["fg" if number == 38 else "bg"] = colour
    return cell._replace(**changes) if changes else cell  # type: ignore[arg-type]


def _colour(kind: int, values: list[int]) -> str:
    if kind == 5 and values and values[0] < 256:
        return f"color({values[0]})"
    if kind == 2 and len(values) >= 3 and max(values[:3]) < 256:
        return "#{:02x}{:02x}{:02x}".format(*values[:3])
    return ""


@lru_cache(2048)
def style_of(cell: Cell) -> Style:
    """Rich's style for a cell without its character."""
    return Style(
        color=_rich(cell.fg), bgcolor=_rich(cell.bg), bold=cell.bold or None, italic=cell.italics or None,
        underline=cell.underscore or None, strike=cell.strikethrough or None, reverse=cell.reverse or None,
        dim=cell.dim or None,
    )  # fmt: skip


@lru_cache(1024)
def _rich(colour: str) -> Color | None:
    return None if colour == "default" else Color.parse(colour)


def runs(cells: Sequence[Cell], width: int) -> Iterator[tuple[str, Cell]]:
    """A row as texts of one look each, exactly `width` cells wide: half of a wide character becomes a blank."""
    text: list[str] = []
    look: Cell | None = None
    at = 0
    while at < width:
        cell = cells[at]
        data = cell.data
        step = 1
        if data == "" or cell.hidden:
            data = " "
        elif not data.isascii() and get_character_cell_size(data[0]) == 2:
            if at + 1 < width and cells[at + 1].data == "":
                step = 2
            else:
                data = " "
        bare = cell._replace(data="") if cell.data else cell
        if bare != look:
            if text and look is not None:
                yield "".join(text), look
            text, look = [], bare
        text.append(data)
        at += step
    if text and look is not None:
        yield "".join(text), look
