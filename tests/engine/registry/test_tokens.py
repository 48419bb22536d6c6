"""Bearer and Basic: what is sent, to whom, how often; and to whom not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.registry.conftest import QUICK
from tests.engine.store.archives import layer, sha256
from tests.registry import images
from tests.registry.misbehaving import Misbehaving, body, drop_after, error, misbehaving, redirect, status
from tests.registry.real import PASSWORD, USER
from tuidock.engine.errors import AuthFailed, RegistryRefused
from tuidock.engine.oci.descriptor import OCI_LAYER, Descriptor
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.keyring import Keyring, Secret

Connect = Callable[..., Registry]
MADE = images.image([layer({"a": b"1"})])


def blob_of(registry: Misbehaving) -> Descriptor:
    raw = MADE.layers[0]
    registry.blobs[sha256(raw)] = raw
    return Descriptor(OCI_LAYER, sha256(raw), len(raw))


def remember(registry: Misbehaving, secret: Secret = Secret(USER, PASSWORD)) -> None:  # noqa: B008
    Keyring().store(registry.host, secret)


def test_an_anonymous_token(registry: Misbehaving, client: Registry) -> None:
    registry.auth, registry.public = "bearer", True
    registry.add("a/b", "latest", MADE)
    for _ in range(3):
        client.manifest("a/b", "latest")
        assert b"".join(client.blob("a/b", blob_of(registry)))
    asked = registry.seen("GET", "/token")
    assert [one.query for one in asked] == [{"service": ["tests, here"], "scope": ["repository:a/b:pull"]}]
    assert "authorization" not in asked[0].headers and not registry.seen("POST", "/token")


def test_no_token_without_credentials(registry: Misbehaving, client: Registry) -> None:
    registry.auth = "bearer"
    with pytest.raises(AuthFailed, match=r"no token without credentials .*log in first: `tuidock login 127"):
        client.manifest("a/b", "latest")


@pytest.mark.parametrize("post", [True, False])
def test_a_password_gets_a_token(registry: Misbehaving, client: Registry, post: bool) -> None:
    registry.auth, registry.takes_post = "bearer", post
    registry.add("a/b", "latest", MADE)
    remember(registry)
    assert client.manifest("a/b", "latest").digest == MADE.digest
    asked = registry.seen("POST", "/token")[0]
    assert b"grant_type=password" in asked.body and b"scope=repository%3Aa%2Fb%3Apull" in asked.body
    assert len(registry.seen("GET", "/token")) == (not post)


def test_an_identity_token_gets_a_token(registry: Misbehaving, client: Registry) -> None:
    registry.auth, registry.refresh_token = "bearer", "identity"
    registry.add("a/b", "latest", MADE)
    remember(registry, Secret(USER, identity_token="identity"))
    assert client.manifest("a/b", "latest").digest == MADE.digest
    assert b"grant_type=refresh_token" in registry.seen("POST", "/token")[0].body


def test_wrong_credentials(registry: Misbehaving, connect: Connect) -> None:
    remember(registry, Secret("mallory", "guess"))
    registry.auth = "bearer"
    with pytest.raises(
        AuthFailed, match=r"did not accept the credentials of mallory .*log in again: `tuidock login 127"
    ):
        connect().manifest("a/b", "latest")
    registry.auth = "basic"
    with pytest.raises(AuthFailed, match=r"denies access .* with the credentials that are stored: who are you"):
        connect().manifest("a/b", "latest")
    assert len(registry.seen("GET", "/manifests/")) == 3  # one unanswered, one with nothing, one with Basic


def test_a_helper_that_fails_does_not_keep_from_what_is_public(
    registry: Misbehaving, connect: Connect, docker_config: Path
) -> None:
    (docker_config / "config.json").write_text('{"credsStore": "nowhere"}')
    registry.auth, registry.public = "bearer", True
    registry.add("a/b", "latest", MADE)
    assert connect().manifest("a/b", "latest").digest == MADE.digest
    registry.public = False
    with pytest.raises(AuthFailed, match=r"no anonymous tokens.*docker-credential-nowhere, which is not installed"):
        connect().manifest("a/b", "latest")


def test_basic(registry: Misbehaving, client: Registry) -> None:
    registry.auth = "basic"
    registry.add("a/b", "latest", MADE)
    remember(registry)
    client.manifest("a/b", "latest")
    client.manifest("a/b", "latest")
    assert ["authorization" in one.headers for one in registry.seen("GET", "/manifests/")] == [False, True, True]


def test_a_token_that_is_not_good_any_more_is_replaced_once(registry: Misbehaving, client: Registry) -> None:
    registry.auth, registry.public = "bearer", True
    registry.add("a/b", "latest", MADE)
    client.manifest("a/b", "latest")
    registry.tokens.clear()
    client.manifest("a/b", "latest")
    assert len(registry.seen("GET", "/token")) == 2
    registry.fault("GET", "/manifests/", status(401, Www_Authenticate=f'Bearer realm="{registry.url}/token"'))
    with pytest.raises(AuthFailed, match="denies access"):
        client.manifest("a/b", "latest")
    assert len(registry.seen("GET", "/token")) == 3


def test_tokens_run_out(registry: Misbehaving, client: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.auth, registry.public, registry.lifetime = "bearer", True, 5
    registry.add("a/b", "latest", MADE)
    client.manifest("a/b", "latest")
    now = time.monotonic()
    for later, asked in ((50, 1), (60, 2)):  # a minute is the least, as with docker
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        client.manifest("a/b", "latest")
        assert len(registry.seen("GET", "/token")) == asked


def test_one_thread_fetches_a_token_for_all(registry: Misbehaving, client: Registry) -> None:
    registry.auth, registry.public = "bearer", True
    registry.add("a/b", "latest", MADE)
    client.manifest("a/b", "latest")
    described = [blob_of(registry)] * 8
    registry.tokens.clear()
    threads = [threading.Thread(target=lambda one=one: b"".join(client.blob("a/b", one))) for one in described]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.seen("GET", "/token")) == 2


def test_scopes_of_repositories_do_not_mix(registry: Misbehaving, connect: Connect) -> None:
    registry.auth, registry.public = "bearer", True
    client = connect()
    for name in ("a/b", "c/d"):
        registry.add(name, "latest", MADE)
        client.manifest(name, "latest")
    assert client.tags("a/b") == ["latest"]
    asked = [one.query["scope"] for one in registry.seen("GET", "/token")]
    assert asked == [["repository:a/b:pull"], ["repository:c/d:pull"]]


def test_a_busy_token_server_is_asked_again(registry: Misbehaving, client: Registry) -> None:
    registry.auth, registry.public = "bearer", True
    registry.add("a/b", "latest", MADE)
    registry.fault("GET", "/token", status(503), times=1)
    registry.fault("GET", "/token", drop_after(3), times=1)
    assert client.manifest("a/b", "latest").digest == MADE.digest


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b'{"token": ""}', b'{"token": 5}', b'{"token": "a\\nb"}', b'{"token": "x", "expires_in": "soon"}'],
)
def test_tokens_that_are_none(registry: Misbehaving, client: Registry, answer: bytes) -> None:
    registry.auth, registry.public = "bearer", True
    registry.fault("GET", "/token", body(answer))
    with pytest.raises(RegistryRefused, match="no token that can be used"):
        client.manifest("a/b", "latest")


def test_access_token_is_another_word(registry: Misbehaving, client: Registry) -> None:
    registry.auth = "bearer"
    registry.tokens["handmade"] = ["repository:a/b:pull"]
    registry.add("a/b", "latest", MADE)
    registry.fault("GET", "/token", status(200, b'{"access_token": "handmade", "expires_in": null}'))
    assert client.manifest("a/b", "latest").digest == MADE.digest


# --- what must not happen


@pytest.mark.parametrize(
    ("realm", "says"),
    [
        ("http://token.test/token", "has to be https"),
        ("ftp://127.0.0.1/token", "is no address"),
        ("/token", "is no address"),
        ("javascript:alert(1)", "is no address"),
    ],
)
def test_realms_that_get_no_password(registry: Misbehaving, client: Registry, realm: str, says: str) -> None:
    registry.auth, registry.realm = "bearer", realm
    remember(registry)
    with pytest.raises(RegistryRefused, match=says):
        client.manifest("a/b", "latest")


def test_a_realm_on_another_host_gets_a_password_only_by_its_challenge(registry: Misbehaving, client: Registry) -> None:
    """That is how docker.io works: the realm is auth.docker.io. It never sees a registry's token."""
    with misbehaving() as tokens:
        registry.auth, registry.realm = "bearer", tokens.url + "/token"
        registry.tokens = tokens.tokens
        registry.add("a/b", "latest", MADE)
        remember(registry)
        assert client.manifest("a/b", "latest").digest == MADE.digest
        assert [one.method for one in tokens.requests] == ["POST"]
        assert "authorization" not in tokens.requests[0].headers


