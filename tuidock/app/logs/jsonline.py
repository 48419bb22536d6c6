"""Lines that are values: a JSON object, or logfmt (`level=info msg="listening on :80"`).

Both are a mapping of names to values; nested ones are reached by dots (`http.status`). What a line holds is text from a
container: everything that comes out of here is clean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tuidock.engine.clean import clean

#: So far into a line the object may begin.
_REACH: Final = 160
#: Bytes of a line that are unfolded.
_LONGEST: Final = 32_768
_PAIR: Final = re.compile(r'(?:^|(?<=\s))([A-Za-z_@][\w.@/-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
#: Pairs that make a line logfmt; one alone is part of a sentence.
_PAIRS: Final = 2
#: Cells that a column may take; the last one takes what is left.
WIDEST: Final = 32


def is_object(text: str) -> bool:
    """Whether the line looks like a JSON object with something before it or not, or like logfmt."""
    if text.rstrip().endswith("}") and "{" in text[:_REACH]:
        return True
    return text.count("=", 0, 4 * _REACH) >= _PAIRS and len(_PAIR.findall(text, 0, 4 * _REACH)) >= _PAIRS


def values(text: str) -> Mapping[str, Any]:
    """The object in a line; empty when it is none."""
    if len(text) > _LONGEST:
        return {}
    at = text.find("{", 0, _REACH)
    if at >= 0 and text.rstrip().endswith("}"):
        try:
            found = json.loads(text[at:])
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}
    if "=" not in text:
        return {}
    pairs = _PAIR.findall(text)
    return {name: _unquoted(value) for name, value in pairs} if len(pairs) >= _PAIRS else {}


def unfold(text: str) -> list[str]:
    """The object in a line as indented lines; empty when it is none."""
    found = values(text)
    if not found:
        return []
    if "{" in text[:_REACH]:
        return [clean(line) for line in json.dumps(found, indent=2, ensure_ascii=False).split("\n")]
    widest = max(map(len, found))
    return [clean(f"  {name.ljust(widest)}  {value}") for name, value in found.items()]


def names(found: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What it has, nested names with dots."""
    said: list[str] = []
    for name, value in found.items():
        if isinstance(value, dict) and value and prefix.count(".") < 3:
            said += names(value, f"{prefix}{name}.")
        else:
            said.append(clean(f"{prefix}{name}"))
    return said


def field(found: Mapping[str, Any], name: str) -> str:
    """One of them as a text; "" when it is not there."""
    if name in found:
        return _text(found[name])
    value: Any = found
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return ""
        value = value[part]
    return _text(value)


def fields(text: str, wanted: Sequence[str]) -> list[str]:
    """Those of a line, in that order; empty when it has none of them."""
    found = values(text)
    texts = [field(found, name) for name in wanted] if found else []
    return texts if any(texts) else []


def _text(value: Any) -> str:
    if isinstance(value, str):
        return clean(value)
    return clean(json.dumps(value, ensure_ascii=False))


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value[1:-1]
