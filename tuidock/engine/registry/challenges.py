"""The WWW-Authenticate header: what kind of credentials a registry asks for, as RFC 9110 writes it down.

One header may hold several challenges, whose parameters are separated by the same commas; values may be quoted and
contain commas themselves. Whatever cannot be read is left out: an unknown scheme beside a known one is legal.
"""

from __future__ import annotations

import re

from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))\s*(?=,|$)', re.DOTALL)
_SCHEME = re.compile(rf"({_TOKEN})(?=\s|,|$)")
_SEPARATORS = re.compile(r"[\s,]*")
_GARBAGE = re.compile(r'"(?:[^"\\]|\\.)*"|[^",]+', re.DOTALL)
#: A header longer than this is not read to its end (characters).
_LIMIT = 16384


class Challenge(Named):
    """scheme in lower case; parameters by lower-case name."""

    scheme: str
    parameters: Mapping[str, str] = {}


def parse(headers: Iterable[str]) -> list[Challenge]:
    """Every challenge of the headers, in order."""
    found: list[Challenge] = []
    for header in headers:
        found += _one(header[:_LIMIT])
    return found


def _one(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    position = 0
    parameters: dict[str, str] = {}
    while True:
        separators = _SEPARATORS.match(header, position)
        position = separators.end() if separators else position
        match = _PARAMETER.match(header, position)
        if match and found:
            value = match[3] if match[2] is None else re.sub(r"\\(.)", r"\1", match[2], flags=re.DOTALL)
            parameters.setdefault(match[1].lower(), value)
            position = match.end()
            continue
        match = _SCHEME.match(header, position)
        if match:
            parameters = {}
            found.append(Challenge(match[1].lower(), parameters))
            position = match.end()
            continue
        match = _GARBAGE.match(header, position)
        if not match:
            return found  # the end, or a quote that is never closed
        position = match.end()


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The one to answer: Bearer with a realm before Basic; None when there is neither."""
    given = list(challenges)
    for challenge in given:
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return challenge
    return next((challenge for challenge in given if challenge.scheme == "basic"), None)
