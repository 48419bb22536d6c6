"""Registries that drop, stall, refuse and lie, and pulls that are given up: one sentence, and nothing half-made is left."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.engine.store.archives import config, docker_archive, layer, sha256
from tests.engine.store.conftest import Store
from tests.engine.transfer.pulls import BASE, TOP, begin, files, noise, partials, pull, until
from tests.registry import images as made
from tests.registry.misbehaving import (
    Misbehaving,
    body,
    drop_after,
    error,
    lie_about_length,
    redirect,
    stall_after,
    status,
)
from tuidock.engine.errors import BadContent, EngineError, RegistryRefused, SystemFailure
from tuidock.engine.store import collection, images, partial
from tuidock.engine.store.layers import Unpacking
from tuidock.engine.store.snapshots import Snapshots
from tuidock.engine.transfer import operations
from tuidock.engine.transfer.fetching import Stopped

SIZE = 3_000_000
NOISE = noise(SIZE)
BIG = made.image([BASE, NOISE, TOP])
LARGE = sha256(BIG.layers[1])


@pytest.fixture
def big(registry: Misbehaving) -> Misbehaving:
    """An image demo:1 with a layer that takes many reads."""
    registry.add("demo", "1", BIG)
    return registry


def name(registry: Misbehaving) -> str:
    return f"{registry.host}/demo:1"


def ranges(registry: Misbehaving) -> list[str]:
    """What of the large blob was asked for."""
    return [one.headers.get("range", "") for one in registry.seen("GET", LARGE)]


def whole(store: Store, registry: Misbehaving) -> None:
    """The image is there, complete, and nothing else."""
    assert len(files(store, name(registry))["noise"]) == SIZE
    assert store.problems() == [] and partials(store) == {}


def nothing(store: Store) -> None:
    """No image, layer, blob or draft; what has arrived of blobs may wait for the next time."""
    assert images.list_images(store.state, {}) == []
    assert [one for one in store.names("content", "ingest") if len(one) != 64] == []
    assert not any(store.names(*where) for where in (("content", "blobs", "sha256"), ("snapshots",), ("trash",)))
    assert store.problems() == []


# --- what helps itself


def test_a_drop_is_resumed_where_it_happened(store: Store, big: Misbehaving) -> None:
    big.fault("GET", LARGE, drop_after(1_000_000), times=1)
    steps = pull(store, name(big))
    assert any(step.action == "retrying" for step in steps)
    first, second = ranges(big)
    assert first == "" and second.startswith("bytes=") and 0 < int(second[6:-1]) <= 1_000_000
    whole(store, big)


def test_without_ranges_the_beginning_is_skipped(store: Store, big: Misbehaving) -> None:
    big.ranges = False
    big.fault("GET", LARGE, drop_after(1_000_000), times=2)
    pull(store, name(big))
    whole(store, big)


def test_a_stalled_connection_is_given_up_and_resumed(store: Store, big: Misbehaving) -> None:
    big.fault("GET", LARGE, stall_after(1_000_000), times=1)
    pull(store, name(big), stall=0.3)
    assert ranges(big)[1].startswith("bytes=")
    whole(store, big)


@pytest.mark.parametrize("fault", [status(429, Retry_After="0"), status(500), status(503)])
def test_a_busy_registry_is_asked_again(store: Store, big: Misbehaving, fault: object) -> None:
    big.fault("GET", "/blobs/", fault, times=2)  # type: ignore[arg-type]
    big.fault("GET", "/manifests/", fault, times=1)  # type: ignore[arg-type]
    pull(store, name(big))
    whole(store, big)


def test_blobs_may_lie_elsewhere(store: Store, big: Misbehaving) -> None:
    from tests.registry.misbehaving import misbehaving

    with misbehaving() as other:
        other.blobs |= big.blobs
        big.fault("GET", LARGE, redirect(f"{other.url}/v2/demo/blobs/{LARGE}"))
        pull(store, name(big))
        assert other.seen("GET", LARGE)
    whole(store, big)


# --- what is refused


def refused(store: Store, registry: Misbehaving, match: str, kind: type[EngineError] = RegistryRefused) -> None:
    with pytest.raises(kind, match=match) as raised:
        pull(store, name(registry))
    assert "\n" not in str(raised.value)
    nothing(store)


def test_a_blob_with_other_bytes_is_refused_and_not_kept(store: Store, big: Misbehaving) -> None:
    big.fault("GET", LARGE, body(os.urandom(len(BIG.layers[1]))))
    refused(store, big, "it is damaged or lies")
    assert LARGE not in partials(store)


def test_valid_gzip_of_another_layer_is_refused_by_its_digest(store: Store, big: Misbehaving) -> None:
    other = gzip.compress(layer({"evil": b"x"}), mtime=0)
    big.fault("GET", LARGE, body(other + bytes(len(BIG.layers[1]) - len(other))))
    refused(store, big, f"as {LARGE}")


def test_a_blob_that_is_too_long_or_too_short_is_refused(store: Store, big: Misbehaving) -> None:
    big.fault("GET", LARGE, lie_about_length(len(BIG.layers[1]) + 5), times=5)
    refused(store, big, r"were promised|too early|lies")


def test_a_manifest_with_another_digest_is_refused(store: Store, registry: Misbehaving) -> None:
    digest = registry.add("demo", "1", BIG)
    registry.fault("GET", digest, body(made.image([TOP]).manifest))
    with pytest.raises(RegistryRefused, match=r"damaged|lies"):
        pull(store, f"{registry.host}/demo@{digest}")
    nothing(store)


def test_a_manifest_in_an_index_has_the_size_that_the_index_says(store: Store, registry: Misbehaving) -> None:
    registry.add("demo", "", BIG)
    entry = BIG.descriptor(platform={"os": "linux", "architecture": "amd64"}) | {"size": 5}
    registry.add_manifest("demo", "1", made.OCI_INDEX, made.index([entry]))
    refused(store, registry, r"bytes where 5 were promised")


def test_a_layer_that_is_not_the_one_of_the_config_is_refused(store: Store, registry: Misbehaving) -> None:
    image = made.image([BASE, TOP])
    lying = config([BASE, layer({"other": b""})])
    document = json.loads(image.manifest)
    document["config"] |= {"digest": sha256(lying), "size": len(lying)}
    registry.add("demo", "1", made.Made(json.dumps(document).encode(), image.media_type, lying, image.layers))
    refused(store, registry, "not what the image config promises", BadContent)


def test_a_known_blob_cannot_stand_for_another_known_layer(store: Store, registry: Misbehaving) -> None:
    """Both the blob and the layer are in the store, but do not belong together."""
    registry.add("honest", "1", made.image([BASE]))
    registry.add("honest", "2", made.image([TOP]))
    pull(store, f"{registry.host}/honest:1")
    pull(store, f"{registry.host}/honest:2")
    lying = made.image([BASE])
    document = json.loads(lying.manifest)
    document["layers"][0] |= {"digest": sha256(gzip.compress(TOP, mtime=0)), "size": len(gzip.compress(TOP, mtime=0))}
    registry.add("demo", "1", made.Made(json.dumps(document).encode(), lying.media_type, lying.config, lying.layers))
    pull(store, name(registry))  # the blob of the store that was compared stands in
    record = images.resolve(store.state, store.paths, name(registry))
    assert record.layers[0].digest == sha256(gzip.compress(BASE, mtime=0))
    assert store.problems() == []


def test_a_bomb_is_stopped_long_before_its_end(
    store: Store, registry: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuidock.engine.store import layers

    monkeypatch.setattr(layers, "_INFLATED_FREELY", 1 << 20)
    registry.add("demo", "1", made.image([layer({"zeros": bytes(60_000_000)})]))
    refused(store, registry, "as only a bomb does", BadContent)


def test_a_layer_that_does_not_fit_on_the_disk_is_refused(tmp_path: Path, registry: Misbehaving) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", small], check=True)
    store = Store(str(small / "root"))
    try:
        registry.add("demo", "1", made.image([layer({"zeros": bytes(30_000_000)})]))
        registry.add("demo", "2", made.image([noise(9_000_000)]))
        with pytest.raises(SystemFailure, match="No space left on device; free some space"):
            list(operations.told(begin(store, name(registry)), "pull"))
        nothing(store)
        with pytest.raises(SystemFailure, match="its layers need 9MB and there are"):
            pull(store, f"{registry.host}/demo:2")
        assert not [one for one in registry.seen("GET", "/blobs/") if one.path.endswith(sha256(noise(1))[:9])]
        nothing(store)
    finally:
        store.state.close()
        subprocess.run(["umount", "-l", small], check=True)


def test_a_huge_manifest_is_refused(store: Store, big: Misbehaving) -> None:
    big.fault("GET", "/manifests/", body(b" " * (5 << 20)))
    refused(store, big, "more than 4194304 bytes")


def test_a_digest_of_another_kind_never_becomes_a_path(store: Store, registry: Misbehaving) -> None:
    image = made.image([BASE])
    document = json.loads(image.manifest)
    document["layers"][0]["digest"] = "sha512:" + "0" * 128
    registry.add("demo", "1", made.Made(json.dumps(document).encode(), image.media_type, image.config, image.layers))
    refused(store, registry, "only sha256 can be stored")


def test_a_missing_blob_is_one_sentence(store: Store, big: Misbehaving) -> None:
    big.fault("GET", LARGE, error(404, "BLOB_UNKNOWN", "blob unknown"))
    refused(store, big, "has no blob")


def test_a_registry_that_drops_again_and_again_is_given_up_but_what_came_stays(store: Store, big: Misbehaving) -> None:
    big.fault("GET", LARGE, drop_after(200_000))
    refused(store, big, "try again later")
    assert partials(store)[LARGE] > 0


# --- what is given up


def test_closing_a_pull_leaves_only_what_has_arrived_and_the_next_goes_on_there(store: Store, big: Misbehaving) -> None:
    big.fault("GET", LARGE, stall_after(2_000_000), times=1)
    steps = begin(store, name(big))
    until(steps, lambda step: step.subject == LARGE[7:19] and step.done > 1_000_000)
    steps.close()  # type: ignore[attr-defined]
    nothing(store)
    had = partials(store)[LARGE]
    assert had > 1_000_000
    collection.sweep(store.paths)
    collection.collect(store.state, store.paths)
    assert partials(store)[LARGE] == had, "a day is left to go on with it"
    pull(store, name(big))
    assert ranges(big) == ["", f"bytes={had}-"]
    whole(store, big)


def test_a_pull_that_was_closed_before_it_began_leaves_nothing(store: Store, big: Misbehaving) -> None:
    steps = begin(store, name(big))
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert store.is_empty()


def test_what_a_power_cut_damaged_is_fetched_anew(store: Store, big: Misbehaving) -> None:
    place = partial.claim(store.paths, LARGE, len(BIG.layers[1]))
    assert place is not None
    place.write(BIG.layers[1][:500_000] + bytes(500_000))
    place.release()
    pull(store, name(big))
    assert ranges(big) == ["bytes=1000000-", ""]
    whole(store, big)


def test_a_complete_partial_blob_is_not_asked_for(store: Store, big: Misbehaving) -> None:
    place = partial.claim(store.paths, LARGE, len(BIG.layers[1]))
    assert place is not None
    place.write(BIG.layers[1])
    place.release()
    pull(store, name(big))
    assert ranges(big) == []
    whole(store, big)


def test_old_partial_blobs_are_swept_and_all_of_them_when_asked(store: Store) -> None:
    for number, age in ((1, 0), (2, 2 * partial.KEPT)):
        place = partial.claim(store.paths, "sha256:" + str(number) * 64, 100)
        assert place is not None
        place.write(b"some")
        place.release()
        path = Path(store.paths.ingest, str(number) * 64, "data")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    assert partial.left(store.paths) == (2, 8)
    assert len(store.problems()) == 1
    assert collection.sweep(store.paths) == 1
    assert store.problems() == []
    assert collection.sweep(store.paths, partial_kept=0) == 1
    assert store.is_empty()


def test_a_hostile_layer_does_not_wait_for_its_last_byte(
    store: Store, registry: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuidock.engine.transfer import layering

    monkeypatch.setattr(layering, "_PATIENCE", 0.1)
    hostile = made.image([layer({"../../escape": b"x", "noise": os.urandom(SIZE)})])
    registry.add("demo", "1", hostile)
    registry.fault("GET", sha256(hostile.layers[0]), stall_after(1_000_000))
    refused(store, registry, "leads out of the image", BadContent)


def test_what_is_refused_gives_up_the_bytes_that_would_still_come(store: Store) -> None:
    """Its reader has taken all that is there before the extractor says no, and would wait for ever."""
    there, given_up = io.BytesIO(layer({"../../escape": b"x"})[:1024]), threading.Event()

    def read(size: int) -> bytes:
        if chunk := there.read(size):
            return chunk
        assert given_up.wait(60)
        raise Stopped("given up")

    draft = Snapshots(store.paths).draft()
    try:
        with pytest.raises(BadContent, match="leads out of the image"):
            Unpacking(read, draft, give_up=given_up.set).run("demo")
    finally:
        draft.close()
    assert given_up.is_set()


@pytest.mark.parametrize("how", ["done", "closed", "refused"])
def test_nothing_of_a_pull_is_left_in_the_process(store: Store, big: Misbehaving, how: str) -> None:
    if how == "closed":
        big.fault("GET", LARGE, stall_after(1_000_000))
    elif how == "refused":
        big.fault("GET", LARGE, error(404, "BLOB_UNKNOWN", "blob unknown"))
    store.state.read()
    threads, descriptors = threading.active_count(), own_descriptors()
    steps = begin(store, name(big))
    if how == "done":
        list(steps)
    elif how == "closed":
        until(steps, lambda step: step.subject == LARGE[7:19] and step.done > 500_000)
        steps.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(RegistryRefused):
            list(steps)
    assert own_descriptors() == descriptors
    assert [one.name for one in threading.enumerate() if one.name.startswith("tuidock")] == []
    assert threads <= threading.active_count()
    assert store.names("content", "leases") == []


def own_descriptors() -> list[str]:
    """What this process has open, without the registry's connections in the same process."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if not target.startswith("socket:"):
            found.append(target)
    return sorted(found)


# --- collecting meanwhile


def test_a_collection_during_a_pull_takes_garbage_and_nothing_of_the_pull(store: Store, big: Misbehaving) -> None:
    store.load(docker_archive([([BASE], ["kept"]), ([layer({"old": b"x"})], ["gone"])]))
    big.fault("GET", LARGE, stall_after(2_000_000), times=1)
    steps = begin(store, name(big), stall=0.5)
    until(steps, lambda step: step.subject == LARGE[7:19] and step.done > 1_000_000)
    for tag in ("kept", "gone"):
        from tuidock.engine.store import operations as store_operations

        store_operations.remove(store.state, store.paths, tag, [])
    assert sha256(layer({"old": b"x"}))[7:] not in store.names("snapshots"), "a slow pull stops no collection"
    assert sha256(BASE)[7:] in store.names("snapshots"), "the pull stands on this layer"
    list(steps)
    whole(store, big)
