"""Saved archives come back the same, here and in other programs."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.store.archives import config, docker_archive, layer, oci_archive, sha256
from tests.engine.store.conftest import Store
from tuidock.engine.errors import BadContent, NotFound
from tuidock.engine.store import images, operations
from tuidock.engine.store.content import ContentStore

BASE = layer({"etc/conf": b"base", "bin": None})
TOP = layer({"etc/.wh.conf": b"", "new": b"top" * 10_000})


def members(raw: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            found[member.name] = file.read() if file else b""
    return found


def test_an_archive_holds_uncompressed_layers_whatever_way_they_came(store: Store) -> None:
    store.load(oci_archive([BASE, TOP], "demo:1"))
    found = members(store.save("demo:1"))
    assert found[f"blobs/sha256/{sha256(TOP)[7:]}"] == TOP
    assert found[f"blobs/sha256/{sha256(config([BASE, TOP]))[7:]}"] == config([BASE, TOP])
    (item,) = json.loads(found["manifest.json"])
    assert item["RepoTags"] == ["demo:1"] and item["Layers"][0] == f"blobs/sha256/{sha256(BASE)[7:]}"
    (described,) = json.loads(found["index.json"])["manifests"]
    assert described["annotations"] == {
        "io.containerd.image.name": "docker.io/library/demo:1",
        "org.opencontainers.image.ref.name": "1",
    }
    for name, raw in found.items():
        if name.startswith("blobs/sha256/") and len(name) > 20:
            assert sha256(raw)[7:] == name[13:]


def test_it_comes_back_as_the_same_image(new_store: Callable[[], Store]) -> None:
    first, second = new_store(), new_store()
    first.load(docker_archive([([BASE, TOP], ["demo:1", "demo:2"]), ([BASE], ["other"])]))
    raw = first.save("demo:1", "demo:2", "other")
    assert second.load(raw) == ["demo:1", "demo:2", "other:latest"]
    for name in ("demo:1", "other"):
        one, two = (images.resolve(store.state, store.paths, name) for store in (first, second))
        assert (one.id, one.manifest_digest, one.layers) == (two.id, two.manifest_digest, two.layers)
    assert second.problems() == []
    assert second.save("demo:1", "demo:2", "other") == raw


def test_a_repository_is_saved_with_all_its_tags_and_an_id_with_none(store: Store) -> None:
    store.load(docker_archive([([BASE], ["demo:1", "demo:2", "demolition:1"])]))
    (item,) = json.loads(members(store.save("demo"))["manifest.json"])
    assert item["RepoTags"] == ["demo:1", "demo:2"]
    (item,) = json.loads(members(store.save(sha256(config([BASE]))[7:19]))["manifest.json"])
    assert item["RepoTags"] is None


def test_an_unknown_name_is_told_before_anything_is_written(store: Store) -> None:
    with pytest.raises(NotFound):
        store.save("nothing")


def test_a_damaged_layer_is_not_given_away(store: Store) -> None:
    store.load(docker_archive([([BASE], ["demo"])]))
    path = Path(ContentStore(store.paths).path(sha256(BASE)))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"base", b"evil"))
    assert any("damaged" in problem for problem in store.problems())
    with pytest.raises(BadContent, match="damaged"):
        store.save("demo")


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_skopeo_reads_what_is_saved(store: Store, tmp_path: Path, kind: str) -> None:
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed")
    store.load(oci_archive([BASE, TOP], "example.org/demo:1"))
    archive = tmp_path / "saved.tar"
    archive.write_bytes(store.save("example.org/demo:1"))
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", f"{kind}:{archive}", f"dir:{tmp_path}/out"],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    document = json.loads((tmp_path / "out/manifest.json").read_text())
    assert document["config"]["digest"] == sha256(config([BASE, TOP]))
    stored = [(tmp_path / "out" / one["digest"][7:]).read_bytes() for one in document["layers"]]
    assert [gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw for raw in stored] == [BASE, TOP]


def test_saving_is_an_event(store: Store) -> None:
    store.load(docker_archive([([BASE], ["demo"])]))
    operations.save(store.state, store.paths, ["demo"], io.BytesIO())
    actions = [json.loads(line)["action"] for line in Path(store.paths.journal).read_text().splitlines()]
    assert actions == ["load", "save"]
