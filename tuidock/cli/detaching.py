"""The keys that leave a container: found in what is typed, and never sent to it."""

from __future__ import annotations


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
