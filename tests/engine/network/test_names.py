"""Names on networks that people made: the resolver of a container, asked over real sockets in its network."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Run, missing
from tests.engine.network.test_user_networks import address, network, place
from tests.engine.network.waiting import eventually
from tuidock import native
from tuidock.engine import Engine
from tuidock.engine.containers import connecting
from tuidock.engine.runtime.status import read_pid
from tuidock.engine.types import CreateRequest

A, PTR, MX, AAAA = 1, 12, 15, 28
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP = 0, 1, 2, 3, 4
RESOLVER = ("127.0.0.11", 53)
CLONE_NEWNET = 0x40000000
#: Loopback addresses that stand for the host's servers.
FIRST, SECOND = (f"127.{os.getpid() % 250 + 1}.5.{number}" for number in (3, 4))


def question(name: str, kind: int = A, identity: int = 7, flags: int = 0x0100) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    return struct.pack(">6H", identity, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)


def code(answer: bytes) -> int:
    return answer[3] & 15


def addresses(answer: bytes) -> list[str]:
    """The addresses of an answer that our resolver has written: names in it are pointers."""
    at = 12
    while answer[at]:
        at += 1 + answer[at]
    at += 5
    found = []
    for _ in range(struct.unpack_from(">H", answer, 6)[0]):
        size = struct.unpack_from(">H", answer, at + 10)[0]
        family = socket.AF_INET if size == 4 else socket.AF_INET6
        found.append(socket.inet_ntop(family, answer[at + 12 : at + 12 + size]))
        at += 12 + size
    return sorted(found)


class Asker:
    """Sockets in a running container's network."""

    def __init__(self, engine: Engine, container: str) -> None:
        self.namespace = os.open(f"/proc/{engine.container(container).pid}/ns/net", os.O_RDONLY)

    def socket(self, kind: socket.SocketKind) -> socket.socket:
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        native.setns(self.namespace, CLONE_NEWNET)
        try:
            made = socket.socket(socket.AF_INET, kind)
        finally:
            native.setns(own, CLONE_NEWNET)
            os.close(own)
        made.settimeout(10)
        return made

    def raw(self, message: bytes) -> bytes:
        with self.socket(socket.SOCK_DGRAM) as client:
            client.connect(RESOLVER)
            client.settimeout(1)
            for _ in range(10):  # a flood may have filled the socket's queue; whoever asks asks again
                client.send(message)
                try:
                    return client.recv(65535)
                except TimeoutError:
                    continue
        raise TimeoutError(message)

    def ask(self, name: str, kind: int = A) -> bytes:
        return self.raw(question(name, kind))

    def over_tcp(self, *messages: bytes) -> list[bytes]:
        with self.socket(socket.SOCK_STREAM) as client:
            client.connect(RESOLVER)
            client.sendall(b"".join(struct.pack(">H", len(message)) + message for message in messages))
            stream = client.makefile("rb")
            return [stream.read(struct.unpack(">H", stream.read(2))[0]) for _ in messages]

    def finds(self, name: str, kind: int = A) -> list[str]:
        return addresses(self.ask(name, kind))

    def close(self) -> None:
        os.close(self.namespace)


def address6(engine: Engine, container: str, name: str) -> str:
    return next(end.address6 for end in engine.container(container).networks if end.network == name)


@contextmanager
def asking(engine: Engine, container: str) -> Iterator[Asker]:
    asker = Asker(engine, container)
    try:
        yield asker
    finally:
        asker.close()


@pytest.fixture(scope="module")
def world(engine: Engine) -> Iterator[Engine]:
    """Two networks, `outer` and an internal one with IPv6; `web` is in both, `cave` in the internal one only."""
    helper = Run(engine)
    with network(engine, "outer"), network(engine, "inner", internal=True, ipv6=True):
        try:
            place(engine, helper, "web", "outer", "inner", outer={"Aliases": ["WWW", "shared"]})
            place(engine, helper, "asker", "outer", outer={"Aliases": ["shared"], "Links": ["web:linked"]})
            place(engine, helper, "cave", "inner")
            yield engine
        finally:
            engine.remove_many(helper.made, force=True)


