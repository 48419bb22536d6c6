"""Tars as properties: the archive reader sees what tarfile wrote, the extractor makes the tree that was packed, and
neither knows another end for bytes of any kind than a refusal."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.native.monitored import needs_root
from tests.rawtar import archive, entry, pax
from tuidock.engine.errors import BadContent
from tuidock.engine.store.tarstream import TarStream
from tuidock.native.extractor import ExtractError, Extractor

#: Any sign that a name can hold: all of Unicode, and bytes that are none of it.
_SIGN = st.characters(exclude_characters="/\0", exclude_categories=["Cs"]) | st.integers(0xDC80, 0xDCFF).map(chr)
_NAME = st.text(_SIGN, min_size=1, max_size=60).filter(
    lambda name: name not in (".", "..") and not name.startswith(".wh.")
)
_NAME = _NAME.filter(lambda name: len(os.fsencode(name)) <= 255 and os.fsdecode(os.fsencode(name)) == name)
_PATH = st.lists(_NAME, min_size=1, max_size=4).map("/".join)
_CONTENT = st.binary(max_size=1500)
_MODE = st.integers(0, 0o7777)
_ID = st.integers(0, (1 << 32) - 2)
_TIME = st.integers(0, 1 << 33)


def stream(raw: bytes, step: int = 1 << 20) -> list[tuple[str, str, int, str, bytes]]:
    """Everything that the archive reader finds; `step` bytes come at a time."""
    source = io.BytesIO(raw)
    return [
        (member.name, member.kind, member.size, member.link, b"".join(member.chunks()))
        for member in TarStream(lambda size: source.read(min(size, step)))
    ]


@given(
    st.lists(st.tuples(_PATH, _CONTENT, st.sampled_from(["file", "symlink", "hardlink", "directory"]), _PATH), max_size=6),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]), st.sampled_from([1, 7, 512, 1000, 1 << 20]),
)  # fmt: skip
def test_the_reader_sees_what_tarfile_wrote(entries: list[tuple[str, bytes, str, str]], kind: int, step: int) -> None:
    kinds = {
        "file": tarfile.REGTYPE,
        "symlink": tarfile.SYMTYPE,
        "hardlink": tarfile.LNKTYPE,
        "directory": tarfile.DIRTYPE,
    }
    raw, expected = io.BytesIO(), []
    with tarfile.open(fileobj=raw, mode="w", format=kind) as tar:
        for name, content, what, target in entries:
            info = tarfile.TarInfo(name)
            info.type, info.size = kinds[what], len(content) if what == "file" else 0
            info.linkname = target if what.endswith("link") else ""
            tar.addfile(info, io.BytesIO(content))
            expected.append((name, what, info.size, info.linkname, content if what == "file" else b""))
    found = [(name.removesuffix("/"), *rest) for name, *rest in stream(raw.getvalue(), step)]
    assert found == [(name.removesuffix("/"), *rest) for name, *rest in expected]


@given(st.binary(max_size=4000))
def test_the_reader_refuses_what_is_no_archive(raw: bytes) -> None:
    try:
        stream(raw)
    except BadContent:
        return
    assert not raw.strip(b"\0") or len(raw) >= 512


@given(st.data())
def test_the_reader_survives_any_change_of_an_archive(data: st.DataObject) -> None:
    raw = bytearray(
        archive(
            pax({"path": "p" * 200, "size": "5"}), entry("f", content=b"12345"), entry("n" * 150, content=b"x" * 600)
        )
    )
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = stream(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    except BadContent as error:
        assert str(error)
    else:
        assert sum(len(content) for *_, content in found) <= len(raw)


# -- the extractor ---------------------------------------------------------------------------------------------------

_LOOKS = st.fixed_dictionaries({"mode": _MODE, "uid": _ID, "gid": _ID, "mtime": _TIME})
_LEAF = st.one_of(
    st.tuples(st.just("file"), _CONTENT), st.tuples(st.just("symlink"), _PATH), st.tuples(st.just("fifo"), st.none()),
    st.tuples(st.just("device"), st.tuples(st.integers(0, 4095), st.integers(1, 1 << 20 - 1))),
)  # fmt: skip
_NODE = st.recursive(
    st.tuples(_LEAF, _LOOKS),
    lambda inner: st.tuples(st.tuples(st.just("directory"), st.dictionaries(_NAME, inner, max_size=4)), _LOOKS),
    max_leaves=12,
)
_TREE = st.dictionaries(_NAME, _NODE, max_size=5)
Flat = dict[str, tuple[Any, ...]]


def flat(tree: Mapping[str, Any], prefix: str = "") -> Flat:
    found: Flat = {}
    for name, ((kind, detail), looks) in tree.items():
        shown = [looks[key] for key in ("mode", "uid", "gid", "mtime")]
        found[prefix + name] = (kind, None if kind == "directory" else detail, *shown)
        if kind == "directory":
            found |= flat(detail, f"{prefix}{name}/")
    return found


def packed(tree: Flat) -> bytes:
    """By the raw writer: names as bytes, long ones in GNU's way."""
    kinds = {"file": b"0", "symlink": b"2", "device": b"3", "directory": b"5", "fifo": b"6"}
    parts = []
    for name, (kind, detail, mode, uid, gid, mtime) in tree.items():
        more: dict[str, Any] = {"mode": mode, "uid": uid, "gid": gid, "mtime": mtime}
        if kind == "symlink":
            more["link"] = detail
        elif kind == "device":
            more["device"] = detail
        parts.append(entry(name, kinds[kind], detail if kind == "file" else b"", **more))
    return archive(*parts)


