"""The parts of an instruction's line: its word, its flags, its arguments. Offsets are those of the line."""

from __future__ import annotations

from tuidock.engine import fastjson
from tuidock.engine.dockerfile.spaces import SPACES, is_space, split_blanks
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class NotStrings(ValueError):
    """A JSON array of something else than texts."""


class Parts(Named):
    """flags: text and offset of each; rest: the arguments, from `offset` on."""

    word: str
    flags: tuple[tuple[str, int], ...]
    rest: str
    offset: int
    bare: bool = False


def split_line(line: str) -> Parts:
    """Word, flags and the rest of a line."""
    start = len(line) - len(line.lstrip(SPACES))
    cut = split_blanks(line[start:].rstrip(SPACES), 2)
    word = cut[0][0]
    if len(cut) == 1:
        return Parts(word, (), "", start + len(word), True)
    tail, offset = cut[1][0], start + cut[1][1]
    flags, at = _flags(tail)
    rest = tail[at:]
    stripped = rest.lstrip(SPACES)
    at += len(rest) - len(stripped)
    return Parts(word, tuple((flag, offset + begin) for flag, begin in flags), stripped.rstrip(SPACES), offset + at)


def _flags(text: str) -> tuple[list[tuple[str, int]], int]:
    """The leading words that begin with --, without their quotes, and where the rest begins. A lone -- ends them."""
    flags: list[tuple[str, int]] = []
    at, size = 0, len(text)
    while True:
        while at < size and is_space(text[at]):
            at += 1
        if not text.startswith("--", at):
            return flags, at
        start, flag, at = at, *_flag(text, at)
        if flag == "--":
            return flags, at
        flags.append((flag, start))


def _flag(text: str, at: int) -> tuple[str, int]:
    chars: list[str] = []
    quote = ""
    while at < len(text):
        char = text[at]
        at += 1
        if not quote and is_space(char):
            break
        if quote and char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char != "\\":
            chars.append(char)
        elif at < len(text):
            chars.append(text[at])
            at += 1
    return "".join(chars), at


def split_words(text: str, escape: str) -> list[str]:
    """Words cut at white space outside of quotes; quotes and escapes stay in them."""
    return list(_words(text, escape))


def _words(text: str, escape: str) -> Iterator[str]:
    at, size = 0, len(text)
    while at < size:
        if is_space(text[at]):
            at += 1
            continue
        word: list[str] = []
        quote = ""
        while at < size and (quote or not is_space(text[at])):
            char = text[at]
            at += 1
            if char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            if char == escape and quote != "'":
                if at == size:  # an escape before nothing
                    continue
                word.append(char)
                char = text[at]
                at += 1
            word.append(char)
        if word:
            yield "".join(word)


def json_strings(text: str) -> list[str] | None:
    """The texts of a JSON array; None when it is not JSON. Raises NotStrings for an array of other things."""
    text = text.lstrip(SPACES)
    if not text.startswith("["):
        return None
    try:
        words: list[str] = fastjson.loads(text)
        if all(isinstance(word, str) and word.isascii() for word in words):
            return words  # nearly always; what follows is for the others
    except (ValueError, RecursionError):
        pass
    import json

    try:
        found = json.loads(text, parse_constant=_refuse, parse_int=float)
    except RecursionError:
        raise NotStrings from None
    except ValueError:
        return None
    if not all(isinstance(item, str) for item in found):
        raise NotStrings
    return [item.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for item in found]


def _refuse(name: str) -> None:
    raise ValueError(name)
