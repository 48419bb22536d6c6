"""What is in which layer, what that means for the layers below, what is wasted, and the content of files."""

from __future__ import annotations

import os

import pytest

from tests.engine.store.archives import docker_archive
from tests.engine.store.conftest import Store
from tests.native.monitored import needs_root
from tests.rawtar import archive, entry
from tuidock.engine.errors import InvalidArgument, NotFound
from tuidock.engine.image_types import TreeEntry
from tuidock.engine.store import images, layer_tree, operations
from tuidock.engine.store.differences import of_trees
from tuidock.engine.store.images import ImageRecord
from tuidock.engine.store.layer_tree import Roots
from tuidock.engine.store.levels import Directory

pytestmark = needs_root

BASE = archive(
    entry("etc", b"5", mode=0o755),
    entry("etc/passwd", content=b"root"),
    entry("etc/group", content=b"groups"),
    entry("big", b"5", mode=0o755),
    entry("big/file", content=b"x" * 1000),
    entry("big/link", b"1", link="big/file"),
    entry("opaque", b"5", mode=0o755),
    entry("opaque/below", content=b"y" * 100),
    entry("replaced", b"5", mode=0o755),
    entry("replaced/inner", content=b"z" * 10),
    entry("link", b"2", link="etc/passwd"),
    entry("outside", b"2", link="../../../../../../etc/hostname"),
)
MIDDLE = archive(
    entry("etc", b"5", mode=0o755),
    entry("etc/passwd", content=b"root2"),
    entry("etc/.wh.group"),
    entry("new", b"5", mode=0o700),
    entry("new/file", content=b"new"),
)
TOP = archive(
    entry(".wh.big"),
    entry("opaque", b"5", mode=0o755),
    entry("opaque/.wh..wh..opq"),
    entry("opaque/above", content=b"a"),
    entry("replaced", content=b"now a file"),
    entry("new", b"5", mode=0o750),
    entry("etc", b"5", mode=0o755),
    entry("etc/passwd", content=b"root33"),
)


@pytest.fixture
def image(store: Store) -> ImageRecord:
    store.load(docker_archive([([BASE, MIDDLE, TOP], ["three:1"])]))
    return images.resolve(store.state, store.paths, "three:1")


def marks(entries: list[TreeEntry]) -> list[str]:
    return [f"{entry.mark or '-'} {entry.kind} {entry.path}" for entry in entries]


def test_the_lowest_layer_adds_everything(image: ImageRecord) -> None:
    found = layer_tree.tree(image, 0)
    assert {entry.mark for entry in found} == {"A"}
    by_path = {entry.path: entry for entry in found}
    assert by_path["big/file"].size == 1000 and by_path["link"].target == "etc/passwd"
    assert (by_path["etc"].kind, by_path["etc"].mode, by_path["etc"].uid) == ("dir", 0o755, 0)
    assert [entry.path for entry in found][:3] == ["big", "big/file", "big/link"]


def test_changes_removals_and_directories_that_only_hold_others(image: ImageRecord) -> None:
    assert marks(layer_tree.tree(image, 1)) == [
        "- dir etc", "D file etc/group", "C file etc/passwd", "A dir new", "A file new/file",
    ]  # fmt: skip
    top = layer_tree.tree(image, 2)
    assert marks(top) == [
        "D dir big", "- dir etc", "C file etc/passwd", "C dir new", "- dir opaque", "A file opaque/above",
        "D file opaque/below", "C file replaced",
    ]  # fmt: skip
    assert next(entry for entry in top if entry.path == "opaque/below").size == 100


@pytest.mark.parametrize("index", [3, -1])
def test_a_layer_that_is_not_there(image: ImageRecord, index: int) -> None:
    with pytest.raises(InvalidArgument, match="has 3 layers"):
        layer_tree.tree(image, index)


def test_wasted_bytes_are_of_files_that_nobody_sees(store: Store, image: ImageRecord) -> None:
    found = layer_tree.layers(store.paths, image)
    # passwd 4, group 6, the file with two names 1000 once, opaque/below 100, replaced/inner 10
    assert [layer.wasted for layer in found] == [4 + 6 + 1000 + 100 + 10, 5, 0]
    assert [layer.index for layer in found] == [0, 1, 2]
    assert [layer.command for layer in found] == ["step 0", "step 1", "step 2"]
    assert [layer.diff_id for layer in found] == [layer.diff_id for layer in image.layers]
    assert all(layer.size and layer.blob_size for layer in found)


