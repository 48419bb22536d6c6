"""`Did you mean`: the known word that is nearest to a mistyped one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_NEAR = 2


def _distance(one: str, other: str) -> int:
    """Levenshtein's: insertions, deletions and replacements that turn one word into the other."""
    row = list(range(len(other) + 1))
    for at, char in enumerate(one, 1):
        diagonal, row[0] = row[0], at
        for index, wanted in enumerate(other, 1):
            diagonal, row[index] = (
                row[index],
                min(row[index] + 1, row[index - 1] + 1, diagonal + (char != wanted)),
            )
    return row[-1]


def nearest(word: str, known: Iterable[str]) -> str:
    """The nearest known word, "" when none is near. Case does not count."""
    if len(word) > 40:
        return ""
    found = [(_distance(word.lower(), each.lower()), each) for each in known]
    best = min(found, default=(_NEAR + 1, ""))
    return best[1] if best[0] <= _NEAR else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` or nothing."""
    near = nearest(word, known)
    return f" (did you mean {near.lower() if word.islower() else near}?)" if near else ""
