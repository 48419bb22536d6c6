"""--env-file and --label-file: one `NAME=value` a line, as docker reads them.

No quoting and no expansion: what stands behind the first `=` is the value, blanks and quotes included.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.values import expand_env

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_LONGEST_LINE = 64 * 1024


def parse_lines(content: bytes, lookup: Callable[[str], str | None] | None = None) -> list[str]:
    """The pairs of a file. A name alone takes its value from lookup and is left out when that knows none."""
    pairs: list[str] = []
    for number, raw in enumerate(content.split(b"\n"), 1):
        if len(raw) >= _LONGEST_LINE:
            raise InvalidArgument(f"line {number} is longer than {_LONGEST_LINE} bytes")
        raw = raw.removesuffix(b"\r")
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            line = raw.decode().lstrip(" \t")
        except UnicodeDecodeError:
            raise InvalidArgument(f"invalid utf8 bytes at line {number}: {list(raw[:64])}") from None
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not name:
            raise InvalidArgument(f"no variable name on line '{line}'")
        if " " in name or "\t" in name:
            raise InvalidArgument(f"variable '{name}' contains whitespaces")
        if equals:
            pairs.append(f"{name}={value}")
        elif lookup is None:
            pairs.append(name)
        elif (found := lookup(name)) is not None:
            pairs.append(f"{name}={found}")
    return pairs


def read_pairs(flag: str, paths: Iterable[str], lookup: Callable[[str], str | None] | None = None) -> list[str]:
    """The pairs of several files, in order; errors name the flag and the file."""
    pairs: list[str] = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            raise InvalidArgument(f"{flag}: open {path}: {(error.strerror or str(error)).lower()}") from None
        try:
            pairs += parse_lines(content, lookup)
        except InvalidArgument as error:
            raise InvalidArgument(f"{flag}: invalid {'env' if lookup else 'label'} file ({path}): {error}") from None
    return pairs


def read_env(paths: Iterable[str], given: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """--env-file, then -e: the order in which later ones win."""
    return read_pairs("--env-file", paths, environ.get) + [expand_env(pair, environ) for pair in given]
