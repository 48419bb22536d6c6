"""Reading an image archive's own tar as a stream: names, links and contents, one after the other.

The standard library's tarfile reads a pax header of any stated size into memory, and the archive is hostile; besides,
nothing here is ever written to a path that the archive names.
"""

from __future__ import annotations

from tuidock.engine.errors import BadContent
from tuidock.engine.store.compression import CHUNK, Read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
SPECIAL_LIMIT = 1 << 20
#: What is remembered of pax headers: an archive may hold any number of others.
_WANTED = ("path", "linkpath", "size")
_NO_TAR = "this is no tar archive"


class Member:
    """One entry. kind: file, hardlink, symlink, directory or other. The content is there until the next entry is asked
    for."""

    __slots__ = ("_left", "_stream", "kind", "link", "name", "size")

    def __init__(self, stream: TarStream, name: str, kind: str, size: int, link: str) -> None:
        self._stream = stream
        self.name, self.kind, self.size, self.link = name, kind, size, link
        self._left = size

    def chunks(self) -> Iterator[bytes]:
        while self._left:
            chunk = self._stream.some(min(self._left, CHUNK))
            self._left -= len(chunk)
            yield chunk

    def read(self, limit: int) -> bytes:
        """All of it. Raises BadContent when it is longer than the limit."""
        if self.size > limit:
            raise BadContent(f"{self.name} in the archive is longer than {limit} bytes")
        return b"".join(self.chunks())


class TarStream:
    """Iterate over it for the members."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def some(self, size: int) -> bytes:
        chunk = self._read(size)
        if not chunk:
            raise BadContent("the archive ends in the middle of an entry: it was cut off, so get the file again")
        return chunk

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = self.some(size)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _special(self, size: int) -> bytes:
        if size > SPECIAL_LIMIT:
            raise BadContent(f"a long name in the archive is longer than {SPECIAL_LIMIT} bytes")
        return self._exactly(size + -size % BLOCK)[:size]

    def __iter__(self) -> Iterator[Member]:
        pax: dict[str, str] = {}
        long: dict[str, str] = {}  # GNU's, which stand above those of a pax header, as in Go's reader
        first = True
        while True:
            header = self._header(first)
            if header is None:
                return
            first = False
            size = _number(header[124:136])
            kind = header[156:157]
            if kind in b"xgLK" and kind != b"":
                raw = self._special(size)
                if kind == b"x":
                    pax = {key: value for key, value in _pax(raw).items() if key in _WANTED and value}
                elif kind != b"g":
                    long["path" if kind == b"L" else "linkpath"] = _text(raw.split(b"\0", 1)[0])
                continue
            if "size" in pax:
                size = int(pax["size"]) if _is_number(pax["size"]) else -1
            if size < 0:
                raise BadContent("an entry of the archive has a negative size; it is damaged")
            name = long.get("path") or pax.get("path") or _name(header)
            link = long.get("linkpath") or pax.get("linkpath") or _text(header[157:257].split(b"\0", 1)[0])
            pax, long = {}, {}
            what = {b"0": "file", b"\0": "file", b"7": "file", b"1": "hardlink", b"2": "symlink", b"5": "directory"}
            found = what.get(kind, "other")
            if found in ("hardlink", "symlink", "directory"):
                size = 0
            member = Member(self, name, found, size, link)
            yield member
            for _ in member.chunks():
                pass
            if padding := -size % BLOCK:
                self._exactly(padding)

    def _header(self, first: bool) -> bytes | None:
        """The next header; None at the end of the archive, with or without its two empty blocks."""
        start = self._read(BLOCK)
        if not start:
            if first:
                raise BadContent("the archive is empty")
            return None
        while first and len(start) < BLOCK:
            more = self._read(BLOCK - len(start))
            if not more:
                raise BadContent(_NO_TAR)
            start += more
        header = start if len(start) == BLOCK else start + self._exactly(BLOCK - len(start))
        if not header.strip(b"\0"):
            while self._read(CHUNK):  # a writer before us in a pipe must not die of SIGPIPE
                pass
            return None
        stated = _number(header[148:156])
        if sum(header[:148]) + sum(header[156:]) + 8 * 0x20 != stated:
            raise BadContent(_NO_TAR if first else "the archive is damaged: the header of an entry is wrong")
        return header


def _is_number(text: str) -> bool:
    """Whether it is a decimal number of a size that can be meant (int() refuses thousands of digits)."""
    return text.isascii() and text.isdecimal() and len(text) < 20


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field, "big", signed=False) - (0x80 << 8 * (len(field) - 1)) if field[0] == 0x80 else -1
    text = field.strip(b" \0")
    try:
        return int(text, 8) if text else 0
    except ValueError:
        return -1


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _name(header: bytes) -> str:
    name = _text(header[:100].split(b"\0", 1)[0])
    prefix = _text(header[345:500].split(b"\0", 1)[0]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _pax(raw: bytes) -> dict[str, str]:
    records = {}
    while raw:
        digits, space, _ = raw.partition(b" ")
        length = int(digits) if space and _is_number(_text(digits)) else 0
        if not len(digits) + 1 < length <= len(raw):
            raise BadContent("a pax header of the archive is damaged")
        key, equals, value = raw[len(digits) + 1 : length - 1].partition(b"=")
        if not equals:
            raise BadContent("a pax header of the archive is damaged")
        records[_text(key)] = _text(value)
        raw = raw[length:]
    return records
