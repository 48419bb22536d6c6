"""Attach: who owns a container's stream gets every byte, who only watches never holds it up."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import (
    RESIZE,
    SIGNAL,
    STDIN,
    STDIN_EOF,
    WANT_STDIN,
    WANT_STDOUT,
    Client,
    Watched,
    alive,
    eventually,
    needs_root,
    watched,
)

pytestmark = needs_root
WAITING = "while ! [ -e /shared/go ]; do sleep 0.01; done; "


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as box:
        yield box


def go(box: Watched) -> None:
    (box.shared / "go").touch()


def test_several_clients_see_the_same_output_and_the_end(box: Watched) -> None:
    box.sh(WAITING + "seq 1 1000; echo bad >&2; exit 3").started()
    clients = [box.attach() for _ in range(5)]
    go(box)
    for client in clients:
        client.to_the_end()
        assert client.output[1] == b"".join(b"%d\n" % number for number in range(1, 1001))
        assert client.output[2] == b"bad\n"
        assert (client.status, client.lost) == (3, None)
    assert box.leftovers() == []


def test_a_client_gets_only_the_streams_it_asked_for(box: Watched) -> None:
    box.sh(WAITING + "echo out; echo err >&2").started()
    client = box.attach(WANT_STDOUT)
    go(box)
    assert client.to_the_end().output == {1: b"out\n", 2: b""}


def test_the_state_frame_says_terminal_and_input(box: Watched) -> None:
    box.values |= {"stdin": "1", "stdin-once": "1"}
    box.sh("cat").started()
    assert box.attach().state == (0, 1)


def test_a_client_that_is_slow_is_dropped_with_lost_and_the_container_goes_on(box: Watched) -> None:
    box.sh(WAITING + "seq 1 500000; touch /shared/done; while :; do sleep 0.1; done").started()
    slow, quick = box.attach(), box.attach()
    reader = threading.Thread(target=quick.until, args=(b"\n5000\n",))
    reader.start()
    go(box)
    eventually((box.shared / "done").exists, "the container was not held up")
    reader.join()
    slow.to_the_end()
    everything = b"".join(b"%d\n" % number for number in range(1, 500001))
    assert slow.lost is not None and slow.lost > 0 and slow.status is None
    assert everything.startswith(slow.output[1]) and len(slow.output[1]) >= 256 * 1024
    eventually(lambda: box.log().endswith(b" 500000\n"), "the log is complete")
    assert alive(box.process("init"))


def test_the_owner_gets_every_byte_however_slow_it_is(box: Watched) -> None:
    payload = os.urandom(30_000_000)
    (box.shared / "big").write_bytes(payload)
    box.values["log-max-size"] = "1000000"
    owner = box.sh("cat /shared/big").start_owned()
    owner.until(payload[:1])
    threading.Event().wait(0.3)  # the owner does not read: the container has to wait
    assert alive(box.process("init"))
    owner.to_the_end()
    assert hashlib.sha256(owner.output[1]).digest() == hashlib.sha256(payload).digest()
    assert owner.status == 0


def test_the_end_does_not_wait_for_the_owner(box: Watched) -> None:
    # more than the socket holds, but no more than socket, buffer and pipe together: beyond that the container has to wait
    owner = box.sh("head -c 220000 /dev/zero").start_owned()
    assert box.ended()["status"] == "0"
    assert len(owner.to_the_end().output[1]) == 220000
    assert owner.status == 0


def test_an_owner_that_goes_away_lets_the_container_go_on(box: Watched) -> None:
    owner = box.sh("yes | head -n 200000; echo done").start_owned()
    owner.until(b"y\n")
    owner.socket.close()
    assert box.ended()["status"] == "0"
    assert box.log().endswith(b" stdout F done\n")


def test_input_reaches_the_container_and_its_end_too(box: Watched) -> None:
    box.values |= {"stdin": "1", "stdin-once": "1"}
    owner = box.sh("cat; echo end").start_owned()
    owner.send(STDIN, b"hello\n")
    owner.until(b"hello\n")
    owner.send(STDIN_EOF)
    owner.to_the_end()
    assert (owner.output[1], owner.status) == (b"hello\nend\n", 0)


def test_a_half_closed_socket_is_the_end_of_input_only(box: Watched) -> None:
    box.values |= {"stdin": "1", "stdin-once": "1"}
    owner = box.sh("sort; echo end").start_owned()
    owner.send(STDIN, b"b\na\n")
    owner.socket.shutdown(socket.SHUT_WR)
    assert owner.to_the_end().output[1] == b"a\nb\nend\n"


def test_input_is_exact_when_the_container_reads_slowly(box: Watched) -> None:
    box.values |= {"stdin": "1", "stdin-once": "1"}
    payload = os.urandom(3_000_000)
    owner = box.sh(WAITING + "sha256sum").start_owned()

    def feed() -> None:
        for at in range(0, len(payload), 70_000):
            owner.send(STDIN, payload[at : at + 70_000])
        owner.send(STDIN_EOF)

    feeder = threading.Thread(target=feed)
    feeder.start()
    go(box)
    owner.to_the_end() if not feeder.is_alive() else owner.until(b"-\n")
    feeder.join()
    assert owner.output[1].split()[0].decode() == hashlib.sha256(payload).hexdigest()


def test_input_stays_open_for_the_next_client_without_stdin_once(box: Watched) -> None:
    box.values |= {"stdin": "1", "stdin-once": "0"}
    box.sh("while read line; do echo got $line; done").started()
    for word in (b"one", b"two"):
        client = box.attach(WANT_STDIN | WANT_STDOUT)
        client.send(STDIN, word + b"\n")
        client.until(b"got " + word)
        client.send(STDIN_EOF)
        client.socket.close()
    assert alive(box.process("init"))


def test_a_terminal_takes_input_and_size(box: Watched) -> None:
    box.values |= {"tty": "1", "stdin": "1", "rows": "30", "cols": "90"}
    owner = box.sh("stty size; read line; stty size; echo line $line").start_owned()
    owner.until(b"30 90\r\n")
    assert owner.state == (1, 1)
    owner.send(RESIZE, struct.pack("<HH", 50, 132))
    owner.send(STDIN, b"typed\n")
    owner.to_the_end()
    assert b"50 132\r\n" in owner.output[1] and b"line typed\r\n" in owner.output[1]
    assert owner.status == 0


def test_a_terminal_whose_slaves_are_closed_is_read_again_when_one_opens(box: Watched) -> None:
    box.values |= {"tty": "1"}
    box.sh("tty=$(tty); exec <&- >&- 2>&-; sleep 0.3; echo back > $tty; sleep 0.1").started()
    box.ended()
    assert b" back\r\n" in box.log()


def test_a_signal_frame_reaches_the_init_process(box: Watched) -> None:
    owner = box.sh("trap 'exit 42' USR1; echo ready; while :; do sleep 0.05; done").start_owned()
    owner.until(b"ready\n")
    owner.send(SIGNAL, struct.pack("<I", 10))
    assert owner.to_the_end().status == 42


@pytest.mark.parametrize("garbage", [b"\xff" * 64, struct.pack("<BBHI", RESIZE, 0, 0, 9999), b"GET / HTTP/1.1\r\n\r\n"])
def test_a_client_that_talks_nonsense_is_closed(box: Watched, garbage: bytes) -> None:
    box.sh("while :; do sleep 0.1; done").started()
    connection = socket.socket(socket.AF_UNIX)
    directory = os.open(box.run, os.O_PATH)
    connection.connect(f"/proc/self/fd/{directory}/attach")
    os.close(directory)
    connection.sendall(garbage)
    client = Client(connection)
    try:
        assert not client.frame()
    except ConnectionResetError:
        pass
    assert alive(box.process("init"))


def test_more_clients_than_there_is_room_for_are_refused(box: Watched) -> None:
    box.sh(WAITING + "echo out").started()
    clients = [box.attach() for _ in range(64)]
    connection = socket.socket(socket.AF_UNIX)
    directory = os.open(box.run, os.O_PATH)
    connection.connect(f"/proc/self/fd/{directory}/attach")
    os.close(directory)
    assert connection.recv(1) == b""
    go(box)
    assert all(client.to_the_end().output[1] == b"out\n" for client in clients)
