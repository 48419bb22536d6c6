"""Volumes as tars: what goes out comes in the same, and nothing half-made stays."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.engine.store.archives import tar_of
from tuidock.engine.errors import BadContent, Conflict, InvalidArgument, NotFound
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import removed, volume_archives, volumes
from tuidock.engine.types import Progress


def export(state: State, paths: Paths, name: str, place: Path) -> bytes:
    with open(place, "wb") as file:
        steps = list(volume_archives.export(state, paths, name, file))
    assert steps[-1] == Progress(name, "exported", place.stat().st_size, place.stat().st_size)
    return place.read_bytes()


def bring(state: State, paths: Paths, name: str, source: BinaryIO, **options: object) -> Progress:
    return list(volume_archives.import_volume(state, paths, name, source, **options))[-1]  # type: ignore[arg-type]


def test_a_volume_comes_out_and_in_the_same(state: State, paths: Paths, tmp_path: Path) -> None:
    volumes.ensure(state, paths, "old", labels={"a": "b"})
    data = Path(volumes.data_directory(paths, "old"))
    (data / "deep").mkdir()
    (data / "deep" / "file").write_text("content")
    os.link(data / "deep" / "file", data / "twin")
    os.chown(data / "deep" / "file", 1234, 4321)
    os.setxattr(data / "deep" / "file", "user.note", b"kept")
    (data / ".wh.plain").write_text("no whiteout here")
    (data / "link").symlink_to("/etc/passwd")
    os.mkfifo(data / "pipe")
    os.chown(data, 77, 88)
    os.chmod(data, 0o2750)
    raw = export(state, paths, "old", tmp_path / "tar")
    for name, packed in (("new", raw), ("packed", gzip.compress(raw))):
        assert bring(state, paths, name, io.BytesIO(packed), labels={"c": "d"}).action == "imported"
        made = Path(volumes.data_directory(paths, name))
        assert sorted(os.listdir(made)) == [".wh.plain", "deep", "link", "pipe", "twin"]
        known = os.lstat(made / "twin")
        assert (known.st_uid, known.st_gid, known.st_nlink) == (1234, 4321, 2)
        assert os.getxattr(made / "twin", "user.note") == b"kept" and os.readlink(made / "link") == "/etc/passwd"
        top = os.lstat(made)
        assert (top.st_uid, top.st_gid, stat.S_IMODE(top.st_mode)) == (77, 88, 0o2750)
        assert export(state, paths, name, tmp_path / "again") == raw
    assert volumes.list_volumes(state, paths)[0].labels == {"c": "d"}


def test_an_archive_never_leaves_its_volume(state: State, paths: Paths, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
        entry = tarfile.TarInfo("link/escaped")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    for raw in (out.getvalue(), tar_of({"../../escaped": b"x"})):
        try:
            bring(state, paths, "bad", io.BytesIO(raw))
        except BadContent:
            assert volumes.list_volumes(state, paths) == [] and os.listdir(paths.volumes) == []
        else:
            volumes.remove(state, paths, "bad")
        assert not (tmp_path / "escaped").exists() and not Path(paths.volumes, "escaped").exists()


@pytest.mark.parametrize("cut", [600, 1100])
def test_a_cut_archive_leaves_nothing(state: State, paths: Paths, cut: int) -> None:
    raw = tar_of({"a": b"x" * 300, "b": b"y" * 300})
    with pytest.raises(BadContent):
        bring(state, paths, "half", io.BytesIO(raw[:cut]))
    assert volumes.list_volumes(state, paths) == [] and os.listdir(paths.volumes) == []


def test_a_cancelled_import_leaves_nothing(state: State, paths: Paths) -> None:
    reader, writer = os.pipe()
    steps = volume_archives.import_volume(state, paths, "slow", os.fdopen(reader, "rb"))
    os.write(writer, tar_of({"a": b"x" * 300})[:512])
    assert next(iter(steps)).action == "importing"
    os.close(writer)
    steps.close()  # type: ignore[attr-defined]
    assert volumes.list_volumes(state, paths) == [] and os.listdir(paths.volumes) == []


def test_what_a_volume_holds_is_not_overwritten_by_accident(state: State, paths: Paths) -> None:
    volumes.ensure(state, paths, "data", labels={"a": "b"})
    data = Path(volumes.data_directory(paths, "data"))
    inode = data.stat().st_ino
    bring(state, paths, "data", io.BytesIO(tar_of({"f": b"1"})))  # empty: filled in place
    assert (data / "f").read_text() == "1" and data.stat().st_ino == inode
    with pytest.raises(Conflict, match="not empty"):
        bring(state, paths, "data", io.BytesIO(tar_of({"f": b"2"})))
    keeping = removed.Keeping("batch")
    bring(state, paths, "data", io.BytesIO(tar_of({"f": b"2"})), replace=True, keeping=keeping)
    assert (data / "f").read_text() == "2"
    assert volumes.list_volumes(state, paths)[0].labels == {"a": "b"}
    (entry,) = removed.entries(state)
    assert Path(removed.place_of(paths, "volume", entry.id, "data"), "_data", "f").read_text() == "1"


def test_wrong_names_are_refused(state: State, paths: Paths) -> None:
    with pytest.raises(NotFound):
        list(volume_archives.export(state, paths, "none", io.BytesIO()))
    with pytest.raises(InvalidArgument):
        bring(state, paths, "../x", io.BytesIO())


def test_what_a_killed_import_left_is_swept(state: State, paths: Paths) -> None:
    os.makedirs(f"{paths.volumes}/.import-dead/_data/deep")
    os.makedirs(f"{paths.volumes}/named/_data/deep")
    volumes.ensure(state, paths, "there")
    for name in ("named", "there"):
        Path(paths.volumes, name, "importing").touch()
    assert volume_archives.sweep(state, paths) == 2
    assert os.listdir(paths.volumes) == ["there"] and os.listdir(f"{paths.volumes}/there") == ["_data"]