def test_members_are_found_by_all_their_names(world: Engine) -> None:
    web = address(world, "web", "outer")
    with asking(world, "asker") as asker:
        for name in ("web", "WEB", "www", "linked", "web.outer", world.container("web").short_id):
            assert asker.finds(name) == [web], name
        assert asker.finds("shared") == sorted([web, address(world, "asker", "outer")])
        assert addresses(asker.over_tcp(question("web"), question("www", identity=8))[1]) == [web]
        reverse = asker.ask(".".join(reversed(web.split("."))) + ".in-addr.arpa", PTR)
        assert b"\x03web\x05outer\0" in reverse
        # a name without IPv6 exists, and so does one without mail: that is no NXDOMAIN, or musl would give up
        for kind in (AAAA, MX):
            answer = asker.ask("web", kind)
            assert (code(answer), addresses(answer)) == (NOERROR, [])
    text = Path(world.instance.paths.container(world.container("asker").id), "resolv.conf").read_text()
    assert text.startswith("nameserver 127.0.0.11\n") and "options ndots:0" in text


#: What a program does that knows nothing of DNS: every address of a name, as its libc finds them.
LOOK_UP = r"""
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    char text[64];
    int error = getaddrinfo(argv[argc - 1], 0, &hints, &found);
    if (error)
        return puts(gai_strerror(error)), 1;
    for (; found; found = found->ai_next) {
        struct sockaddr_in6 *six = (void *)found->ai_addr;
        struct sockaddr_in *four = (void *)found->ai_addr;
        void *address = found->ai_family == AF_INET ? (void *)&four->sin_addr : (void *)&six->sin6_addr;
        puts(inet_ntop(found->ai_family, address, text, sizeof text));
    }
    return 0;
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "musl-gcc"])
def test_a_libc_finds_them(world: Engine, run: Run, tmp_path: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        missing(f"{compiler} is not installed")
    (tmp_path / "look.c").write_text(LOOK_UP)
    subprocess.run(
        [compiler, "-static", "-w", "-o", "look", "look.c"], cwd=tmp_path, check=True, stderr=subprocess.DEVNULL
    )
    host = {"NetworkMode": "outer", "Binds": [f"{tmp_path}:/look:ro"]}
    web = address(world, "web", "outer")
    assert run.output(["/look/look", "web"], **host).split() == [web]
    assert run.output(["/look/look", "www.outer"], **host).split() == [web]
    inner = {"NetworkMode": "inner", "Binds": [f"{tmp_path}:/look:ro"]}
    both = run.output(["/look/look", "web"], **inner).split()
    assert sorted(both) == sorted([address(world, "web", "inner"), address6(world, "web", "inner")])
    assert run.output(["/look/look", "nobody"], **inner) and run.code == 1


def test_port_53_is_free_inside(world: Engine) -> None:
    with (
        asking(world, "asker") as asker,
        asker.socket(socket.SOCK_DGRAM) as udp,
        asker.socket(socket.SOCK_STREAM) as tcp,
    ):
        udp.bind(("0.0.0.0", 53))
        tcp.bind(("0.0.0.0", 53))
        tcp.listen()
        assert asker.finds("web") == [address(world, "web", "outer")]


def test_an_internal_network_answers_for_its_members_and_asks_nobody(world: Engine) -> None:
    with asking(world, "cave") as cave:
        assert cave.finds("web") == [address(world, "web", "inner")]
        six = address6(world, "web", "inner")
        assert cave.finds("web", AAAA) == [six] and six.startswith("fd")
        assert code(cave.ask("example.org")) == NXDOMAIN
        assert code(cave.ask("asker")) == NXDOMAIN  # which is in the other network
    with asking(world, "web") as web:
        assert len(web.finds("web")) == 2 and web.finds("web.inner") == [address(world, "web", "inner")]


def test_names_follow_what_happens_at_once(world: Engine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with asking(world, "cave") as cave:
        place(world, run, "late", "inner", inner={"Aliases": ["alias"]})
        first = address(world, "late", "inner")
        assert cave.finds("late") == cave.finds("alias") == [first]
        world.rename("late", "later")
        assert cave.finds("later") == [first] and code(cave.ask("late")) == NXDOMAIN
        world.disconnect_network("inner", "later")
        assert code(cave.ask("later")) == NXDOMAIN
        world.connect_network("inner", "later", aliases=["again"])
        assert cave.finds("again") == cave.finds("later") == [address(world, "later", "inner")]
        world.stop("later", timeout=0)
        assert code(cave.ask("later")) == NXDOMAIN
        world.start("later")
        assert cave.finds("again") == [address(world, "later", "inner")]
    # one that comes into its first network has a resolver at once, and none is left when it has gone
    plain = run.start(["sleep", "1000"], name="plain")
    world.connect_network("inner", "plain")
    with asking(world, "plain") as asker:
        eventually(lambda: _answers(asker, "cave"))
        assert "127.0.0.11" in Path(world.instance.paths.container(plain), "resolv.conf").read_text()
        world.disconnect_network("inner", "plain")
        eventually(lambda: resolver_of(world, "plain") == 0)
        assert "127.0.0.11" not in Path(world.instance.paths.container(plain), "resolv.conf").read_text()
        world.connect_network("inner", "plain")
        eventually(lambda: _answers(asker, "cave"))
    # neither when it comes into one and that fails at the last step
    late = run.start(["sleep", "1000"], name="failing")
    with monkeypatch.context() as broken:
        broken.setattr(connecting, "_write_document", _refuse)
        with pytest.raises(OSError, match="no room"):
            world.connect_network("inner", "failing")
    eventually(lambda: resolver_of(world, "failing") == 0)
    assert "127.0.0.11" not in Path(world.instance.paths.container(late), "resolv.conf").read_text()
    assert [end.network for end in world.container("failing").networks] == ["bridge"]


def _refuse(*_: object) -> None:
    raise OSError("no room")


def _answers(asker: Asker, name: str) -> bool:
    try:
        return bool(asker.finds(name))
    except ConnectionRefusedError:
        return False


class Server:
    """A name server on loopback; `answer` makes the message from the question."""

    def __init__(self, host: str, answer: Callable[[bytes], bytes]) -> None:
        self.answer, self.udp_asked, self.tcp_asked = answer, 0, 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((host, 53))
        self.tcp = socket.create_server((host, 53))
        for serve in (self._udp, self._tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _udp(self) -> None:
        while True:
            try:
                message, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            self.udp_asked += 1
            with contextlib.suppress(OSError):  # closed meanwhile
                self.udp.sendto(self.answer(message), peer)

    def _tcp(self) -> None:
        while True:
            try:
                client, _ = self.tcp.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                message = stream.read(struct.unpack(">H", stream.read(2))[0])
                self.tcp_asked += 1
                answer = self.answer(message)
                client.sendall(struct.pack(">H", len(answer)) + answer)

    def close(self) -> None:
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        self.udp.close()


def told(message: bytes, status: int = NOERROR, address: str = "192.0.2.7") -> bytes:
    record = struct.pack(">HHHIH", 0xC00C, A, 1, 60, 4) + socket.inet_aton(address)
    head = message[:2] + struct.pack(">5H", 0x8180 | status, 1, int(status == NOERROR), 0, 0)
    return head + message[12:] + (record if status == NOERROR else b"")


def test_other_names_are_asked_of_the_servers_in_their_order(world: Engine, run: Run) -> None:
    refusing = Server(FIRST, lambda message: told(message, SERVFAIL))
    good = Server(SECOND, told)
    request = CreateRequest(
        "far", {"Image": "busybox", "Cmd": ["sleep", "1000"]}, {"NetworkMode": "outer", "Dns": [FIRST, SECOND]}, {}
    )
    run.made.append(world.create(request))
    world.start("far")
    try:
        with asking(world, "far") as far:
            answer = far.raw(question("example.org", identity=0x1234))
            assert answer[:2] == b"\x12\x34" and addresses(answer) == ["192.0.2.7"]
            assert (refusing.udp_asked, good.udp_asked) == (1, 1)
            assert addresses(far.over_tcp(question("example.org"))[0]) == ["192.0.2.7"]
            assert (refusing.tcp_asked, good.tcp_asked) == (1, 1)
            # an answer to another question is nobody's: it is waited on, and in the end said that there is none
            good.answer = lambda message: told(question("evil.org", identity=struct.unpack(">H", message[:2])[0]))
            refusing.close()
            with far.socket(socket.SOCK_DGRAM) as client:
                client.connect(RESOLVER)
                client.send(question("example.org"))
                eventually(lambda: good.udp_asked >= 2)
                client.setblocking(False)
                with pytest.raises(BlockingIOError):
                    client.recv(4096)
            assert far.finds("web") == [address(world, "web", "outer")]  # it answers others meanwhile
            good.answer = told
            assert far.finds("example.org") == ["192.0.2.7"]  # nobody listens at the first server any more
    finally:
        good.close()


def resolver_of(engine: Engine, container: str) -> int:
    """The pid of the container's resolver, a child of its shim; 0 when there is none."""
    record = read_pid(engine.instance.paths, engine.container(container).id)
    assert record is not None
    children = Path(f"/proc/{record.shim[0]}/task/{record.shim[0]}/children")
    for pid in children.read_text().split() if children.exists() else ():
        if Path(f"/proc/{pid}/comm").read_text().strip() == "tuidock-dns":
            return int(pid)
    return 0


