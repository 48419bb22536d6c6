"""Through a real proxy: plain requests, tunnels, and what a proxy gets to see."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.registry.conftest import QUICK
from tests.engine.store.archives import layer
from tests.registry import images
from tests.registry.misbehaving import Misbehaving
from tests.registry.real import PASSWORD, USER, RealRegistry
from tuidock.engine.errors import RegistryRefused
from tuidock.engine.registry import transport
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.keyring import Keyring, Secret


class Proxy:
    """Passes names that nobody can resolve on to ports of this machine."""

    def __init__(self) -> None:
        self.routes: dict[str, int] = {}
        self.asked: list[str] = []
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                first = self.rfile.readline().decode()
                method, target, version = first.split()
                proxy.asked.append(f"{method} {target}")
                head = b""
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    head += line
                tunnel = method == "CONNECT"
                where = target if tunnel else target.partition("://")[2].partition("/")[0] + ":80"
                port = proxy.routes.get(where)
                if port is None:
                    self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                    return
                with socket.create_connection(("127.0.0.1", port)) as far:
                    if tunnel:
                        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    else:
                        path = "/" + target.partition("://")[2].partition("/")[2]
                        far.sendall(f"{method} {path} {version}\r\n".encode() + head + b"\r\n")
                    back = threading.Thread(target=_pump, args=(far, self.connection), daemon=True)
                    back.start()
                    _pump(self.connection, far)
                    back.join(5)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_plain_requests(
    registry: Misbehaving, docker_config: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = images.image([layer({"a": b"1"})])
    registry.add("a/b", "latest", made)
    proxy.routes["plain.test:80"] = int(registry.host.rpartition(":")[2])
    (docker_config / "config.json").write_text(
        '{"proxies": {"default": {"httpProxy": "%s", "httpsProxy": "%s"}}}' % (proxy.url, proxy.url)  # noqa: UP031
    )
    chosen = QUICK._replace(insecure=("plain.test",))
    with Registry("plain.test", chosen) as client:
        assert client.manifest("a/b", "latest").digest == made.digest
    assert proxy.asked == ["CONNECT plain.test:443", "GET http://plain.test/v2/a/b/manifests/latest"]
    monkeypatch.setenv("NO_PROXY", "plain.test")
    with Registry("plain.test", chosen) as client, pytest.raises(RegistryRefused, match=r"cannot reach plain\.test"):
        client.manifest("a/b", "latest")
    assert len(proxy.asked) == 2
    with Registry(registry.host, QUICK) as client:  # this machine is never asked through a proxy
        assert client.manifest("a/b", "latest").digest == made.digest
    assert len(proxy.asked) == 2


def test_a_tunnel(
    locked_registry: RealRegistry, docker_config: Path, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.routes["far.test:443"] = int(locked_registry.host.rpartition(":")[2])
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setattr(transport, "_CERTIFICATES", str(tmp_path / "certs.d"))
    Keyring().store("far.test", Secret(USER, PASSWORD))
    with (
        Registry("far.test", QUICK) as client,
        pytest.raises(RegistryRefused, match=r"certificate of far\.test is not trusted"),
    ):
        client.catalog()
    with Registry("far.test", QUICK._replace(insecure=("far.test",))) as client:
        assert isinstance(client.catalog(), list)
    assert set(proxy.asked) == {"CONNECT far.test:443"}
    proxy.routes.clear()
    with (
        Registry("far.test", QUICK) as client,
        pytest.raises(RegistryRefused, match=r"cannot reach far\.test: the proxy says 502 Bad Gateway"),
    ):
        client.catalog()


def test_a_proxy_of_a_kind_that_is_not_there(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:1")
    with Registry("far.test", QUICK) as client, pytest.raises(RegistryRefused, match=r"proxy .*gopher"):
        client.catalog()
