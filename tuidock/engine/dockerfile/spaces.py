"""What counts as white space: Go's unicode.IsSpace, not Python's, which takes four control characters more."""

from __future__ import annotations

SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_SPACES = frozenset(SPACES)
#: What separates the words of a line; a line break never stands in one.
BLANKS = "\t\v\f\r "
_BLANKS = frozenset(BLANKS)


def is_space(char: str) -> bool:
    return char in _SPACES


def split_blanks(text: str, limit: int = -1) -> list[tuple[str, int]]:
    """The text cut at runs of blanks, at most `limit` parts, each with its offset. A run at either end leaves an empty
    part there."""
    parts: list[tuple[str, int]] = []
    start = at = 0
    size = len(text)
    while at < size and len(parts) + 1 != limit:
        if text[at] not in _BLANKS:
            at += 1
            continue
        parts.append((text[start:at], start))
        while at < size and text[at] in _BLANKS:
            at += 1
        start = at
    parts.append((text[start:], start))
    return parts
