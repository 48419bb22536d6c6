"""The grammar of `/`: which rows of a pane a text lets through.

The words of k9s, because fingers know them: `re` (a regular expression), `!re` (everything else), `-f text` (fuzzy),
`-l label=value`, and beside them `field:re` for the fields of the pane, such as `state:running` or `image:nginx`.
Several words must all fit. Case counts only when the text has a capital letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

#: Names under which a field may be asked for besides its own.
ALIASES = {"status": "state", "st": "state", "img": "image", "n": "name", "net": "network", "vol": "volume"}


class Fields(NamedTuple):
    """What a row offers to the filter: its text, its fields by name and its labels."""

    text: str
    named: Mapping[str, str]
    labels: Mapping[str, str]


Predicate = Callable[[Fields], bool]


class Filter(NamedTuple):
    """A filter as typed. note says what was not understood, in which case the word is taken literally."""

    source: str
    predicates: tuple[Predicate, ...] = ()
    note: str = ""

    def __call__(self, fields: Fields) -> bool:
        return all(predicate(fields) for predicate in self.predicates)


def searcher(word: str) -> tuple[Callable[[str], bool], str]:
    """Whether a text fits, and a note when the word is no regular expression. Case counts with a capital letter."""
    flags = 0 if any(char.isupper() for char in word) else re.IGNORECASE
    try:
        search = re.compile(word, flags).search
        note = ""
    except re.error as error:
        search = re.compile(re.escape(word), flags).search
        note = f"not a valid regular expression, so it is searched literally: {error.msg}"
    return lambda text: search(text) is not None, note


def fuzzy(needle: str, text: str) -> bool:
    """True when the letters of needle occur in text in this order."""
    rest = iter(text.lower())
    return all(char in rest for char in needle.lower() if not char.isspace())


def _on_text(fits: Callable[[str], bool]) -> Predicate:
    return lambda fields: fits(fields.text)


def _negated(inner: Predicate) -> Predicate:
    return lambda fields: not inner(fields)


def _fuzzily(needle: str) -> Predicate:
    return lambda fields: fuzzy(needle, fields.text)


def _label(word: str) -> Predicate:
    key, separator, value = word.partition("=")
    if not separator:
        return lambda fields: key in fields.labels
    return lambda fields: fields.labels.get(key) == value


def _field(name: str, value: str, names: frozenset[str]) -> tuple[Predicate | None, str]:
    name = ALIASES.get(name.lower(), name.lower())
    if name == "label":
        return _label(value), ""
    if name not in names:
        return None, ""
    negate = value.startswith("!")
    fits, note = searcher(value[1:] if negate else value)
    return (lambda fields: fits(fields.named.get(name, "")) is not negate), note


def parse(source: str, names: frozenset[str] = frozenset()) -> Filter:
    """Reads a filter; never fails, because it is read again with each letter that is typed."""
    source = source.strip()
    predicates: list[Predicate] = []
    note = ""
    words = source.split()
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "-f":
            needle = " ".join(words[position:])
            predicates.append(_fuzzily(needle))
            break
        if word == "-l":
            if position < len(words):
                predicates.append(_label(words[position]))
                position += 1
            continue
        negate = word.startswith("!")
        word = word[1:] if negate else word
        if not word:
            continue
        field, separator, value = word.partition(":")
        predicate: Predicate | None = None
        problem = ""
        if separator and value:
            predicate, problem = _field(field, value, names)
        if predicate is None:
            fits, problem = searcher(word)
            predicate = _on_text(fits)
        if negate:
            predicate = _negated(predicate)
        note = note or problem
        predicates.append(predicate)
    return Filter(source, tuple(predicates), note)
