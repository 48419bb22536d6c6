"""The attach stream between a client and a shim: frames of a type, a stream number and a length."""

from __future__ import annotations

import os
from struct import Struct, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
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

WANT_STDIN, WANT_STDOUT, WANT_STDERR = 1, 2, 4
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


def connect(run: str, wants: int = WANT_STDIN | WANT_STDOUT | WANT_STDERR) -> socket.socket:
    """Connects to a shim's socket and says hello; long paths go through a descriptor (limit of 108 bytes).

    Raises OSError when nobody listens.
    """
    directory = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{directory}/attach")
        connection.sendall(frame(HELLO, bytes((1, wants))))
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(directory)
    return connection
