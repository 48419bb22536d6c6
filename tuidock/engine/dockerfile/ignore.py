"""Which paths of a build context a .dockerignore leaves out.

`*` and `?` stay within a name, `**` goes over any number of directories, `[a-z]` and `[^a-z]` are classes, `\\` takes a
meaning away, `!` takes back. The last pattern that matches a path, or a directory above it, decides. This is docker's
matcher with its own ways: a pattern that begins with `**` and has no other wildcard matches every path that ends so.

Patterns that follow each other and mean the same become one RE2 automaton, so a path costs about a microsecond for
each time the meaning changes, and no pattern can make it slow.
"""

from __future__ import annotations

import posixpath

from tuidock.engine.dockerfile.automaton import Automaton, quoted
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.spaces import SPACES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_WILD = frozenset("*?[\\")
#: So many patterns go into one automaton; RE2 makes larger ones slow, not wrong.
_TOGETHER = 200
_LIMIT = 4096


def read_patterns(text: str) -> list[str]:
    """The patterns of a .dockerignore: without comments and blank lines, cleaned, without a leading slash."""
    patterns = []
    for line in text.removeprefix("\ufeff").split("\n"):
        pattern = line if not line.startswith("#") else ""
        pattern = pattern.strip(SPACES)
        if not pattern:
            continue
        sign = "!" if pattern.startswith("!") else ""
        pattern = pattern.removeprefix("!").strip(SPACES)
        if pattern:
            pattern = clean(pattern)
            if len(pattern) > 1:
                pattern = pattern.removeprefix("/")
        patterns.append(sign + pattern)
    return patterns


def clean(path: str) -> str:
    """Go's filepath.Clean: posixpath.normpath that keeps no second leading slash."""
    cleaned = posixpath.normpath(path)
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


class Patterns:
    """The patterns of a .dockerignore, from its text or as a list. Raises DockerfileError for one that means nothing.

    Paths are relative to the context and have slashes between names.
    """

    def __init__(self, patterns: str | Iterable[str] = "", name: str = ".dockerignore") -> None:
        listed = read_patterns(patterns) if isinstance(patterns, str) else patterns
        #: (they take back, expressions) of patterns that follow each other
        self._runs: list[tuple[bool, list[str]]] = []
        self._back: list[list[str]] = []
        for pattern in listed:
            pattern = pattern.strip(SPACES).encode("utf-8", "replace").decode()  # no Unicode: `?`, which fits it
            if not pattern:
                continue
            pattern = clean(pattern)
            back = pattern.startswith("!")
            pattern = pattern[back:]
            if not pattern:
                raise DockerfileError(f'{name}: illegal exclusion pattern: "!"')
            if len(pattern) > _LIMIT:
                raise DockerfileError(f"{name}: a pattern is longer than {_LIMIT} characters, and than any path")
            expression = _expression(pattern, name)
            if not self._runs or self._runs[-1][0] != back or len(self._runs[-1][1]) == _TOGETHER:
                self._runs.append((back, []))
            self._runs[-1][1].append(expression)
            if back:
                self._back.append(pattern.split("/"))
        self._automata = [(back, _together(parts, name)) for back, parts in reversed(self._runs)]
        #: most paths match nothing, and one look tells that
        left_out = [part for back, parts in self._runs if not back for part in parts]
        self._any = _together(left_out, name) if len(self._automata) > 1 and len(left_out) <= _TOGETHER else None
        self._names: dict[str, Automaton] = {}

    def __bool__(self) -> bool:
        """Whether there is any pattern at all."""
        return bool(self._automata)

    def excluded(self, path: str) -> bool:
        """Whether the path is left out."""
        path = path if _is_clean(path) else clean(path)
        return path != "." and self._decided(path.encode("utf-8", "replace"))

    def _decided(self, raw: bytes) -> bool:
        if self._any and not self._any.matches(raw):
            return False
        for back, automaton in self._automata:
            if automaton.matches(raw):
                return not back
        return False

    def skippable(self, directory: str) -> bool:
        """Whether a directory is left out with everything in it, so that nobody needs to look inside."""
        directory = directory if _is_clean(directory) else clean(directory)
        if directory == "." or not self._decided(directory.encode("utf-8", "replace")):
            return False
        names = directory.split("/")
        return not any(self._reaches(pattern, names) for pattern in self._back)

    def _reaches(self, pattern: list[str], names: list[str]) -> bool:
        """Whether a pattern may match something below a directory that it does not match itself."""
        for wanted, name in zip(pattern, names, strict=False):
            if "**" in wanted:
                return True
            if not self._name_matches(wanted, name):
                return False
        return len(pattern) > len(names)

    def _name_matches(self, wanted: str, name: str) -> bool:
        if not _WILD.intersection(wanted):
            return wanted == name
        automaton = self._names.get(wanted)
        if automaton is None:
            automaton = self._names[wanted] = Automaton(_walk(wanted))
        return automaton.matches(name.encode("utf-8", "replace"))


def _is_clean(path: str) -> bool:
    return bool(path) and "//" not in path and "." not in (path[0], path[-1]) and "/." not in path and path[-1] != "/"


def _together(parts: list[str], name: str) -> Automaton:
    try:
        return Automaton(f"(?s:(?:{'|'.join(parts)})(?:/.*)?)")
    except ValueError as error:
        raise DockerfileError(f"{name}: these patterns cannot be matched: {error}") from None


def _expression(pattern: str, name: str) -> str:
    """What a pattern matches by itself, without what lies below."""
    try:
        _check(pattern)
        return _walk(pattern)
    except ValueError:
        raise DockerfileError(f"{name}: syntax error in pattern {pattern!r:.200}") from None


def _walk(pattern: str) -> str:
    if pattern.startswith("**") and not _WILD.intersection(pattern[2:]):
        ending = pattern[2:]
        return f"(?:.*/)?{quoted(ending[1:])}" if ending.startswith("/") else f".*{quoted(ending)}"
    parts: list[str] = []
    at, size = 0, len(pattern)
    while at < size:
        char = pattern[at]
        at += 1
        if char == "*" and pattern.startswith("*", at):
            at += 1
            at += pattern.startswith("/", at)
            parts.append(".*" if at == size else "(?:.*/)?")
        elif char == "*":
            parts.append("[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "[":
            made, at = _class(pattern, at)
            parts.append(made)
        elif char == "\\" and at < size:
            parts.append(quoted(pattern[at]))
            at += 1
        else:
            parts.append(quoted(char))
    return "".join(parts)


def _class(pattern: str, at: int) -> tuple[str, int]:
    """A class from behind its bracket on, and where it ends. Raises ValueError."""
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[str] = []
    while not (ranges and pattern.startswith("]", at)):
        low, at = _member(pattern, at)
        high = low
        if pattern.startswith("-", at):
            high, at = _member(pattern, at + 1)
        if low > high:
            raise ValueError(pattern)
        ranges.append(f"\\x{{{ord(low):x}}}-\\x{{{ord(high):x}}}")
    return f"[{'^' * negated}{''.join(ranges)}]", at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at : at + 1]
    if char == "\\":
        at += 1
        char = pattern[at : at + 1]
    elif char in ("-", "]"):
        raise ValueError(pattern)
    if not char or at + 1 >= len(pattern):
        raise ValueError(pattern)
    return char, at + 1


def _check(pattern: str) -> None:
    """What Go's filepath.Match calls a bad pattern. Raises ValueError."""
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "[":
            _, at = _class(pattern, at)
        elif char == "\\":
            if at == len(pattern):
                raise ValueError(pattern)
            at += 1
