"""How severe a line is: found near its beginning, in the words that programs use for it.

One table of words makes both expressions: Python's, which says where the word stands, and the one that RE2 goes over
gigabytes with. The latter lets more through (a word anywhere in the line), and every line that it finds is looked at
with the former, so that what is kept is exactly what is coloured.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: From the mildest on; the second value is the style of the word.
LEVELS: Final = (("debug", "muted"), ("info", "accent"), ("warn", "warn"), ("error", "bad"))
NAMES: Final = tuple(name for name, _ in LEVELS)
#: So far into a line a level is looked for; further on the word is part of a sentence.
REACH: Final = 160

#: Words in capitals stand for themselves anywhere; small ones behind `level=` and the like, or in brackets.
_CAPITALS: Final = (
    "DEBUG|TRACE|VERBOSE",
    "NOTICE|INFO",
    "WARNING|WARN",
    "FATAL|PANIC|EMERG|ALERT|CRITICAL|CRIT|SEVERE|ERROR|ERR",
)
_SMALL: Final = ("debug|trace", "info|notice", "warning|warn", "fatal|panic|emerg|alert|critical|crit|error|err")
#: A line may begin with these; no sentence is likely to.
_FIRST: Final = ("", "", "warning|warn", "fatal|error|panic")
#: bunyan's and pino's numbers, and the letters with which glog and klog begin: "E1124 08:00:00.000000".
_NUMBERS: Final = ("[12]0", "30", "40", "[56]0")
_LETTERS: Final = ("", "I", "W", "[EF]")
_NAMED: Final = r"(?:\blevel|\blvl|\bseverity)"


class Level(NamedTuple):
    """Where the word for the level stands in the line, and its place in LEVELS."""

    start: int
    end: int
    rank: int

    @property
    def style(self) -> str:
        return LEVELS[self.rank][1]


def _groups(words: tuple[str, ...], kind: str) -> str:
    return "|".join(f"(?P<{kind}{rank}>{each})" for rank, each in enumerate(words) if each)


_LEVEL: Final = re.compile(
    rf"\b(?:{_groups(_CAPITALS, 'c')})\b"
    rf"|{_NAMED}\W{{1,4}}(?:{_groups(_SMALL, 's')})\b"
    rf"|\[(?:{_groups(_SMALL, 'b')})\]"
    rf"|^\W?(?:{_groups(_FIRST, 'f')})\b(?=\W)"
    rf'|"level":(?:{_groups(_NUMBERS, "n")})\b'
    rf"|^(?:{_groups(_LETTERS, 'k')})(?=[0-9]{{4}} [0-9])"
)


def level(text: str) -> Level | None:
    """The first word for a level."""
    match = _LEVEL.search(text, 0, REACH)
    if match is None or match.lastgroup is None:
        return None
    start, end = match.span(match.lastgroup)
    return Level(start, end, int(match.lastgroup[1]))


def rank_of(name: str, value: str) -> int | None:
    """The level that a field says, when the field is one that does."""
    if name.rpartition(".")[2].casefold() not in ("level", "lvl", "severity", "loglevel"):
        return None
    word = value.strip().casefold()
    for rank, (small, number) in enumerate(zip(_SMALL, _NUMBERS, strict=True)):
        if re.fullmatch(f"{small}|{number}", word):
            return rank
    return None


def expression(least: int) -> str:
    """What lines at least so severe have in them, and a few others."""

    def words(table: tuple[str, ...]) -> str:
        return "|".join(each for each in table[least:] if each)

    pieces = [
        rf"\b(?:{words(_CAPITALS)})\b",
        rf"{_NAMED}\W{{1,4}}(?:{words(_SMALL)})\b",
        rf"\[(?:{words(_SMALL)})\]",
        rf"^\W?(?:{words(_FIRST)})\b",
        rf'"level":(?:{words(_NUMBERS)})\b',
        rf"^(?:{words(_LETTERS)})[0-9]{{4}} [0-9]",
    ]
    return "|".join(pieces)
