"""What a Dockerfile says: stages of instructions, with the places in the file that they come from.

Words are kept as written: quotes and $variables are still in them. `expand.expand_instruction` replaces them where
docker does, `instructions.apply` does what a metadata instruction says to an image config.
"""

from __future__ import annotations

from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Source:
    """The text that instructions come from; what an error needs to show their line."""

    __slots__ = ("escape", "lines", "name")

    def __init__(self, name: str, lines: tuple[str, ...], escape: str = "\\") -> None:
        self.name, self.lines, self.escape = name, lines, escape

    def __repr__(self) -> str:
        return f"Source({self.name!r}, {len(self.lines)} lines)"


class Heredoc(Named):
    """The text after `<<name`. expand: its variables are replaced (COPY, ADD); chomp: `<<-`, leading tabs go away."""

    name: str
    content: str = ""
    expand: bool = True
    chomp: bool = False
    descriptor: int = 0

    @property
    def text(self) -> str:
        """The content as it is used, without the tabs that `<<-` takes away."""
        if not self.chomp:
            return self.content
        return "\n".join([line.lstrip("\t") for line in self.content.split("\n")])


class Instruction(Named):
    """One instruction.

    word: upper case (`spelled` as in the file). flags: what stands behind each --flag, in order; `--flag` alone is
    "true". args:
      RUN CMD ENTRYPOINT SHELL  the words of the JSON form (json is True), or the whole line as one
      COPY ADD                  sources and destination; `sources`, `destination` and `inline` tell them apart
      ENV LABEL                 key, value, key, value, ...; `pairs`. legacy: written `ENV key value`
      ARG                       "name" or "name=value"
      FROM                      reference, or reference, AS, name
      EXPOSE VOLUME             words
      HEALTHCHECK               the type (as written), then as CMD
      ONBUILD                   the trigger's line, and `trigger` parsed
      others                    the whole line as one
    text: the whole instruction in one line, as history shows it. line and end_line count from 1, heredocs included.
    heredocs of ONBUILD belong to its trigger.
    """

    word: str
    args: tuple[str, ...]
    flags: Mapping[str, tuple[str, ...]]
    json: bool
    heredocs: tuple[Heredoc, ...]
    line: int
    end_line: int
    text: str
    source: Source
    spelled: str = ""
    written_flags: tuple[str, ...] = ()
    legacy: bool = False
    trigger: Instruction | None = None
    #: (offset in text, line, column) of every piece that text was joined from
    places: tuple[tuple[int, int, int], ...] = ()

    def flag(self, name: str, default: str = "") -> str:
        """The value of a flag that is given once."""
        values = self.flags.get(name)
        return values[-1] if values else default

    def switch(self, name: str) -> bool:
        """A flag that is on or off."""
        return self.flag(name) == "true"

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a flag that may be repeated."""
        return self.flags.get(name, ())

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Key and value of ENV and LABEL."""
        return tuple(zip(self.args[::2], self.args[1::2], strict=True))

    @property
    def destination(self) -> str:
        """Where COPY and ADD write to."""
        return self.args[-1]

    @property
    def sources(self) -> tuple[str, ...]:
        """What COPY and ADD take, without heredocs."""
        inline = {heredoc.name for heredoc in self.heredocs}
        if not inline:
            return self.args[:-1]
        from tuidock.engine.dockerfile.heredocs import heredoc_of

        announced = [(word, heredoc_of(word)) for word in self.args[:-1]]
        return tuple([word for word, heredoc in announced if heredoc is None or heredoc.name not in inline])

    @property
    def inline(self) -> tuple[Heredoc, ...]:
        """The files that COPY and ADD take from the Dockerfile itself, in the order of their names in the line."""
        return self.heredocs

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of an offset in text."""
        line, column = self.line, 1
        for start, piece_line, piece_column in self.places:
            if start > offset:
                break
            line, column = piece_line, piece_column + offset - start
        return line, column

    def error(self, reason: str, at: str = "", offset: int = -1) -> DockerfileError:
        """The error to raise about this instruction: at an offset of text, or where the word `at` first stands."""
        if offset < 0:
            offset = max(self.text.find(at, len(self.spelled)), 0) if at else 0
        return DockerfileError(reason, self.source, *self.position(offset))


class Stage(Named):
    """FROM and what follows. index counts from 0, as --from has it; base and platform are not expanded yet; name is in
    lower case, "" without AS."""

    index: int  # type: ignore[assignment]
    base: str
    name: str
    platform: str
    start: Instruction
    instructions: tuple[Instruction, ...] = ()


class Warning(Named):
    """Something that works and should be written otherwise."""

    message: str
    line: int


class Dockerfile(Named):
    """A whole file. arguments: the ARG instructions before the first FROM. syntax, check: the directives' values."""

    source: Source
    arguments: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    warnings: tuple[Warning, ...] = ()
    syntax: str = ""
    check: str = ""

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def escape(self) -> str:
        return self.source.escape

    def stage(self, reference: str, before: int | None = None, numbers: bool = True) -> Stage | None:
        """The stage of a name (in any case, the last one that has it) or, with `numbers`, of a number, among the first
        `before`; None when there is none. FROM knows names only, --from and --target both."""
        stages = self.stages[:before]
        wanted = reference.lower()
        for stage in reversed(stages):
            if stage.name and stage.name == wanted:
                return stage
        if numbers and reference.isascii() and reference.isdecimal() and len(reference) < 6:
            return stages[int(reference)] if int(reference) < len(stages) else None
        return None
