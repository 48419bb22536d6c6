"""The one error of this room: what is wrong with a Dockerfile, where, and the line itself with a marker."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.engine.dockerfile.ast import Source

_SHOWN = 100


class DockerfileError(InvalidArgument):
    """A Dockerfile, or a part of one, that means nothing.

    reason: the sentence without its place; file, line and column: the place, line 0 when it is not known. str() is
    `Dockerfile:3:5: reason` and, below it, `excerpt`: the line with a marker.
    """

    exit_code = 1

    def __init__(self, reason: str, source: Source | None = None, line: int = 0, column: int = 0) -> None:
        self.reason, self.line, self.column = reason, line, column
        self.file = source.name if source else ""
        self.excerpt = _excerpt(source, line, column) if source and line else ""
        place = f"{self.file}:{line}:{column}: " if line else f"{self.file}: " if self.file else ""
        super().__init__(f"{place}{reason}{self.excerpt}")


def _cells(text: str) -> int:
    """How wide a terminal shows the text."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum([0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text])


def _excerpt(source: Source, line: int, column: int) -> str:
    if not 0 < line <= len(source.lines):
        return ""
    text = "".join([char if char.isprintable() else " " for char in source.lines[line - 1].rstrip("\r\n")])
    at = max(column - 1, 0)
    start = max(0, min(at - _SHOWN // 2, len(text) - _SHOWN))
    before, after = "..." if start else "", "..." if len(text) > start + _SHOWN else ""
    margin = f"{line:>5} | "
    marker = " " * (len(margin) + len(before) + _cells(text[start:at])) + "^"
    return f"\n{margin}{before}{text[start : start + _SHOWN]}{after}\n{marker}"