def walked(root: str) -> Flat:
    found: Flat = {}
    for base, names, files in os.walk(root):
        for name in (*names, *files):
            path = os.path.join(base, name)
            found[os.path.relpath(path, root)] = looks_of(path)
    return found


def looks_of(path: str) -> tuple[Any, ...]:
    status = os.lstat(path)
    kind: str = "directory"
    detail: object = None
    if stat.S_ISREG(status.st_mode):
        kind, detail = "file", Path(path).read_bytes()
    elif stat.S_ISLNK(status.st_mode):
        kind, detail = "symlink", os.readlink(path)
    elif stat.S_ISFIFO(status.st_mode):
        kind = "fifo"
    elif stat.S_ISCHR(status.st_mode):
        kind, detail = "device", (os.major(status.st_rdev), os.minor(status.st_rdev))
    return kind, detail, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, int(status.st_mtime)


def unpack(raw: bytes, root: str) -> Extractor:
    directory = os.open(root, os.O_RDONLY)
    tar = os.memfd_create("tar")
    try:
        os.write(tar, raw)
        os.lseek(tar, 0, os.SEEK_SET)
        extractor = Extractor()
        extractor.run(tar, directory)
        return extractor
    finally:
        os.close(tar)
        os.close(directory)


@needs_root
@settings(max_examples=60, deadline=None)
@given(_TREE)
def test_the_extractor_makes_the_tree_that_was_packed(tree: Mapping[str, Any]) -> None:
    expected = flat(tree)
    with tempfile.TemporaryDirectory(dir=_memory()) as root:
        unpack(packed(expected), root)
        found = walked(root)
    for name, (kind, detail, _, *rest) in expected.items():
        if kind == "symlink":  # Linux knows no mode of a link
            expected[name] = (kind, detail, 0o777, *rest)
    assert found == expected


@needs_root
@settings(max_examples=100, deadline=None)
@given(_TREE, st.data())
def test_a_changed_archive_ends_in_a_tree_or_a_refusal(tree: Mapping[str, Any], data: st.DataObject) -> None:
    raw = bytearray(packed(flat(tree)))
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory(dir=_memory()) as outer:
        root = os.path.join(outer, "root")
        os.mkdir(root)
        try:
            unpack(bytes(raw), root)
        except ExtractError as error:
            assert error.reason
        assert os.listdir(outer) == ["root"]


def _memory() -> str | None:
    """Hundreds of small trees need no disk."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None
