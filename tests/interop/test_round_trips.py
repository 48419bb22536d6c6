"""Images go to other programs and come back byte for byte: the same configuration, the same layers, and the same manifest
wherever the format carries it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.engine.store.archives import config, docker_archive, oci_archive, sha256
from tests.engine.store.conftest import Store
from tests.interop.trees import layers, merged, tree
from tests.native.monitored import needs_root
from tuidock.engine.store import images
from tuidock.engine.store.images import ImageRecord

pytestmark = needs_root
NAME = "example.org/team/round:1"


@pytest.fixture
def new_store(tmp_path: Path) -> Iterator[Callable[[], Store]]:
    made: list[Store] = []

    def make() -> Store:
        made.append(Store(str(tmp_path / f"root{len(made) + 1}")))
        return made[-1]

    yield make
    for one in made:
        assert one.problems() == []
        one.state.close()


@pytest.fixture(scope="module")
def tars() -> list[bytes]:
    return layers()


def run(*words: str | Path) -> str:
    program = str(words[0])
    if shutil.which(program) is None:
        missing(f"{program} is not installed")
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def skopeo(*words: str) -> str:
    return run("skopeo", "--insecure-policy", *words)


def record(store: Store, reference: str = NAME) -> ImageRecord:
    return images.resolve(store.state, store.paths, reference)


def saved(store: Store, path: Path) -> Path:
    path.write_bytes(store.save(NAME))
    return path


def diff_ids(store: Store) -> list[str]:
    return [layer.diff_id for layer in record(store).layers]


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("target", ["docker-archive", "oci-archive"])
@pytest.mark.parametrize("source", ["docker-archive", "oci-archive"])
def test_through_skopeo(
    new_store: Callable[[], Store], tars: list[bytes], tmp_path: Path, source: str, target: str, compress: bool
) -> None:
    ours, back = new_store(), new_store()
    ours.load(oci_archive(tars, NAME, compress=compress))
    first = saved(ours, tmp_path / "first.tar")
    words = ["--dest-oci-accept-uncompressed-layers"] if target == "oci-archive" else []
    skopeo("copy", *words, f"{source}:{first}", f"{target}:{tmp_path}/second.tar:{NAME}")
    assert back.load((tmp_path / "second.tar").read_bytes()) == [NAME]
    assert diff_ids(back) == diff_ids(ours) == [sha256(one) for one in tars]
    second, kept = saved(back, tmp_path / "third.tar"), diff_ids(ours)
    if (source, target) != ("docker-archive", "oci-archive"):  # there skopeo writes the configuration anew
        assert record(back).id == record(ours).id == sha256(config(tars))
        kept.append(record(ours).id)
    assert blobs(second, kept) == blobs(first, kept)
    if source == target == "oci-archive":
        assert blobs(second, [top(first)]) == blobs(first, [top(first)])


def top(path: Path) -> str:
    """The digest of the manifest in an archive."""
    return str(json.loads(members(path)["index.json"])["manifests"][0]["digest"])


def blobs(path: Path, digests: list[str]) -> list[bytes]:
    """What the archive has under these digests, uncompressed as it is stored there."""
    found = members(path)
    return [found[f"blobs/sha256/{digest[7:]}"] for digest in digests]


def members(path: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            found[member.name] = file.read() if file else b""
    return found


def test_what_skopeo_inspects_is_what_we_have(
    new_store: Callable[[], Store], tars: list[bytes], tmp_path: Path
) -> None:
    store = new_store()
    store.load(oci_archive(tars, NAME, compress=False))
    path = saved(store, tmp_path / "saved.tar")
    digest = skopeo("inspect", "--format", "{{.Digest}}", f"oci-archive:{path}").strip()
    assert digest == record(store).manifest_digest
    assert json.loads(skopeo("inspect", "--config", "--raw", f"docker-archive:{path}")) == json.loads(config(tars))
    assert [skopeo("inspect", "--raw", f"oci-archive:{path}").encode()] == blobs(path, [digest])


def test_a_saved_archive_is_the_same_bytes_whatever_way_the_image_came(
    new_store: Callable[[], Store], tars: list[bytes]
) -> None:
    archives = []
    for raw in (docker_archive([(tars, [NAME])]), oci_archive(tars, NAME), oci_archive(tars, NAME, compress=False)):
        first, second = new_store(), new_store()
        first.load(raw)
        second.load(first.save(NAME))
        assert second.save(NAME) == first.save(NAME)
        archives.append(sha256(first.save(NAME)))
    assert archives[0] == archives[1] != archives[2], "the manifest of an uncompressed OCI image is kept"


# -- umoci -------------------------------------------------------------------------------------------------------------


def layout_of(archive: Path, place: Path) -> str:
    skopeo("copy", f"oci-archive:{archive}", f"oci:{place}:one")
    return f"{place}:one"


def test_umoci_unpacks_the_tree_that_our_containers_see(
    new_store: Callable[[], Store], tars: list[bytes], tmp_path: Path
) -> None:
    store = new_store()
    store.load(docker_archive([(tars, [NAME])]))
    image = layout_of(saved(store, tmp_path / "saved.tar"), tmp_path / "layout")
    run("umoci", "unpack", "--image", image, tmp_path / "bundle")
    with merged(record(store).lower, tmp_path / "merged") as ours:
        assert tree(ours) == tree(tmp_path / "bundle/rootfs")


def test_we_unpack_what_umoci_packs(new_store: Callable[[], Store], tars: list[bytes], tmp_path: Path) -> None:
    first, store = new_store(), new_store()
    first.load(docker_archive([(tars, [NAME])]))
    image = layout_of(saved(first, tmp_path / "saved.tar"), tmp_path / "layout")
    bundle, rootfs = tmp_path / "bundle", tmp_path / "bundle/rootfs"
    run("umoci", "unpack", "--image", image, bundle)
    shutil.rmtree(rootfs / "srv/opaque")
    (rootfs / "srv/plain").unlink()
    (rootfs / "srv/added").write_text("added")
    (rootfs / "srv/added").chmod(0o4711)
    for path in (rootfs / "srv/added", rootfs / "srv"):
        os.utime(path, (1_700_000_000, 1_700_000_000))  # umoci rounds the time of an archive's entry
    run("umoci", "repack", "--image", image, bundle)
    with tarfile.open(tmp_path / "layout.tar", "w") as tar:
        tar.add(tmp_path / "layout", arcname=".")
    (loaded,) = store.load((tmp_path / "layout.tar").read_bytes())
    digest = skopeo("inspect", "--format", "{{.Digest}}", f"oci:{image}").strip()
    assert record(store, loaded).manifest_digest == digest
    with merged(record(store, loaded).lower, tmp_path / "merged") as ours:
        assert tree(ours) == tree(rootfs)
