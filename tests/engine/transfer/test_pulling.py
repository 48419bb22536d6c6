"""An image comes from a registry: what is fetched, what is kept, what is told."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.store.archives import config, docker_archive, layer, sha256
from tests.engine.store.conftest import Store
from tests.engine.transfer.pulls import BASE, TOP, files, noise, partials, pull, said
from tests.registry import images as made
from tests.registry.misbehaving import Misbehaving
from tuidock.engine.errors import InvalidArgument, NotFound, RegistryRefused
from tuidock.engine.store import collection, images, index, operations, recover
from tuidock.engine.store.content import ContentStore

DEMO = made.image([BASE, TOP])


def blobs(registry: Misbehaving) -> list[str]:
    """The digests of the blobs that were asked for."""
    return [one.path.rpartition("/")[2] for one in registry.seen("GET", "/blobs/")]


@pytest.mark.parametrize("docker", [True, False])
def test_an_image_comes_with_its_files_names_and_digest(store: Store, registry: Misbehaving, docker: bool) -> None:
    demo = made.image([BASE, TOP], docker=docker)
    digest = registry.add("team/demo", "1", demo)
    steps = pull(store, f"{registry.host}/team/demo:1")
    assert said(steps) == (digest, "Downloaded newer image")
    assert files(store, f"{registry.host}/team/demo:1") == {"bin/sh": b"#!", "etc/conf": b"base", "etc/new": b"top"}
    shown = images.inspect(store.state, store.paths, f"{registry.host}/team/demo:1")
    assert shown["RepoTags"] == [f"{registry.host}/team/demo:1"]
    assert shown["RepoDigests"] == [f"{registry.host}/team/demo@{digest}"]
    assert shown["Id"] == sha256(demo.config)
    record = images.resolve(store.state, store.paths, f"{registry.host}/team/demo@{digest}")
    assert record.manifest_digest == digest and [one.digest for one in record.layers] == [
        sha256(r) for r in demo.layers
    ]
    assert store.problems() == [] and partials(store) == {}


def test_every_layer_is_told_from_waiting_to_pulled(store: Store, registry: Misbehaving) -> None:
    registry.add("demo", "1", DEMO)
    steps = pull(store, f"{registry.host}/demo:1")
    assert (steps[0].subject, steps[0].action, steps[0].message) == ("1", "pulling", "demo")
    for raw in DEMO.layers:
        told = [step.action for step in steps if step.subject == sha256(raw)[7:19]]
        told = [action for action in told if action != "extracting"]
        assert told == ["waiting", "downloading", "verifying", "downloaded", "pulled"]
    assert [step.subject for step in steps if step.action == "pulled"] == [sha256(raw)[7:19] for raw in DEMO.layers]
    assert steps[-1].subject == f"{registry.host}/demo:1"


def test_what_is_there_is_only_confirmed(store: Store, registry: Misbehaving) -> None:
    digest = registry.add("demo", "1", DEMO)
    pull(store, f"{registry.host}/demo:1")
    registry.requests.clear()
    steps = pull(store, f"{registry.host}/demo:1")
    assert said(steps) == (digest, "Image is up to date")
    assert [one.method for one in registry.requests if "/manifests/" in one.path] == ["HEAD"]
    assert blobs(registry) == []
    assert {step.action for step in steps} == {"pulling", "digest", "pulled-image"}


def test_a_tag_that_moved_brings_the_new_image_and_leaves_the_old_one_nameless(
    store: Store, registry: Misbehaving
) -> None:
    registry.add("demo", "1", made.image([BASE]))
    pull(store, f"{registry.host}/demo:1")
    digest = registry.add("demo", "1", DEMO)
    registry.requests.clear()
    assert said(pull(store, f"{registry.host}/demo:1")) == (digest, "Downloaded newer image")
    assert blobs(registry) == [sha256(DEMO.config), sha256(DEMO.layers[1])], "the shared layer is not fetched again"
    assert sorted(len(image.references) for image in images.list_images(store.state, {})) == [0, 1]
    assert store.problems() == []


def test_another_name_of_a_known_image_fetches_only_documents(store: Store, registry: Misbehaving) -> None:
    registry.add("demo", "1", DEMO)
    registry.add("other", "2", DEMO)
    pull(store, f"{registry.host}/demo:1")
    registry.requests.clear()
    assert said(pull(store, f"{registry.host}/other:2"))[1] == "Downloaded newer image"
    assert blobs(registry) == []
    assert len(images.list_images(store.state, {})) == 1


def test_a_digest_names_an_image_without_a_tag(store: Store, registry: Misbehaving) -> None:
    digest = registry.add("demo", "1", DEMO)
    steps = pull(store, f"{registry.host}/demo:7@{digest}")
    assert (steps[0].subject, said(steps)[0]) == (digest, digest)
    (image,) = images.list_images(store.state, {})
    assert image.references == () and image.digests == (f"{registry.host}/demo@{digest}",)
    assert images.resolve(store.state, store.paths, f"{registry.host}/demo:7@{digest}").id == sha256(DEMO.config)
    registry.requests.clear()
    assert said(pull(store, f"{registry.host}/demo@{digest}"))[1] == "Image is up to date"
    assert registry.requests == [], "what a digest names does not change"


def test_all_tags_of_a_repository(store: Store, registry: Misbehaving) -> None:
    registry.add("demo", "1", DEMO)
    registry.add("demo", "2", made.image([BASE]))
    registry.add("demo", "one", DEMO)
    steps = pull(store, f"{registry.host}/demo", all_tags=True)
    assert [step.subject for step in steps if step.action == "pulling"] == ["1", "2", "one"]
    assert len(images.list_images(store.state, {})) == 2
    assert store.problems() == []


# --- platforms


def for_platform(
    tar: bytes, architecture: str, variant: str = "", os: str = "linux"
) -> tuple[made.Made, dict[str, str]]:
    image = made.image([tar])
    more = {"architecture": architecture, "os": os, **({"variant": variant} if variant else {})}
    raw = config([tar], **more)
    document = json.loads(image.manifest)
    document["config"] |= {"digest": sha256(raw), "size": len(raw)}
    return made.Made(json.dumps(document).encode(), image.media_type, raw, image.layers), more


@pytest.fixture
def several(registry: Misbehaving) -> Misbehaving:
    """demo:1 is an index of four platforms and an attestation."""
    descriptors = []
    for number, (architecture, variant) in enumerate(
        [("arm64", "v8"), ("amd64", ""), ("arm", "v6"), ("arm", "v7"), ("unknown", "")]
    ):
        tar = layer({"name": f"{architecture}{variant}".encode()})
        image, platform = for_platform(tar, architecture, variant, "unknown" if number == 4 else "linux")
        registry.add("demo", "", image)
        descriptors.append(image.descriptor(platform=platform))
    registry.add_manifest("demo", "1", made.OCI_INDEX, made.index(descriptors))
    return registry


def test_of_an_index_this_machine_gets_its_own_and_the_index_names_it(store: Store, several: Misbehaving) -> None:
    raw = several.manifests["demo", "1"][1]
    steps = pull(store, f"{several.host}/demo:1")
    assert said(steps)[0] == sha256(raw)
    assert files(store, f"{several.host}/demo:1") == {"name": b"amd64"}
    shown = images.inspect(store.state, store.paths, f"{several.host}/demo@{sha256(raw)}")
    assert shown["RepoDigests"] == [f"{several.host}/demo@{sha256(raw)}"]
    collection.collect(store.state, store.paths)
    assert f"{sha256(raw)[7:]}" in store.names("content", "blobs", "sha256"), "an index stays as long as its name"
    several.requests.clear()
    assert said(pull(store, f"{several.host}/demo:1"))[1] == "Image is up to date"
    assert [one.method for one in several.requests if "/manifests/" in one.path] == ["HEAD"]
    assert store.problems() == []


def test_of_an_index_that_moved_nothing_is_left(store: Store, several: Misbehaving) -> None:
    pull(store, f"{several.host}/demo:1")
    old = several.manifests["demo", "1"][1]
    new = json.loads(old)
    new["annotations"] = {"new": "yes"}
    digest = several.add_manifest("demo", "1", made.OCI_INDEX, json.dumps(new).encode())
    assert said(pull(store, f"{several.host}/demo:1")) == (digest, "Downloaded newer image")
    assert sha256(old)[7:] not in store.names("content", "blobs", "sha256")
    assert len(images.list_images(store.state, {})) == 1 and store.problems() == []


@pytest.mark.parametrize("with_database", [True, False])
def test_a_rebuild_keeps_the_digest_of_the_index(store: Store, several: Misbehaving, with_database: bool) -> None:
    pull(store, f"{several.host}/demo:1")
    before = images.inspect(store.state, store.paths, f"{several.host}/demo:1")
    index.write(store.state, store.paths)
    store.state.close()
    old = store.paths.database + ".old"
    os.rename(store.paths.database, old)
    for suffix in ("-wal", "-shm"):
        if os.path.exists(store.paths.database + suffix):
            os.unlink(store.paths.database + suffix)
    with store.state.write() as db:
        recover.images(db, store.paths, old if with_database else "")
    after = images.inspect(store.state, store.paths, f"{several.host}/demo:1")
    assert (after["RepoTags"], after["RepoDigests"]) == (before["RepoTags"], before["RepoDigests"])
    assert store.problems() == []


@pytest.mark.parametrize(
    ("platform", "content"),
    [("linux/arm64", b"arm64v8"), ("linux/arm/v7", b"armv7"), ("linux/arm/v6", b"armv6"), ("amd64", b"amd64")],
)
def test_another_platform_is_taken_when_asked_for(
    store: Store, several: Misbehaving, platform: str, content: bytes
) -> None:
    pull(store, f"{several.host}/demo:1")
    pull(store, f"{several.host}/demo:1", platform=platform)
    assert files(store, f"{several.host}/demo:1") == {"name": content}
    assert store.problems() == []


def test_a_platform_that_is_not_there_is_named_with_what_is(store: Store, several: Misbehaving) -> None:
    with pytest.raises(RegistryRefused, match=r"no matching manifest for linux/s390x .* linux/amd64, linux/arm/v6"):
        pull(store, f"{several.host}/demo:1", platform="linux/s390x")
    assert store.is_empty()


def test_a_single_image_of_another_platform_is_refused_when_one_was_asked_for(
    store: Store, registry: Misbehaving
) -> None:
    registry.add("demo", "1", for_platform(BASE, "arm64")[0])
    with pytest.raises(InvalidArgument, match="is for linux/arm64 and not for the platform linux/amd64"):
        pull(store, f"{registry.host}/demo:1", platform="linux/amd64")
    assert store.is_empty()
    pull(store, f"{registry.host}/demo:1")


# --- what the store has in another form


def test_a_layer_that_was_loaded_stands_in_for_the_compressed_one(store: Store, registry: Misbehaving) -> None:
    digest = registry.add("demo", "1", DEMO)
    store.load(docker_archive([([BASE], ["loaded"])]))
    steps = pull(store, f"{registry.host}/demo:1")
    assert [step.subject for step in steps if step.action == "exists"] == [sha256(DEMO.layers[0])[7:19]]
    assert sha256(DEMO.layers[0]) not in blobs(registry)
    record = images.resolve(store.state, store.paths, f"{registry.host}/demo@{digest}")
    assert record.layers[0].digest == sha256(BASE)
    assert files(store, record.id)["etc/new"] == b"top"
    operations.remove(store.state, store.paths, "loaded", [])
    assert store.problems() == []
    assert store.load(store.save(f"{registry.host}/demo:1")) == [f"{registry.host}/demo:1"]


def test_a_layer_whose_directory_is_lost_is_unpacked_from_its_blob(store: Store, registry: Misbehaving) -> None:
    registry.add("demo", "1", DEMO)
    registry.add("demo", "plain", made.image([BASE, TOP], compress=False))
    pull(store, f"{registry.host}/demo:1")
    for name in store.names("snapshots"):
        shutil.rmtree(f"{store.paths.snapshots}/{name}")
    registry.requests.clear()
    assert said(pull(store, f"{registry.host}/demo:1"))[1] == "Image is up to date"
    assert blobs(registry) == [] and files(store, f"{registry.host}/demo:1")["etc/new"] == b"top"
    for name in store.names("snapshots"):
        shutil.rmtree(f"{store.paths.snapshots}/{name}")
    pull(store, f"{registry.host}/demo:plain")  # in another form, which takes the place of the first
    assert files(store, f"{registry.host}/demo:plain")["etc/new"] == b"top"
    assert store.problems() == [] and partials(store) == {}


def test_a_damaged_blob_is_fetched_again_when_its_directory_is_lost(store: Store, registry: Misbehaving) -> None:
    registry.add("demo", "1", DEMO)
    pull(store, f"{registry.host}/demo:1")
    for name in store.names("snapshots"):
        shutil.rmtree(f"{store.paths.snapshots}/{name}")
    damaged = sha256(DEMO.layers[1])
    blob = Path(ContentStore(store.paths).path(damaged))
    blob.write_bytes(bytes(blob.stat().st_size))
    registry.requests.clear()
    steps = pull(store, f"{registry.host}/demo:1")
    assert blobs(registry) == [damaged] and files(store, f"{registry.host}/demo:1")["etc/new"] == b"top"
    assert [step.action for step in steps if step.subject == damaged[7:19]][-1] == "pulled"
    assert store.problems() == [] and partials(store) == {}


def test_what_was_pulled_and_is_loaded_again_stays_as_it_came(store: Store, registry: Misbehaving) -> None:
    digest = registry.add("demo", "1", DEMO)
    pull(store, f"{registry.host}/demo:1")
    store.load(docker_archive([([BASE, TOP], ["loaded"]), ([BASE, TOP], [])]))
    record = images.resolve(store.state, store.paths, "loaded")
    assert record.manifest_digest == digest and [one.digest for one in record.layers] == [
        sha256(r) for r in DEMO.layers
    ]
    assert store.problems() == []


def test_an_image_that_was_loaded_only_gets_its_digest(store: Store, registry: Misbehaving) -> None:
    digest = registry.add("demo", "1", DEMO)
    store.load(docker_archive([([BASE, TOP], ["loaded"])]))
    pull(store, f"{registry.host}/demo:1")
    assert set(blobs(registry)) <= {sha256(DEMO.config)}
    (image,) = images.list_images(store.state, {})
    assert f"{registry.host}/demo@{digest}" in image.digests
    assert store.problems() == []


def test_the_same_image_in_another_compression_keeps_the_manifest_that_names_its_blobs(
    store: Store, registry: Misbehaving
) -> None:
    first = registry.add("demo", "1", DEMO)
    plain = made.image([BASE, TOP], compress=False)
    second = registry.add("demo", "2", plain)
    pull(store, f"{registry.host}/demo:1")
    pull(store, f"{registry.host}/demo:2")
    (image,) = images.list_images(store.state, {})
    assert set(image.digests) == {f"{registry.host}/demo@{first}", f"{registry.host}/demo@{second}"}
    assert images.resolve(store.state, store.paths, image.id).manifest_digest == first
    assert store.problems() == []


def test_a_directory_that_a_layer_only_uses_looks_as_it_does_below(store: Store, registry: Misbehaving) -> None:
    below = io.BytesIO()
    import tarfile

    with tarfile.open(fileobj=below, mode="w") as tar:
        for name, mode, owner in ((".", 0o750, 7), ("srv", 0o700, 1000)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.uid = tarfile.DIRTYPE, mode, owner
            tar.addfile(entry)
    registry.add("demo", "1", made.image([below.getvalue(), layer({"srv/file": b"bare"})]))
    pull(store, f"{registry.host}/demo:1")
    top = images.resolve(store.state, store.paths, f"{registry.host}/demo:1").lower[0]
    found, root = os.stat(top + "/srv"), os.stat(top)
    if os.geteuid() == 0:
        assert (found.st_uid, root.st_uid) == (1000, 7)
    assert stat.S_IMODE(found.st_mode) == 0o700 and stat.S_IMODE(root.st_mode) == 0o750


def test_the_same_layer_twice(store: Store, registry: Misbehaving) -> None:
    registry.add("demo", "1", made.image([BASE, TOP, BASE]))
    pull(store, f"{registry.host}/demo:1")
    assert len(images.resolve(store.state, store.paths, f"{registry.host}/demo:1").layers) == 3
    assert blobs(registry).count(sha256(DEMO.layers[0])) == 1
    assert store.problems() == []


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_layers_may_be_plain_or_zstd(store: Store, registry: Misbehaving, compression: str) -> None:
    import zstandard

    image = made.image([BASE, noise(700_000)], compress=False)
    if compression == "zstd":
        layers = tuple(zstandard.compress(raw) for raw in image.layers)
        document = json.loads(image.manifest)
        for entry, raw in zip(document["layers"], layers, strict=True):
            entry |= {"digest": sha256(raw), "size": len(raw), "mediaType": entry["mediaType"] + "+zstd"}
        image = made.Made(json.dumps(document).encode(), image.media_type, image.config, layers)
    registry.add("demo", "1", image)
    pull(store, f"{registry.host}/demo:1")
    assert len(files(store, f"{registry.host}/demo:1")["noise"]) == 700_000
    assert store.problems() == []


def test_twenty_layers_come_in_order(store: Store, registry: Misbehaving) -> None:
    tars = [layer({"same": b"%d" % number, f"own{number}": os.urandom(30_000)}) for number in range(20)]
    registry.add("demo", "1", made.image(tars))
    steps = pull(store, f"{registry.host}/demo:1")
    assert len([step for step in steps if step.action == "pulled"]) == 20
    assert files(store, f"{registry.host}/demo:1")["same"] == b"19"
    assert store.problems() == []


def test_what_is_no_container_image_is_refused(store: Store, registry: Misbehaving) -> None:
    chart = {
        "mediaType": "application/vnd.cncf.helm.config.v1+json",
        "digest": sha256(DEMO.config),
        "size": len(DEMO.config),
    }
    registry.add("demo", "1", made.image([BASE], config=chart))
    with pytest.raises(RegistryRefused, match=r"no container image but application/vnd.cncf.helm"):
        pull(store, f"{registry.host}/demo:1")
    assert store.is_empty()


def test_a_name_that_is_not_there(store: Store, registry: Misbehaving) -> None:
    with pytest.raises(RegistryRefused, match="manifest"):
        pull(store, f"{registry.host}/nothing:1")
    with pytest.raises(NotFound):
        images.resolve(store.state, store.paths, f"{registry.host}/nothing:1")
    assert store.is_empty()


def test_two_stores_pull_the_same_bytes(new_store: Callable[[], Store], registry: Misbehaving) -> None:
    registry.add("demo", "1", DEMO)
    saved = []
    for store in (new_store(), new_store()):
        pull(store, f"{registry.host}/demo:1")
        saved.append(store.save(f"{registry.host}/demo:1"))
    assert saved[0] == saved[1]
