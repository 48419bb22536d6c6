"""What stands in an image's history about an instruction: `created_by` as BuildKit writes it, in Go's ways of printing.

RUN |1 V=2 /bin/sh -c make # buildkit     COPY a b /dst # buildkit     WORKDIR /srv
ENV A=1 B=2    CMD ["sh" "-c" "x"]        EXPOSE [80/tcp]              VOLUME [/a /b]
"""

from __future__ import annotations

from tuidock.engine.dockerfile.instructions import exposed_ports, shell_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from tuidock.engine.dockerfile.arguments import Argument
    from tuidock.engine.dockerfile.ast import Instruction

COMMENT = "buildkit.dockerfile.v0"
_SUFFIX = " # buildkit"
_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip
_HEALTH = ("Interval", "Timeout", "StartPeriod", "StartInterval")
_UNITS = ((3600_000_000_000, "h"), (60_000_000_000, "m"))


def created_by(
    instruction: Instruction,
    config: Mapping[str, Any],
    *,
    argv: Sequence[str] = (),
    arguments: Iterable[Argument] = (),
    variables: Mapping[str, str] | None = None,
) -> str:
    """The line for an expanded instruction and the config after it; "" for ONBUILD, FROM: these leave none.

    RUN wants its argv and the arguments of the stage declared so far (as names with values; `variables` tells which
    values ENV has changed), ARG the arguments it declared itself.
    """
    line = _line(instruction, config, argv, arguments, variables or {})
    return line if line.isascii() else line.encode("utf-8", "replace").decode()


def _line(
    instruction: Instruction,
    config: Mapping[str, Any],
    argv: Sequence[str],
    arguments: Iterable[Argument],
    variables: Mapping[str, str],
) -> str:
    word, args = instruction.word, instruction.args
    if word == "RUN":
        return _run(argv, arguments, variables)
    if word in ("COPY", "ADD"):
        return _copy(instruction)
    if word in ("ENV", "LABEL"):
        return " ".join([word, *[f"{key}={value}" for key, value in instruction.pairs]])
    if word == "ARG":
        return " ".join([word, *[name if value is None else f"{name}={value}" for name, value in arguments]])
    if word in ("CMD", "ENTRYPOINT"):
        words = config.get("Cmd" if word == "CMD" else "Entrypoint") or ()
        return f"{word} [{' '.join([go_quoted(each) for each in words])}]"
    if word == "EXPOSE":
        return f"EXPOSE [{' '.join(exposed_ports(instruction))}]"
    if word == "VOLUME":
        return f"VOLUME [{' '.join([each.strip() for each in args])}]"
    if word == "SHELL":
        return f"SHELL [{' '.join(shell_of(dict(config)))}]"
    if word == "WORKDIR":
        return f"WORKDIR {config.get('WorkingDir') or '/'}"
    if word == "HEALTHCHECK":
        return _healthcheck(config.get("Healthcheck") or {})
    return "" if word in ("ONBUILD", "FROM") else f"{word} {' '.join(args)}"


def _run(argv: Sequence[str], arguments: Iterable[Argument], variables: Mapping[str, str]) -> str:
    given = {name: variables.get(name, value or "") for name, value in arguments}
    shown = [f"|{len(given)}", *[f"{name}={value}" for name, value in given.items()]] if given else []
    return " ".join(["RUN", *shown, *argv]) + _SUFFIX


def _copy(instruction: Instruction) -> str:
    flags = ["--parents"] if instruction.switch("parents") else []
    flags += [f"--{name}={instruction.flag(name)}" for name in ("chown", "chmod") if instruction.flag(name)]
    inline = [f"<<{heredoc.name}" for heredoc in instruction.inline]
    return " ".join([instruction.word, *flags, *instruction.sources, *inline, instruction.destination]) + _SUFFIX


def _healthcheck(check: Mapping[str, Any]) -> str:
    times = " ".join([f"{key}:{go_duration(check.get(key, 0))}" for key in _HEALTH])
    return f"HEALTHCHECK {{Test:[{' '.join(check.get('Test', ()))}] {times} Retries:{check.get('Retries', 0)}}}"


def go_quoted(text: str) -> str:
    """Go's %q."""
    chars: list[str] = []
    for char in text:
        if char in _ESCAPES:
            chars.append(_ESCAPES[char])
        elif char.isprintable():
            chars.append(char)
        else:
            code = ord(char)
            chars.append(f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(chars) + '"'


def go_duration(nanoseconds: int) -> str:
    """Go's way to print a duration: 1h0m0s, 1m30s, 1.5s, 200ms."""
    if nanoseconds < 1_000_000_000:
        for size, unit in ((1_000_000, "ms"), (1000, "µs"), (1, "ns")):
            if nanoseconds >= size:
                return _decimal(nanoseconds, size) + unit
        return "0s"
    text = ""
    for size, unit in _UNITS:
        if nanoseconds >= size or text:
            whole, nanoseconds = divmod(nanoseconds, size)
            text += f"{whole}{unit}"
    return text + _decimal(nanoseconds, 1_000_000_000) + "s"


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = f"{rest:0{len(str(size)) - 1}}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)
