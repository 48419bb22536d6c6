"""JSON by the C functions under the json package, without the regular expressions that importing it brings along.

A create request is read at every start; `import json` alone would take a tenth of the time that `run` has. Where these
functions are missing or differ, the package itself is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Context:
    """What the scanner asks its decoder: json.JSONDecoder's defaults."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}


def loads(text: str) -> Any:
    """A document. Raises ValueError, for one that is nested too deeply as well."""
    try:
        return _load(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _load(text: str) -> Any:
    stripped = text.strip(" \t\n\r")
    try:
        from _json import make_scanner

        value, end = make_scanner(_Context)(stripped, 0)  # type: ignore[arg-type]
    except (ImportError, StopIteration, ValueError, TypeError, AttributeError):
        import json

        return json.loads(text)
    if end != len(stripped):
        raise ValueError(f"not one JSON document: it goes on after {end} characters")
    return value


def dumps(document: object) -> str:
    """Compact JSON in ASCII. Raises TypeError for what JSON has no form of."""
    try:
        from _json import encode_basestring_ascii, make_encoder

        encode = make_encoder({}, _refuse, encode_basestring_ascii, None, ":", ",", False, False, True)
        return "".join(encode(document, 0))
    except (ImportError, TypeError, AttributeError):
        import json

        return json.dumps(document, separators=(",", ":"))


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
