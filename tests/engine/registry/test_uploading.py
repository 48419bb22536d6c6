"""Uploads to a registry that drops them, forgets them, sends them elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.engine.registry.conftest import QUICK
from tests.engine.store.archives import layer, sha256
from tests.registry import images
from tests.registry.honest import Answer, Seen
from tests.registry.misbehaving import (
    Fault,
    Misbehaving,
    drop_after,
    drop_upload_after,
    error,
    header,
    misbehaving,
    status,
)
from tests.registry.real import PASSWORD, USER
from tuidock.engine.errors import RegistryRefused
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.keyring import Keyring, Secret
from tuidock.engine.registry.uploading import Upload, put_manifest

Connect = Callable[..., Registry]
BIG = bytes(range(256)) * 8000


class Body:
    """Known from the beginning, or in the making."""

    def __init__(self, raw: bytes, *, known: bool = True) -> None:
        self._raw = raw
        self.size, self.digest = (len(raw), sha256(raw)) if known else (-1, "")

    def chunks(self, offset: int) -> Iterator[bytes]:
        while offset < len(self._raw):
            chunk = self._raw[offset : offset + 100_000]
            offset += len(chunk)
            if offset == len(self._raw):
                self.size, self.digest = len(self._raw), sha256(self._raw)
            yield chunk


@pytest.fixture
def pusher(connect: Connect) -> Registry:
    return connect(actions="pull,push")


def methods(registry: Misbehaving) -> list[str]:
    return [one.method for one in registry.requests if one.method != "HEAD" and "/uploads/" in one.path]


@pytest.mark.parametrize("known", [True, False])
def test_an_upload(registry: Misbehaving, pusher: Registry, known: bool) -> None:
    moved: list[int] = []
    upload = Upload(pusher, "a/b", moved=moved.append)
    assert not upload.exists(sha256(BIG))
    upload.send(Body(BIG, known=known))
    assert registry.blobs[sha256(BIG)] == BIG and upload.exists(sha256(BIG))
    assert methods(registry) == (["POST", "PUT"] if known else ["POST", "PATCH", "PUT"])
    assert moved[-1] == len(BIG) and moved == sorted(moved)
    assert not registry.uploads
    put = registry.seen("PUT", "/uploads/")[0]
    assert put.query["state"] == ["a/b"] and put.query["digest"] == [sha256(BIG)]


def test_nothing_is_a_blob_too(registry: Misbehaving, pusher: Registry) -> None:
    Upload(pusher, "a/b").send(Body(b""))
    assert registry.blobs[sha256(b"")] == b""


@pytest.mark.parametrize("known", [True, False])
def test_a_dropped_upload_goes_on_where_it_was(registry: Misbehaving, pusher: Registry, known: bool) -> None:
    registry.fault("PUT" if known else "PATCH", "/uploads/", drop_upload_after(700_000), times=1)
    told: list[str] = []
    Upload(pusher, "a/b", retrying=told.append).send(Body(BIG, known=known))
    assert registry.blobs[sha256(BIG)] == BIG
    last = registry.seen("PATCH", "/uploads/")[-1]
    assert last.headers["content-range"].startswith("700000-") and len(last.body) == len(BIG) - 700_000
    assert len(told) == 1


def test_an_upload_that_the_registry_has_forgotten_begins_again(registry: Misbehaving, pusher: Registry) -> None:
    registry.fault("PUT", "/uploads/", drop_upload_after(500_000), times=1)
    registry.fault("GET", "/uploads/", status(404), times=1)
    Upload(pusher, "a/b").send(Body(BIG))
    assert methods(registry) == ["POST", "PUT", "GET", "POST", "PUT"]
    assert registry.blobs[sha256(BIG)] == BIG


def test_an_answer_that_is_lost(registry: Misbehaving, pusher: Registry) -> None:
    """The blob is there; only nobody was told."""
    registry.fault("PUT", "/uploads/", drop_after(0), times=1)
    Upload(pusher, "a/b").send(Body(BIG))
    assert registry.blobs[sha256(BIG)] == BIG


def test_a_range_that_does_not_fit_is_asked_for(registry: Misbehaving, pusher: Registry) -> None:
    registry.fault("PUT", "/uploads/", drop_upload_after(500_000), times=1)
    registry.fault("GET", "/uploads/", header("Range", "0-123"), times=1)
    Upload(pusher, "a/b").send(Body(BIG))
    assert registry.blobs[sha256(BIG)] == BIG


def test_busy_in_the_middle(registry: Misbehaving, pusher: Registry) -> None:
    registry.fault("POST", "/uploads/", status(503), times=1)
    registry.fault("PUT", "/uploads/", status(500), times=2)
    Upload(pusher, "a/b").send(Body(BIG))
    assert registry.blobs[sha256(BIG)] == BIG


def test_drops_without_end_are_given_up(registry: Misbehaving, pusher: Registry) -> None:
    registry.fault("PUT", "/uploads/", drop_upload_after(1))
    registry.fault("PATCH", "/uploads/", drop_upload_after(1))
    with pytest.raises(RegistryRefused, match="try again later"):
        Upload(pusher, "a/b").send(Body(BIG))


def test_requests_that_are_too_large_become_smaller(
    registry: Misbehaving, pusher: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuidock.engine.registry import uploading

    monkeypatch.setattr(uploading, "_PIECE", 500_000)
    for known in (True, False):
        registry.blobs.clear()
        registry.requests.clear()
        registry.fault("PUT" if known else "PATCH", "/uploads/", status(413), times=1)
        Upload(pusher, "a/b").send(Body(BIG, known=known))
        assert registry.blobs[sha256(BIG)] == BIG
        pieces = [len(one.body) for one in registry.seen("PATCH", "/uploads/")]
        assert pieces[-5:] == [500_000] * 4 + [48_000]
    assert not registry.uploads


def test_a_digest_that_the_registry_does_not_find(registry: Misbehaving, pusher: Registry) -> None:
    body = Body(BIG)
    body.digest = sha256(b"other")
    with pytest.raises(RegistryRefused, match=r"did not match .*tuidock system check"):
        Upload(pusher, "a/b").send(body)


def test_a_refused_upload_is_taken_back(registry: Misbehaving, pusher: Registry) -> None:
    registry.fault("PUT", "/uploads/", error(403, "DENIED", "quota"), times=1)
    with pytest.raises(RegistryRefused, match="quota"):
        Upload(pusher, "a/b").send(Body(BIG))
    assert methods(registry)[-1] == "DELETE" and not registry.uploads


def test_another_repository_lends(registry: Misbehaving, pusher: Registry) -> None:
    registry.blobs[sha256(BIG)] = BIG
    assert Upload(pusher, "a/b").mount(sha256(BIG), "c/d")
    assert registry.seen("POST", "/uploads/")[0].query == {"mount": [sha256(BIG)], "from": ["c/d"]}


def test_when_nobody_lends_the_upload_goes_on(registry: Misbehaving, pusher: Registry) -> None:
    registry.mounts = False
    upload = Upload(pusher, "a/b")
    assert not upload.mount(sha256(BIG), "c/d")
    upload.send(Body(BIG))
    assert methods(registry) == ["POST", "PUT"]
    registry.fault("POST", "/uploads/", error(403, "DENIED", "not yours"), times=1)
    assert not Upload(pusher, "a/b").mount(sha256(BIG), "c/d")


def test_a_mount_needs_a_token_for_both(registry: Misbehaving, pusher: Registry) -> None:
    registry.auth = "bearer"
    Keyring().store(registry.host, Secret(USER, PASSWORD))
    registry.blobs[sha256(BIG)] = BIG
    assert Upload(pusher, "a/b").mount(sha256(BIG), "c/d")
    asked = registry.seen("POST", "/token")[-1].body.decode()
    assert "repository%3Aa%2Fb%3Apull%2Cpush" in asked and "repository%3Ac%2Fd%3Apull" in asked


def test_credentials_do_not_follow_an_upload_elsewhere(registry: Misbehaving, pusher: Registry) -> None:
    registry.auth = "basic"
    Keyring().store(registry.host, Secret(USER, PASSWORD))
    with misbehaving() as other:
        registry.location = other.url
        other.uploads = registry.uploads
        Upload(pusher, "a/b").send(Body(BIG))
        assert other.blobs[sha256(BIG)] == BIG
        assert [one.headers.get("authorization") for one in other.requests] == [None]


def test_a_place_with_a_fragment(registry: Misbehaving, pusher: Registry) -> None:
    def change(answer: Answer, _: Seen) -> Answer:
        answer.headers["Location"] += "#here"
        return answer

    registry.fault("POST", "/uploads/", Fault(change))
    Upload(pusher, "a/b").send(Body(BIG))
    assert registry.blobs[sha256(BIG)] == BIG


def test_an_upload_without_a_place(registry: Misbehaving, pusher: Registry) -> None:
    registry.fault("POST", "/uploads/", header("Location", None))
    with pytest.raises(RegistryRefused, match="without saying where it goes on"):
        Upload(pusher, "a/b").send(Body(BIG))


def test_manifests(registry: Misbehaving, pusher: Registry) -> None:
    made = images.image([layer({"a": b"1"})])
    with pytest.raises(RegistryRefused, match="unknown sha256"):
        put_manifest(pusher, "a/b", "latest", made.manifest, made.media_type, made.digest)
    registry.blobs |= made.blobs
    put_manifest(pusher, "a/b", "latest", made.manifest, made.media_type, made.digest)
    assert registry.manifests["a/b", "latest"] == (made.media_type, made.manifest)
    registry.fault("PUT", "/manifests/", header("Docker-Content-Digest", sha256(b"")), times=1)
    with pytest.raises(RegistryRefused, match=r"where sha256:.* was sent"):
        put_manifest(pusher, "a/b", "latest", made.manifest, made.media_type, made.digest)


def test_an_expired_token_in_the_middle(registry: Misbehaving, connect: Connect) -> None:
    registry.auth = "bearer"
    Keyring().store(registry.host, Secret(USER, PASSWORD))
    pusher = connect(actions="pull,push", settings=QUICK)
    upload = Upload(pusher, "a/b")
    assert not upload.exists(sha256(BIG))
    registry.tokens.clear()
    upload.send(Body(BIG))
    assert registry.blobs[sha256(BIG)] == BIG
