"""The attach socket as a terminal's channel: frames, lines that are edited here, and another shim in the middle."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from tuidock.app.terminal.channels import AttachChannel
from tuidock.engine import stream as protocol
from tuidock.engine.stream import Resumer


class Ends:
    """A channel, the shim's end of its socket, and what it echoed."""

    def __init__(self, directory: Path, *, tty: bool, stdin_open: bool = True) -> None:
        ours, self.shim = socket.socketpair()
        self.echoed = bytearray()
        resumer = Resumer(str(directory))
        self.channel = AttachChannel(ours, resumer, tty=tty, stdin_open=stdin_open, echo=self.echoed.extend)
        self.shim.settimeout(5)
        self._buffer = bytearray()

    def frames(self, count: int) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        while len(found) < count:
            self._buffer += self.shim.recv(65536)
            found += [(kind, payload) for kind, _, payload in protocol.split(self._buffer)]
        return found

    def close(self) -> None:
        self.channel.close()
        self.shim.close()


@pytest.fixture
def plain(tmp_path: Path) -> Ends:
    return Ends(tmp_path, tty=False)


def test_a_terminal_gets_keys_as_they_are(tmp_path: Path) -> None:
    ends = Ends(tmp_path, tty=True)
    assert ends.channel.write(b"ls\r\x03") == 4
    ends.channel.resize(24, 80)
    assert ends.frames(2) == [(protocol.STDIN, b"ls\r\x03"), (protocol.RESIZE, struct.pack("<HH", 24, 80))]
    ends.shim.sendall(protocol.frame(protocol.OUT, b"one ", 1) + protocol.frame(protocol.OUT, b"two", 2)[:9])
    assert ends.channel.read() == b"one "
    ends.shim.sendall(protocol.frame(protocol.OUT, b"two", 2)[9:] + protocol.frame(protocol.EXIT, struct.pack("<i", 3)))
    assert ends.channel.read() == b"two" and ends.channel.exit_code == 3
    ends.shim.close()
    assert ends.channel.read() is None and not ends.channel.lost
    ends.close()


def test_without_a_terminal_lines_are_edited_here(plain: Ends) -> None:
    plain.channel.write("hä".encode() + b"\x7f\x7fyes\r")
    plain.channel.write(b"ab\x04\x04\x03\x1c")
    assert plain.frames(5) == [
        (protocol.STDIN, b"yes\n"), (protocol.STDIN, b"ab"), (protocol.STDIN_EOF, b""),
        (protocol.SIGNAL, struct.pack("<I", 2)), (protocol.SIGNAL, struct.pack("<I", 3)),
    ]  # fmt: skip
    assert bytes(plain.echoed) == "hä".encode() + b"\b \b\b \byes\r\nab"
    plain.close()


def test_a_closed_input_gets_signals_only(tmp_path: Path) -> None:
    ends = Ends(tmp_path, tty=False, stdin_open=False)
    ends.channel.write(b"typed\r\x03")
    assert ends.frames(1) == [(protocol.SIGNAL, struct.pack("<I", 2))] and not ends.echoed
    ends.close()


def position(segment: int, offset: int, pending: bytes = b"") -> bytes:
    return protocol.frame(protocol.POSITION, struct.pack("<QQII", segment, offset, len(pending), 0) + pending)


def test_another_shim_goes_on_at_the_byte_that_came_last(tmp_path: Path) -> None:
    """What the killed one had put into the log and not sent is read there, once."""
    line = b"2026-11-24T08:00:00.000000000Z stdout F "
    log = tmp_path / "0000000001.log"
    log.write_bytes(line + b"one\n" + line + b"two\n")
    ends = Ends(tmp_path, tty=False)
    ends.shim.sendall(position(1, 0) + protocol.frame(protocol.OUT, b"one\n", 1))
    assert ends.channel.read() == b"one\n"
    ends.shim.close()
    assert ends.channel.read() is None and ends.channel.lost
    ours, ends.shim = socket.socketpair()
    ends.channel.take_over(ours)
    ends.shim.sendall(position(1, log.stat().st_size) + protocol.frame(protocol.OUT, b"three\n", 1))
    assert ends.channel.read() == b"two\nthree\n" and not ends.channel.lost
    ends.close()


def test_a_slow_reader_is_told_what_it_missed_and_goes_on(plain: Ends) -> None:
    plain.shim.sendall(protocol.frame(protocol.LOST, struct.pack("<Q", 12345)))
    assert b"12345 bytes came too fast" in (plain.channel.read() or b"")
    plain.shim.close()
    assert plain.channel.read() is None and plain.channel.lost
    ours, plain.shim = socket.socketpair()
    plain.channel.take_over(ours)
    plain.shim.sendall(position(1, 0) + protocol.frame(protocol.OUT, b"now", 1))
    assert plain.channel.read() == b"now"
    plain.close()


def test_input_that_is_not_taken_waits(tmp_path: Path) -> None:
    """Frames stay whole, whatever the socket takes of them."""
    ends = Ends(tmp_path, tty=True)
    piece = b"x" * 65536
    taken = 0
    while (count := ends.channel.write(piece)) and taken < 64 << 20:
        taken += count
    assert ends.channel.pending and ends.channel.write(b"y") == 0
    got = 0
    while got < taken:
        got += sum(len(payload) for _, payload in ends.frames(1))
        ends.channel.write(b"")
    assert got == taken and not ends.channel.pending
    ends.close()
