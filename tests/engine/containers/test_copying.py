"""cp: docker's rules for paths, owners and archives, through volumes, running and stopped, and nothing leads out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.conftest import Run, present, request
from tests.native.monitored import eventually
from tuidock.engine import Engine
from tuidock.engine.errors import BadContent, EngineError, InvalidArgument, NotFound, SystemFailure
from tuidock.engine.types import Progress

CAPABILITY = b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00\x00\x00\x00"
SCRIPT = """
mkdir -p /d/e /data/sub; echo y > /d/e/y; echo f > /data/f; ln -s /etc/passwd /link; ln -s d /to-d; ln /d/e/y /d/hard
chown 1000:50 /d/e/y; chmod 4751 /d/e/y; ln -s ../../../../../../../../etc /out; mkfifo /d/pipe; touch /ready; exec sleep 1000
"""


@pytest.fixture(scope="module")
def box(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A running container with a volume at /data and a read-only directory of the host at /ro."""
    host = tmp_path_factory.mktemp("ro")
    binds = ["cpdata:/data", f"{host}:/ro:ro"]
    container_id = engine.create(request(["sh", "-c", SCRIPT], name="box", Binds=binds))
    pid = engine.start(container_id).pid
    eventually(lambda: os.path.exists(f"/proc/{pid}/root/ready"), "its files are there")
    return container_id


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def done(steps: Iterator[Progress]) -> int:
    """Runs a copy to its end; the bytes that it told last."""
    return list(steps)[-1].done


