"""Changes of an image config in Dockerfile words, for `import --change` and `commit --change`."""

from __future__ import annotations

import json
import shlex
from typing import Any

from tuidock.engine.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Config = dict[str, Any]
_SHELL = ["/bin/sh", "-c"]


def _exec_form(rest: str) -> list[str] | None:
    if not rest.startswith("["):
        return None
    try:
        parsed = json.loads(rest)
    except ValueError:
        return None
    return parsed if isinstance(parsed, list) and all(isinstance(item, str) for item in parsed) else None


def _command(config: Config, rest: str) -> list[str]:
    words = _exec_form(rest)
    return words if words is not None else [*(config.get("Shell") or _SHELL), rest]


def _pairs(rest: str) -> list[tuple[str, str]]:
    """KEY=VALUE words, or the old form KEY VALUE."""
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise InvalidArgument(f"{rest!r:.200} has an open quote ({error})") from None
    if words and "=" not in words[0]:
        key, _, value = rest.partition(" ")
        if not value.strip():
            raise InvalidArgument(f"{rest!r:.200} must have two arguments")
        return [(key, value.strip())]
    pairs = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InvalidArgument(f"{word!r:.200} is not KEY=VALUE")
        pairs.append((key, value))
    return pairs


def _cmd(config: Config, rest: str) -> None:
    config["Cmd"] = _command(config, rest)


def _entrypoint(config: Config, rest: str) -> None:
    config["Entrypoint"] = _command(config, rest)


def _env(config: Config, rest: str) -> None:
    for key, value in _pairs(rest):
        others = [entry for entry in config.get("Env") or [] if not entry.startswith(key + "=")]
        config["Env"] = [*others, f"{key}={value}"]


def _label(config: Config, rest: str) -> None:
    config["Labels"] = (config.get("Labels") or {}) | dict(_pairs(rest))


def _expose(config: Config, rest: str) -> None:
    exposed = dict(config.get("ExposedPorts") or {})
    for word in rest.split():
        ports, _, protocol = word.partition("/")
        protocol = (protocol or "tcp").lower()
        first, dash, last = ports.partition("-")
        numbers = [first, last] if dash else [first, first]
        if protocol not in ("tcp", "udp", "sctp") or not all(n.isdecimal() and 0 < int(n) < 65536 for n in numbers):
            raise InvalidArgument(f"EXPOSE {word!r:.100}: invalid containerPort")
        for number in range(int(numbers[0]), int(numbers[1]) + 1):
            exposed[f"{number}/{protocol}"] = {}
    config["ExposedPorts"] = exposed


def _volume(config: Config, rest: str) -> None:
    words = _exec_form(rest)
    chosen = [word.strip() for word in (rest.split() if words is None else words)]
    if not all(chosen):
        raise InvalidArgument("VOLUME specified can not be an empty string")
    config["Volumes"] = (config.get("Volumes") or {}) | {word: {} for word in chosen}


def _text(key: str) -> Callable[[Config, str], None]:
    def change(config: Config, rest: str) -> None:
        config[key] = rest

    return change


def _workdir(config: Config, rest: str) -> None:
    current = config.get("WorkingDir") or "/"
    config["WorkingDir"] = rest if rest.startswith("/") else f"{current.rstrip('/')}/{rest}"


def _onbuild(config: Config, rest: str) -> None:
    trigger = rest.split(None, 1)[0].upper()
    if trigger in ("ONBUILD", "FROM", "MAINTAINER"):
        raise InvalidArgument(f"{trigger} isn't allowed as an ONBUILD trigger")
    config["OnBuild"] = [*(config.get("OnBuild") or []), rest]


_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_HEALTH_FLAGS = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}


def _duration(text: str) -> int:
    """A Go duration such as 1m30s, in nanoseconds."""
    total, rest = 0.0, text
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = next((unit for unit in _UNITS if rest.startswith(unit)), "")
        try:
            total += float(number) * _UNITS[unit]
        except (ValueError, KeyError):
            raise InvalidArgument(f"{text!r:.60} is no duration") from None
        rest = rest[len(unit) :]
    return int(total)


def _healthcheck(config: Config, rest: str) -> None:
    check: dict[str, Any] = {}
    while rest.startswith("--"):
        flag, _, rest = rest[2:].partition(" ")
        key, _, value = flag.partition("=")
        if key == "retries" and value.isdecimal():
            check["Retries"] = int(value)
        elif key in _HEALTH_FLAGS:
            check[_HEALTH_FLAGS[key]] = _duration(value)
        else:
            raise InvalidArgument(f"HEALTHCHECK has no flag --{flag:.60}")
        rest = rest.lstrip()
    kind, _, command = rest.partition(" ")
    command = command.strip()
    if kind.upper() == "NONE" and not command:
        check = {"Test": ["NONE"]}
    elif kind.upper() == "CMD" and command:
        words = _exec_form(command)
        check["Test"] = ["CMD", *words] if words is not None else ["CMD-SHELL", command]
    else:
        raise InvalidArgument(f"HEALTHCHECK {rest!r:.100}: write CMD and a command, or NONE")
    config["Healthcheck"] = check


_CHANGES: dict[str, Callable[[Config, str], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "LABEL": _label,
    "USER": _text("User"),
    "VOLUME": _volume,
    "WORKDIR": _workdir,
    "STOPSIGNAL": _text("StopSignal"),
    "HEALTHCHECK": _healthcheck,
    "ONBUILD": _onbuild,
}


def apply(config: Config, changes: Sequence[str]) -> Config:
    """The config with the changes made, in order. Raises InvalidArgument."""
    result = dict(config)
    for change in changes:
        word, _, rest = change.strip().partition(" ")
        rest = rest.strip()
        action = _CHANGES.get(word.upper())
        if action is None:
            raise InvalidArgument(f"{word[:40]} is not a valid change command; known are {', '.join(_CHANGES)}")
        if not rest:
            raise InvalidArgument(f"{word.upper()} requires an argument")
        action(result, rest)
    return result
