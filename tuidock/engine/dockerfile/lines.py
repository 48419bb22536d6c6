"""Lines of a Dockerfile joined to whole instructions: directives, comments, continuations, the bodies of heredocs."""

from __future__ import annotations

from tuidock.engine.dockerfile.ast import Source, Warning
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.spaces import SPACES
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: docker refuses longer ones; a file of this size in one line is no Dockerfile.
LINE_LIMIT = 65535
_DIRECTIVES = ("syntax", "escape", "check")
_DIRECTIVE_SPACES = "\t\n\f\r "


class Line(Named):
    """An instruction in one line. places: (offset, line, column) of each piece."""

    text: str
    places: tuple[tuple[int, int, int], ...]
    line: int


def directive_of(line: str) -> tuple[str, str] | None:
    """`# name=value` as (name, value), known names only."""
    if not line.startswith("#"):
        return None
    name, equals, value = line[1:].partition("=")
    name, value = name.strip(_DIRECTIVE_SPACES).lower(), value.strip(_DIRECTIVE_SPACES)
    return (name, value) if equals and value and name in _DIRECTIVES else None


class Reader:
    """Goes through the lines of a file once. Raises DockerfileError."""

    def __init__(self, text: str, name: str, *, directives: bool = True) -> None:
        self.lines = tuple(text.removeprefix("\ufeff").split("\n"))
        if self.lines[-1] == "":
            self.lines = self.lines[:-1]
        self.source = Source(name, self.lines)
        self.directives: dict[str, str] = {}
        self.warnings: list[Warning] = []
        self.at = 0
        self._open = directives
        for number, line in enumerate(self.lines, 1):
            if len(line) > LINE_LIMIT // 4 and len(line.encode("utf-8", "surrogatepass")) > LINE_LIMIT:
                raise DockerfileError(f"this line is longer than {LINE_LIMIT} bytes", self.source, number, 1)

    def _directive(self, line: str, column: int) -> None:
        found = directive_of(line)
        if found is None:
            self._open = False
            return
        name, value = found
        if name in self.directives:
            raise DockerfileError(f"only one {name} directive can be used", self.source, self.at, column)
        self.directives[name] = value
        if name == "escape":
            if value not in ("\\", "`"):
                reason = f"invalid escape token {value!r:.40}: it is ` or \\"
                raise DockerfileError(reason, self.source, self.at, column + line.rindex(value[0]))
            self.source = Source(self.source.name, self.lines, value)

    def _without_escape(self, line: str) -> tuple[str, bool]:
        """The line without the sign that it goes on, and whether it does. A doubled sign is none."""
        escape = self.source.escape
        bare = line.rstrip(" \t")
        if bare.endswith(escape) and not bare[:-1].endswith(escape):
            return bare[:-1], True
        return line, False

    def instructions(self) -> Iterator[Line]:
        """The instructions in turn; `body` takes heredocs in between."""
        while self.at < len(self.lines):
            raw = self.lines[self.at].rstrip("\r")
            self.at += 1
            line = raw.lstrip(SPACES)
            column = len(raw) - len(line) + 1
            if self._open:
                self._directive(line, column)
            if line.startswith("#"):
                continue
            text, more = self._without_escape(line)
            if not more and not text:
                continue
            yield self._joined(text, column, more)

    def _joined(self, text: str, column: int, more: bool) -> Line:
        start = self.at
        pieces, size = [text], len(text)
        places = [(0, start, column)]
        self._open = False
        empty = 0
        while more and self.at < len(self.lines):
            raw = self.lines[self.at].rstrip("\r")
            self.at += 1
            stripped = raw.lstrip(SPACES)
            if stripped.startswith("#"):
                continue
            if not stripped:
                empty = self.at
                continue
            piece, more = self._without_escape(raw)
            places.append((size, self.at, 1))
            pieces.append(piece)
            size += len(piece)
        joined = "".join(pieces)
        if empty:
            self.warnings.append(Warning("Empty continuation line found in: " + joined, empty))
        return Line(joined, tuple(places), start)

    def body(self, terminator: str, chomp: bool) -> str | None:
        """The lines up to the terminator, which is taken too, with the line ends they have; None when it never comes."""
        start = self.at
        while self.at < len(self.lines):
            line = self.lines[self.at].rstrip("\r")
            self.at += 1
            if (line.lstrip("\t") if chomp else line) == terminator:
                return "".join([line + "\n" for line in self.lines[start : self.at - 1]])
        return None