def tree(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*"))


def tar_of(engine: Engine, container: str, path: str, **options: bool) -> tarfile.TarFile:
    stream = io.BytesIO()
    done(engine.copy_out(container, path, stream, **options))
    stream.seek(0)
    return tarfile.open(fileobj=stream)


def tar(*members: tuple[str, dict[str, Any]], content: bytes = b"x") -> io.BytesIO:
    """An archive of entries by name and tarfile's attributes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, attributes in members:
            info = tarfile.TarInfo(name)
            for key, value in attributes.items():
                setattr(info, key, value)
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
    stream.seek(0)
    return stream


def test_where_a_copy_goes_out(engine: Engine, box: str, here: Path) -> None:
    (here / "dir").mkdir()
    (here / "file").write_text("old")
    (here / "way").symlink_to("elsewhere")
    for path, target, made in (
        ("/data/f", "new", ["new"]),
        ("/data/f", "dir", ["dir/f"]),
        ("/data/f", "file", ["file"]),
        ("/data/f", "way", ["elsewhere"]),  # through a link that leads to nothing
        ("/d", "absent", ["absent", "absent/e", "absent/e/y", "absent/hard", "absent/pipe"]),
        ("/d/e/", "dir", ["dir/e", "dir/e/y"]),
        ("/d/e/.", "dir", ["dir/y"]),
        ("/to-d", "dir", ["dir/to-d"]),
        ("/to-d/", "way2/", ["way2", "way2/e/y"]),
        ("data/../d/e", "deep", ["deep/y"]),
    ):
        before = set(tree(here))
        done(engine.copy_out(box, path, target))
        assert before | set(made) <= set(tree(here)), (path, target, tree(here))
    assert (here / "file").read_text() == (here / "elsewhere").read_text() == "f\n"
    assert os.readlink("dir/to-d") == "d"
    for path, target, kind, message in (
        ("/nope", ".", NotFound, "Could not find the file /nope in container box"),
        ("/data/f/", ".", NotFound, "Could not find the file /data/f in container box"),
        ("/data/f", "none/x", InvalidArgument, f'invalid output path: directory "{here}/none" does not exist'),
        ("/data/f", "none/", InvalidArgument, "no such directory"),
        ("/d", "file", InvalidArgument, "cannot copy directory"),
        ("/d", "absent/pipe", InvalidArgument, "must be a directory or a regular file"),
    ):
        with pytest.raises(kind, match=message):
            done(engine.copy_out(box, path, target))


def test_where_a_copy_goes_in(engine: Engine, box: str, here: Path) -> None:
    (here / "src/deep").mkdir(parents=True)
    (here / "src/deep/file").write_text("content")
    (here / "one").write_text("one")
    (here / "alias").symlink_to("one")
    root = Path(f"/proc/{engine.container(box).pid}/root")
    for source, path, made in (
        ("one", "/tmp", "tmp/one"),
        ("one", "/tmp/two", "tmp/two"),
        ("one", "/data/sub/", "data/sub/one"),
        ("alias", "/tmp/", "tmp/alias"),
        ("src", "/tmp/new", "tmp/new/deep/file"),
        ("src", "/tmp/new", "tmp/new/src/deep/file"),
        ("src/.", "/tmp/new", "tmp/new/deep/file"),
        ("src/deep/", "/to-d", "d/deep/file"),
        ("one", "/out", "etc/one"),  # a link that climbs ends at the container's root
    ):
        done(engine.copy_in(box, source, path))
        assert os.path.lexists(root / made), (source, path)
    assert os.path.islink(root / "tmp/alias") and not os.path.exists("/etc/one")
    done(engine.copy_in(box, "alias", "/tmp/followed", follow=True))
    assert (root / "tmp/followed").read_text() == "one"
    for source, path, kind, message in (
        ("one", "/none/x", NotFound, "Could not find the file /none in container box"),
        ("one", "/tmp/none/", InvalidArgument, "no such directory"),
        ("src", "/data/f", InvalidArgument, "cannot copy directory"),
        ("nope", "/tmp", InvalidArgument, f"lstat {here}/nope: no such file or directory"),
        ("one", "/dev/null", InvalidArgument, 'destination "box:/dev/null" must be a directory or a regular file'),
        ("one", "/ro/", SystemFailure, "mounted volume is marked read-only"),
        ("src/deep/.", "/tmp/two", InvalidArgument, "cannot copy directory"),
    ):
        with pytest.raises(kind, match=message):
            done(engine.copy_in(box, source, path))
    (here / "src/deep/file").unlink()
    (here / "src/deep/file").mkdir()
    with pytest.raises(EngineError, match="cannot overwrite non-directory"):
        done(engine.copy_in(box, "src/.", "/tmp/new"))


def test_owners_modes_times_and_capabilities(engine: Engine, box: str, here: Path) -> None:
    root = Path(f"/proc/{engine.container(box).pid}/root")
    done(engine.copy_out(box, "/d", "out"))
    status = (here / "out/e/y").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, 0, 0o4751)
    assert status.st_mtime_ns == (root / "d/e/y").stat().st_mtime_ns
    assert (here / "out/e").stat().st_mtime_ns == (root / "d/e").stat().st_mtime_ns
    assert (here / "out/hard").stat().st_ino == status.st_ino
    assert stat.S_ISFIFO((here / "out/pipe").stat().st_mode)
    done(engine.copy_out(box, "/d/e/y", "kept", archive=True))
    assert ((here / "kept").stat().st_uid, (here / "kept").stat().st_gid) == (1000, 50)
    os.setxattr("kept", "security.capability", CAPABILITY)
    done(engine.copy_in(box, "kept", "/tmp/kept"))
    assert ((root / "tmp/kept").stat().st_uid, (root / "tmp/kept").stat().st_gid) == (1000, 50)
    assert os.getxattr(root / "tmp/kept", "security.capability")[:4] == CAPABILITY[:4]
    entry = tar_of(engine, box, "/tmp/kept").getmembers()[0]
    assert (entry.uid, entry.gid, entry.mode) == (1000, 50, 0o4751) or entry.mode == 0o751  # chown takes setuid away
    assert "SCHILY.xattr.security.capability" in entry.pax_headers


def test_archive_mode_gives_files_to_the_container_s_user(engine: Engine, run: Run, here: Path) -> None:
    (here / "mine").write_text("x")
    os.chown("mine", 12, 34)
    container_id = run.start(["sleep", "1000"], config={"User": "user"})
    done(engine.copy_in(container_id, "mine", "/tmp", archive=True))
    found = os.stat(f"/proc/{engine.container(container_id).pid}/root/tmp/mine")
    assert (found.st_uid, found.st_gid) == (1000, 1000)


def test_a_tar_goes_out_and_in(engine: Engine, box: str) -> None:
    with tar_of(engine, box, "/to-d/") as archive:
        assert archive.getnames()[0] == "to-d" and "to-d/e/y" in archive.getnames()
    with tar_of(engine, box, "/d/.") as archive:
        assert archive.getnames()[0] == "." and "./e/y" in archive.getnames()
    with tar_of(engine, box, "/link") as archive:
        assert [(entry.name, entry.linkname) for entry in archive] == [("link", "/etc/passwd")]
    with tar_of(engine, box, "/link", follow=True) as archive:
        member = archive.getmembers()[0]
        file = archive.extractfile(member)
        assert member.name == "link" and file and file.read().startswith(b"root:")
    root = Path(f"/proc/{engine.container(box).pid}/root")
    done(engine.copy_in(box, tar(("a/b/c", {"uid": 7, "mode": 0o640})), "/tmp"))
    assert (root / "tmp/a/b/c").stat().st_uid == 7 and (root / "tmp/a/b/c").stat().st_mode & 0o777 == 0o640
    with pytest.raises(InvalidArgument, match='destination "box:/data/f" must be a directory'):
        done(engine.copy_in(box, tar(("a", {})), "/data/f"))
    with pytest.raises(BadContent, match="damaged"):
        done(engine.copy_in(box, io.BytesIO(b"no tar at all" * 100), "/tmp"))


def test_a_hostile_tar_stays_where_it_is_put(engine: Engine, box: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = {"type": tarfile.SYMTYPE, "linkname": str(outside)}
    root = Path(f"/proc/{engine.container(box).pid}/root")
    for archive in (
        tar(("../../escape", {})),
        tar(("way", link), ("way/escape", {})),
        tar(("up", {"type": tarfile.SYMTYPE, "linkname": "../.."}), ("up/escape", {})),
        tar(("hard", {"type": tarfile.LNKTYPE, "linkname": "../../etc/passwd"})),
        tar(("nul", {"pax_headers": {"path": "nul\0nul"}})),
        tar(("nul", {"type": tarfile.SYMTYPE, "pax_headers": {"linkpath": "nul\0nul"}})),
        tar(("x/" * 3000 + "x", {})),
    ):
        with pytest.raises(EngineError):
            done(engine.copy_in(box, archive, "/data/sub"))
    assert list(outside.iterdir()) == [] and not (root / "escape").exists()
    done(engine.copy_in(box, tar(("deep/" + "x/" * 1100 + "file", {})), "/data/sub"))  # deeper than Python calls
    # a name that ends in a link is replaced, the link is not written through
    done(engine.copy_in(box, tar(("final", link), ("final", {})), "/data/sub"))
    assert not os.path.islink(root / "data/sub/final") and list(outside.iterdir()) == []


def test_a_stopped_one_is_whole_too(engine: Engine, run: Run, here: Path) -> None:
    (here / "new").write_text("new")
    made = engine.create(request(["cat", "/mnt/vol/new", "/new"], Binds=["stopvol:/mnt/vol", f"{here}:/host:ro"]))
    run.made.append(made)
    done(engine.copy_in(made, "new", "/mnt/vol/"))  # never started: its mountpoints do not exist yet
    done(engine.copy_in(made, "new", "/"))
    with pytest.raises(SystemFailure, match="mounted volume is marked read-only"):
        done(engine.copy_in(made, "new", "/host/"))
    engine.start(made)
    assert engine.wait(made) == 0 and run.text(made) == "newnew\n"
    done(engine.copy_out(made, "/etc/hostname", "hostname"))
    assert (here / "hostname").read_text() == made[:12] + "\n"
    done(engine.copy_out(made, "/mnt", "mnt"))
    assert (here / "mnt/vol/new").read_text() == "new"
    assert engine.stat_path(made, "/new").size == 3
    assert "/new" in [change.path for change in engine.diff(made)]
    assert not [leak for leak in present(engine) if leak.startswith("mount")]


def test_a_read_only_root_is_refused_and_its_volume_is_not(engine: Engine, run: Run, here: Path) -> None:
    (here / "new").write_text("new")
    sealed = run.start(["sleep", "1000"], ReadonlyRootfs=True, Binds=["rovol:/vol"])
    for _ in range(2):
        with pytest.raises(SystemFailure, match="container rootfs is marked read-only"):
            done(engine.copy_in(sealed, "new", "/tmp"))
        done(engine.copy_in(sealed, "new", "/vol"))
        engine.stop(sealed, timeout=0)


def test_holes_stay_and_a_copy_can_be_cancelled(engine: Engine, box: str, here: Path) -> None:
    with open("holes", "wb") as file:
        file.truncate(3 << 30)
        os.pwrite(file.fileno(), b"middle", 1 << 30)
    assert done(engine.copy_in(box, "holes", "/tmp")) == (3 << 30) + 512 + 1024
    done(engine.copy_out(box, "/tmp/holes", "back"))
    assert os.stat("back").st_blocks * 512 < 1 << 20
    with open("back", "rb") as file:
        assert os.pread(file.fileno(), 6, 1 << 30) == b"middle" and os.fstat(file.fileno()).st_size == 3 << 30
    steps = engine.copy_in(box, io.BufferedReader(Slow()), "/tmp")
    next(steps)
    assert engine.container(box).status == "paused"
    steps.close()  # type: ignore[attr-defined]
    assert engine.container(box).status == "running"
    with pytest.raises(NotFound):
        engine.stat_path(box, "/tmp/big")


def test_compressed_and_sparse_archives_go_in(engine: Engine, box: str, here: Path) -> None:
    with open("holes", "wb") as file:
        os.pwrite(file.fileno(), b"middle", 1 << 30)
        file.truncate(3 << 30)
    made = Path(f"/proc/{engine.container(box).pid}/root/tmp/holes")
    for options in (["--format=gnu", "-S"], ["--format=posix", "-S"], ["--sparse-version=0.1", "--format=posix", "-S"]):
        raw = subprocess.run(["tar", "-c", *options, "holes"], capture_output=True, check=True).stdout
        for packed in (raw, gzip.compress(raw), zstandard.compress(raw), lzma.compress(raw), bz2.compress(raw)):
            assert done(engine.copy_in(box, io.BytesIO(packed), "/tmp")) == (3 << 30) + 512 + 1024
            assert made.stat().st_size == 3 << 30 and made.stat().st_blocks * 512 < 1 << 20
            with made.open("rb") as file:
                assert os.pread(file.fileno(), 8, (1 << 30) - 1) == b"\0middle\0"
            made.unlink()
    with pytest.raises(BadContent, match="damaged"):
        done(engine.copy_in(box, io.BytesIO(zstandard.compress(raw)[:-9]), "/tmp"))


class Slow(io.RawIOBase):
    """An archive with one file of 1 GB, of which there is always more."""

    def __init__(self) -> None:
        info = tarfile.TarInfo("big")
        info.size = 1 << 30
        self._head = info.tobuf()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._head[: len(buffer)] or bytes(len(buffer))
        self._head = self._head[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)
