"""--detach-keys: `ctrl-p,ctrl-q` and the like as the bytes that a terminal sends for them, found in what is typed."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument

DEFAULT = "ctrl-p,ctrl-q"
_CONTROL = "@abcdefghijklmnopqrstuvwxyz[\\]^_"


def parse_detach_keys(raw: str) -> bytes:
    """The byte sequence; "" stands for the default."""
    codes = bytearray()
    for key in (raw or DEFAULT).split(","):
        name = key.removeprefix("ctrl-").lower()
        if key != name and key.startswith("ctrl-") and len(name) == 1 and name in _CONTROL:
            codes.append(_CONTROL.index(name))
        elif len(key) == 1 and key.isascii():
            codes.append(ord(key))
        else:
            raise InvalidArgument(f"unknown key in --detach-keys: '{key}'; write ctrl-<letter> or one character")
    return bytes(codes)


def shown(keys: bytes) -> str:
    """The sequence as a person reads it."""
    return " ".join(f"ctrl+{_CONTROL[code]}" if code < len(_CONTROL) else chr(code) for code in keys)


def check_detach_keys(raw: str) -> str:
    parse_detach_keys(raw)
    return raw


class Detacher:
    """Finds the detach keys in what is typed. A beginning of them is held back until it is clear what it becomes."""

    def __init__(self, keys: bytes) -> None:
        self._keys, self._matched = keys, 0

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """What to send on, and whether the keys are complete."""
        sent = bytearray()
        for code in typed:
            if self._keys and code == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    return bytes(sent), True
                continue
            sent += self._keys[: self._matched]
            self._matched = 0
            if self._keys and code == self._keys[0]:
                self._matched = 1
            else:
                sent.append(code)
        return bytes(sent), False
