"""The functions of --format templates: Go's builtins and docker's own (json, split, join, title, pad ...)."""

from __future__ import annotations

from collections.abc import Mapping

from tuidock.cli.template import TemplateError
from tuidock.cli.template_eval import MISSING, NO_MAP, Missing, Nil, Row, is_struct, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


def show(value: Any) -> str:
    """A value as Go's %v prints it."""
    if isinstance(value, str):
        return value
    if isinstance(value, Missing):
        return "<no value>"
    if value is None:
        return "<nil>"
    if isinstance(value, Nil):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e21 else f"{value:e}"
    if isinstance(value, Row):
        value = value.plain()
    if isinstance(value, Mapping):
        if is_struct(value):
            return "{" + " ".join(show(item) for item in value.values()) + "}"
        return "map[" + " ".join(f"{show(key)}:{show(value[key])}" for key in sorted(value, key=str)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(show(item) for item in value) + "]"
    return str(value)


def elements(value: Any) -> list[tuple[Any, Any]]:
    """(index or key, element) pairs of what {{range}} walks over."""
    if isinstance(value, Mapping):
        return [(key, value[key]) for key in sorted(value, key=str)]
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))
    if value is None or isinstance(value, (Missing, Nil)):
        return []
    if isinstance(value, int) and not isinstance(value, bool):
        return [(number, number) for number in range(value)]
    raise TemplateError(f"template: range can't iterate over {show(value)}")


def _plain(value: Any) -> Any:
    return None if isinstance(value, (Nil, Missing)) else list(value)


def to_json(value: Any) -> str:
    """Compact JSON without escaping of what a terminal can show."""
    import json

    if isinstance(value, Row):
        value = value.plain()
    if isinstance(value, Missing):
        value = None
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if value is NO_MAP:
            value = ""
            continue
        if value is None or isinstance(value, (Missing, Nil)):
            raise TemplateError("template: error calling index: index of untyped nil")
        if isinstance(value, Row):
            value = value.field(str(key))
        elif isinstance(value, Mapping):
            value = value.get(key, MISSING)
            if isinstance(value, Missing):
                value = ""
        elif isinstance(value, (list, tuple, str)):
            if not isinstance(key, int) or not 0 <= key < len(value):
                raise TemplateError(f"template: error calling index: index out of range: {show(key)}")
            value = value[key]
        else:
            raise TemplateError(f"template: error calling index: can't index item of type {type(value).__name__}")
    return value


def _length(value: Any) -> int:
    if value is None or isinstance(value, (Missing, Nil)):
        return 0
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, (Mapping, list, tuple)):
        return len(value)
    raise TemplateError(f"template: error calling len: {show(value)} has no length")


def _slice(value: Any, start: int = 0, end: int | None = None) -> Any:
    if not isinstance(value, (str, list, tuple)):
        raise TemplateError(f"template: error calling slice: can't slice {show(value)}")
    if start < 0 or start > len(value) or (end is not None and not start <= end <= len(value)):
        raise TemplateError("template: error calling slice: index out of range")
    return value[start:end]


def _title(text: Any) -> str:
    parts, fresh = [], True
    for char in show(text):
        parts.append(char.upper() if fresh else char)
        fresh = not (char.isalnum() or char in "_'")
    return "".join(parts)


def _join(value: Any, separator: str) -> str:
    if isinstance(value, Mapping):
        value = list(value.values())
    if value is None or isinstance(value, (Missing, Nil)):
        return ""
    if not isinstance(value, (list, tuple)):
        raise TemplateError(f"template: error calling join: {show(value)} is not a list")
    return separator.join(show(item) for item in value)


def _truncate(text: Any, length: int) -> str:
    return show(text)[:length]


def _pad(text: Any, before: int, after: int) -> str:
    shown = show(text)
    return " " * before + shown + " " * after if shown else shown


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise TemplateError("template: error calling eq: missing argument for comparison")
    return any(type(first) is type(other) and first == other for other in others) or first in [
        other for other in others if isinstance(other, (int, float)) and not isinstance(other, bool)
    ]


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def function(first: Any, second: Any) -> bool:
        numbers = isinstance(first, (int, float)) and isinstance(second, (int, float))
        if not numbers and not (isinstance(first, str) and isinstance(second, str)):
            raise TemplateError("template: incompatible types for comparison")
        return compare(first, second)

    return function


