"""A regular expression as people type it (Python's syntax), said again for RE2 so that it means exactly the same.

The pattern is parsed by Python's own parser and written out from the tree: classes become explicit ranges without the
newline, so that no match leaves its line; letters become both cases where case is ignored; groups capture nothing.
Classes such as \\w and the case of ASCII letters are ASCII, everything else is a character of UTF-8. What no automaton
can do (look-around, references to groups, possessive and atomic groups) is refused with one sentence: it is also what
lets an expression run for hours.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final, Literal

from tuidock.app.logs.ansi import ESCAPES

#: What `^` becomes: the start of the text that is searched alone, nothing because one stands there, or no match.
Caret = Literal["text", "here", "never"]
Ranges = list[tuple[int, int]]

_LAST: Final = 0x10FFFF
#: A range with more members is not gone through for the other case of its letters.
_MANY: Final = 4_096
_REFUSED: Final = {
    codes.ASSERT: "look-around such as (?=x) or (?<=x)",
    codes.ASSERT_NOT: "look-around such as (?!x) or (?<!x)",
    codes.GROUPREF: "references to groups such as \\1",
    codes.GROUPREF_EXISTS: "conditions such as (?(1)x)",
    codes.ATOMIC_GROUP: "atomic groups such as (?>x)",
    codes.POSSESSIVE_REPEAT: "possessive repeats such as x++",
}
_CATEGORIES: Final[dict[Any, Ranges]] = {
    codes.CATEGORY_DIGIT: [(48, 57)],
    codes.CATEGORY_SPACE: [(9, 13), (32, 32)],
    codes.CATEGORY_WORD: [(48, 57), (65, 90), (95, 95), (97, 122)],
}
_OPPOSITES: Final = {
    codes.CATEGORY_NOT_DIGIT: codes.CATEGORY_DIGIT,
    codes.CATEGORY_NOT_SPACE: codes.CATEGORY_SPACE,
    codes.CATEGORY_NOT_WORD: codes.CATEGORY_WORD,
}
NEVER: Final = r"[^\x00-\x{10FFFF}]"
#: Any bytes of a text: one character of a line.
CHARACTER: Final = r"[^\n]"


class QueryError(ValueError):
    """The pattern is no regular expression, or one that cannot be searched for; says why."""


class Pattern:
    """A parsed pattern. `here` and `elsewhere` are what to look for at the start of a text and behind it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ignores_case = not any(one.isupper() for one in re.sub(r"\\.", "", text))
        flags = re.IGNORECASE if self.ignores_case else 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = _parser.parse(text, flags)
            self._flags = flags | tree.state.flags
            self._tree = tree
            self._between = ""
            #: Whether a `^` stands where only a look at each text alone can tell what it means.
            self.by_text = False
            self.alone = self._write(tree, self._flags, "text")
            self.here = self._write(tree, self._flags, "here")
            self.elsewhere = self._write(tree, self._flags, "never")
            # The same for text that still has its escapes and CRs: finds every hit, and some that are none.
            self._between = f"(?:{ESCAPES.pattern.decode()})*"
            self.loose_here = self._write(tree, self._flags, "here")
            self.loose_elsewhere = self._write(tree, self._flags, "never")
        except (re.error, OverflowError, RecursionError) as error:
            raise QueryError(f"{text!r} is not a valid regular expression: {error}") from None

    def _write(self, tree: Iterable[Any], flags: int, caret: Caret) -> str:
        pieces = []
        skipped = False
        for item in tree:
            piece = self._item(item, flags, caret)
            if caret != "text":
                low, high = _parser.SubPattern(self._tree.state, [item]).getwidth()
                if skipped and _has_caret([item]):
                    self.by_text = True
                if caret == "here" and high:
                    # behind something that may be empty a `^` can still hold
                    skipped = skipped or not low
                    caret = "never"
            pieces.append(piece)
        return "".join(pieces)

    def _item(self, item: Any, flags: int, caret: Caret) -> str:
        code, value = item
        if code in _REFUSED:
            raise QueryError(f"{self.text!r} cannot be searched for: {_REFUSED[code]} are not supported")
        if code is codes.LITERAL:
            return _written(_cases([(value, value)], flags)) + self._between
        if code is codes.NOT_LITERAL:
            return _written(_complement(_cases([(value, value)], flags))) + self._between
        if code is codes.ANY:
            return CHARACTER + self._between
        if code is codes.IN:
            return _written(_members(value, flags)) + self._between
        if code is codes.BRANCH:
            return "(?:" + "|".join(self._write(one, flags, caret) for one in value[1]) + ")"
        if code is codes.SUBPATTERN:
            _, added, removed, inner = value
            return "(?:" + self._write(inner, (flags | added) & ~removed, caret) + ")"
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            low, high, inner = value
            if caret != "text" and high != 1 and _has_caret(inner):
                self.by_text = True
            most = "" if high == codes.MAXREPEAT else str(high)
            count = _SIGNS.get((low, most), f"{{{low},{most}}}")
            return f"(?:{self._write(inner, flags, caret)}){count}{'?' * (code is codes.MIN_REPEAT)}"
        if code is codes.AT:
            return _at(value, caret, self._between)
        if code is codes.FAILURE:
            return NEVER
        raise QueryError(f"{self.text!r} cannot be searched for: {code} is not supported")


