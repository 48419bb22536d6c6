"""Metadata instructions done to the `config` of an OCI image, as docker does them, and the command that a RUN runs.

Instructions come expanded (see `expand`). A config has docker's keys: Env, Cmd, Entrypoint, Labels, ...
"""

from __future__ import annotations

import posixpath

from tuidock.engine.dockerfile.checks import DURATIONS
from tuidock.engine.dockerfile.heredocs import heredoc_of
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named
from tuidock.engine.options.ports import parse_port_spec
from tuidock.engine.options.values import parse_positive_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from tuidock.engine.dockerfile.ast import Heredoc, Instruction

    Config = dict[str, Any]

DEFAULT_SHELL = ("/bin/sh", "-c")
#: The config of `FROM scratch`: docker gives even an empty image a PATH.
SCRATCH: Config = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
#: Where the script of a heredoc with a shebang lies while it runs.
SCRIPTS = "/dev/pipes"
_PORTS = 3 * 65536
#: Instructions that change the config and nothing else.
METADATA = frozenset((
    "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "SHELL", "STOPSIGNAL",
    "USER", "VOLUME", "WORKDIR", "ARG",
))  # fmt: skip


class RunCommand(Named):
    """What RUN runs. script: a file that has to stand at the path argv ends with, mode 0755, while it runs."""

    argv: tuple[str, ...]
    script: Heredoc | None = None


def apply(config: Config, instruction: Instruction, *, own_command: bool = False) -> Config:
    """The config after an instruction; the given one stays as it is. ARG, RUN, COPY, ADD and MAINTAINER (the author is
    no part of it) change nothing. own_command: CMD was set by this same Dockerfile stage, so that ENTRYPOINT does not
    take it away. Raises DockerfileError."""
    change = _CHANGES.get(instruction.word)
    if change is None:
        return config
    if any("\0" in arg for arg in instruction.args):
        raise instruction.error(f"{instruction.word} holds a NUL, which no text of an image can")
    result = dict(config)
    change(result, instruction._replace(args=tuple([_unicode(arg) for arg in instruction.args])))
    if instruction.word == "ENTRYPOINT" and not own_command:
        result.pop("Cmd", None)
    return result


def _unicode(text: str) -> str:
    """An image holds Unicode only; the caller's environment may give other bytes to a variable."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def shell_of(config: Config) -> tuple[str, ...]:
    """What runs the shell form: the SHELL of the image."""
    return tuple(config.get("Shell") or DEFAULT_SHELL)


def command_of(instruction: Instruction, shell: Sequence[str]) -> list[str]:
    """The words of CMD and ENTRYPOINT."""
    return list(instruction.args) if instruction.json else [*shell, " ".join(instruction.args)]


def run_command(instruction: Instruction, shell: Sequence[str] = DEFAULT_SHELL) -> RunCommand:
    """The command of a RUN. A heredoc that is all of it is the script itself; others go to the shell as written."""
    if instruction.json:
        return RunCommand(instruction.args)
    line = " ".join(instruction.args)
    if not instruction.heredocs:
        return RunCommand((*shell, line))
    first = instruction.heredocs[0]
    if heredoc_of(line) is None:
        whole = "".join([line, *[f"\n{heredoc.content}{heredoc.name}" for heredoc in instruction.heredocs]])
        return RunCommand((*shell, whole))
    if not first.text.startswith("#!"):
        return RunCommand((*shell, first.text))
    name = first.name.rpartition("/")[2]
    return RunCommand((*shell, posixpath.join(SCRIPTS, name if name.strip(".") else "script")), first)


def set_variables(env: Sequence[str] | None, pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Env with variables set; one that is there keeps its place."""
    entries = list(env or ())
    places: dict[str, int] = {}
    for index, entry in enumerate(entries):
        places.setdefault(entry.partition("=")[0], index)
    for key, value in pairs:
        if key in places:
            entries[places[key]] = f"{key}={value}"
        else:
            places[key] = len(entries)
            entries.append(f"{key}={value}")
    return entries


def variables_of(config: Config) -> dict[str, str]:
    """Env as names and values."""
    pairs = [entry.partition("=") for entry in config.get("Env") or ()]
    return {key: value for key, _, value in pairs}