def test_credentials_do_not_follow_a_redirect(registry: Misbehaving, client: Registry) -> None:
    for auth in ("basic", "bearer"):
        registry.auth = auth
        remember(registry)
        registry.add("a/b", "latest", MADE)
        described = blob_of(registry)
        with misbehaving() as other:
            blob_of(other)
            registry.fault("GET", "/blobs/", redirect(f"{other.url}/v2/x/blobs/{described.digest}"), times=1)
            assert b"".join(client.blob("a/b", described)) == MADE.layers[0]
            assert [one.headers.get("authorization") for one in other.requests] == [None]


def test_another_host_that_asks_for_credentials_gets_none(registry: Misbehaving, client: Registry) -> None:
    registry.auth = "basic"
    remember(registry)
    described = blob_of(registry)
    with misbehaving() as other:
        other.auth = "basic"
        registry.fault("GET", "/blobs/", redirect(f"{other.url}/v2/x/blobs/{described.digest}"))
        with pytest.raises(RegistryRefused, match=f"{other.host}, where .* sends on to, refuses blob .*who are you"):
            b"".join(client.blob("a/b", described))
        assert [one.headers.get("authorization") for one in other.requests] == [None]


def test_back_from_another_host_they_are_not_sent_either(registry: Misbehaving, client: Registry) -> None:
    registry.auth = "basic"
    remember(registry)
    described = blob_of(registry)
    with misbehaving() as other:
        other.fault("GET", "/there", redirect(f"{registry.url}/v2/c/d/blobs/{described.digest}"))
        registry.fault("GET", "/a/b/blobs/", redirect(f"{other.url}/there"))
        with pytest.raises(AuthFailed):
            b"".join(client.blob("a/b", described))
    assert not any("authorization" in one.headers for one in registry.seen("GET", "/c/d/blobs/"))