def test_files_of_the_image_and_of_its_layers(store: Store, image: ImageRecord) -> None:
    def read(path: str, index: int | None = None, limit: int = 100) -> bytes:
        return layer_tree.read_file(store.paths, image, path, limit, index)

    assert read("/etc/passwd") == b"root33" and read("link") == b"root33"
    assert [read("etc/passwd", index) for index in range(3)] == [b"root", b"root2", b"root33"]
    assert read("big/file", 0, 7) == b"x" * 7
    for path in ("big/file", "etc/group", "opaque/below", "nothing"):
        with pytest.raises(NotFound, match="No such file"):
            read(path)
    for path in ("etc", "/", "", "new"):
        with pytest.raises(InvalidArgument, match="no regular file"):
            read(path)
    with pytest.raises(NotFound):
        read("outside")  # not the host's
    with pytest.raises(InvalidArgument, match="leads nowhere"):
        read("etc/passwd/below")
    with pytest.raises(InvalidArgument):
        read("big", 2)  # a whiteout is no file


def test_trees_of_images_that_share_layers(store: Store, image: ImageRecord) -> None:
    store.load(docker_archive([([BASE, MIDDLE], ["two:1"])]))
    other = images.resolve(store.state, store.paths, "two:1")
    with Roots() as roots:
        two, three = Directory(roots.of(other.lower)), Directory(roots.of(image.lower))
        assert [f"{c.kind} {c.path}" for c in of_trees(two, three)] == [
            "D /big", "C /etc", "C /etc/passwd", "C /new", "C /opaque", "A /opaque/above", "D /opaque/below",
            "C /replaced",
        ]  # fmt: skip
        assert [f"{c.kind} {c.path}" for c in of_trees(three, two)] == [
            "A /big", "A /big/file", "A /big/link", "C /etc", "C /etc/passwd", "C /new", "C /opaque", "D /opaque/above",
            "A /opaque/below", "C /replaced", "A /replaced/inner",
        ]  # fmt: skip
        assert of_trees(three, Directory(roots.of(image.lower))) == []


def test_only_content_and_looks_differ_not_times(store: Store) -> None:
    one = archive(entry("same", content=b"abc", mtime=1), entry("other", content=b"abc"), entry("mode", content=b"x"))
    two = archive(
        entry("same", content=b"abc", mtime=2), entry("other", content=b"abd"), entry("mode", content=b"x", mode=0o600)
    )
    store.load(docker_archive([([one], ["one:1"])]))
    store.load(docker_archive([([two], ["two:1"])]))
    with Roots() as roots:
        trees = [
            Directory(roots.of(images.resolve(store.state, store.paths, name).lower)) for name in ("one:1", "two:1")
        ]
        assert [f"{c.kind} {c.path}" for c in of_trees(*trees)] == ["C /mode", "C /other"]


def test_very_deep_trees_are_no_trouble(store: Store) -> None:
    deep = "/".join(["d"] * 1500)
    store.load(docker_archive([([archive(entry(deep + "/f", content=b"x"))], ["deep:1"])]))
    store.load(docker_archive([([archive(entry("f", content=b"x"))], ["flat:1"])]))
    image = images.resolve(store.state, store.paths, "deep:1")
    assert len(layer_tree.tree(image, 0)) == 1501
    assert layer_tree.layers(store.paths, image)[0].wasted == 0
    with Roots() as roots:
        flat = Directory(roots.of(images.resolve(store.state, store.paths, "flat:1").lower))
        assert len(of_trees(flat, Directory(roots.of(image.lower)))) == 1502
    operations.remove(store.state, store.paths, "deep:1", [])  # who tidies up after the tests cannot go that deep
    assert not any(len(names) for path, names, _ in os.walk(store.paths.snapshots) if path.endswith("/fs"))


def test_a_layer_of_thousands_of_files(store: Store) -> None:
    names = [f"usr/d{number // 20}/file{number}" for number in range(6800)]
    base = archive(*(entry(name, content=b"x" * 10) for name in names))
    top = archive(*(entry(name, content=b"y" * 11) for name in names))
    store.load(docker_archive([([base, top], ["many:1"])]))
    image = images.resolve(store.state, store.paths, "many:1")
    assert [len(layer_tree.tree(image, index)) for index in (0, 1)] == [6800 + 340 + 1] * 2
    assert [layer.wasted for layer in layer_tree.layers(store.paths, image)] == [68_000, 0]


def test_a_missing_layer_is_said_in_a_sentence(store: Store, image: ImageRecord) -> None:
    from tuidock.engine.errors import SystemFailure

    os.rename(image.lower[1], image.lower[1] + ".away")
    with pytest.raises(SystemFailure, match="open the layer"):
        layer_tree.layers(store.paths, image)
    os.rename(image.lower[1] + ".away", image.lower[1])
