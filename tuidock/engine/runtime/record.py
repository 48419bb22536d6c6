"""The launch record: what the shim needs to start a container, as `key NUL value NUL` pairs.

Flat pairs and not JSON, so that the resident C program has no parser worth attacking. The first pair is the format's
version; a shim refuses what it does not know. Some keys (mount, cgroup, interface, port) open an object whose members
follow them. The reader is native/src/shim/record.c.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = "1"


class RecordWriter:
    """Collects pairs in order."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[str] = ["tuidock-record", VERSION]

    def add(self, key: str, value: str | int | bool) -> None:
        """One pair. Raises InvalidArgument for a NUL, which no path, argument or variable can hold."""
        text = str(int(value)) if isinstance(value, bool) else str(value)
        if "\0" in text:
            raise InvalidArgument(f"the value of {key} contains a NUL byte, which the kernel cannot take")
        self._parts += (key, text)

    def add_all(self, key: str, values: object) -> None:
        """The same key once per value."""
        for value in values:  # type: ignore[attr-defined]
            self.add(key, value)

    def encode(self) -> bytes:
        """The file's bytes; surrogates from undecodable argv bytes go back to what they were."""
        return ("\0".join(self._parts) + "\0").encode("utf-8", "surrogateescape")


def encode(pairs: Iterable[tuple[str, str]]) -> bytes:
    """A record of pairs that were read from one, the version's among them."""
    return "".join(f"{key}\0{value}\0" for key, value in pairs).encode("utf-8", "surrogateescape")


def decode(raw: bytes) -> list[tuple[str, str]]:
    """The pairs of a record, the version's first."""
    parts = raw.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return list(zip(parts[::2], parts[1::2], strict=True))
