"""Names of keys as a person writes them in config.yaml, without Textual, which is not there yet when they are read."""

from __future__ import annotations

import unicodedata

MODIFIERS = ("ctrl", "shift", "alt", "meta", "super", "hyper")
NAMED = {
    "up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete", "backspace", "enter",
    "return", "tab", "escape", "space", *(f"f{number}" for number in range(1, 25)),
}  # fmt: skip
#: Where Textual has a name of its own for a character.
_OWN = {
    "solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus",
    "plus_sign": "plus", "low_line": "underscore",
}  # fmt: skip


def textual_key(written: str) -> str:
    """Textual's name for the key; "" when there is no such key."""
    if written == "+":
        return "plus"
    *modifiers, last = written.split("+")
    if not last or any(each not in MODIFIERS for each in modifiers):
        return ""
    if last in NAMED or (len(last) == 1 and last.isalnum()):
        return written
    if written == "ctrl+@":
        return written
    if len(last) == 1 and last.isprintable() and last != ",":
        name = unicodedata.name(last, "").lower().replace("-", "_").replace(" ", "_")
        return "+".join([*modifiers, _OWN.get(name, name)]) if name else ""
    return written if last in _OWN.values() or _is_character(last) else ""


def _is_character(name: str) -> bool:
    """question_mark and the like."""
    try:
        unicodedata.lookup(name.replace("_", " ").upper())
    except KeyError:
        return False
    return True
