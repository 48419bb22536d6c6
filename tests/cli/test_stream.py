"""The attach client against the other end of its stream."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tuidock.cli.stream import Outcome, Session
from tuidock.engine import stream as protocol
from tuidock.engine.options.detach_keys import Detacher


class Peer:
    """The shim's end: a thread that runs a script over the connection and keeps what it received."""

    def __init__(self, script: Callable[[Peer], None]) -> None:
        self.near, self.far = socket.socketpair()
        self.buffer = bytearray()
        self.frames: list[tuple[int, int, bytes]] = []
        self._thread = threading.Thread(target=script, args=(self,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()

    def out(self, data: bytes, stream: int = 1) -> None:
        self.far.sendall(protocol.frame(protocol.OUT, data, stream))

    def end(self, code: int) -> None:
        self.far.sendall(protocol.frame(protocol.EXIT, struct.pack("<i", code)))
        self.far.close()

    def next(self) -> tuple[int, int, bytes]:
        while not self.frames:
            received = self.far.recv(65536)
            assert received, "the client hung up"
            self.buffer += received
            self.frames += protocol.split(self.buffer)
        return self.frames.pop(0)


def session(peer: Peer, **options: Any) -> Outcome:
    made = Session(peer.near, **{"stdout": -1, "stderr": -1, **options})
    peer.start()
    outcome = made.run()
    peer.join()
    return outcome


def pipe_reader() -> tuple[int, Callable[[], bytes]]:
    reader, writer = os.pipe()
    found: list[bytes] = []

    def drain() -> None:
        while block := os.read(reader, 65536):
            found.append(block)
        os.close(reader)

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()

    def finish() -> bytes:
        os.close(writer)
        thread.join(10)
        return b"".join(found)

    return writer, finish


def test_streams_are_kept_apart_and_the_code_comes_last() -> None:
    def script(peer: Peer) -> None:
        peer.out(b"to out\n")
        peer.out(b"to err\n", 2)
        peer.out(b"x" * 300_000)
        peer.end(42)

    out, out_text = pipe_reader()
    err, err_text = pipe_reader()
    assert session(Peer(script), stdout=out, stderr=err) == Outcome(42)
    assert out_text() == b"to out\n" + b"x" * 300_000
    assert err_text() == b"to err\n"


def test_a_slow_reader_holds_the_container_back() -> None:
    """Nothing is taken from the socket while stdout is full, so the shim's socket fills up."""
    sent: list[int] = []

    def script(peer: Peer) -> None:
        peer.far.settimeout(0.3)
        try:
            for _ in range(1000):
                sent.append(peer.far.send(protocol.frame(protocol.OUT, b"y" * 16384, 1)))
        except TimeoutError:
            pass
        os.set_blocking(slow, True)
        held.append(sum(sent))
        threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(slow, 65536), b"")], daemon=True).start()
        peer.far.settimeout(None)
        peer.far.close()

    slow, writer = os.pipe()
    held: list[int] = []
    assert session(Peer(script), stdout=writer).exit_code is None
    os.close(writer)
    assert held[0] < 2_000_000


def test_stdin_goes_in_and_its_end_too() -> None:
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        while True:
            kind, _, payload = peer.next()
            if kind == protocol.STDIN_EOF:
                break
            got.append(payload)
        peer.out(b"after the end of stdin")
        peer.end(0)

    reader, writer = os.pipe()
    os.write(writer, b"hello")
    os.close(writer)
    out, text = pipe_reader()
    assert session(Peer(script), stdin=reader, stdout=out) == Outcome(0)
    assert b"".join(got) == b"hello"
    assert text() == b"after the end of stdin"
    os.close(reader)


def test_signals_are_passed_on() -> None:
    seen: list[int] = []

    def script(peer: Peer) -> None:
        for number in (signal.SIGTERM, signal.SIGUSR1):
            os.kill(os.getpid(), number)
            kind, _, payload = peer.next()
            assert kind == protocol.SIGNAL
            seen.append(struct.unpack("<I", payload)[0])
        peer.end(143)

    before = signal.getsignal(signal.SIGTERM)
    assert session(Peer(script)) == Outcome(143)
    assert seen == [signal.SIGTERM, signal.SIGUSR1]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_lost_connection_has_no_code() -> None:
    assert session(Peer(lambda peer: peer.far.close())) == Outcome(None)
    lost = Peer(lambda peer: peer.far.sendall(protocol.frame(protocol.LOST, struct.pack("<Q", 77))))
    assert session(lost) == Outcome(None, lost=77)


def test_a_reader_that_has_gone_is_an_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        session(Peer(lambda peer: peer.out(b"x")), stdout=writer)
    os.close(writer)


def test_detach_keys_are_found_across_reads() -> None:
    keys = Detacher(b"\x10\x11")
    assert keys.feed(b"ab") == (b"ab", False)
    assert keys.feed(b"\x10") == (b"", False)
    assert keys.feed(b"x") == (b"\x10x", False)
    assert keys.feed(b"\x10\x10") == (b"\x10", False)
    assert keys.feed(b"\x11rest") == (b"", True)


def test_detach_needs_a_container_with_a_terminal() -> None:
    def script(peer: Peer) -> None:
        kind, _, payload = peer.next()
        assert (kind, payload) == (protocol.STDIN, b"ab\x10\x11c")
        peer.end(0)

    reader, writer = os.pipe()
    os.write(writer, b"ab\x10\x11c")
    assert session(Peer(script), stdin=reader, detach_keys=b"\x10\x11") == Outcome(0)
    os.write(writer, b"ab\x10\x11c")
    first: list[bytes] = []
    peer = Peer(lambda peer: first.append(peer.next()[2]))
    assert session(peer, stdin=reader, tty=True, detach_keys=b"\x10\x11").detached
    assert first == [b"ab"]
    os.close(reader)
    os.close(writer)


def test_idle_costs_nothing() -> None:
    def script(peer: Peer) -> None:
        time.sleep(0.5)
        peer.end(0)

    before = time.process_time()
    session(Peer(script))
    assert time.process_time() - before < 0.1
