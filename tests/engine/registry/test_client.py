"""Manifests and blobs from a registry that drops, stalls and lies."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.registry.conftest import QUICK
from tests.engine.store.archives import layer, sha256
from tests.registry import images
from tests.registry.misbehaving import (
    Fault,
    Misbehaving,
    body,
    drop_after,
    error,
    header,
    lie_about_length,
    misbehaving,
    stall_after,
    status,
    trickle,
)
from tests.registry.real import certificate
from tuidock.engine.errors import AuthFailed, RegistryRefused
from tuidock.engine.oci.descriptor import OCI_LAYER, Descriptor
from tuidock.engine.registry.client import Registry

BIG = bytes(range(256)) * 12000


def put(registry: Misbehaving, raw: bytes = BIG) -> Descriptor:
    registry.blobs[sha256(raw)] = raw
    return Descriptor(OCI_LAYER, sha256(raw), len(raw))


def fetched(client: Registry, descriptor: Descriptor, offset: int = 0) -> bytes:
    return b"".join(client.blob("a/b", descriptor, offset))


# --- manifests


def test_a_manifest_comes_as_it_is(registry: Misbehaving, client: Registry) -> None:
    for docker in (False, True):
        made = images.image([layer({"a": b"1"})], docker=docker)
        digest = registry.add("a/b", "latest", made)
        for reference in ("latest", digest):
            found = client.manifest("a/b", reference)
            assert found == (made.manifest, made.media_type, digest)
        head = client.head("a/b", "latest")
        assert head == (made.media_type, digest, len(made.manifest))
    assert client.head("a/b", "nope") is None
    accept = registry.seen("GET", "/manifests/")[0].headers["accept"]
    assert images.OCI_INDEX in accept and images.DOCKER_MANIFEST in accept


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (body(b"{}"), "announced sha256:.* and sent sha256:"),
        (header("Docker-Content-Digest", "sha256:" + "0" * 64), "announced sha256:0000"),
        (header("Content-Type", images.OCI_INDEX), "calls itself .*; it lies"),
        (status(200, b"{" + b" " * (5 << 20) + b"}"), "more than 4194304 bytes"),
        (status(200, b"<html>"), "sent no manifest"),
        (status(200, b"[" * 100000), "sent no manifest"),
        (status(200, b'{"schemaVersion": 1, "fsLayers": []}'), "schema 1"),
        (status(200, b"{}", Content_Type="application/vnd.docker.distribution.manifest.v1+prettyjws"), "schema 1"),
        (status(200, b'{"schemaVersion": 2, "layers": [], "manifests": []}'), "both a manifest and an index"),
        (status(200, b'{"schemaVersion": 2, "mediaType": "application/vnd.helm+json"}'), "which is no image"),
        (status(200, b'{"schemaVersion": 2, "mediaType": 5}'), "sent no manifest"),
        (status(200, b"\x1f\x8bxx", Content_Encoding="gzip"), "damaged manifest"),
        (status(200, gzip.compress(b" " * (80 << 20)), Content_Encoding="gzip"), "more than 4194304 bytes"),
        (status(200, b"(\xb5/\xfd", Content_Encoding="zstd"), "in zstd, which nobody asked for"),
        (status(200, gzip.compress(b"{}")[:-4], Content_Encoding="gzip"), "or half of one"),
        (error(404, "MANIFEST_UNKNOWN", "manifest \x1b[31munknown"), r"has no manifest a/b:latest: manifest ␛\[31munknown"),
        (error(418, "TEAPOT", "x" * 5000), "status 418: x{300}$"),
        (status(404, b"\xff\xfe"), "has no manifest a/b:latest$"),
        (status(302), "without saying where to"),
        (status(302, Location="file:///etc/passwd"), "without saying where to"),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(registry: Misbehaving, client: Registry, fault: Fault, says: str) -> None:
    registry.add("a/b", "latest", images.image([layer({"a": b"1"})]))
    registry.fault("GET", "/manifests/", fault)
    with pytest.raises(RegistryRefused, match=says) as caught:
        client.manifest("a/b", "latest")
    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)


def test_another_manifest_than_the_digest_says(registry: Misbehaving, client: Registry) -> None:
    digest = registry.add("a/b", "latest", images.image([layer({"a": b"1"})]))
    other = images.image([layer({"a": b"2"})])
    registry.fault("GET", "/manifests/", status(200, other.manifest, Content_Type=other.media_type))
    with pytest.raises(RegistryRefused, match="when it was asked for"):
        client.manifest("a/b", digest)


def test_a_type_that_says_nothing_is_looked_up_in_the_document(registry: Misbehaving, client: Registry) -> None:
    made = images.image([layer({"a": b"1"})])
    registry.fault("GET", "/manifests/one", status(200, made.manifest, Content_Type="application/json"))
    assert client.manifest("a/b", "one").media_type == images.OCI_MANIFEST
    bare = {key: value for key, value in json.loads(made.manifest).items() if key != "mediaType"}
    registry.fault("GET", "/manifests/two", status(200, json.dumps(bare).encode()))
    assert client.manifest("a/b", "two").media_type == images.OCI_MANIFEST
    registry.fault("GET", "/manifests/three", status(200, b'{"schemaVersion": 2, "manifests": []}'))
    assert client.manifest("a/b", "three").media_type == images.OCI_INDEX


# --- blobs


def test_a_blob_comes_whole_and_from_an_offset(registry: Misbehaving, client: Registry) -> None:
    described = put(registry)
    assert fetched(client, described) == BIG
    assert fetched(client, described, 1000) == BIG[1000:]
    assert fetched(client, described, len(BIG)) == b""
    assert fetched(client, put(registry, b"")) == b""
    registry.ranges = False
    assert fetched(client, described, 100_001) == BIG[100_001:]


@pytest.mark.parametrize("ranges", [True, False])
def test_drops_are_resumed(registry: Misbehaving, client: Registry, ranges: bool) -> None:
    registry.ranges = ranges
    described = put(registry)
    registry.fault("GET", "/blobs/", drop_after(100_000), times=1)
    registry.fault("GET", "/blobs/", drop_after(300_000), times=1)
    registry.fault("GET", "/blobs/", drop_after(0), times=1)
    told: list[str] = []
    assert b"".join(client.blob("a/b", described, retrying=told.append)) == BIG
    assert len(told) == 3 and "again in" in told[0]
    starts = [int(one.headers.get("range", "bytes=0-")[6:-1]) for one in registry.seen("GET", "/blobs/")]
    assert starts[0] == 0 and sorted(starts) == starts and starts[1] <= 100_000 < starts[2]


def test_drops_without_end_are_given_up(registry: Misbehaving, client: Registry) -> None:
    described = put(registry)
    registry.fault("GET", "/blobs/", drop_after(1))
    with pytest.raises(RegistryRefused, match="try again later"):
        fetched(client, described)
    assert len(registry.seen("GET", "/blobs/")) == client.session.settings.attempts


def test_headway_renews_patience(registry: Misbehaving, client: Registry) -> None:
    """A connection that drops after each 1.2 MB is slow but not hopeless."""
    raw = BIG * 5
    described = put(registry, raw)
    registry.fault("GET", "/blobs/", drop_after(1_500_000), times=8)
    assert fetched(client, described) == raw


def test_a_stalled_connection_is_given_up(registry: Misbehaving, client: Registry) -> None:
    described = put(registry)
    registry.fault("GET", "/blobs/", stall_after(5000), times=1)
    began = time.monotonic()
    assert fetched(client, described) == BIG
    assert 0.4 < time.monotonic() - began < 10


def test_a_connection_that_brings_next_to_nothing_is_given_up(registry: Misbehaving, client: Registry) -> None:
    described = put(registry)
    registry.fault("GET", "/blobs/", trickle(50_000), times=1)
    told: list[str] = []
    assert b"".join(client.blob("a/b", described, retrying=told.append)) == BIG
    assert len(told) == 1 and "less than 1024 bytes came" in told[0]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (status(200, BIG + b"!"), "has 3072001 bytes of blob .* where 3072000 were promised"),
        (status(200, BIG[:-1]), "has 3071999 bytes"),
        (lie_about_length(77), "has 77 bytes"),
        (status(206, BIG[5:], Content_Range="bytes 5-1/2"), "answered the range 'bytes 5-1/2'"),
        (status(206, BIG, Content_Range="\x7f"), "answered the range"),
        (status(416), "status 416"),
        (error(404, "BLOB_UNKNOWN", "blob unknown"), "has no blob"),
    ],
)  # fmt: skip
def test_lies_about_a_blob(registry: Misbehaving, client: Registry, fault: Fault, says: str) -> None:
    described = put(registry)
    registry.fault("GET", "/blobs/", fault)
    with pytest.raises(RegistryRefused, match=says):
        fetched(client, described)


def test_a_digest_that_is_no_file_name(client: Registry) -> None:
    for digest in ("sha256:../../etc/passwd", "sha512:" + "a" * 128, "sha256:" + "A" * 64):
        with pytest.raises(RegistryRefused, match="no sha256 digest"):
            fetched(client, Descriptor(OCI_LAYER, digest, 5))


def test_documents_are_checked(registry: Misbehaving, client: Registry) -> None:
    described = put(registry, b'{"a": 1}')
    assert client.document("a/b", described) == b'{"a": 1}'
    registry.fault("GET", "/blobs/", body(b'{"a": 2}'), times=1)
    with pytest.raises(RegistryRefused, match="damaged or lies"):
        client.document("a/b", described)
    with pytest.raises(RegistryRefused, match="8388608 is the most"):
        client.document("a/b", described._replace(size=9 << 20))


# --- refusals and patience


def test_busy_registries_are_asked_again(registry: Misbehaving, client: Registry) -> None:
    described = put(registry)
    for code in (429, 500, 503):
        registry.fault("GET", "/blobs/", status(code), times=1)
    assert fetched(client, described) == BIG
    registry.fault("GET", "/manifests/", status(502))
    with pytest.raises(RegistryRefused, match="status 502; try again later") as caught:
        client.manifest("a/b", "latest")
    assert caught.value.status == 502
    assert len(registry.seen("GET", "/manifests/")) == client.session.settings.attempts


def test_retry_after_is_obeyed(registry: Misbehaving, client: Registry) -> None:
    described = put(registry)
    registry.fault("GET", "/blobs/", status(429, Retry_After="1"), times=1)
    began = time.monotonic()
    assert fetched(client, described) == BIG
    assert time.monotonic() - began >= 1


def test_nobody_waits_for_hours(registry: Misbehaving, client: Registry) -> None:
    registry.fault("GET", "/manifests/", status(429, Retry_After="7200"))
    with pytest.raises(RegistryRefused, match="asks to wait 7200 seconds") as caught:
        client.manifest("a/b", "latest")
    assert caught.value.status == 429 and "logged in may ask more often" in str(caught.value)
    assert len(registry.seen("GET", "/manifests/")) == 1


def test_nobody_there(connect: Callable[..., Registry]) -> None:
    from tests.registry.real import free_port

    with pytest.raises(RegistryRefused, match=r"cannot reach 127.0.0.1:.*does the registry run") as caught:
        connect(f"127.0.0.1:{free_port()}").manifest("a/b", "latest")
    assert caught.value.status == 0


def test_a_denied_repository(registry: Misbehaving, client: Registry) -> None:
    registry.fault("GET", "/manifests/", error(403, "DENIED", "requested access to the resource is denied"))
    with pytest.raises(AuthFailed, match=r"does not exist or needs `tuidock login 127.*requested access"):
        client.manifest("a/b", "latest")


@pytest.mark.parametrize("tls", [False, True])
def test_cancelling_wakes_whoever_waits(tmp_path: Path, docker_config: Path, tls: bool) -> None:
    context = None
    if tls:
        _, chain, key = certificate(tmp_path, "127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
    with misbehaving(context) as registry, Registry(registry.host, QUICK._replace(stall=60.0)) as client:
        described = put(registry)
        registry.fault("GET", "/blobs/", stall_after(1000))
        caught: list[BaseException] = []
        arrived = threading.Event()

        def read() -> None:
            try:
                for _ in client.blob("a/b", described):
                    arrived.set()
            except BaseException as problem:
                caught.append(problem)

        thread = threading.Thread(target=read)
        thread.start()
        assert arrived.wait(10)
        client.cancel()
        thread.join(10)
        assert not thread.is_alive()
        assert isinstance(caught[0], RegistryRefused) and "cancelled" in str(caught[0])
        with pytest.raises(RegistryRefused, match="cancelled"):
            client.manifest("a/b", "latest")


def test_many_threads_share_a_client(registry: Misbehaving, client: Registry) -> None:
    described = [put(registry, BIG + bytes([n])) for n in range(8)]
    results: dict[int, bytes] = {}

    def read(number: int) -> None:
        results[number] = fetched(client, described[number])

    threads = [threading.Thread(target=read, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(results[n] == BIG + bytes([n]) for n in range(8))


# --- lists


def test_lists_go_on_over_pages(registry: Misbehaving, client: Registry) -> None:
    made = images.image([layer({"a": b"1"})])
    for number in range(7):
        registry.add("a/b", f"v{number}", made)
        registry.add(f"c/d{number}", "latest", made)
    registry.page = 3
    assert client.tags("a/b") == [f"v{number}" for number in range(7)]
    assert client.catalog() == ["a/b", *[f"c/d{number}" for number in range(7)]]
    with pytest.raises(RegistryRefused, match="has no repository x/y"):
        client.tags("x/y")


@pytest.mark.parametrize("document", [b"[]", b'{"tags": "x"}', b'{"tags": [1]}', b"\xff", b'{"tags": {"a": 1}}', b"5"])
def test_lists_that_are_none(registry: Misbehaving, client: Registry, document: bytes) -> None:
    registry.fault("GET", "/tags/list", status(200, document))
    with pytest.raises(RegistryRefused, match="cannot be read"):
        client.tags("a/b")


@pytest.mark.parametrize("tag", ["../../etc", "a b", "a?b", "", "\x1b[31m", "x" * 129, ".a", "a\n"])
def test_tags_that_are_none(registry: Misbehaving, client: Registry, tag: str) -> None:
    registry.fault("GET", "/tags/list", status(200, json.dumps({"tags": ["good", tag]}).encode()))
    with pytest.raises(RegistryRefused, match="which is none"):
        client.tags("a/b")


def test_a_list_without_end(registry: Misbehaving, client: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuidock.engine.registry import client as module

    monkeypatch.setattr(module, "_PAGES_LIMIT", 5)
    count = iter(range(1000))

    def change(answer: Any, _: Any) -> Any:
        answer.headers["Link"] = f'</v2/a/b/tags/list?last={next(count)}>; rel="next"'
        return answer

    registry.fault("GET", "/tags/list", status(200, b'{"tags": ["a"]}'), times=0)
    registry.add("a/b", "a", images.image([layer({"a": b"1"})]))
    registry.fault("GET", "/tags/list", Fault(change))
    with pytest.raises(RegistryRefused, match="has no end"):
        client.tags("a/b")


def test_a_list_does_not_lead_to_another_host(registry: Misbehaving, client: Registry) -> None:
    registry.add("a/b", "a", images.image([layer({"a": b"1"})]))
    registry.fault("GET", "/tags/list", header("Link", '<http://localhost:1/v2/a/b/tags/list>; rel="next"'))
    assert client.tags("a/b") == ["a"]
