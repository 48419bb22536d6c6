"""What a line means: its level, and the JSON object that it may be."""

from __future__ import annotations

import json
import re
from typing import Final

from tuidock.engine.clean import clean

_LEVEL: Final = re.compile(
    r"\b(?:(?P<bad>FATAL|PANIC|EMERG|ALERT|CRITICAL|CRIT|SEVERE|ERROR|ERR)|(?P<warn>WARNING|WARN)"
    r"|(?P<accent>NOTICE|INFO)|(?P<muted>DEBUG|TRACE|VERBOSE))\b"
    r"|(?:\blevel|\blvl|\bseverity)\W{1,4}(?:(?P<bad2>fatal|panic|crit|critical|error|err)|(?P<warn2>warning|warn)"
    r"|(?P<accent2>info|notice)|(?P<muted2>debug|trace))\b"
    r"|^\W?(?:(?P<bad3>fatal|error|panic)|(?P<warn3>warning|warn))\b(?=\W)",
)
#: So far into a line a level is looked for; further on the word is part of a sentence.
_REACH: Final = 160
#: Bytes of a line that are unfolded.
_LONGEST: Final = 32_768


def level(text: str) -> tuple[int, int, str] | None:
    """Where the word for the level stands, and the name of its style."""
    match = _LEVEL.search(text, 0, _REACH)
    if match is None or match.lastgroup is None:
        return None
    start, end = match.span(match.lastgroup)
    return start, end, match.lastgroup.rstrip("23")


def is_object(text: str) -> bool:
    """Whether the line looks like a JSON object or array with something before it or not."""
    return text.rstrip().endswith("}") and "{" in text[:_REACH]


def unfold(text: str) -> list[str]:
    """The JSON object in a line as indented lines, clean; empty when it is none."""
    at = text.find("{")
    if at < 0 or len(text) > _LONGEST:
        return []
    try:
        value = json.loads(text[at:])
    except (ValueError, RecursionError):
        return []
    return [clean(line) for line in json.dumps(value, indent=2, ensure_ascii=False).split("\n")]
