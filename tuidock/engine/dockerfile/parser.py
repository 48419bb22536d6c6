"""The whole way from text to a Dockerfile: read, check, put into stages."""

from __future__ import annotations

from tuidock.engine.dockerfile.ast import Dockerfile, Stage, Warning
from tuidock.engine.dockerfile.checks import check, check_trigger, stage_name
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.lines import Reader
from tuidock.engine.dockerfile.syntax import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from tuidock.engine.dockerfile.ast import Instruction

#: A Dockerfile of more bytes is none.
SIZE_LIMIT = 16 << 20
_RESERVED = ("scratch", "context")


def _decoded(text: str | bytes, name: str) -> str:
    if len(text) > SIZE_LIMIT:
        raise DockerfileError(f"{name} is larger than {SIZE_LIMIT >> 20} MiB")
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    return raw.decode("utf-8", "replace")


def parse(text: str | bytes, name: str = "Dockerfile") -> Dockerfile:
    """The Dockerfile that a text means; bytes that are not UTF-8 become U+FFFD. Raises DockerfileError."""
    reader = Reader(_decoded(text, name), name)
    instructions = list(read(reader))
    if not instructions:
        raise DockerfileError("file with no instructions", reader.source)
    arguments: list[Instruction] = []
    stages: list[Stage] = []
    bodies: list[list[Instruction]] = []
    for instruction in instructions:
        checked = check(instruction)
        if checked.word == "FROM":
            stage = Stage(len(stages), checked.args[0], stage_name(checked), checked.flag("platform"), checked)
            stages.append(stage)
            bodies.append([])
        elif bodies:
            bodies[-1].append(checked)
        elif checked.word == "ARG":
            arguments.append(checked)
        else:
            raise checked.error(f"{checked.word} stands before the first FROM: there is no build stage yet")
    if not stages:
        raise DockerfileError("there is no FROM, so there is nothing to build", reader.source)
    return Dockerfile(
        reader.source,
        tuple(arguments),
        tuple([stage._replace(instructions=tuple(body)) for stage, body in zip(stages, bodies, strict=True)]),
        tuple(sorted([*reader.warnings, *_warnings(instructions, stages)], key=lambda warning: warning.line)),
        reader.directives.get("syntax", ""),
        reader.directives.get("check", ""),
    )


def parse_trigger(text: str, name: str = "ONBUILD") -> Instruction:
    """A trigger that a base image keeps; its lines may hold heredocs. Raises DockerfileError."""
    trigger = parse_line(text, name)
    check_trigger(trigger)
    return trigger


def parse_line(text: str, name: str) -> Instruction:
    """One instruction that stands alone, such as a change given to commit and import. Raises DockerfileError."""
    reader = Reader(_decoded(text, name), name, directives=False)
    instructions = list(read(reader))
    if len(instructions) != 1:
        raise DockerfileError(
            "one instruction is expected here" if instructions else "there is no instruction", reader.source
        )
    return check(instructions[0])


def _warnings(instructions: Iterable[Instruction], stages: Iterable[Stage]) -> list[Warning]:
    found: list[Warning] = []
    for instruction in instructions:
        word, line = instruction.word, instruction.line
        if word == "MAINTAINER":
            found.append(Warning("MAINTAINER is deprecated: use LABEL org.opencontainers.image.authors=...", line))
        if instruction.legacy:
            found.append(Warning(f"{word} name value is the old way to write {word} name=value", line))
        if instruction.trigger:
            try:
                check(instruction.trigger)
            except DockerfileError as error:
                found.append(Warning(f"this trigger will fail where it runs: {error.reason}", line))
        command = instruction.args[-1] if instruction.args else ""
        if word in ("CMD", "ENTRYPOINT") and not instruction.json and command[:1] == "[" and command[-1:] == "]":
            found.append(Warning(f"the arguments of {word} are no JSON, so a shell gets them as they are", line))
    names: set[str] = set()
    for stage in stages:
        if stage.name in names:
            found.append(Warning(f"two stages are called {stage.name}", stage.start.line))
        if stage.name in _RESERVED:
            found.append(
                Warning(f"a stage should not be called {stage.name}, which means something else", stage.start.line)
            )
        names.add(stage.name) if stage.name else None
    return found
