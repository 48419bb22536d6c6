"""`<<name`: which words of a line announce a text that follows it, and what they say about it."""

from __future__ import annotations

from tuidock.engine.dockerfile.ast import Heredoc
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.words import Lexer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.engine.dockerfile.words import Processed

_ALLOWED = ("ADD", "COPY", "RUN")
#: No shell has more descriptors to write to.
_DIGITS = 9


def _unset(name: str) -> None:
    """Delimiters have no variables; `<<$EOF` ends at a line `$EOF`."""


def _lexed(text: str, *, raw_quotes: bool, raw_escapes: bool = False) -> Processed:
    return Lexer(text, _unset, raw_quotes=raw_quotes, raw_escapes=raw_escapes, keep_unset=True).process()


def heredoc_of(word: str) -> Heredoc | None:
    """The heredoc that a word announces; None for any other word."""
    digits = len(word) - len(word.lstrip("0123456789"))
    if not word.startswith("<<", digits) or digits > _DIGITS:
        return None
    rest = word[digits + 2 :]
    chomp = rest.startswith("-")
    rest = rest[chomp:].lstrip("\t\n\f\r ")
    if not rest or "<" in rest:
        return None
    try:
        named = _lexed(rest, raw_quotes=False).words
        if len(named) != 1:
            return None
        quoted = "".join(_lexed(rest, raw_quotes=True).words)
    except DockerfileError:
        return None
    expand = named[0].count("'") + named[0].count('"') == quoted.count("'") + quoted.count('"')
    return Heredoc(named[0], "", expand, chomp, int(word[:digits] or "0"))


def heredocs_of(word: str, json: bool, line: str) -> list[Heredoc]:
    """The heredocs that a line announces, in the order of their texts."""
    if json or word not in _ALLOWED or "<<" not in line:
        return []
    try:
        words = _lexed(line, raw_quotes=True, raw_escapes=True).words
    except DockerfileError:  # an open quote is the business of the shell that reads the line
        return []
    return [heredoc for heredoc in map(heredoc_of, words) if heredoc]
