"""The attach stream between a client and a shim: frames of a type, a stream number and a length."""

from __future__ import annotations

import os
from struct import Struct, pack, unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from typing import Final
else:
    import _socket as socket  # the module around it brings selectors and enums

HELLO: Final = 0
STDIN: Final = 1
STDIN_EOF: Final = 2
RESIZE: Final = 3
SIGNAL: Final = 4
OUT: Final = 16
EXIT: Final = 17
LOST: Final = 18
STATE: Final = 19
POSITION: Final = 20

WANT_STDIN, WANT_STDOUT, WANT_STDERR, OWNER, HOLDS_STILL = 1, 2, 4, 8, 16
_HEADER: Final = Struct("<BBHI")
HEADER_SIZE: Final = _HEADER.size


def frame(type_: int, payload: bytes = b"", stream: int = 0) -> bytes:
    """A frame ready to send."""
    return _HEADER.pack(type_, stream, 0, len(payload)) + payload


def split(buffer: bytearray) -> list[tuple[int, int, bytes]]:
    """Takes the complete frames (type, stream, payload) off the front of the buffer."""
    found = []
    offset = 0
    while len(buffer) - offset >= HEADER_SIZE:
        type_, stream, _, length = _HEADER.unpack_from(buffer, offset)
        end = offset + HEADER_SIZE + length
        if len(buffer) < end:
            break
        found.append((type_, stream, bytes(buffer[offset + HEADER_SIZE : end])))
        offset = end
    del buffer[:offset]
    return found


def resize(rows: int, columns: int) -> bytes:
    """A RESIZE frame."""
    return frame(RESIZE, pack("<HH", rows, columns))


def signal(number: int) -> bytes:
    """A SIGNAL frame."""
    return frame(SIGNAL, pack("<I", number))


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of an owner's stream."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    return ours, theirs


def connect(run: str, wants: int = WANT_STDIN | WANT_STDOUT | WANT_STDERR, token: bytes = b"") -> socket.socket:
    """Connects to a shim's socket and says hello; token: the eight letters of HOLDS_STILL.

    A long path goes through a descriptor (the limit is 108 bytes). Raises OSError when nobody listens.
    """
    directory = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{directory}/attach")
        connection.sendall(frame(HELLO, bytes((1, wants)) + token))
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(directory)
    return connection


_CHUNK = 1 << 18
_POSITION_HEAD = 24


class Resumer:
    """Output that a client of a killed shim has not got, found in the container's log.

    A shim tells its clients where the log ends now and then (the frame POSITION), with the unfinished lines that are not
    in it yet. From the last position and what came since, a client knows which bytes of the log it lacks; the first
    position of the next shim says where that one's own output begins. So nothing is lost, and nothing is shown twice. The
    log is kept open, so that a removal meanwhile does not matter.
    """

    __slots__ = ("_begin", "_directory", "_held", "_pending", "_seen", "_segment")

    def __init__(self, log_directory: str) -> None:
        try:
            self._directory = os.open(log_directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            self._directory = -1
        self._held, self._segment, self._begin = -1, 0, 0
        self._pending = {1: b"", 2: b""}
        self._seen = {1: 0, 2: 0}

    def close(self) -> None:
        for fd in (self._directory, self._held):
            if fd >= 0:
                os.close(fd)
        self._directory = self._held = -1

    def came(self, stream: int, count: int) -> None:
        """Bytes of a stream (1 or 2) have arrived."""
        self._seen[stream] += count

    def at(self, payload: bytes) -> None:
        """A POSITION frame: all that has come is before it."""
        segment, begin, self._pending = _position(payload)
        self._seen = {1: 0, 2: 0}
        self._begin = begin
        if segment != self._segment:
            self._segment = segment
            if self._held >= 0:
                os.close(self._held)
            self._held = self._open(segment)

    def missing(self, payload: bytes = b"") -> Iterator[tuple[int, bytes]]:
        """(stream, bytes) of what has not come, up to another shim's POSITION; without one to the end of the log."""
        segment, end, pending = _position(payload) if payload else (1 << 62, 0, {})
        skip = {stream: len(self._pending[stream]) + self._seen[stream] for stream in (1, 2)}
        for stream, data in (*self._content(segment, end), *pending.items()):
            kept = data[skip[stream] :]
            skip[stream] -= len(data) - len(kept)
            if kept:
                yield stream, kept

    def _open(self, segment: int) -> int:
        try:
            return os.open(f"{segment:010}.log", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._directory)
        except OSError:
            return -1

    def _content(self, last: int, end: int) -> Iterator[tuple[int, bytes]]:
        """What the container wrote, as the log has it from our position on."""
        segment, offset, fd = self._segment, self._begin, self._held
        while fd >= 0 and segment <= last:
            yield from _lines(fd, offset, end if segment == last else -1)
            segment, offset = segment + 1, 0
            if fd != self._held:
                os.close(fd)
            fd = self._open(segment)
        if fd >= 0 and fd != self._held:
            os.close(fd)


def _position(payload: bytes) -> tuple[int, int, dict[int, bytes]]:
    """Segment, offset in it, and the unfinished line of each stream."""
    segment, offset, out, err = unpack_from("<QQII", payload)
    text = payload[_POSITION_HEAD:]
    return segment, offset, {1: text[:out], 2: text[out : out + err]}


def _lines(fd: int, offset: int, end: int) -> Iterator[tuple[int, bytes]]:
    rest = b""
    while chunk := os.pread(fd, _CHUNK if end < 0 else min(_CHUNK, end - offset), offset):
        offset += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if len(line) > 39:  # TIME stdout F text
                yield 1 if line[31:37] == b"stdout" else 2, line[40:] + (b"\n" if line[38:39] == b"F" else b"")
