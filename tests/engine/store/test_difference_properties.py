"""Any layer over any tree: what diff says of the layer is what a comparison of the whole trees finds, and what the kernel's
own overlay shows."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.store.test_tar_properties import _memory
from tests.native.monitored import needs_root
from tests.rawtar import archive, entry
from tuidock.engine.files import every_file
from tuidock.engine.image_types import Change
from tuidock.engine.paths import Paths
from tuidock.engine.store import layer_tree, merged
from tuidock.engine.store.differences import of_layer, of_trees
from tuidock.engine.store.images import ImageRecord, Layer
from tuidock.engine.store.layer_tree import Roots
from tuidock.engine.store.levels import Directory
from tuidock.native.extractor import Extractor
from tuidock.native.tarwriter import TarWriter

pytestmark = needs_root

_NAME = st.sampled_from("abc")
_FILE = st.tuples(st.just("file"), st.sampled_from([b"", b"x", b"y", b"long"]))
_LINK = st.tuples(st.just("link"), st.sampled_from([b"a", b"../b"]))
_GONE = st.tuples(st.just("gone"), st.just(b""))


def _tree(leaf: st.SearchStrategy[Any], kinds: list[str]) -> st.SearchStrategy[Any]:
    node = st.recursive(
        leaf, lambda inner: st.tuples(st.sampled_from(kinds), st.dictionaries(_NAME, inner, max_size=3)), max_leaves=10
    )
    return st.dictionaries(_NAME, node, max_size=3)


_BASE = _tree(_FILE | _LINK, ["dir"])
_LAYER = _tree(_FILE | _LINK | _GONE, ["dir", "opaque"])


def packed(tree: Mapping[str, Any], prefix: str = "") -> list[bytes]:
    parts = []
    for name, (kind, detail) in tree.items():
        path = prefix + name
        if kind == "file":
            parts.append(entry(path, content=detail))
        elif kind == "link":
            parts.append(entry(path, b"2", link=detail.decode()))
        elif kind == "gone":
            parts.append(entry(f"{prefix}.wh.{name}"))
        else:
            parts.append(entry(path, b"5", mode=0o755))
            parts += [entry(path + "/.wh..wh..opq")] if kind == "opaque" else []
            parts += packed(detail, path + "/")
    return parts


def unpack(tree: Mapping[str, Any], root: str) -> None:
    os.mkdir(root, 0o755)
    tar, directory = os.memfd_create("tar"), os.open(root, os.O_RDONLY)
    try:
        os.write(tar, archive(*packed(tree)))
        os.lseek(tar, 0, os.SEEK_SET)
        Extractor().run(tar, directory)
    finally:
        os.close(tar)
        os.close(directory)


def exported(place: str, layers: list[str]) -> str:
    """What an overlay of the layers shows, as `export` writes it and `import` reads it."""
    os.makedirs(f"{place}/root/cache")
    os.mkdir(f"{place}/copy", 0o755)
    shown, tar = merged.open_layers(Paths(f"{place}/root"), layers), os.memfd_create("tar")
    copy = os.open(f"{place}/copy", os.O_RDONLY)
    try:
        TarWriter(0).run(shown, tar)
        os.lseek(tar, 0, os.SEEK_SET)
        Extractor(0).run(tar, copy)
    finally:
        for fd in (shown, tar, copy):
            os.close(fd)
    return f"{place}/copy"


def size_of(directory: str) -> int:
    return sum(one.st_size for one in every_file(directory) if stat.S_ISREG(one.st_mode))


@settings(max_examples=120, deadline=None)
@given(_BASE, _LAYER, _LAYER)
def test_layers_trees_and_the_kernel_agree(base: Any, middle: Any, top: Any) -> None:
    with tempfile.TemporaryDirectory(dir=_memory()) as place, Roots() as roots:
        layers = [f"{place}/{name}" for name in ("top", "middle", "base")]
        for path, tree in zip(layers, (top, middle, base), strict=True):
            unpack(tree, path)
        whole, below = Directory(roots.of(layers)), Directory(roots.of(layers[1:]))
        of_top = of_layer(Directory(roots.of(layers[:1])), below)
        compared = of_trees(below, whole)
        assert set(compared) <= set(of_top), "a layer may say again what was there, a comparison does not"
        for kind in "AD":
            assert [c for c in of_top if c.kind == kind] == [c for c in compared if c.kind == kind]
        record = ImageRecord("", "", 0, 0, {}, (Layer("", "", "", 0, ""),) * 3, 1, tuple(layers))
        marked = {Change(e.mark, "/" + e.path) for e in layer_tree.tree(record, 2) if e.mark}
        assert {c for c in marked if c.kind != "C"} == {c for c in of_top if c.kind != "C"}
        assert {c for c in marked if c.kind == "C"} <= set(of_top)
        copy = exported(place, layers)
        assert of_trees(whole, Directory(roots.of([copy]))) == []
        assert of_trees(Directory(roots.of([copy])), whole) == []
        stored, seen = sum(size_of(layer) for layer in layers), size_of(copy)
        assert sum(layer_tree._wasted(roots.of(layers[::-1]))) == stored - seen
