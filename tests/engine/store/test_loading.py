"""Archives of every kind become images; hostile and damaged ones become one sentence and nothing else."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.engine.store.archives import config, docker_archive, layer, oci_archive, sha256, tar_of
from tests.engine.store.conftest import Store
from tuidock.engine.errors import BadContent, SystemFailure
from tuidock.engine.store import images, loading, operations

BASE = layer({"bin": None, "bin/sh": b"#!", "etc": None, "etc/conf": b"base"})
TOP = layer({"etc/.wh.conf": b"", "etc/new": b"top"})
BIG = layer({"big": os.urandom(3_000_000), "small": b"x"})


def content(store: Store, reference: str) -> dict[str, bytes]:
    """The files of an image, topmost layer first."""
    found: dict[str, bytes] = {}
    for lower in images.resolve(store.state, store.paths, reference).lower:
        for directory, _, names in os.walk(lower):
            for name in names:
                path = Path(directory, name)
                if path.is_file():
                    found.setdefault(str(path.relative_to(lower)), path.read_bytes())
    return found


def test_an_old_docker_archive_is_loaded(store: Store) -> None:
    assert store.load(docker_archive([([BASE, TOP], ["demo:1", "localhost:5000/demo:latest"])])) == [
        "demo:1",
        "localhost:5000/demo:latest",
    ]
    record = images.resolve(store.state, store.paths, "demo:1")
    assert record.id == sha256(config([BASE, TOP]))
    assert [one.diff_id for one in record.layers] == [sha256(BASE), sha256(TOP)]
    assert record.container_config["Cmd"] == ["sh"]
    assert record.size == len("#!") + len("base") + len("top")
    assert content(store, "demo:1") == {"bin/sh": b"#!", "etc/conf": b"base", "etc/new": b"top"}
    assert os.lstat(record.lower[0] + "/etc/conf").st_rdev == 0
    assert store.problems() == []


def test_several_images_share_their_layers(store: Store) -> None:
    raw = docker_archive([([BASE], ["one"]), ([BASE, TOP], ["two"]), ([BIG], [])])
    subjects = store.load(raw)
    assert subjects[:2] == ["one:latest", "two:latest"] and subjects[2].startswith("sha256:")
    assert len(store.names("snapshots")) == 3
    assert store.problems() == []


def test_an_oci_archive_keeps_its_manifest_and_compressed_layers(store: Store) -> None:
    assert store.load(oci_archive([BASE, TOP], "registry.example/team/demo:2")) == ["registry.example/team/demo:2"]
    record = images.resolve(store.state, store.paths, "registry.example/team/demo:2")
    assert record.layers[0].digest == sha256(gzip.compress(BASE, mtime=0))
    assert record.layers[0].media_type.endswith("tar+gzip")
    assert content(store, record.id)["bin/sh"] == b"#!"
    assert store.problems() == []


def test_an_archive_that_is_both_keeps_the_manifest_of_its_index(store: Store) -> None:
    members = {}
    with tarfile.open(fileobj=io.BytesIO(oci_archive([BASE], compress=False))) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            members[member.name] = file.read()
    raw = config([BASE])
    item = {"Config": f"blobs/sha256/{sha256(raw)[7:]}", "RepoTags": ["both:1"],
            "Layers": [f"blobs/sha256/{sha256(BASE)[7:]}"]}  # fmt: skip
    members["manifest.json"] = json.dumps([item]).encode()
    assert store.load(tar_of(members)) == ["both:1"]
    digest = json.loads(members["index.json"])["manifests"][0]["digest"]
    assert images.resolve(store.state, store.paths, "both:1").manifest_digest == digest


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress],
    ids=["gzip", "bzip2", "xz", "zstd"],
)
def test_a_compressed_archive_is_recognised_by_its_content(store: Store, compress: Callable[[bytes], bytes]) -> None:
    assert store.load(compress(docker_archive([([BASE, BIG], ["demo"])]))) == ["demo:latest"]
    assert store.problems() == []


def test_a_zstd_layer_is_unpacked(store: Store) -> None:
    packed = zstandard.ZstdCompressor().compress(BASE)
    item = {"Config": "c.json", "RepoTags": ["demo"], "Layers": ["l"]}
    store.load(tar_of({"c.json": config([BASE]), "l": packed, "manifest.json": json.dumps([item]).encode()}))
    record = images.resolve(store.state, store.paths, "demo")
    assert record.layers[0].digest == sha256(packed) and record.layers[0].media_type.endswith("+zstd")
    assert content(store, "demo")["bin/sh"] == b"#!"


def test_gzip_of_several_members_is_one_layer(store: Store) -> None:
    packed = gzip.compress(BASE[:700]) + gzip.compress(BASE[700:])
    item = {"Config": "c.json", "RepoTags": ["demo"], "Layers": ["l"]}
    store.load(tar_of({"c.json": config([BASE]), "l": packed, "manifest.json": json.dumps([item]).encode()}))
    assert content(store, "demo")["bin/sh"] == b"#!"


def test_an_archive_comes_through_a_pipe(store: Store) -> None:
    reader, writer = os.pipe()
    feeder = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        progress = operations.load(store.state, store.paths, source)
        assert feeder.stdin is not None
        feeder.stdin.write(docker_archive([([BASE], ["demo"])]))
        feeder.stdin.close()
        assert "loaded" in [one.action for one in progress]
    assert feeder.wait(10) == 0


def test_loading_again_changes_nothing_but_moves_the_name(store: Store) -> None:
    store.load(docker_archive([([BASE], ["demo"])]))
    before = store.names("content", "blobs", "sha256"), store.names("snapshots")
    store.load(docker_archive([([BASE], ["demo"])]))
    assert (store.names("content", "blobs", "sha256"), store.names("snapshots")) == before
    store.load(docker_archive([([TOP], ["demo"])]))
    assert [image.references for image in images.list_images(store.state, {})].count(()) == 1
    assert store.problems() == []


def test_duplicate_layers_may_be_links_inside_the_archive(store: Store) -> None:
    item = {"Config": "c.json", "RepoTags": ["demo"], "Layers": ["a/layer.tar", "b/layer.tar"]}
    members = {"a/layer.tar": BASE, "c.json": config([BASE, BASE]), "manifest.json": json.dumps([item]).encode()}
    assert store.load(tar_of(members, {"b/layer.tar": "../a/layer.tar"})) == ["demo:latest"]
    assert len(images.resolve(store.state, store.paths, "demo").layers) == 2


def test_a_layer_that_is_read_ahead_gets_the_root_of_the_layer_below(store: Store) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        root = tarfile.TarInfo("./")
        root.type, root.mode, root.uid = tarfile.DIRTYPE, 0o711, 12
        tar.addfile(root)
    store.load(docker_archive([([raw.getvalue(), BIG], ["demo"])]))
    status = os.stat(images.resolve(store.state, store.paths, "demo").lower[0])
    assert (status.st_mode & 0o7777, status.st_uid) == (0o711, 12)


# --- refused


def refused(store: Store, raw: bytes) -> str:
    with pytest.raises(BadContent) as error:
        store.load(raw)
    assert store.is_empty()
    return str(error.value)


def one(members: dict[str, bytes], item: dict[str, object], links: dict[str, str] | None = None) -> bytes:
    return tar_of({**members, "manifest.json": json.dumps([item]).encode()}, links)


GOOD = {"c.json": config([BASE]), "l.tar": BASE}
ITEM: dict[str, object] = {"Config": "c.json", "RepoTags": ["demo"], "Layers": ["l.tar"]}


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "is empty"),
        (b"junk" * 1000, "no tar archive"),
        (b"hello\n", "no tar archive"),
        (tar_of({"x": b"y"}), "neither manifest.json nor index.json"),
        (BASE, "tuidock import"),
        (one({"c.json": config([BASE])}, ITEM), "holds no such file"),
        (one({**GOOD, "l.tar": TOP}, ITEM), "not what the image config promises"),
        (one({**GOOD, "l.tar": gzip.compress(TOP)}, ITEM), "not what the image config promises"),
        (one({**GOOD, "l.tar": gzip.compress(BASE)[:-20]}, ITEM), "end too early"),
        (one({**GOOD, "l.tar": b"\x1f\x8b" + b"junk" * 100}, ITEM), "damaged"),
        (one(GOOD, {**ITEM, "Layers": []}), "0 layers"),
        (one(GOOD, {**ITEM, "Layers": ["../../etc/passwd"]}), "holds no such file"),
        (one(GOOD, {**ITEM, "Layers": ["/etc/passwd"]}), "holds no such file"),
        (one(GOOD, {**ITEM, "Layers": [["l.tar"]]}), "holds no such file"),
        (one(GOOD, {**ITEM, "RepoTags": ["UPPER CASE"]}), "invalid reference"),
        (one({"c.json": b"[]", "l.tar": BASE}, ITEM), "no JSON object"),
        (one({"c.json": GOOD["c.json"]}, ITEM, {"l.tar": "../../../etc/passwd"}), "leads out of the archive"),
        (one({"c.json": GOOD["c.json"]}, ITEM, {"l.tar": "l.tar"}), "holds no such file"),
        (tar_of({"../x": b"y"}), "leads out of the archive"),
        (tar_of({"manifest.json": b"{"}), "no JSON"),
        (tar_of({"manifest.json": b"{}"}), "no list"),
        (docker_archive([([BASE], ["demo"])])[:-12_000], "ends in the middle"),
        (oci_archive([BASE], "demo:1", schemaVersion=1), "schema version"),
        (oci_archive([BASE], "demo:1", manifests=[]), "both manifests and layers"),
        (oci_archive([BASE], "demo:1", mediaType="application/vnd.oci.image.index.v1+json"), "calls itself"),
        (one({**GOOD, "l.tar": layer({"../x": b""}), "c.json": config([layer({"../x": b""})])}, ITEM), "leads out"),
    ],
)
def test_a_bad_archive_is_refused_in_one_sentence_and_leaves_nothing(store: Store, raw: bytes, sentence: str) -> None:
    message = refused(store, raw)
    assert sentence in message and "\n" not in message


def test_an_oci_blob_that_is_not_its_name_is_refused(store: Store) -> None:
    raw = oci_archive([BASE], "demo:1")
    bad = gzip.compress(BASE, mtime=0)
    assert "arrived as" in refused(store, raw.replace(bad, bad[:-1] + b"\x01"))


def test_control_bytes_of_an_entry_do_not_reach_the_message(store: Store) -> None:
    evil = layer({"../\x1b]0;owned\x07": b""})
    assert "\x1b" not in refused(store, one({"c.json": config([evil]), "l.tar": evil}, ITEM))


def test_the_second_image_being_bad_leaves_the_first(store: Store) -> None:
    raw = docker_archive([([BASE], ["good"]), ([layer({"../x": b""})], ["bad"])])
    with pytest.raises(BadContent):
        store.load(raw)
    assert [image.references for image in images.list_images(store.state, {})] == [("good:latest",)]
    assert store.problems() == []


# --- cut off


@pytest.mark.parametrize("action", ["reading", "read", "extracting", "committing"])
def test_closing_the_progress_leaves_nothing(store: Store, action: str) -> None:
    layers = [layer({"f": os.urandom(9_000_000)}), layer({"g": os.urandom(9_000_000)})]
    progress = operations.load(store.state, store.paths, io.BytesIO(docker_archive([(layers, ["demo"])])))
    for seen in progress:
        if seen.action == action:
            break
    else:
        raise AssertionError(action)
    progress.close()  # type: ignore[attr-defined]
    assert store.is_empty()


KILLED = """
import os, signal, sys
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import assembly, content, operations
paths = Paths(sys.argv[1])
at = int(sys.argv[2])
calls = 0
def counted(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
for name in ("rename", "mkdir", "fsync", "fchmod"):
    setattr(os, name, counted(getattr(os, name)))
assembly.syncfs = counted(assembly.syncfs)
for one in operations.load(State(paths), paths, sys.stdin.buffer):
    pass
print(calls)
"""


def test_a_kill_at_any_step_leaves_nothing_visible_or_the_whole_image(new_store: Callable[[], Store]) -> None:
    raw = docker_archive([([BASE, BIG], ["demo"])])
    probe = new_store()
    whole = subprocess.run(
        [sys.executable, "-c", KILLED, probe.paths.root, "0"], input=raw, capture_output=True, check=True
    )
    steps = int(whole.stdout)
    assert steps >= 12
    for step in range(1, steps + 1):
        store = new_store()
        done = subprocess.run(
            [sys.executable, "-c", KILLED, store.paths.root, str(step)], input=raw, capture_output=True
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert images.list_images(store.state, {}) == []
        operations.collect(store.state, store.paths)
        loading.collection.sweep(store.paths)
        assert store.is_empty(), step
        assert store.load(raw) == ["demo:latest"]
        assert store.problems() == []
        shutil.rmtree(store.paths.root)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", small], check=True)
    try:
        store = Store(str(small / "root"))
        with pytest.raises(SystemFailure, match="No space left on device; free some space"):
            store.load(docker_archive([([BIG, layer({"f": os.urandom(900_000)})], ["demo"])]))
        assert store.is_empty()
        store.state.close()
    finally:
        subprocess.run(["umount", small], check=True)


def test_many_loads_of_one_image_at_once_make_one_image(store: Store, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(docker_archive([([BASE, BIG], ["demo"])]))
    script = KILLED.replace("sys.stdin.buffer", "open(sys.argv[3], 'rb')")
    command = [sys.executable, "-c", script, store.paths.root, "0", str(archive)]
    children = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(6)]
    assert [child.wait(120) for child in children] == [0] * 6
    assert [image.references for image in images.list_images(store.state, {})] == [("demo:latest",)]
    assert store.problems() == []


# --- other programs' archives


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """An OCI layout on disk for skopeo and umoci."""
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed")
    path = tmp_path / "layout"
    with tarfile.open(fileobj=io.BytesIO(oci_archive([BASE, TOP, BIG], "demo"))) as tar:
        tar.extractall(path)
    index = path / "index.json"
    document = json.loads(index.read_text())
    document["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "demo"}
    index.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_what_skopeo_writes_is_loaded(store: Store, layout: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "image.tar"
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", f"oci:{layout}:demo", f"{kind}:{target}:example.org/demo:3"],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert store.load(target.read_bytes()) == ["example.org/demo:3"]
    assert content(store, "example.org/demo:3")["etc/new"] == b"top"
    assert images.resolve(store.state, store.paths, "example.org/demo:3").id == sha256(config([BASE, TOP, BIG]))
    assert store.problems() == []


def test_what_umoci_repacks_is_loaded(store: Store, layout: Path, tmp_path: Path) -> None:
    if not shutil.which("umoci"):
        pytest.skip("umoci is not installed")
    bundle, image = tmp_path / "bundle", f"{layout}:demo"
    subprocess.run(["umoci", "unpack", "--image", image, bundle], check=True, capture_output=True, timeout=120)
    (bundle / "rootfs/added").write_text("by umoci")
    shutil.rmtree(bundle / "rootfs/bin")
    subprocess.run(["umoci", "repack", "--image", image, bundle], check=True, capture_output=True, timeout=120)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path in sorted(layout.rglob("*")):
            tar.add(path, str(path.relative_to(layout)), recursive=False)
    (subject,) = store.load(raw.getvalue())
    record = images.resolve(store.state, store.paths, subject)
    assert len(record.layers) == 4
    assert Path(record.lower[0], "added").read_text() == "by umoci"
    status = os.lstat(record.lower[0] + "/bin")
    assert status.st_rdev == 0 and status.st_mode & 0o170000 == 0o020000
    assert store.problems() == []