def trigger_text(instruction: Instruction) -> str:
    """What the config keeps of an ONBUILD, heredocs included."""
    text = instruction.trigger.text if instruction.trigger else " ".join(instruction.args)
    return "".join([text, *[f"\n{heredoc.content}{heredoc.name}" for heredoc in instruction.heredocs]])


def _cmd(config: Config, instruction: Instruction) -> None:
    config["Cmd"] = command_of(instruction, shell_of(config))


def _entrypoint(config: Config, instruction: Instruction) -> None:
    words = command_of(instruction, shell_of(config))
    if words:
        config["Entrypoint"] = words
    else:
        config.pop("Entrypoint", None)


def _env(config: Config, instruction: Instruction) -> None:
    for key, _ in instruction.pairs:
        if not key or "=" in key:
            raise instruction.error(f"{key!r:.60} cannot be the name of a variable")
    config["Env"] = set_variables(config.get("Env"), instruction.pairs)


def _label(config: Config, instruction: Instruction) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **dict(instruction.pairs)}


def _expose(config: Config, instruction: Instruction) -> None:
    config["ExposedPorts"] = {**(config.get("ExposedPorts") or {}), **{port: {} for port in exposed_ports(instruction)}}


def exposed_ports(instruction: Instruction) -> list[str]:
    """The ports of an EXPOSE as `80/tcp`, ranges in full. Raises DockerfileError."""
    ports: list[str] = []
    for word in instruction.args:
        try:
            ports += [port for port, _ in parse_port_spec(word)]
        except InvalidArgument as error:
            raise instruction.error(f"EXPOSE {word!r:.60}: {error}", at=word) from None
        if len(ports) > _PORTS:
            raise instruction.error("EXPOSE names more ports than there are", at=word)
    return ports


def _volume(config: Config, instruction: Instruction) -> None:
    volumes = [word.strip() for word in instruction.args]
    if not all(volumes):
        raise instruction.error("VOLUME specified can not be an empty string")
    config["Volumes"] = {**(config.get("Volumes") or {}), **{path: {} for path in volumes}}


def _text(key: str) -> Callable[[Config, Instruction], None]:
    def change(config: Config, instruction: Instruction) -> None:
        config[key] = instruction.args[0]

    return change


def _stop_signal(config: Config, instruction: Instruction) -> None:
    name = instruction.args[0]
    if not known_signal(name):
        raise instruction.error(f"there is no signal {name!r:.40}", at=name)
    config["StopSignal"] = name


def known_signal(name: str) -> bool:
    """Whether a signal has that name (with or without SIG) or number."""
    import signal

    if name.isascii() and name.isdecimal():
        return len(name) < 4 and 0 < int(name) <= 64
    word = name.upper().removeprefix("SIG")
    base, sign, number = word.partition("+") if "+" in word else word.partition("-")
    if sign and base in ("RTMIN", "RTMAX"):
        return number.isascii() and number.isdecimal() and len(number) < 3 and int(number) <= 30
    return f"SIG{word}" in signal.Signals.__members__


def _workdir(config: Config, instruction: Instruction) -> None:
    config["WorkingDir"] = joined_workdir(config.get("WorkingDir") or "/", instruction.args[0])


def joined_workdir(current: str, path: str) -> str:
    """A WORKDIR after another one: always absolute, without `.`, `..` and doubled slashes."""
    return "/" + posixpath.normpath(posixpath.join("/", current, path)).lstrip("/")


def _shell(config: Config, instruction: Instruction) -> None:
    config["Shell"] = list(instruction.args)


def _onbuild(config: Config, instruction: Instruction) -> None:
    config["OnBuild"] = [*(config.get("OnBuild") or []), trigger_text(instruction)]


_HEALTH = dict(zip(DURATIONS, ("Interval", "Timeout", "StartPeriod", "StartInterval"), strict=True))


def _healthcheck(config: Config, instruction: Instruction) -> None:
    kind, *command = instruction.args
    if kind.upper() == "NONE":
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    check: dict[str, Any] = {"Test": ["CMD" if instruction.json else "CMD-SHELL", *command]}
    for flag, key in _HEALTH.items():
        value = parse_positive_duration(instruction.flag(flag) or "0")
        if value:
            check[key] = value
    retries = int(instruction.flag("retries") or 0)
    if retries:
        check["Retries"] = retries
    config["Healthcheck"] = check


_CHANGES: dict[str, Callable[[Config, Instruction], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _text("User"),
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
