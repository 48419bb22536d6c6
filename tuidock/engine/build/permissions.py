"""--chmod: an octal number, or chmod's words as in `u=rwX,go=rX`, which depend on what the file has."""

from __future__ import annotations

import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777}
_LETTERS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_PERMISSIONS = 0o7777


def parse(text: str) -> Callable[[int], int]:
    """From a file's whole mode to its new permissions. Raises ValueError."""
    if text.isascii() and text.isdecimal():
        if len(text) > 5 or text.strip("01234567"):
            raise ValueError("it is no octal number")
        fixed = int(text, 8) & _PERMISSIONS
        return lambda mode: fixed
    changes = [_clause(clause) for clause in text.split(",")]

    def changed(mode: int) -> int:
        for change in changes:
            mode = change(mode)
        return stat.S_IMODE(mode)

    return changed


def _clause(text: str) -> Callable[[int], int]:
    """One of u=rw, go-w, +x."""
    end = next((at for at, char in enumerate(text) if char not in _WHO), len(text))
    mask = 0
    for who in text[:end] or "a":
        mask |= _WHO[who]
    sign, letters = text[end : end + 1], text[end + 1 :]
    if sign not in ("+", "-", "=") or any(letter not in "rwxXst" for letter in letters) or not (letters or sign == "="):
        raise ValueError(f"{text!r:.40} is none of u=rwx, go-w, +X")

    def change(mode: int) -> int:
        bits = 0
        for letter in letters:
            if letter == "X":
                bits |= 0o111 if stat.S_ISDIR(mode) or mode & 0o111 else 0
            else:
                bits |= _LETTERS[letter]
        bits &= mask
        if sign == "+":
            return mode | bits
        if sign == "-":
            return mode & ~bits
        return (mode & ~mask) | bits

    return change
