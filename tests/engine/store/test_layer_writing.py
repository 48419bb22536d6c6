"""write_layer: any tree comes back from its layer, and the layer from the tree, byte for byte; others read it too."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from tests.conftest import missing
from tests.engine.store.conftest import Store
from tests.engine.store.test_tar_properties import _TREE, _memory, flat, packed, unpack, walked
from tests.native.monitored import needs_root
from tuidock.engine.errors import SystemFailure
from tuidock.engine.oci import descriptor, image_config
from tuidock.engine.oci.reference import parse_tagged
from tuidock.engine.store.assembly import Assembly
from tuidock.engine.store.content import ContentStore, Ingest
from tuidock.engine.store.importing import single_layer_config
from tuidock.engine.store.layer_writing import LayerWriting, Written, write_layer
from tuidock.engine.store.snapshots import Snapshots

pytestmark = needs_root


def written(directory: str | Path, target: Path | str, **more: Any) -> tuple[bytes, Written]:
    root = os.open(directory, os.O_RDONLY)
    out = Ingest(str(target))
    try:
        told = write_layer(root, out, **more)
    finally:
        out.finish()
        os.close(root)
    return Path(target).read_bytes(), told


@settings(max_examples=80, deadline=None)
@given(_TREE)
def test_any_tree_comes_back_and_gives_the_same_bytes_again(tree: Mapping[str, Any]) -> None:
    with tempfile.TemporaryDirectory(dir=_memory()) as base:
        for name in ("first", "second"):
            os.mkdir(f"{base}/{name}", 0o755)
        unpack(packed(flat(tree)), f"{base}/first")
        raw, told = written(f"{base}/first", f"{base}/one", compress=False)
        unpack(raw, f"{base}/second")
        assert walked(f"{base}/second") == walked(f"{base}/first")
        again, told_again = written(f"{base}/second", f"{base}/two", compress=False)
        assert again == raw and told_again == told
        assert told.diff_id == "sha256:" + hashlib.sha256(raw).hexdigest()
        assert told.entries == len(flat(tree))


def test_the_blob_is_gzip_of_the_tar_and_always_the_same(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(50):
        (tree / f"file{number}").write_bytes(os.urandom(100_000) + bytes(100_000))
    raw, plain = written(tree, tmp_path / "plain", compress=False)
    blob, told = written(tree, tmp_path / "blob")
    assert gzip.decompress(blob) == raw
    assert blob[4:8] == bytes(4), "no time in the header"
    assert (told.diff_id, told.tar_size, told.size) == (plain.diff_id, len(raw), len(blob))
    assert told.digest == "sha256:" + hashlib.sha256(blob).hexdigest()
    assert told.file_bytes == 50 * 200_000
    assert written(tree, tmp_path / "again")[0] == blob


def test_a_draft_is_filled_on_the_way(store: Store, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "usr").mkdir(parents=True)
    (tree / "usr/file").write_bytes(os.urandom(3_000_000))
    os.link(tree / "usr/file", tree / "usr/link")
    with Snapshots(store.paths).draft() as draft:
        _, told = written(tree, tmp_path / "blob", draft=draft)
        assert (draft.diff_id, draft.size) == (told.diff_id, told.file_bytes)
        assert written(draft.path + "/fs", tmp_path / "again")[1].diff_id == told.diff_id


def test_holes_are_holes_in_the_draft_again(store: Store, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with (tree / "file").open("wb") as file:
        for piece in (b"begin" * 2000, 1 << 20, b"middle", 3 << 20, b"\0" * 5000 + b"end", 70_000):
            if isinstance(piece, int):
                file.seek(piece, os.SEEK_CUR)
            else:
                file.write(piece)
        file.truncate(file.tell())
    with Snapshots(store.paths).draft() as draft:
        written(tree, tmp_path / "blob", draft=draft)
        made = Path(draft.path, "fs/file")
        assert made.read_bytes() == (tree / "file").read_bytes()
        assert made.stat().st_blocks * 512 <= 64 << 10


def test_the_root_counts_when_it_looks_different(tmp_path: Path) -> None:
    tree, below = tmp_path / "tree", tmp_path / "below"
    for one in (tree, below):
        one.mkdir(0o755)
        one.chmod(0o711)
    fd = os.open(below, os.O_RDONLY)
    try:
        assert written(tree, tmp_path / "1", below=fd)[1].entries == 0
        assert written(tree, tmp_path / "2")[1].entries == 1
        tree.chmod(0o755)
        assert written(tree, tmp_path / "3", below=fd)[1].entries == 1
        assert written(tree, tmp_path / "4")[1].entries == 0
    finally:
        os.close(fd)


def test_closing_it_stops_everything(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with open(tree / "huge", "wb") as file:
        file.truncate(1 << 40)
    root = os.open(tree, os.O_RDONLY)
    work = LayerWriting(root, Ingest(str(tmp_path / "blob")))
    steps = work.progress("layer")
    assert next(steps).action == "writing"
    steps.close()  # type: ignore[attr-defined]
    os.close(root)
    assert work.written is None and not any(thread.is_alive() for thread in work._threads)


def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    tree, small = tmp_path / "tree", tmp_path / "small"
    tree.mkdir()
    small.mkdir()
    (tree / "random").write_bytes(os.urandom(8 << 20))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        with pytest.raises(SystemFailure, match="write the layer: No space left on device; free some space"):
            written(tree, small / "blob")
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_path_that_is_too_long_is_said_in_a_sentence(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    before = os.getcwd()
    os.chdir(tree)
    try:
        for _ in range(17):
            os.mkdir("d" * 255)
            os.chdir("d" * 255)
        with pytest.raises(SystemFailure, match="longer than 4096 bytes"):
            written(tree, tmp_path / "blob")
    finally:
        os.chdir(before)


def make_image(store: Store, tree: Path, name: str) -> str:
    """An image of one layer, written and adopted as commit and build do it."""
    root = os.open(tree, os.O_RDONLY)
    with ContentStore(store.paths).ingests() as ingests, Assembly(store.state, store.paths) as assembly:
        draft, blob = Snapshots(store.paths).draft(), ingests.new()
        told = write_layer(root, blob, draft=draft)
        assembly.adopt(draft, blob, told.diff_id, descriptor.OCI_LAYER + "+gzip")
        made: image_config.ImageConfig = single_layer_config(assembly.diff_ids, {"Cmd": ["sh"]}, "test", 0)
        assembly.commit(made, [parse_tagged(name)])
    os.close(root)
    return made.id


def test_skopeo_and_umoci_read_our_layers(store: Store, tmp_path: Path) -> None:
    for program in ("skopeo", "umoci"):
        if shutil.which(program) is None:
            missing(f"{program} is not installed")
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (tree / "bin").mkdir()
    (tree / "bin/tool").write_bytes(os.urandom(100_000))
    os.chmod(tree / "bin/tool", 0o4755)
    os.link(tree / "bin/tool", tree / "bin/other")
    (tree / ("long" * 60)).write_text("ünï")
    (tree / "link").symlink_to("etc/passwd")
    os.setxattr(tree / "bin/tool", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    make_image(store, tree, "made:1")
    layout = os.path.dirname(os.path.dirname(store.paths.blobs))
    from tuidock.engine.store import index

    index.write(store.state, store.paths)
    subprocess.run(["skopeo", "copy", "-q", f"oci:{layout}", f"oci:{tmp_path}/copy:one"], check=True)
    subprocess.run(["umoci", "unpack", "--image", f"{tmp_path}/copy:one", tmp_path / "bundle"], check=True)
    rootfs = tmp_path / "bundle/rootfs"
    assert walked(str(rootfs)) == walked(str(tree))
    assert os.stat(rootfs / "bin/tool").st_nlink == 2
    inspected = json.loads(
        subprocess.run(["skopeo", "inspect", f"oci:{tmp_path}/copy:one"], capture_output=True, check=True).stdout
    )
    assert len(inspected["Layers"]) == 1
    assert store.problems() == []
