"""What a person presses, pastes and points at, as the bytes that programs know from xterm."""

from __future__ import annotations

from typing import Final

_NAMED: Final = {
    "enter": b"\r", "tab": b"\t", "backspace": b"\x7f", "escape": b"\x1b", "space": b" ", "shift+tab": b"\x1b[Z",
    "ctrl+@": b"\0", "ctrl+space": b"\0", "ctrl+backslash": b"\x1c", "ctrl+right_square_bracket": b"\x1d",
    "ctrl+circumflex_accent": b"\x1e", "ctrl+underscore": b"\x1f", "ctrl+left_square_bracket": b"\x1b",
    "ctrl+slash": b"\x1f", "ctrl+h": b"\x08", "ctrl+backspace": b"\x08", "ctrl+i": b"\t", "ctrl+m": b"\r",
    "shift+enter": b"\r", "ctrl+enter": b"\r", "ctrl+j": b"\n", "shift+backspace": b"\x7f",
}  # fmt: skip
#: Keys that say with a letter what they are; `CSI 1 ; modifiers letter`.
_LETTERS: Final = {"up": "A", "down": "B", "right": "C", "left": "D", "home": "H", "end": "F"}
_FUNCTION_LETTERS: Final = {"f1": "P", "f2": "Q", "f3": "R", "f4": "S"}
#: And with a number; `CSI number ; modifiers ~`.
_NUMBERS: Final = {
    "insert": 2, "delete": 3, "pageup": 5, "pagedown": 6, "f5": 15, "f6": 17, "f7": 18, "f8": 19, "f9": 20,
    "f10": 21, "f11": 23, "f12": 24, "f13": 25, "f14": 26, "f15": 28, "f16": 29, "f17": 31, "f18": 32, "f19": 33,
    "f20": 34,
}  # fmt: skip
_MODIFIERS: Final = {"shift": 1, "alt": 2, "ctrl": 4}


def sequence(key: str, character: str | None, *, application: bool = False) -> bytes:
    """The bytes of a key by Textual's name for it; application: cursor keys as DECCKM wants them. b"": none."""
    if key in _NAMED:
        return _NAMED[key]
    *held, name = key.split("+") if key != "+" else ["+"]
    modifiers = sum(_MODIFIERS.get(each, 0) for each in held)
    letter = _LETTERS.get(name) or _FUNCTION_LETTERS.get(name)
    if letter is not None:
        if modifiers:
            return f"\x1b[1;{modifiers + 1}{letter}".encode()
        single = application or name in _FUNCTION_LETTERS
        return (b"\x1bO" if single else b"\x1b[") + letter.encode()
    if name in _NUMBERS:
        return f"\x1b[{_NUMBERS[name]};{modifiers + 1}~".encode() if modifiers else f"\x1b[{_NUMBERS[name]}~".encode()
    if "alt" in held:
        rest = "+".join([*(each for each in held if each != "alt"), name])
        return b"\x1b" + (sequence(rest, character) or _typed(character))
    if "ctrl" in held and len(name) == 1 and name.isascii() and name.isalpha():
        return bytes((ord(name.upper()) & 31,))
    return _typed(character)


def _typed(character: str | None) -> bytes:
    return character.encode("utf-8", "replace") if character else b""


def paste(text: str, *, bracketed: bool) -> bytes:
    """Pasted text; its newlines become what the enter key sends. The closing bracket cannot be smuggled in."""
    typed = text.replace("\r\n", "\r").replace("\n", "\r")
    if not bracketed:
        return typed.encode("utf-8", "replace")
    return b"\x1b[200~" + typed.replace("\x1b", "").encode("utf-8", "replace") + b"\x1b[201~"


def mouse(button: int, x: int, y: int, *, pressed: bool, sgr: bool, modifiers: int = 0) -> bytes:
    """A report of the mouse: button as xterm counts (0-2, 64 and 65 for the wheel, +32 for a move), cells from 0."""
    if sgr:
        return f"\x1b[<{button + modifiers};{x + 1};{y + 1}{'M' if pressed else 'm'}".encode()
    if x > 222 or y > 222:
        return b""
    code = (button if pressed else 3) + modifiers
    return b"\x1b[M" + bytes((32 + code, 33 + x, 33 + y))
