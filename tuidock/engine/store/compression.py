"""Inflating whatever is given: gzip, zstd, bzip2, xz or nothing, told apart by the first bytes and never by a name.

Every step yields a bounded chunk, so that a bomb costs time and not memory. isal inflates twice as fast as zlib.
"""

from __future__ import annotations

from collections.abc import Callable

from tuidock.engine.errors import BadContent, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

CHUNK = 1 << 20
SNIFF = 6
#: gzip in pieces that fit into a pipe, so that who inflates and who unpacks do not wait for each other by turns.
_GZIP_IN, _GZIP_OUT = 1 << 18, 1 << 20

_MAGIC = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))

Read = Callable[[int], bytes]


def kind_of(first: bytes) -> str:
    """gzip, zstd, bzip2, xz, or "" when it is not compressed in a known way."""
    if first[1:4] == b"\x2a\x4d\x18" and first[:1] and 0x50 <= first[0] <= 0x5F:
        return "zstd"  # a skippable frame, as pzstd and zstd:chunked write
    return next((kind for magic, kind in _MAGIC if first.startswith(magic)), "")


class Peeked:
    """A source of which some bytes have been looked at already."""

    def __init__(self, read: Read) -> None:
        self._read, self._head = read, b""

    def peek(self, size: int) -> bytes:
        while len(self._head) < size:
            more = self._read(size - len(self._head))
            if not more:
                break
            self._head += more
        return self._head[:size]

    def read(self, size: int) -> bytes:
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._read(size)


def _gzip(read: Read) -> Iterator[bytes]:
    from isal import isal_zlib

    pending = read(_GZIP_IN)
    while pending:
        member = isal_zlib.decompressobj(wbits=31)
        while not member.eof:
            if not pending and not (pending := read(_GZIP_IN)):
                raise EOFError
            if chunk := member.decompress(pending, _GZIP_OUT):
                yield chunk
            pending = member.unconsumed_tail
        pending = member.unused_data or read(_GZIP_IN)
        # what is behind the last member (padding of tapes and old tools) is not gzip and does not count
        if pending and len(pending) < 2:
            pending += read(_GZIP_IN)
        if not pending.startswith(b"\x1f\x8b"):
            return


def _zstd(read: Read) -> Iterator[bytes]:
    import zstandard

    class Source:
        def read(self, size: int) -> bytes:
            return read(size)

    source: Any = Source()
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    with decompressor.stream_reader(source, read_size=CHUNK, read_across_frames=True, closefd=False) as reader:
        while chunk := reader.read(4 * CHUNK):
            yield chunk


def _standard(read: Read, make: Callable[[], Any]) -> Iterator[bytes]:
    pending = read(CHUNK)
    while pending:
        stream = make()
        while not stream.eof:
            if stream.needs_input and not pending and not (pending := read(CHUNK)):
                raise EOFError
            if chunk := stream.decompress(pending, 4 * CHUNK):
                yield chunk
            pending = b""
        pending = (stream.unused_data or read(CHUNK)).lstrip(b"\0")


def inflate(read: Read) -> Iterator[bytes]:
    """The inflated bytes of a source in chunks, none of them empty. Raises BadContent when they are damaged or cut off."""
    source = Peeked(read)
    kind = kind_of(source.peek(SNIFF))
    try:
        if kind == "gzip":
            yield from _gzip(source.read)
        elif kind == "zstd":
            yield from _zstd(source.read)
        elif kind == "bzip2":
            import bz2

            yield from _standard(source.read, bz2.BZ2Decompressor)
        elif kind == "xz":
            import lzma

            yield from _standard(source.read, lambda: lzma.LZMADecompressor(memlimit=1 << 28))
        else:
            while chunk := source.read(CHUNK):
                yield chunk
    except EOFError:
        raise BadContent(f"the {kind} data end too early; fetch the file again") from None
    except (OSError, EngineError):  # what the source says
        raise
    except Exception as error:  # zlib.error, ZstdError, LZMAError: every library has its own
        raise BadContent(f"the {kind} data are damaged ({error}); fetch the file again") from error


class InflatedStream:
    """`inflate` with a read method."""

    def __init__(self, read: Read) -> None:
        self._chunks = inflate(read)
        self._pending: memoryview = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Up to size bytes; b"" only at the end."""
        while not self._pending:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._pending = memoryview(chunk)
        piece, self._pending = self._pending[:size], self._pending[size:]
        return bytes(piece)
