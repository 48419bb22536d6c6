"""A line becomes an instruction: its arguments are cut as its word wants them. Whether they make sense is `checks`'
business, so that all lines can be read before the first mistake in them is told."""

from __future__ import annotations

from tuidock.engine.dockerfile.ast import Instruction
from tuidock.engine.dockerfile.heredocs import heredocs_of
from tuidock.engine.dockerfile.lines import Line
from tuidock.engine.dockerfile.spaces import SPACES, is_space, split_blanks
from tuidock.engine.dockerfile.splitting import NotStrings, json_strings, split_line, split_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuidock.engine.dockerfile.ast import Heredoc
    from tuidock.engine.dockerfile.lines import Reader

_COMMAND = frozenset(("RUN", "CMD", "ENTRYPOINT", "SHELL"))
_LIST = frozenset(("ADD", "COPY", "VOLUME"))
_WORDS = frozenset(("EXPOSE", "FROM"))
_WHOLE = frozenset(("MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR"))
_PAIRS = frozenset(("ENV", "LABEL"))
INSTRUCTIONS = _COMMAND | _LIST | _WORDS | _WHOLE | _PAIRS | {"ARG", "HEALTHCHECK", "ONBUILD"}


def read(reader: Reader) -> Iterator[Instruction]:
    """All instructions of a file, unchecked. Raises DockerfileError."""
    for line in reader.instructions():
        made = instruction_of(line, reader)
        holder = made.trigger if made.word == "ONBUILD" and made.trigger else made
        heredocs: list[Heredoc] = []
        for heredoc in heredocs_of(holder.word, holder.json, line.text):
            content = reader.body(heredoc.name, heredoc.chomp)
            if content is None:
                raise made.error(f"the heredoc never ends: a line {heredoc.name!r:.100} is missing", at="<<")
            heredocs.append(heredoc._replace(content=content))
        texts = tuple(heredocs)
        if made.trigger:
            made = made._replace(trigger=made.trigger._replace(heredocs=texts, end_line=reader.at))
        yield made._replace(heredocs=texts, end_line=reader.at)


def instruction_of(line: Line, reader: Reader, inside: bool = False) -> Instruction:
    """The instruction of one line, without heredocs. inside: it is a trigger of ONBUILD."""
    parts = split_line(line.text)
    word = parts.word.upper()
    shell = Instruction(
        word,
        (),
        {},
        False,
        (),
        line.line,
        reader.at,
        line.text.strip(SPACES),
        reader.source,
        spelled=parts.word,
        written_flags=tuple([flag for flag, _ in parts.flags]),
        places=_shifted(line, len(line.text) - len(line.text.lstrip(SPACES))),
    )
    rest = parts.rest
    try:
        args, json, legacy = _arguments(shell, rest)
    except NotStrings:
        raise shell.error("a JSON array of arguments may hold texts only", at=rest) from None
    trigger = None
    if word == "ONBUILD" and rest and not inside:
        trigger = instruction_of(Line(rest, _shifted(line, parts.offset), line.line), reader, inside=True)
    return shell._replace(args=tuple(args), json=json, legacy=legacy, trigger=trigger)


def _shifted(line: Line, offset: int) -> tuple[tuple[int, int, int], ...]:
    """The places of a line from an offset on."""
    places = []
    for index, (start, number, column) in enumerate(line.places):
        following = line.places[index + 1][0] if index + 1 < len(line.places) else len(line.text) + 1
        if following > offset:
            cut = max(offset - start, 0)
            places.append((start + cut - offset, number, column + cut))
    return tuple(places)


def _arguments(shell: Instruction, rest: str) -> tuple[list[str], bool, bool]:
    """(arguments, they were JSON, they were written `KEY value`)."""
    word, escape = shell.word, shell.source.escape
    if not rest:
        return [], False, False
    if word in _COMMAND:
        words = json_strings(rest)
        return ([rest], False, False) if words is None else (words, True, False)
    if word in _LIST:
        words = json_strings(rest)
        return ([part for part, _ in split_blanks(rest)], False, False) if words is None else (words, True, False)
    if word in _WORDS:
        return [part for part, _ in split_blanks(rest)], False, False
    if word in _PAIRS:
        return _pairs(shell, rest)
    if word == "ARG":
        return split_words(rest, escape), False, False
    if word == "HEALTHCHECK":
        end = next((at for at, char in enumerate(rest) if is_space(char)), len(rest))
        command = rest[end:].lstrip(SPACES)
        words = json_strings(command)
        if words is not None:
            return [rest[:end], *words], True, False
        return [rest[:end], *([command] if command else [])], False, False
    return [rest], False, False


def _pairs(shell: Instruction, rest: str) -> tuple[list[str], bool, bool]:
    words = split_words(rest, shell.source.escape)
    if not words:
        return [], False, False
    if "=" not in words[0]:
        cut = split_blanks(rest, 2)
        if len(cut) < 2:
            raise shell.error(f"{shell.word} must have two arguments, or one written name=value", at=rest)
        return [cut[0][0], cut[1][0]], False, True
    args: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise shell.error(f"{shell.word} {word!r:.100} has no =: it is written name=value", at=word)
        args += key, value
    return args, False, False