_SIGNS: Final[dict[tuple[int, str], str]] = {(0, ""): "*", (1, ""): "+", (0, "1"): "?"}


def _at(code: Any, caret: Caret, between: str) -> str:
    if code in (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING, codes.AT_BEGINNING_LINE):
        return {"text": r"\A", "here": between, "never": NEVER}[caret]
    if code in (codes.AT_BOUNDARY, codes.AT_NON_BOUNDARY):
        if between:
            return ""
        return r"\b" if code is codes.AT_BOUNDARY else r"\B"
    return f"{between}\\r?{between}(?m:$)" if between else "(?m:$)"


def _has_caret(tree: Any) -> bool:
    if isinstance(tree, tuple) and len(tree) == 2 and tree[0] is codes.AT:
        return tree[1] in (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING, codes.AT_BEGINNING_LINE)
    if isinstance(tree, (tuple, list, _parser.SubPattern)):
        return any(_has_caret(one) for one in tree)
    return False


def _members(items: list[Any], flags: int) -> Ranges:
    ranges: Ranges = []
    negated = False
    for code, value in items:
        if code is codes.NEGATE:
            negated = True
        elif code is codes.LITERAL:
            ranges += _cases([(value, value)], flags)
        elif code is codes.RANGE:
            ranges += _cases([value], flags)
        elif value in _OPPOSITES:
            ranges += _complement(_CATEGORIES[_OPPOSITES[value]])
        else:
            ranges += _CATEGORIES[value]
    return _complement(ranges) if negated else ranges


def _cases(ranges: Ranges, flags: int) -> Ranges:
    """The ranges with the other case of their letters when case is ignored."""
    if not flags & re.IGNORECASE:
        return ranges
    more: Ranges = []
    for low, high in ranges:
        for code in (*range(max(low, 65), min(high, 90) + 1), *range(max(low, 97), min(high, 122) + 1)):
            more.append((code ^ 32, code ^ 32))
        if high > 127 and high - low <= _MANY:
            for code in range(max(low, 128), high + 1):
                letter = chr(code)
                more += [(ord(one), ord(one)) for one in {letter.lower(), letter.upper()} if len(one) == 1]
    return ranges + more


def _complement(ranges: Ranges) -> Ranges:
    rest, at = [], 0
    for low, high in sorted(ranges):
        if low > at:
            rest.append((at, low - 1))
        at = max(at, high + 1)
    return [*rest, (at, _LAST)] if at <= _LAST else rest


def _written(ranges: Ranges) -> str:
    """A class of RE2, without the newline."""
    parts = []
    for low, high in sorted(ranges):
        for one, other in ((low, min(high, 9)), (max(low, 11), high)):
            if one == other:
                parts.append(f"\\x{{{one:x}}}")
            elif one < other:
                parts.append(f"\\x{{{one:x}}}-\\x{{{other:x}}}")
    if not parts:
        return NEVER
    return parts[0] if len(parts) == 1 and "-" not in parts[0] else "[" + "".join(parts) + "]"