def test_redirects_without_end(registry: Misbehaving, client: Registry) -> None:
    registry.fault("GET", "/manifests/", redirect(f"{registry.url}/v2/a/b/manifests/latest"))
    with pytest.raises(RegistryRefused, match="redirects without end"):
        client.manifest("a/b", "latest")
    assert len(registry.seen("GET", "/manifests/")) < 10


def test_a_relative_redirect(registry: Misbehaving, client: Registry) -> None:
    registry.add("a/b", "latest", MADE)
    registry.fault("GET", "/manifests/old", redirect("latest", 302))
    assert client.manifest("a/b", "old").digest == MADE.digest


# --- mirrors


def test_a_mirror_is_asked_first_and_the_registry_when_it_has_not(registry: Misbehaving, connect: Connect) -> None:
    registry.add("a/b", "latest", MADE)
    described = blob_of(registry)
    remember(registry)
    registry.auth = "basic"
    with misbehaving() as mirror:
        client = connect(settings=QUICK._replace(mirrors={registry.host: (mirror.url,)}))
        assert client.manifest("a/b", "latest").digest == MADE.digest
        assert [one.path for one in mirror.requests] == ["/v2/a/b/manifests/latest"]
        mirror.add("a/b", "latest", MADE)
        before = len(registry.requests)
        assert client.manifest("a/b", "latest").digest == MADE.digest
        assert b"".join(client.blob("a/b", described)) == MADE.layers[0]
        assert len(registry.requests) == before
        assert not any("authorization" in one.headers for one in mirror.requests)
        mirror.fault("GET", "/blobs/", error(503, "UNAVAILABLE", "later"))
        assert b"".join(client.blob("a/b", described)) == MADE.layers[0]
    assert client.manifest("a/b", "latest").digest == MADE.digest  # the mirror is gone now


def test_a_mirror_that_does_not_run_is_asked_once(registry: Misbehaving, connect: Connect) -> None:
    from tests.registry.real import free_port

    registry.add("a/b", "latest", MADE)
    client = connect(settings=QUICK._replace(mirrors={registry.host: (f"http://127.0.0.1:{free_port()}",)}))
    for _ in range(3):
        assert client.manifest("a/b", "latest").digest == MADE.digest
