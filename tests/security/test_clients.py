"""Clients of a monitor that do not keep to the protocol, and records that are none: nobody gets more than an end."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

import pytest

from tests.native.monitored import HELLO, SIGNAL, STDIN, eventually, needs_root
from tests.native.record import Box

pytestmark = needs_root


def connected(box: Box) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    here = os.open(box.run, os.O_RDONLY)
    try:
        client.connect(f"/proc/self/fd/{here}/attach")
    finally:
        os.close(here)
    client.settimeout(10)
    return client


def frame(kind: int, payload: bytes, length: int = -1) -> bytes:
    return struct.pack("<BBHI", kind, 0, 0, len(payload) if length < 0 else length) + payload


def ends(client: socket.socket) -> bool:
    """Whether the monitor closes the connection."""
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.parametrize(
    "sent",
    [
        frame(9, b"", 0xFFFFFFFF), frame(SIGNAL, b"", 0xFFFFFFFF), frame(HELLO, b"\1\7" + b"x" * 15),
        frame(HELLO, b"\1"),
        frame(HELLO, b""), frame(HELLO, b"\2\7"), frame(STDIN, b"x"), frame(STDIN, b"", 0xFFFFFFFF),
        frame(SIGNAL, b"\x09\0\0\0"),
        frame(HELLO, b"\1\7") * 2, frame(HELLO, b"\1\7") + frame(SIGNAL, b"\x09"), frame(HELLO, b"\1\7") + frame(200, b""),
        b"\xff" * 64,
    ],
)  # fmt: skip
def test_a_client_that_talks_nonsense_is_let_go(box: Box, sent: bytes) -> None:
    box.serve()
    with connected(box) as client:
        client.sendall(sent)
        assert ends(client)
    assert (box.run / "pid").exists()


def test_signals_that_are_none_reach_nobody(box: Box) -> None:
    box.serve()
    with connected(box) as client:
        client.sendall(
            frame(HELLO, b"\1\7") + b"".join(frame(SIGNAL, struct.pack("<I", n)) for n in (0, 65, 128, 0xFFFFFFFF))
        )
        time.sleep(0.05)
        assert (box.run / "pid").exists()


def test_endless_hellos_cost_no_memory(box: Box) -> None:
    box.serve()
    shim = int(box.facts(box.run / "pid")["shim"].split()[0])
    before = resident(shim)
    with connected(box) as client:
        client.settimeout(1)
        try:
            for _ in range(2000):
                client.sendall(frame(HELLO, b"\1\7") * 512)  # never reads
        except OSError:
            pass
        assert resident(shim) < before + 2048


def test_more_clients_than_there_may_be(box: Box) -> None:
    box.serve()
    clients = [connected(box) for _ in range(80)]
    try:
        with_answer = 0
        for client in clients:
            try:
                client.sendall(frame(HELLO, b"\1\7"))
                with_answer += bool(client.recv(8))
            except OSError:
                continue
        assert with_answer <= 64
    finally:
        for client in clients:
            client.close()

    def again() -> bool:
        with connected(box) as client:
            client.sendall(frame(HELLO, b"\1\7"))
            return bool(client.recv(8))

    eventually(again, "a place for a new client")


@pytest.mark.parametrize(
    "pair",
    [
        ("umask", "99999999999999999999"), ("rows", "65536"), ("caps", "1" + "0" * 16), ("oom-score-adj", "-2147483649"),
        ("generation", "-1"), ("log-max-size", "9" * 30), ("device", "c 1 3 666 0 0 relative"),
        ("device", "x 1 3 666 0 0 /dev/x"),
        ("rlimit", "nofile 1 2"), ("rlimit", "nofile 99999999999999999999 1 user"), ("port", "icmp"), ("set", "x"),
        ("cgroup", "relative"), ("unknown", "x"), ("tty", "2"), ("stop-signal", ""), ("id", "../../" + "a" * 58),
    ],
)  # fmt: skip
def test_a_record_that_is_none_starts_nothing(box: Box, pair: tuple[str, str]) -> None:
    box.extra.append(pair)
    box.command = ("true",)
    assert box.start().startswith("error record"), pair


def test_a_huge_environment_is_an_answer(box: Box) -> None:
    box.env += [f"V{number}=" + "x" * 1000 for number in range(7000)]
    box.command = ("true",)
    assert box.start().startswith("error exec"), "more than the kernel takes"
    box.env = ["PATH=/bin"] + [f"V{number}=" + "x" * 1000 for number in range(9000)]
    assert box.start().startswith("error record"), "a record has a limit"


def test_what_an_image_calls_its_command_does_not_reach_the_terminal(box: Box) -> None:
    box.serve()
    for hostile in ("\x1b]0;title\x07", "\u009b31m", "\u202egnp.exe", "a\r\nforged", "\u2066x"):
        said = box.exec("--", "/" + hostile).stderr
        assert "?" in said and not [
            c for c in hostile if c in said.rstrip("\n") and not (c.isascii() and c.isprintable())
        ]
