"""Tar archives byte by byte, for what no honest writer makes: the standard library refuses or repairs most of it.

A header is what the caller says; only its checksum is put right, unless `raw` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

BLOCK = 512
FILE, HARDLINK, SYMLINK, CHAR, BLOCKDEVICE, DIRECTORY, FIFO = (str(digit).encode() for digit in range(7))
END = bytes(2 * BLOCK)
Text = str | bytes


def encoded(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def number(value: int | bytes, width: int) -> bytes:
    """Octal where it fits, else base 256; bytes stand as they are."""
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")[:width]
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    mark = 0x80 if value >= 0 else 0xFF
    return bytes([mark]) + (value % (1 << 8 * (width - 1))).to_bytes(width - 1, "big")


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def header(
    name: Text,
    kind: bytes = FILE,
    *,
    size: int | bytes = 0,
    link: Text = b"",
    mode: int | bytes = 0o644,
    uid: int | bytes = 0,
    gid: int | bytes = 0,
    mtime: int | bytes = 0,
    device: tuple[int | bytes, int | bytes] = (0, 0),
    prefix: Text = b"",
    magic: bytes = b"ustar\x0000",
    raw: Mapping[int, bytes] | None = None,
) -> bytes:
    """One block; `raw` overwrites bytes at an offset before the checksum is made, unless it writes that itself (148)."""
    block = bytearray(BLOCK)
    fields: list[tuple[int, bytes]] = [
        (0, encoded(name)[:100]), (100, number(mode, 8)), (108, number(uid, 8)), (116, number(gid, 8)),
        (124, number(size, 12)), (136, number(mtime, 12)), (156, kind), (157, encoded(link)[:100]), (257, magic),
        (329, number(device[0], 8)), (337, number(device[1], 8)), (345, encoded(prefix)[:155]),
    ]  # fmt: skip
    for offset, field in [*fields, *(raw or {}).items()]:
        block[offset : offset + len(field)] = field
    if 148 not in (raw or {}):
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def entry(
    name: Text, kind: bytes = FILE, content: bytes = b"", *, size: int | bytes | None = None, **more: Any
) -> bytes:
    """A header and its content; long names and links get the GNU entries that they need."""
    before = b""
    link = more.get("link", b"")
    for text, letter in ((name, b"L"), (link, b"K")):
        if len(encoded(text)) > 100:
            before += long_name(text, letter)
    stated = len(content) if size is None else size
    return before + header(name, kind, size=stated, **more) + padded(content)


def long_name(name: Text, letter: bytes = b"L") -> bytes:
    """GNU's entry for a long name (L) or link (K)."""
    text = encoded(name) + b"\0"
    return header("././@LongLink", letter, size=len(text)) + padded(text)


def record(key: Text, value: Text) -> bytes:
    """`LENGTH KEY=VALUE` of a pax header."""
    body = b" " + encoded(key) + b"=" + encoded(value) + b"\n"
    length = len(body)
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def pax(records: Mapping[str, Text] | Iterable[tuple[Text, Text]], letter: bytes = b"x") -> bytes:
    """A pax header for the next entry (x) or for all (g)."""
    pairs = records.items() if isinstance(records, Mapping) else records
    text = b"".join(record(key, value) for key, value in pairs)
    return header("PaxHeaders/0", letter, size=len(text)) + padded(text)


def archive(*parts: bytes) -> bytes:
    """The entries and the end of the archive."""
    return b"".join(parts) + END
