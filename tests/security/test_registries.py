"""Registries made to hurt whoever asks them, and what else a login or a pull meets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.native.monitored import needs_root
from tests.registry import images
from tests.registry.fixtures import docker_config, registry  # noqa: F401
from tests.registry.honest import Answer, Seen
from tests.registry.misbehaving import Fault, Misbehaving, redirect, status
from tests.security.conftest import busybox_layer, image
from tuidock.engine import Engine
from tuidock.engine.errors import BadContent, EngineError, RegistryRefused
from tuidock.engine.registry import client as client_module
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.keyring import Keyring, Secret
from tuidock.engine.registry.settings import Settings
from tuidock.engine.registry.transport import Transport, netloc, origin_of

QUICK = Settings(attempts=2, backoff=0.01, connect=5.0, stall=1.0)
DEEP = b"[" * 50_000


@pytest.fixture
def client(registry: Misbehaving, docker_config: Path) -> Iterator[Registry]:  # noqa: F811
    with Registry(registry.host, QUICK) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "code"), [("/tags/list", 200), ("/tags/list", 400), ("/token", 200), ("/token", 401), ("/_catalog", 200)]
)
def test_answers_that_are_nested_too_deeply(registry: Misbehaving, client: Registry, path: str, code: int) -> None:  # noqa: F811
    """Each is a refusal in a sentence, not the end of the interpreter's stack."""
    registry.auth = "bearer" if path == "/token" else ""
    registry.fault("GET", path, status(code, DEEP))
    with pytest.raises(EngineError):
        client.catalog() if path == "/_catalog" else client.tags("a/b")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example#@localhost/token", "https://evil.example?@localhost/", "https://evil.example/@localhost",
        "https://evil.example#x?@localhost", "https://evil.example?#/@localhost", "https://user@evil.example#@localhost",
    ],
)  # fmt: skip
def test_a_host_is_the_one_that_is_connected_to(url: str) -> None:
    """A certificate is not checked for this machine, and plain http is good enough there: not for who only says so."""
    assert netloc(url) == "evil.example"
    assert origin_of(url) == "https://evil.example:443"
    transport = Transport(Settings(), {})
    try:
        context: Any = transport._client(url)._transport._pool._ssl_context  # type: ignore[attr-defined]
        assert context.check_hostname
    finally:
        transport.close()


def test_a_password_goes_to_no_realm_that_only_looks_like_this_machine(
    registry: Misbehaving,  # noqa: F811
    client: Registry,
) -> None:
    registry.auth, registry.realm = "bearer", "http://evil.example#@localhost/token"
    with pytest.raises(RegistryRefused, match="has to be https"):
        client.tags("a/b")


def test_all_pages_together_have_a_limit(
    registry: Misbehaving,  # noqa: F811
    client: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thousand pages of 16 MB each would be the memory of the machine."""
    monkeypatch.setattr(client_module, "_PAGES_BYTES", 1 << 20)
    page = json.dumps({"tags": [f"tag-{number}" for number in range(5000)]}).encode()
    count = iter(range(1000))

    def change(_: Answer, __: Seen) -> Answer:
        return Answer(200, page, Link=f'</v2/a/b/tags/list?last={next(count)}>; rel="next"')

    registry.fault("GET", "/tags/list", Fault(change))
    with pytest.raises(RegistryRefused, match="more than"):
        client.tags("a/b")
    assert len(registry.seen("GET", "/tags/list")) < 30


def test_a_redirect_to_a_scheme_of_no_network(registry: Misbehaving, client: Registry) -> None:  # noqa: F811
    registry.add("a/b", "latest", images.image([busybox_layer()]))
    for url in ("file:///etc/passwd", "gopher://127.0.0.1/", "unix:///run/docker.sock"):
        registry.fault("GET", "/manifests/", redirect(url), times=1)
        with pytest.raises(RegistryRefused):
            client.manifest("a/b", "latest")


@needs_root
def test_a_configuration_that_can_just_be_read_hides_no_others(
    engine: Engine, run: Run, load: Callable[[bytes], None]
) -> None:
    """The same text is read again by whoever lists images, perhaps from a deeper stack."""
    deep: Any = {}
    for _ in range(700):
        deep = {"a": deep}
    with pytest.raises(BadContent, match="nested"):
        load(image({"Extra": deep}, busybox_layer()))
    assert engine.images()


def test_a_file_that_everybody_reads_gets_no_password(docker_config: Path) -> None:  # noqa: F811
    path = docker_config / "config.json"
    path.write_text("{}")
    path.chmod(0o644)
    Keyring().store("registry.example", Secret("me", "secret"))
    assert "registry.example" in path.read_text() and path.stat().st_mode & 0o007 == 0
