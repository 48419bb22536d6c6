"""Go's filepath.Match for one component of a path, as COPY and ADD use it.

`*` any run of characters, `?` one, `[a-c]` and `[^a-c]` a class, a backslash takes the next one's meaning away. Other than
in a shell, `]` and `-` need one to be members of a class.
"""

from __future__ import annotations


class Glob:
    """A pattern of one component. Matching takes time by the product of both lengths at most, whatever the pattern:
    `re` would try every way to share a name among twenty stars, for years."""

    def __init__(self, parts: list[_Part | None]) -> None:
        self._parts = parts

    def fullmatch(self, name: str) -> bool:
        """Whether it matches the whole name. Only the last star has to take more when the rest does not fit."""
        parts, count = self._parts, len(self._parts)
        at = index = taken = 0
        star = -1
        while at < len(name):
            part = parts[index] if index < count else _NEVER
            if part is None:
                star, taken = index, at
                index += 1
            elif part.fits(name[at]):
                at, index = at + 1, index + 1
            elif star < 0:
                return False
            else:
                taken += 1
                at, index = taken, star + 1
        return all(part is None for part in parts[index:])


class _Part:
    """One character: of one of the ranges, or of none of them."""

    __slots__ = ("_negated", "_ranges")

    def __init__(self, ranges: list[tuple[str, str]], negated: bool = False) -> None:
        self._ranges, self._negated = ranges, negated

    def fits(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self._ranges) != self._negated


_NEVER = _Part([])


def has_meta(path: str) -> bool:
    """Whether a path needs matching."""
    return any(char in path for char in "*?[\\")


def compiled(pattern: str) -> Glob:
    """The pattern of one component. Raises ValueError when it is malformed."""
    parts: list[_Part | None] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            parts.append(None)
        elif char == "?":
            parts.append(_Part([], True))
        elif char == "[":
            part, at = _class(pattern, at)
            parts.append(part)
        elif char == "\\":
            if at == len(pattern):
                raise ValueError("a backslash at the end escapes nothing")
            parts.append(_Part([(pattern[at], pattern[at])]))
            at += 1
        else:
            parts.append(_Part([(char, char)]))
    return Glob(parts)


def _class(pattern: str, at: int) -> tuple[_Part, int]:
    """The class whose bracket stands before `at`, and where it ends. A range upside down matches nothing."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[str, str]] = []
    while not (at < len(pattern) and pattern[at] == "]" and ranges):
        low, at = _member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _member(pattern, at + 1)
        ranges.append((low, high))
    return _Part(ranges, negated), at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    if at < len(pattern) and pattern[at] == "\\":
        at += 1
    elif at < len(pattern) and pattern[at] in "-]":
        raise ValueError(f"{pattern[at]!r} stands where a character of a class should")
    if at >= len(pattern):
        raise ValueError("a class is not closed")
    if at + 1 >= len(pattern):
        raise ValueError("a class is not closed")
    return pattern[at], at + 1
