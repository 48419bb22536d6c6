"""$variables in instructions: which parts docker replaces, and which it leaves to the shell or takes as they are.

  replaced       ADD COPY (words, --chown --chmod --checksum --exclude, heredocs whose name is not quoted), ENV LABEL
                 (keys and values), EXPOSE (one word may become several), STOPSIGNAL USER VOLUME WORKDIR, ARG (names;
                 `arguments.declare` does the values), FROM (image and --platform, by the global arguments), RUN (the
                 values of --mount)
  left alone     RUN CMD ENTRYPOINT SHELL HEALTHCHECK MAINTAINER, --from, ONBUILD (its trigger is expanded where it runs)

All words of an instruction see the values from before it: `ENV a=1 b=$a` gives b the old a.
"""

from __future__ import annotations

from tuidock.engine.dockerfile import words
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.heredocs import heredoc_of
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.fields import split_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tuidock.engine.dockerfile.ast import Instruction

    Expander = Callable[[str], str]

_ALL = frozenset(("ENV", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"))
_FLAGS = ("chown", "chmod", "checksum", "exclude")


def expand_instruction(instruction: Instruction, env: Mapping[str, str]) -> Instruction:
    """The instruction with its variables replaced and its quotes taken away, in the parts where docker does that.

    Raises DockerfileError with the place of the word that cannot be expanded.
    """
    word, args = instruction.word, instruction.args

    def replaced(text: str) -> str:
        return expand_word(instruction, text, env)

    if word in _ALL:
        return instruction._replace(args=tuple([replaced(arg) for arg in args]))
    if word in ("ADD", "COPY"):
        return _copy(instruction, env, replaced)
    if word == "EXPOSE":
        return instruction._replace(args=tuple([part for arg in args for part in _split(instruction, arg, env)]))
    if word == "FROM":
        made = instruction._replace(
            args=(replaced(args[0]), *args[1:]), flags=_each(instruction, ("platform",), replaced)
        )
        if not made.args[0].strip():
            raise instruction.error(f"the image of FROM, {args[0]}, is empty", at=args[0])
        if instruction.flag("platform") and not made.flag("platform"):
            raise instruction.error("the platform of FROM is empty", at="--platform")
        return made
    if word == "ARG":
        names = [arg.partition("=") for arg in args]
        return instruction._replace(args=tuple([replaced(name) + equals + value for name, equals, value in names]))
    if word == "RUN" and instruction.flags.get("mount"):
        return instruction._replace(
            flags=_each(instruction, ("mount",), lambda mount: _mount(instruction, mount, replaced))
        )
    return instruction


def shown(instruction: Instruction, env: Mapping[str, str]) -> str:
    """The instruction's line for people who watch a build: with the values of its variables, even where they are left to
    the shell. What has no value stays as it is, and quotes and escapes do."""
    if "$" not in instruction.text:
        return instruction.text
    try:
        lexer = words.Lexer(
            instruction.text, env.get, instruction.source.escape, raw_quotes=True, raw_escapes=True, keep_unset=True
        )
        return lexer.process().text
    except DockerfileError:
        return instruction.text


def expand_word(instruction: Instruction, text: str, env: Mapping[str, str]) -> str:
    """One word of an instruction. Raises DockerfileError with its place."""
    if not _special(text, instruction.source.escape):
        return text
    try:
        return words.expand(text, env.get, instruction.source.escape)
    except DockerfileError as error:
        raise instruction.error(error.reason, at=text) from None


def _special(text: str, escape: str) -> bool:
    return "$" in text or "'" in text or '"' in text or escape in text


def _split(instruction: Instruction, text: str, env: Mapping[str, str]) -> list[str]:
    try:
        return words.split(text, env.get, instruction.source.escape)
    except DockerfileError as error:
        raise instruction.error(error.reason, at=text) from None


def _each(instruction: Instruction, names: tuple[str, ...], replaced: Expander) -> Mapping[str, tuple[str, ...]]:
    flags = dict(instruction.flags)
    for name in names:
        if name in flags:
            flags[name] = tuple([replaced(value) for value in flags[name]])
    return flags


def _copy(instruction: Instruction, env: Mapping[str, str], replaced: Expander) -> Instruction:
    named = {heredoc.name for heredoc in instruction.heredocs}
    args: list[str] = []
    for arg in instruction.args:
        announced = heredoc_of(arg) if named else None
        args.append(arg if announced and announced.name in named else replaced(arg))
    heredocs = []
    for heredoc in instruction.heredocs:
        if heredoc.expand:
            try:
                content = words.expand_text(heredoc.content, env.get)
            except DockerfileError as error:
                raise instruction.error(error.reason, at="<<") from None
            heredoc = heredoc._replace(content=content)
        heredocs.append(heredoc)
    return instruction._replace(args=tuple(args), heredocs=tuple(heredocs), flags=_each(instruction, _FLAGS, replaced))


def _mount(instruction: Instruction, written: str, replaced: Expander) -> str:
    """The fields are cut first, so that a value with a comma stays one value."""
    try:
        fields = split_fields(written)
    except InvalidArgument as error:
        raise instruction.error(f"--mount cannot be read: {error}", at="--mount=") from None
    made = []
    for field in fields:
        key, equals, value = field.partition("=")
        field = key + equals + (replaced(value) if equals else "")
        made.append('"' + field.replace('"', '""') + '"' if "," in field or '"' in field else field)
    return ",".join(made)
