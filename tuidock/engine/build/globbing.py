"""Go's filepath.Match for one component of a path, as COPY and ADD use it.

`*` any run of characters, `?` one, `[a-c]` and `[^a-c]` a class, a backslash takes the next one's meaning away. Other than
in a shell, `]` and `-` need one to be members of a class.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Pattern


def has_meta(path: str) -> bool:
    """Whether a path needs matching."""
    return any(char in path for char in "*?[\\")


def compiled(pattern: str) -> Pattern[str]:
    """The pattern of one component. Raises ValueError when it is malformed."""
    import re

    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            parts.append(".*")
        elif char == "?":
            parts.append(".")
        elif char == "[":
            text, at = _class(pattern, at)
            parts.append(text)
        elif char == "\\":
            if at == len(pattern):
                raise ValueError("a backslash at the end escapes nothing")
            parts.append(re.escape(pattern[at]))
            at += 1
        else:
            parts.append(re.escape(char))
    return re.compile("".join(parts), re.DOTALL)


def _class(pattern: str, at: int) -> tuple[str, int]:
    """The class whose bracket stands before `at`, and where it ends."""
    import re

    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    while True:
        if at < len(pattern) and pattern[at] == "]" and ranges:
            break
        low, at = _member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _member(pattern, at + 1)
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            ranges.append("")  # Go takes an upside-down range for one that matches nothing
    body = "".join(ranges)
    if not body:
        return ("." if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{body}]", at + 1


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
