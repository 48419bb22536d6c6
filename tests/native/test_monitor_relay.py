"""Published ports: reserved on the host, and served there for whom address translation does not reach."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import Watched, eventually, needs_root, watched
from tests.programs import compiled

pytestmark = needs_root


class Network:
    """A bridge and an nftables table of the test, with nothing that uses the table: all goes by the relay."""

    def __init__(self) -> None:
        tag = secrets.token_hex(3)
        self.bridge, self.table, self.veth = f"tdkb{tag}", f"tdk-test-{tag}", f"tdkv{tag}"
        self.gateway, self.address = "10.213.77.1", "10.213.77.2"
        self.run("ip", "link", "add", self.bridge, "type", "bridge")
        self.run("ip", "addr", "add", f"{self.gateway}/24", "dev", self.bridge)
        self.run("ip", "link", "set", self.bridge, "up")

    @staticmethod
    def run(*argv: str) -> str:
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def make_table(self) -> None:
        self.run("nft", "add", "table", "ip", self.table)
        for name, kind in (
            ("ports", "inet_proto . inet_service : ipv4_addr . inet_service"),
            ("ports_ip", "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service"),
        ):
            self.run("nft", f"add map ip {self.table} {name} {{ type {kind} ; }}")

    def elements(self) -> str:
        return self.run("nft", "list", "table", "ip", self.table)

    def close(self) -> None:
        for argv in (("ip", "link", "del", self.bridge), ("nft", "delete", "table", "ip", self.table)):
            subprocess.run(argv, capture_output=True)

    def links(self) -> str:
        return self.run("ip", "link")


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    try:
        network.make_table()
        yield network
    finally:
        network.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as box:
        yield box


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET6, kind) as probe:
        probe.bind(("::", 0))
        return int(probe.getsockname()[1])


def publish(box: Watched, network: Network, inside: int, protocol: str = "tcp", host_ip: str = "") -> int:
    """Gives the container an address and publishes one of its ports; the port of the host."""
    port = free_port(socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM)
    box.values |= {"ns-net": "private", "nft-table": network.table}
    box.interfaces = [
        ("interface", "eth0"),
        ("bridge", network.bridge),
        ("veth", network.veth),
        ("address", f"{network.address}/24"),
        ("gateway", network.gateway),
        ("mac", "02:42:0a:d5:4d:02"),
        ("mtu", "1500"),
    ]
    box.interfaces += [
        ("port", protocol),
        ("host-ip", host_ip),
        ("host-port", str(port)),
        ("container-port", str(inside)),
        ("address", network.address),
    ]
    return port


def connected(host: str, port: int) -> socket.socket:
    """A connection that the container has taken (it may be about to listen)."""
    found: list[socket.socket] = []

    def try_once() -> bool:
        with contextlib.suppress(OSError):
            connection = socket.create_connection((host, port), timeout=10)
            connection.sendall(b"ping\n")
            if connection.recv(5) == b"ping\n":
                found.append(connection)
                return True
            connection.close()
        return False

    eventually(try_once, f"{host}:{port} answers")
    return found[0]


ECHO_SOURCE = r"""
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char bytes[65536];
    int on = 1, udp = argc > 1 && !strcmp(argv[1], "udp");
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))}, peer;
    int server = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    signal(SIGCHLD, SIG_IGN);
    if (bind(server, (struct sockaddr *)&own, sizeof own) || (!udp && listen(server, 64)))
        return 1;
    for (;;) {
        socklen_t size = sizeof peer;
        if (udp) {
            ssize_t got = recvfrom(server, bytes, sizeof bytes, 0, (struct sockaddr *)&peer, &size);
            sendto(server, bytes, got, 0, (struct sockaddr *)&peer, size);
            continue;
        }
        int connection = accept(server, 0, 0);
        if (fork() == 0) {
            ssize_t got;
            while ((got = read(connection, bytes, sizeof bytes)) > 0)
                for (ssize_t put = 0, one; put < got; put += one)
                    if ((one = write(connection, bytes + put, got - put)) < 0)
                        return 1;
            return 0;
        }
        close(connection);
    }
}
"""


def echo_server(directory: Path) -> Path:
    """A static program that echoes over TCP or UDP; busybox has none that speaks UDP."""
    (directory / "echo.c").write_text(ECHO_SOURCE)
    return compiled("echo", ("gcc", "-O2", "-static"), (directory / "echo.c",))


def echo(box: Watched, protocol: str, port: int) -> None:
    """Starts the container with the echo server as its program."""
    shutil.copy(echo_server(box.directory), box.shared / "echo")
    box.command = ("/shared/echo", protocol, str(port))
    box.started()


def test_tcp_is_served_on_loopback_of_both_families_and_the_host_address(box: Watched, network: Network) -> None:
    port = publish(box, network, 80)
    echo(box, "tcp", 80)
    for host in ("127.0.0.1", "::1", network.gateway):
        connected(host, port).close()


def test_tcp_is_exact_and_half_closed_sides_stay_open(box: Watched, network: Network) -> None:
    port = publish(box, network, 80)
    echo(box, "tcp", 80)
    payload = os.urandom(8_000_000)
    connection = connected("127.0.0.1", port)

    def feed() -> None:
        connection.sendall(payload)
        connection.shutdown(socket.SHUT_WR)

    feeder = threading.Thread(target=feed)
    feeder.start()
    got = b"".join(iter(lambda: connection.recv(1 << 18), b""))
    feeder.join()
    assert got == payload


def test_a_slow_reader_gets_the_rest_of_what_a_finished_container_sent(box: Watched, network: Network) -> None:
    port = publish(box, network, 80)
    echo(box, "tcp", 80)
    connected("127.0.0.1", port).close()
    payload = os.urandom(1_000_000)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        feeder = threading.Thread(target=lambda: (connection.sendall(payload), connection.shutdown(socket.SHUT_WR)))
        feeder.start()
        got = bytearray()
        while part := connection.recv(2048):
            got += part
        feeder.join()
    assert got == payload


def test_many_connections_at_once(box: Watched, network: Network) -> None:
    port = publish(box, network, 80)
    echo(box, "tcp", 80)
    connections = [connected("127.0.0.1", port) for _ in range(40)]
    for number, connection in enumerate(connections):
        connection.sendall(b"%05d" % number)
    assert [connection.recv(5) for connection in connections] == [b"%05d" % number for number in range(40)]
    for connection in connections:
        connection.close()
    shim = box.process("shim")
    eventually(lambda: len(list(Path(f"/proc/{shim}/fd").iterdir())) < 60, "the connections are closed")


def test_nobody_listening_in_the_container_is_a_reset(box: Watched, network: Network) -> None:
    port = publish(box, network, 81)
    box.serve()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"x")
        if not connection.recv(1):
            raise ConnectionResetError


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.213.77.1"])
def test_udp_is_answered_from_the_address_that_was_asked(box: Watched, network: Network, host: str) -> None:
    port = publish(box, network, 53, "udp")
    echo(box, "udp", 53)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect((host, port))  # takes no answer from another address

        def answered() -> bool:
            with contextlib.suppress(OSError):
                client.send(b"question")
                return client.recv(100) == b"question"
            return False

        eventually(answered, "the container answers")


def test_a_taken_port_is_an_error_in_dockers_words_and_leaves_nothing(box: Watched, network: Network) -> None:
    port = publish(box, network, 80)
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", port))
        taken.listen()
        assert box.start() == (
            f"error port 98 failed to bind host port for 0.0.0.0:{port}:{network.address}:80/tcp: address already in use"
        )
    assert box.leftovers() == []
    assert network.veth not in network.links()
    eventually(lambda: not box.processes(), "the shim is gone")


def test_a_missing_table_is_told_so_that_it_can_be_made(box: Watched, network: Network) -> None:
    publish(box, network, 80)
    network.run("nft", "delete", "table", "ip", network.table)
    assert box.start().startswith("error port 2 ")
    assert box.leftovers() == [] and network.veth not in network.links()
    network.make_table()
    box.serve()


def test_elements_link_and_port_go_at_the_end(box: Watched, network: Network) -> None:
    port = publish(box, network, 80)
    box.sh("while ! [ -e /shared/go ]; do sleep 0.01; done").started()
    assert f"tcp . {port} : {network.address} . 80" in network.elements()
    assert network.veth in network.links()
    (box.shared / "go").touch()
    box.ended()
    assert str(port) not in network.elements()
    assert network.veth not in network.links()
    with socket.socket(socket.AF_INET6) as again:
        again.bind(("::", port))


def test_a_published_address_binds_only_that_address(box: Watched, network: Network) -> None:
    port = publish(box, network, 80, host_ip="127.0.0.1")
    echo(box, "tcp", 80)
    connected("127.0.0.1", port).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("::1", port))
    assert str(port) not in network.elements()


def test_ports_and_connections_survive_a_restart_by_policy(box: Watched, network: Network) -> None:
    box.values["restart-policy"] = "always"
    port = publish(box, network, 80)
    echo(box, "tcp", 80)
    connected("127.0.0.1", port).close()
    box.kill("init")
    eventually(lambda: box.events() == ["start", "die", "start"], "the restart")
    connected("127.0.0.1", port).close()
    assert network.veth in network.links()


def test_a_port_stays_reserved_while_the_shim_is_dead_and_is_served_by_the_next(box: Watched, network: Network) -> None:
    port = publish(box, network, 80)
    echo(box, "tcp", 80)
    former, recorder = box.process("shim"), box.process("recorder")
    os.kill(recorder, 19)
    box.kill("shim")
    with socket.socket() as thief, pytest.raises(OSError):
        thief.bind(("0.0.0.0", port))
    os.kill(recorder, 18)
    eventually(lambda: box.process("shim") != former, "a new shim")
    for host in ("127.0.0.1", "::1"):
        connected(host, port).close()