def quote(text: str) -> str:
    """A text in Go's double quotes."""
    parts = ['"']
    for char in text:
        code = ord(char)
        if char in '"\\':
            parts.append("\\" + char)
        elif char in "\n\t\r\a\b\f\v":
            parts.append("\\" + "ntrabfv"["\n\t\r\a\b\f\v".index(char)])
        elif code < 0x20 or code == 0x7F:
            parts.append(f"\\x{code:02x}")
        elif not char.isprintable() and char != " ":
            parts.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
        else:
            parts.append(char)
    parts.append('"')
    return "".join(parts)


def _printf(template: str, *arguments: Any) -> str:
    parts: list[str] = []
    left = list(arguments)
    at = 0
    while at < len(template):
        if template[at] != "%":
            parts.append(template[at])
            at += 1
            continue
        start = at
        at += 1
        while at < len(template) and template[at] in "+-# 0123456789.":
            at += 1
        verb = template[at : at + 1]
        modifier = template[start + 1 : at]
        at += 1
        if verb == "%":
            parts.append("%")
            continue
        if not left:
            parts.append(f"%!{verb}(MISSING)")
            continue
        parts.append(_formatted(modifier, verb, left.pop(0)))
    if left:
        parts.append("%!(EXTRA " + ", ".join(f"{type(item).__name__}={show(item)}" for item in left) + ")")
    return "".join(parts)


def _formatted(modifier: str, verb: str, value: Any) -> str:
    if verb in "sv" and verb:
        return f"%{modifier}s" % show(value)
    if verb == "q":
        return f"%{modifier}s" % quote(show(value))
    if verb == "t":
        return show(value)
    if verb == "T":
        return type(value).__name__
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if verb in "dxXoc" and verb and isinstance(value, int) and number:
        return str(f"%{modifier}{verb}" % value)
    if verb in "feEgG" and verb and number:
        return str(f"%{modifier}{verb}" % value)
    if verb in "xX" and verb and isinstance(value, str):
        return str(value).encode("utf-8", "surrogateescape").hex()
    return f"%!{verb}({type(value).__name__}={show(value)})"


def _html(*values: Any) -> str:
    import html

    return html.escape(_print(*values)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _urlquery(*values: Any) -> str:
    import urllib.parse

    return urllib.parse.quote_plus(_print(*values))


def _print(*values: Any) -> str:
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(show(value))
    return "".join(parts)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: values,
    "or": lambda *values: values,
    "not": lambda value: not truth(value),
    "eq": _equal,
    "ne": lambda first, second: not _equal(first, second),
    "lt": _ordered(lambda first, second: bool(first < second)),
    "le": _ordered(lambda first, second: bool(first <= second)),
    "gt": _ordered(lambda first, second: bool(first > second)),
    "ge": _ordered(lambda first, second: bool(first >= second)),
    "index": _index,
    "len": _length,
    "slice": _slice,
    "print": _print,
    "println": lambda *values: " ".join(show(value) for value in values) + "\n",
    "printf": _printf,
    "html": _html,
    "urlquery": _urlquery,
    "js": lambda *values: _print(*values).replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"'),
    "json": to_json,
    "split": lambda text, separator: show(text).split(separator) if separator else list(show(text)),
    "join": _join,
    "title": _title,
    "lower": lambda text: show(text).lower(),
    "upper": lambda text: show(text).upper(),
    "pad": _pad,
    "truncate": _truncate,
}


def header_functions() -> Mapping[str, Callable[..., Any]]:
    """What the functions do to a table's header, which is words and not values."""

    def same(text: Any, *_: Any) -> Any:
        return text

    return {name: same for name in ("json", "title", "lower", "upper", "truncate")}


def texts(values: Sequence[Any]) -> list[str]:
    return [show(value) for value in values]
