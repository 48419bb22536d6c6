"""What every instruction may say: how many arguments, which flags, what values. Nothing here looks at variables."""

from __future__ import annotations

from tuidock.engine.dockerfile.heredocs import heredoc_of
from tuidock.engine.dockerfile.suggest import did_you_mean
from tuidock.engine.dockerfile.syntax import INSTRUCTIONS
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.values import parse_positive_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuidock.engine.dockerfile.ast import Instruction

#: What a flag takes: a value, several by repeating it, or nothing and then true or false.
VALUE, VALUES, SWITCH = "value", "values", "switch"
FLAGS: Mapping[str, Mapping[str, str]] = {
    "ADD": {
        "chown": VALUE, "chmod": VALUE, "link": SWITCH, "keep-git-dir": SWITCH, "checksum": VALUE,
        "exclude": VALUES, "unpack": SWITCH,
    },
    "COPY": {
        "from": VALUE, "chown": VALUE, "chmod": VALUE, "link": SWITCH, "parents": SWITCH, "exclude": VALUES,
    },
    "FROM": {"platform": VALUE},
    "RUN": {"mount": VALUES, "network": VALUE, "security": VALUE, "device": VALUES},
    "HEALTHCHECK": {
        "interval": VALUE, "timeout": VALUE, "start-period": VALUE, "start-interval": VALUE, "retries": VALUE,
    },
}  # fmt: skip
DURATIONS = ("interval", "timeout", "start-period", "start-interval")
_CHOICES = {"network": ("default", "none", "host"), "security": ("sandbox", "insecure")}
_ONE = frozenset(("MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR"))
_SOME = frozenset(("ARG", "ENV", "EXPOSE", "LABEL", "ONBUILD", "HEALTHCHECK", "VOLUME"))
_NO_TRIGGERS = ("FROM", "MAINTAINER")


def check(instruction: Instruction) -> Instruction:
    """The instruction with its flags read. Raises DockerfileError."""
    word = instruction.word
    if word not in INSTRUCTIONS:
        known = did_you_mean(instruction.spelled, INSTRUCTIONS)
        raise instruction.error(f"unknown instruction: {instruction.spelled:.40}{known}")
    if word in _ONE and len(instruction.args) != 1:
        raise instruction.error(f"{word} requires exactly one argument")
    if word in _SOME and not instruction.args:
        raise instruction.error(f"{word} requires at least one argument")
    checked = instruction._replace(flags=_flags(instruction))
    if checked.trigger:
        check_trigger(checked.trigger)
    special = _CHECKS.get(word)
    if special:
        special(checked)
    return checked


def _flags(instruction: Instruction) -> dict[str, tuple[str, ...]]:
    known = FLAGS.get(instruction.word, {})
    flags: dict[str, list[str]] = {}
    for written in instruction.written_flags:
        name, equals, value = written[2:].partition("=")
        kind = known.get(name)
        at = "--" + name
        if kind is None:
            near = did_you_mean(name, known)
            raise instruction.error(f"unknown flag of {instruction.word}: --{name:.40}{near}", at)
        if name in flags and kind != VALUES:
            raise instruction.error(f"--{name} is given twice", at)
        if kind == SWITCH and not equals:
            value = "true"
        elif not equals or (kind == SWITCH and not value):
            raise instruction.error(f"--{name} needs a value: it is written --{name}=...", at)
        elif kind == SWITCH:
            value = value.lower()
            if value not in ("true", "false"):
                raise instruction.error(f"--{name} is true or false, not {value!r:.40}", at)
        choices = _CHOICES.get(name)
        if choices and value not in choices:
            raise instruction.error(f"--{name} is {' or '.join(choices)}, not {value!r:.40}", at)
        flags.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in flags.items()}


def check_trigger(trigger: Instruction) -> None:
    """That ONBUILD may keep this for later; all else is checked where it runs. Raises DockerfileError."""
    if trigger.word == "ONBUILD":
        raise trigger.error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger.word in _NO_TRIGGERS:
        raise trigger.error(f"{trigger.word} isn't allowed as an ONBUILD trigger")


def _copy(instruction: Instruction) -> None:
    if len(instruction.args) < 2:
        raise instruction.error(f"{instruction.word} requires at least two arguments: sources and a destination")
    if not instruction.json and heredoc_of(instruction.destination):
        reason = f"{instruction.word} cannot accept a heredoc as a destination"
        raise instruction.error(reason, at=instruction.destination)


def stage_name(instruction: Instruction) -> str:
    """The name that FROM gives its stage, in lower case; "" for none. Raises DockerfileError."""
    args = instruction.args
    if len(args) == 1:
        return ""
    if len(args) != 3 or args[1].lower() != "as":
        raise instruction.error("FROM requires either one or three arguments: FROM image [AS name]")
    name = args[2].lower()
    if not ("a" <= name[0] <= "z") or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in name):
        reason = "a letter comes first, then letters, digits, dots, dashes and underscores"
        raise instruction.error(f"invalid name for a build stage: {args[2]!r:.60}, {reason}", at=args[2])
    return name


def _from(instruction: Instruction) -> None:
    stage_name(instruction)


def _arg(instruction: Instruction) -> None:
    for word in instruction.args:
        if word.startswith("="):
            raise instruction.error("ARG names can not be blank", at=word)


def _blank_keys(instruction: Instruction) -> None:
    if not all(instruction.args[::2]):
        raise instruction.error(f"{instruction.word} names can not be blank")


def _volume(instruction: Instruction) -> None:
    if not all(word.strip() for word in instruction.args):
        raise instruction.error("VOLUME specified can not be an empty string")


def _shell(instruction: Instruction) -> None:
    if not instruction.args:
        raise instruction.error("SHELL requires at least one argument")
    if not instruction.json:
        raise instruction.error('SHELL requires the arguments to be in JSON form: SHELL ["/bin/sh", "-c"]')


def _healthcheck(instruction: Instruction) -> None:
    kind, *command = instruction.args
    if kind.upper() == "NONE":
        if command:
            raise instruction.error("HEALTHCHECK NONE takes no arguments", at=kind)
        return
    if kind.upper() != "CMD":
        raise instruction.error(f"unknown type {kind!r:.40} in HEALTHCHECK: it is CMD or NONE", at=kind)
    if not command:
        raise instruction.error("a command is missing after HEALTHCHECK CMD", at=kind)
    for name in DURATIONS:
        _health_duration(instruction, name)
    retries = instruction.flag("retries")
    if retries and not (retries.isascii() and retries.isdecimal() and len(retries) < 10):
        raise instruction.error(f"--retries is a number, not {retries!r:.40}", at="--retries")


def _health_duration(instruction: Instruction, name: str) -> None:
    value = instruction.flag(name)
    try:
        if len(value) > 40:
            raise InvalidArgument(f"{value!r:.40} is no duration")
        if value and parse_positive_duration(value) >= 1 << 63:
            raise InvalidArgument(f"{value} is more than 292 years")
    except InvalidArgument as error:
        raise instruction.error(f"--{name}: {error}", at="--" + name) from None


def _run(instruction: Instruction) -> None:
    if not instruction.flags.get("mount"):
        return
    from tuidock.engine.dockerfile.mounts import check_mounts

    check_mounts(instruction)


_CHECKS = {
    "ADD": _copy, "COPY": _copy, "FROM": _from, "ARG": _arg, "ENV": _blank_keys, "LABEL": _blank_keys,
    "VOLUME": _volume, "SHELL": _shell, "HEALTHCHECK": _healthcheck, "RUN": _run,
}  # fmt: skip
