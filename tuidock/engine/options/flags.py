"""The flag grammar of docker's command line: one table of flags is parser, help and completion at once.

Not argparse: importing it costs a short command more than everything else that it does, and its grammar differs
(`-it` clusters, `--flag=false` of booleans, no prefix matching, options that end at the first positional argument).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class UsageError(InvalidArgument):
    """The command line itself is wrong: an unknown flag or a value that it cannot have (docker ends with 125)."""


class WrongArguments(UsageError):
    """Too few or too many arguments, which docker answers with 1."""

    exit_code = 1


class BadOptions(InvalidArgument):
    """Options that are well formed and cannot be: what docker's client refuses before it asks its daemon (125)."""


class CannotAttach(InvalidArgument):
    """The streams of the caller do not fit what was asked, which docker answers with 1."""

    exit_code = 1


class Flag(Named):
    """One flag. kind is the word of the help text ("bool" takes no value, "list" may be repeated).

    parse turns one value into what is stored and raises InvalidArgument or ValueError; many says that values gather.
    """

    name: str
    short: str
    kind: str
    help: str
    default: Any = None
    parse: Callable[[str], Any] | None = None
    many: bool = False
    aliases: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def label(self) -> str:
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


def switch(name: str, short: str = "", help: str = "", *, on: bool = False, hidden: bool = False) -> Flag:
    """A boolean flag."""
    return Flag(name, short, "bool", help, default=on, hidden=hidden)


def text(name: str, short: str = "", help: str = "", *, default: str = "", kind: str = "string", hidden: bool = False,
         parse: Callable[[str], Any] | None = None, aliases: tuple[str, ...] = ()) -> Flag:  # fmt: skip
    """A flag with one value; the last one given wins."""
    return Flag(name, short, kind, help, default=default, parse=parse, aliases=aliases, hidden=hidden)


def number(name: str, short: str = "", help: str = "", *, default: int | None = 0, kind: str = "int") -> Flag:
    """A flag with a whole number."""
    return Flag(name, short, kind, help, default=default, parse=whole)


def listed(name: str, short: str = "", help: str = "", *, parse: Callable[[str], Any] | None = None, kind: str = "list",
           aliases: tuple[str, ...] = ()) -> Flag:  # fmt: skip
    """A flag that may be repeated."""
    return Flag(name, short, kind, help, default=(), parse=parse, many=True, aliases=aliases)


def whole(value: str) -> int:
    """A whole number as Go's strconv reads it, with base prefixes, without Python's underscores and blanks."""
    try:
        if value != value.strip() or "_" in value or not value.isascii():
            raise ValueError
        digits = value.lstrip("+-")
        if len(digits) > 1 and digits[0] == "0" and digits.isdecimal():
            return int(value, 8)
        return int(value, 0)
    except ValueError:
        raise ValueError(f'parsing "{value}": invalid syntax') from None


def truth(value: str) -> bool:
    """A boolean as Go's strconv reads it."""
    if value in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise ValueError(f'parsing "{value}": invalid syntax')


class Values:
    """What was given: read by flag name; `given` tells a default from a choice."""

    __slots__ = ("_flags", "_values")

    def __init__(self, flags: Sequence[Flag]) -> None:
        self._flags = {flag.name: flag for flag in flags}
        self._values: dict[str, Any] = {}

    def given(self, name: str) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        flag = self._flags[name]
        return [] if flag.many else flag.default

    def get(self, name: str, default: Any = None) -> Any:
        """Like [] for a flag that not every caller's table has."""
        return self[name] if name in self._flags else default

    def text(self, name: str) -> str:
        value: str = self[name]
        return value

    def on(self, name: str) -> bool:
        return bool(self[name])

    def number(self, name: str) -> int:
        value: int = self[name]
        return value

    def items(self, name: str) -> list[Any]:
        value: list[Any] = self[name]
        return list(value)

    def put(self, flag: Flag, raw: str) -> None:
        """Stores one value, checked."""
        try:
            if flag.kind == "bool":
                value: Any = truth(raw)
            else:
                value = flag.parse(raw) if flag.parse else raw
        except UsageError:
            raise
        except (InvalidArgument, ValueError) as error:
            raise UsageError(f'invalid argument "{raw}" for "{flag.label}" flag: {error}') from None
        if flag.many:
            self._values.setdefault(flag.name, []).append(value)
        else:
            self._values[flag.name] = value


class HelpWanted(Exception):
    """`--help` stands among the flags."""


def parse(flags: Sequence[Flag], argv: Sequence[str], *, interspersed: bool = True) -> tuple[Values, list[str]]:
    """The values and the positional arguments of a command line.

    With interspersed=False (run, create, exec) everything from the first positional argument on belongs to the
    container's command, flags and `--` included.
    """
    longs = {name: flag for flag in flags for name in (flag.name, *flag.aliases)}
    shorts = {flag.short: flag for flag in flags if flag.short}
    values = Values(flags)
    positional: list[str] = []
    index = 0
    while index < len(argv):
        word = argv[index]
        index += 1
        if word == "--":
            positional += argv[index:]
            break
        if len(word) < 2 or word[0] != "-":
            positional.append(word)
            if not interspersed:
                positional += argv[index:]
                break
        elif word[1] == "-":
            index = _long(longs, word, argv, index, values)
        else:
            index = _cluster(shorts, word, argv, index, values)
    return values, positional


def _long(longs: dict[str, Flag], word: str, argv: Sequence[str], index: int, values: Values) -> int:
    name, equals, raw = word[2:].partition("=")
    if not name or name[0] == "-":
        raise UsageError(f"bad flag syntax: {word}")
    flag = longs.get(name)
    if flag is None:
        if name == "help":
            raise HelpWanted
        raise UsageError(f"unknown flag: --{name}")
    if equals:
        values.put(flag, raw)
    elif flag.kind == "bool":
        values.put(flag, "true")
    elif index < len(argv):
        values.put(flag, argv[index])
        index += 1
    else:
        raise UsageError(f"flag needs an argument: --{name}")
    return index


def _cluster(shorts: dict[str, Flag], word: str, argv: Sequence[str], index: int, values: Values) -> int:
    """`-it`, `-p80:80`, `-p=80:80`, `-p 80:80`; only the last flag of a cluster may take a value."""
    position = 1
    while position < len(word):
        letter, rest = word[position], word[position + 1 :]
        position += 1
        flag = shorts.get(letter)
        if flag is None:
            if letter == "h":
                raise HelpWanted
            raise UsageError(f"unknown shorthand flag: '{letter}' in {word}")
        if len(rest) > 1 and rest[0] == "=":
            values.put(flag, rest[1:])
            break
        if flag.kind == "bool":
            values.put(flag, "true")
        elif rest:
            values.put(flag, rest)
            break
        elif index < len(argv):
            values.put(flag, argv[index])
            index += 1
        else:
            raise UsageError(f"flag needs an argument: '{letter}' in {word}")
    return index


def completions(flags: Sequence[Flag]) -> list[tuple[str, str]]:
    """Every visible spelling with its help, for shells and forms."""
    rows: list[tuple[str, str]] = []
    for flag in flags:
        if not flag.hidden:
            rows.append((f"--{flag.name}", flag.help))
            if flag.short:
                rows.append((f"-{flag.short}", flag.help))
    return rows
