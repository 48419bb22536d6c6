"""The patterns of ${v#p}, ${v%p} and ${v/p/w}: `*` any text, `?` any character, `\\` takes their meaning away."""

from __future__ import annotations

from tuidock.engine.dockerfile.automaton import Automaton, quoted
from tuidock.engine.dockerfile.errors import DockerfileError

_LIMIT = 4096


def _tokens(pattern: str) -> list[str]:
    """Characters, and "*" and "?" as such; a literal one of these has its backslash."""
    pattern = pattern.encode("utf-8", "replace").decode()
    if len(pattern) > _LIMIT:
        raise DockerfileError(f"a pattern in ${{}} is longer than {_LIMIT} characters")
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "\\":
            following = pattern[at] if at < len(pattern) else ""
            if following and following in "}/":  # escaped for the sake of ${} only
                continue
            if not following or following not in "*?\\":
                raise DockerfileError(f"invalid pattern ({pattern}) in substitution: invalid escape '\\{following}'")
            char += following
            at += 1
        tokens.append(char)
    return tokens


def _expression(tokens: list[str], longest: bool) -> str:
    star = ".*" if longest else ".*?"
    return "".join([star if t == "*" else "." if t == "?" else quoted(t[-1]) for t in tokens])


def _compiled(expression: str, pattern: str) -> Automaton:
    try:
        return Automaton(expression)
    except ValueError as error:
        raise DockerfileError(f"invalid pattern ({pattern!r:.100}) in substitution: {error}") from None


def trim(pattern: str, value: str, *, at_end: bool, longest: bool) -> str:
    """The value without what the pattern matches at its start or end. Raises DockerfileError."""
    tokens = _tokens(pattern)
    raw = value.encode("utf-8", "replace")
    if at_end:  # the shortest match at an end is the leftmost one of the text read backwards
        tokens.reverse()
        raw = value[::-1].encode("utf-8", "replace")
    _, end = _compiled("^" + _expression(tokens, longest), pattern).search(raw, 0, len(raw))[0]
    rest = raw[max(end, 0) :].decode()
    return rest[::-1] if at_end else rest


def replace(pattern: str, word: str, value: str, *, every: bool, limit: int) -> str:
    """The value with the first, or every, match replaced. Raises DockerfileError."""
    search = _compiled(_expression(_tokens(pattern), True), pattern).search
    raw, new = value.encode("utf-8", "replace"), word.encode("utf-8", "replace")
    parts: list[bytes] = []
    at = copied = grown = 0
    while at <= len(raw):
        start, end = search(raw, at, len(raw))[0]
        if start < 0:
            break
        parts.append(raw[copied:start])
        if end > copied or start == 0:  # an empty match right behind another one does not count
            parts.append(new)
            grown += len(new)
            if grown > limit:
                raise DockerfileError(f"the values are longer than {limit >> 20} MiB")
        copied = end
        if not every:
            break
        if end > at:
            at = end
        else:
            at += 1
            while at < len(raw) and raw[at] & 0xC0 == 0x80:
                at += 1
    parts.append(raw[copied:])
    return b"".join(parts).decode()
