"""Published ports: claims, conflicts with their owner's name, automatic choice."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tuidock.engine.errors import InvalidArgument, PortTaken
from tuidock.engine.network import owners, ports
from tuidock.engine.network.nftables import PortElement
from tuidock.engine.network.ports import Wish
from tuidock.engine.paths import Paths
from tuidock.engine.state import State


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    state = State(Paths(str(tmp_path)))
    with state.write() as connection:
        for name in ("web", "db"):
            connection.execute(
                "INSERT INTO containers(id, name, image, image_id, created, command, restart_policy, auto_remove, tty, "
                "open_stdin, exposed, labels, mounts, request) VALUES (?, ?, '', '', 0, '', '', 0, 0, 0, '', '', '', '')",
                (f"{name}-id", name),
            )
        yield connection
    state.close()


@pytest.fixture
def free() -> int:
    """A port that nobody has, outside of the automatic range."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(_: str) -> bool:
    return True


def dead(_: str) -> bool:
    return False


def wish(port: int = 80, first: int = 0, last: int = 0, ip: str = "", protocol: str = "tcp") -> Wish:
    return Wish(port, protocol, ip, first, last or first)


def binding(ip: str = "", port: str = "") -> dict[str, Any]:
    return {"HostIp": ip, "HostPort": port}


def test_bindings_and_exposed_ports_become_wishes() -> None:
    host_config = {
        "PortBindings": {
            "80/tcp": [binding("", "8080"), binding("127.0.0.1", "")], "53/udp": [binding("[::1]", "5000-5010")], "9": None,
        },
        "PublishAllPorts": True,
    }  # fmt: skip
    assert ports.wishes(host_config, ["80/tcp", "443/tcp"]) == [
        Wish(80, "tcp", "", 8080, 8080), Wish(53, "udp", "::1", 5000, 5010), Wish(80, "tcp", "127.0.0.1", 0, 0),
        Wish(9, "tcp", "", 0, 0), Wish(443, "tcp", "", 0, 0),
    ]  # fmt: skip
    assert ports.wishes({}, ["80/tcp"]) == []
    mistakes: list[dict[str, Any]] = [
        {"x/tcp": []}, {"80/icmp": []}, {"80/tcp": [binding("", "9-5")]}, {"80/tcp": [binding("", "70000")]},
    ]  # fmt: skip
    for wrong in mistakes:
        with pytest.raises(InvalidArgument):
            ports.wishes({"PortBindings": wrong})


def test_automatic_ports_go_round_and_are_not_given_twice(db: sqlite3.Connection, tmp_path: Path) -> None:
    cursor, few = str(tmp_path / "cursor"), range(49880, 49884)
    first = ports.claim(db, "web-id", [wish(80), wish(81)], alive, cursor=cursor, automatic=few)
    assert [b.host_port for b in first] == [49880, 49881]
    ports.release(db, "web-id")
    again = ports.claim(db, "web-id", [wish(80), wish(81)], alive, cursor=cursor, automatic=few)
    assert [b.host_port for b in again] == [49882, 49883]
    ports.claim(db, "db-id", [wish(80), wish(81)], alive, cursor=cursor, automatic=few)
    with pytest.raises(PortTaken, match="no free port for 82/tcp: 49880-49883 are all taken"):
        ports.claim(db, "x", [wish(82)], alive, cursor=cursor, automatic=few)


def test_a_taken_port_names_the_container(db: sqlite3.Connection, free: int) -> None:
    ports.claim(db, "web-id", [wish(80, free)], alive)
    with pytest.raises(
        PortTaken, match=f"Bind for 0.0.0.0:{free} failed: port is already allocated: container web has it"
    ):
        ports.claim(db, "db-id", [wish(80, free)], alive)
    with pytest.raises(PortTaken, match=f"Bind for 127.0.0.1:{free} failed"):
        ports.claim(db, "db-id", [wish(80, free, ip="127.0.0.1")], alive)
    assert ports.claim(db, "db-id", [wish(80, free, protocol="udp")], alive)[0].host_port == free


def test_a_claim_of_the_dead_is_taken_over(db: sqlite3.Connection, free: int) -> None:
    ports.claim(db, "web-id", [wish(80, free)], alive)
    assert ports.claim(db, "db-id", [wish(80, free)], dead)[0].host_port == free
    assert [row[0] for row in db.execute("SELECT container_id FROM port_claims")] == ["db-id"]


def test_different_addresses_share_a_number(db: sqlite3.Connection, free: int) -> None:
    ports.claim(db, "web-id", [wish(80, free, ip="127.0.0.1")], alive)
    assert ports.claim(db, "db-id", [wish(80, free, ip="127.0.0.2")], alive)
    with pytest.raises(PortTaken):
        ports.claim(db, "x", [wish(80, free, ip="0.0.0.0")], alive)


def test_the_same_port_twice_in_one_request_is_refused(db: sqlite3.Connection, free: int) -> None:
    with pytest.raises(PortTaken):
        ports.claim(db, "web-id", [wish(80, free), wish(81, free)], dead)


def test_a_listening_process_is_named(db: sqlite3.Connection) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        name = Path("/proc/self/comm").read_text().strip()
        with pytest.raises(PortTaken, match=rf"process {name} \(pid {os.getpid()}\) has it"):
            ports.claim(db, "web-id", [wish(80, port)], alive)
        assert ports.claim(db, "web-id", [wish(80, port, port + 2)], alive)[0].host_port > port
    assert ports.claim(db, "web-id", [wish(80, port)], alive)[0].host_port == port


def test_a_udp_socket_is_somebody_too() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert owners.is_bound("udp", "0.0.0.0", port)
        assert not owners.is_bound("tcp", "0.0.0.0", port)
        assert str(os.getpid()) in owners.listener("udp", port)
    assert owners.listener("udp", port) == ""


def test_an_address_of_another_machine_is_refused(db: sqlite3.Connection, free: int) -> None:
    with pytest.raises(InvalidArgument, match=r"cannot publish on 203.0.113.7"):
        ports.claim(db, "web-id", [wish(80, free, ip="203.0.113.7")], alive)


def test_elements_are_those_of_the_living(db: sqlite3.Connection, free: int) -> None:
    ports.claim(db, "web-id", [wish(80, free)], alive)
    ports.claim(db, "db-id", [wish(80, free, ip="127.0.0.3", protocol="udp")], alive)
    found = ports.elements(db, "web-id".__eq__, {"web-id": ("10.0.0.2", "fd00::2")}.__getitem__)
    assert found == [PortElement("tcp", "", free, "10.0.0.2", 80, "fd00::2")]