def test_a_resolver_has_no_rights_and_comes_back_when_it_or_its_shim_is_killed(world: Engine) -> None:
    first = resolver_of(world, "cave")
    status = dict(line.split(":\t") for line in Path(f"/proc/{first}/status").read_text().splitlines() if ":\t" in line)
    assert status["Uid"].split() == ["65534"] * 4 and status["Groups"].strip() == ""
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    with asking(world, "cave") as cave:
        os.kill(first, signal.SIGKILL)
        assert cave.finds("web")  # the question waits in the socket
        assert resolver_of(world, "cave") not in (0, first)
        record = read_pid(world.instance.paths, world.container("cave").id)
        assert record is not None
        os.kill(record.shim[0], signal.SIGKILL)
        eventually(lambda: read_pid(world.instance.paths, world.container("cave").id) not in (None, record))
        eventually(lambda: _answers(cave, "web"))


def test_hostile_messages_change_nothing(world: Engine) -> None:
    """Ten thousand mutations of questions; the process that reads them is the same afterwards and still answers."""
    chance = random.Random(5)
    before = resolver_of(world, "cave")
    good = question("web")
    edns = question("web")[:10] + b"\0\1" + good[12:] + b"\0" + struct.pack(">HHIH", 41, 65535, 0, 0)
    strange = [
        b"", b"\0", good[:12], good[:11], good[:-1], good[:12] + b"\xc0\x0c" + good[-4:], good[:12] + b"\xff" * 500,
        good[:12] + (b"\x3f" + b"a" * 63) * 5 + b"\0\0\1\0\1", good[:4] + b"\xff\xff" + good[6:], edns, edns[:-3],
        question("web", flags=0x8100), good * 150,
    ]  # fmt: skip
    with asking(world, "cave") as cave, cave.socket(socket.SOCK_DGRAM) as client:
        client.connect(RESOLVER)
        client.setblocking(False)
        for number in range(10_000):
            message = bytearray(strange[number % len(strange)])
            for _ in range(chance.randrange(4)):
                if message:
                    message[chance.randrange(len(message))] = chance.randrange(256)
            client.send(message)
            try:
                while True:
                    client.recv(65535)
            except BlockingIOError:
                pass
        for stream in (b"\xff\xff" + b"x" * 100, b"\0\0", b"\0", b"\0\5abc"):
            with cave.socket(socket.SOCK_STREAM) as broken:
                broken.connect(RESOLVER)
                broken.sendall(stream)
        assert code(cave.raw(question("web", flags=0x2900))) == NOTIMP
        assert code(cave.raw(good[:4] + b"\0\2" + good[6:])) == FORMERR
        assert code(cave.ask("w\0eb")) == code(cave.ask("we b")) == NXDOMAIN
        assert cave.finds("web") and resolver_of(world, "cave") == before
