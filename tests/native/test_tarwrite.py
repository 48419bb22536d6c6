"""The layer writer: the same tree gives the same bytes, others read them, and our extractor makes the tree again."""

from __future__ import annotations

import io
import os
import socket
import stat
import subprocess
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.native.monitored import needs_root
from tuidock.native.extractor import Extractor
from tuidock.native.tarwriter import LAYER, ROOT, TarError, TarWriter

pytestmark = needs_root


def packed(root: Path | str, flags: int = LAYER, omit: Sequence[str] = ()) -> tuple[bytes, TarWriter]:
    """Through a pipe, as layers go."""
    reader, sink = os.pipe()
    chunks: list[bytes] = []

    def drain() -> None:
        with os.fdopen(reader, "rb") as source:
            while chunk := source.read1(1 << 16):
                chunks.append(chunk)

    thread = threading.Thread(target=drain)
    thread.start()
    directory = os.open(root, os.O_RDONLY)
    writer = TarWriter(flags, omit=omit)
    try:
        writer.run(directory, sink)
    finally:
        os.close(sink)
        os.close(directory)
        thread.join()
    return b"".join(chunks), writer


def unpacked(raw: bytes, root: Path) -> Path:
    root.mkdir()
    directory = os.open(root, os.O_RDONLY)
    tar = os.memfd_create("tar")
    try:
        with os.fdopen(os.dup(tar), "wb") as file:
            file.write(raw)
        os.lseek(tar, 0, os.SEEK_SET)
        Extractor(LAYER).run(tar, directory)
    finally:
        os.close(tar)
        os.close(directory)
    return root


def members(raw: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {member.name: member for member in tar.getmembers()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    return root


def round_trip(tree: Path, tmp_path: Path) -> bytes:
    """The bytes; raises when another pass over the unpacked tree gives others."""
    raw, _ = packed(tree)
    again, _ = packed(unpacked(raw, tmp_path / "again"))
    assert again == raw
    return raw


def test_an_empty_directory_is_dockers_empty_layer(tree: Path) -> None:
    raw, writer = packed(tree)
    assert raw == bytes(1024)
    assert writer.entries == 0


def test_entries_are_sorted_by_their_bytes_whatever_the_disk_says(tree: Path, tmp_path: Path) -> None:
    for name in ("b", "a", "Z", "ä", "a-", "a.b"):
        (tree / name).mkdir()
        (tree / name / "x").write_text(name)
    raw = round_trip(tree, tmp_path)
    names = list(members(raw))
    directories = [os.fsencode(name) for name in names if "/" not in name]
    assert directories == sorted(directories) and len(names) == 12
    assert names[:2] == ["Z", "Z/x"]


def test_kinds_modes_owners_and_times(tree: Path, tmp_path: Path) -> None:
    (tree / "file").write_bytes(b"x" * 1000)
    os.chown(tree / "file", 12, 34)
    os.chmod(tree / "file", 0o4751)
    (tree / "link").symlink_to("../any/where")
    os.mkfifo(tree / "fifo", 0o640)
    os.mknod(tree / "tty", stat.S_IFCHR | 0o620, os.makedev(5, 1))
    os.mknod(tree / "disk", stat.S_IFBLK | 0o660, os.makedev(254, 300))
    (tree / "dir").mkdir(0o1777)
    for name in os.listdir(tree):
        os.utime(tree / name, (1, 1234567890), follow_symlinks=False)
    found = members(round_trip(tree, tmp_path))
    assert (found["file"].mode, found["file"].uid, found["file"].gid, found["file"].size) == (0o4751, 12, 34, 1000)
    assert found["link"].issym() and found["link"].linkname == "../any/where"
    assert found["fifo"].isfifo() and found["fifo"].mode == 0o640
    assert found["tty"].ischr() and (found["tty"].devmajor, found["tty"].devminor) == (5, 1)
    assert found["disk"].isblk() and (found["disk"].devmajor, found["disk"].devminor) == (254, 300)
    assert found["dir"].isdir()
    assert {member.mtime for member in found.values()} == {1234567890}


def test_what_ustar_is_too_small_for_goes_to_pax_headers(tree: Path, tmp_path: Path) -> None:
    long = "n" * 255
    (tree / long).write_text("long")
    (tree / "old").write_text("old")
    os.utime(tree / "old", (-5, -5))
    (tree / "late").write_text("late")
    os.utime(tree / "late", (1 << 33, 1 << 33))
    (tree / "rich").write_text("rich")
    os.chown(tree / "rich", (1 << 32) - 2, 1 << 30)
    (tree / "far").symlink_to("t" * 300)
    (tree / "fraction").write_text("")
    os.utime(tree / "fraction", ns=(5, 7_999_999_999))
    found = members(round_trip(tree, tmp_path))
    assert found[long].size == 4
    assert found["old"].mtime == -5
    assert found["late"].mtime == 1 << 33
    assert (found["rich"].uid, found["rich"].gid) == ((1 << 32) - 2, 1 << 30)
    assert found["far"].linkname == "t" * 300
    assert found["fraction"].mtime == 7 and not found["fraction"].pax_headers, "docker's layers have whole seconds"


@pytest.mark.parametrize("name", [b"new\nline", b"\xff\xfe", "ünï".encode(), b"back\\slash", b" ", b"\x1b[31m", b"a=b"])
def test_any_name(tree: Path, tmp_path: Path, name: bytes) -> None:
    with open(os.fsencode(tree) + b"/" + name, "wb") as file:
        file.write(b"content")
    raw = round_trip(tree, tmp_path)
    assert os.listdir(os.fsencode(tmp_path / "again")) == [name]
    listed = subprocess.run(["tar", "-tf", "-", "--quoting-style=literal"], input=raw, capture_output=True, check=True)
    assert listed.stdout.rstrip(b"\n") == name or b"\x1b" in name


def test_paths_up_to_the_limit_and_none_longer(tree: Path, tmp_path: Path) -> None:
    deep = tree
    before = os.getcwd()
    os.chdir(deep)
    try:
        for _ in range(15):
            os.mkdir("d" * 255)
            os.chdir("d" * 255)
        Path("f" * 100).write_text("deep")
        raw, writer = packed(tree)
        assert writer.entries == 16
        for _ in range(3):
            os.mkdir("e" * 255)
            os.chdir("e" * 255)
        with pytest.raises(TarError, match="longer than 4096"):
            packed(tree)
    finally:
        os.chdir(before)
    assert packed(unpacked(raw, tmp_path / "again"))[0] == raw


def test_many_levels_need_few_descriptors(tree: Path, tmp_path: Path) -> None:
    path = tree
    for level in range(400):
        path = path / "d"
        path.mkdir()
        (path / "a").write_text(str(level))
        (path / "z").write_text(str(level))
    used = 0

    def watch() -> None:
        nonlocal used
        while not done.is_set():
            used = max(used, len(os.listdir("/proc/self/fd")))

    done = threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        raw = round_trip(tree, tmp_path)
    finally:
        done.set()
        watcher.join()
    assert len(members(raw)) == 1200
    assert used < 200


def test_hard_links_point_to_their_first_name(tree: Path, tmp_path: Path) -> None:
    (tree / "m").mkdir()
    (tree / "m/first").write_bytes(b"x" * 5000)
    os.link(tree / "m/first", tree / "z")
    os.link(tree / "m/first", tree / "m/second")
    (tree / "s").symlink_to("nowhere")
    os.link(tree / "s", tree / "t", follow_symlinks=False)
    raw = round_trip(tree, tmp_path)
    found = members(raw)
    assert found["m/first"].isreg() and found["m/second"].islnk() and found["z"].islnk()
    assert found["z"].linkname == found["m/second"].linkname == "m/first"
    assert found["s"].issym() and found["t"].linkname == "s"
    assert os.stat(tmp_path / "again/z").st_nlink == 3


def test_ten_thousand_hard_links(tree: Path, tmp_path: Path) -> None:
    for number in range(100):
        (tree / f"f{number}").write_text("x")
        for other in range(99):
            os.link(tree / f"f{number}", tree / f"l{number}-{other}")
    raw, writer = packed(tree)
    assert writer.entries == 10_000 and writer.file_bytes == 100
    assert packed(unpacked(raw, tmp_path / "again"))[0] == raw


def test_attributes_but_overlays_own(tree: Path, tmp_path: Path) -> None:
    (tree / "file").write_text("x")
    os.setxattr(tree / "file", "user.b", b"two\0\n=")
    os.setxattr(tree / "file", "user.a", b"one")
    os.setxattr(tree / "file", "trusted.overlay.origin", b"secret")
    os.setxattr(tree / "file", "user.overlay.origin", b"secret")
    os.setxattr(tree / "file", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    (tree / "link").symlink_to("x")
    os.setxattr(tree / "link", "trusted.mine", b"of a link", follow_symlinks=False)
    (tree / "plain").write_text("y")
    raw = round_trip(tree, tmp_path)
    headers = members(raw)["file"].pax_headers
    assert [key for key in headers if key.startswith("SCHILY")] == [
        "SCHILY.xattr.security.capability", "SCHILY.xattr.user.a", "SCHILY.xattr.user.b",
    ]  # fmt: skip
    again = tmp_path / "again"
    assert os.getxattr(again / "file", "user.b") == b"two\0\n="
    assert os.getxattr(again / "link", "trusted.mine", follow_symlinks=False) == b"of a link"
    assert not members(raw)["plain"].pax_headers


def test_whiteouts_and_opaque_directories(tree: Path, tmp_path: Path) -> None:
    os.mknod(tree / "gone", stat.S_IFCHR, 0)
    os.mknod(tree / ("g" * 255), stat.S_IFCHR, 0)
    (tree / "new").mkdir()
    os.setxattr(tree / "new", "trusted.overlay.opaque", b"y")
    (tree / "new/file").write_text("x")
    (tree / "not").mkdir()
    os.setxattr(tree / "not", "trusted.overlay.opaque", b"x")
    os.setxattr(tree / "not", "user.overlay.opaque", b"y")
    raw = round_trip(tree, tmp_path)
    assert set(members(raw)) == {
        ".wh.gone", ".wh." + "g" * 255, "new", "new/.wh..wh..opq", "new/file", "not",
    }  # fmt: skip
    plain, _ = packed(tree, 0)
    assert members(plain)["gone"].ischr()
    assert "new/.wh..wh..opq" not in members(plain)


def test_a_name_that_would_delete_something_is_left_out_of_a_layer(tree: Path) -> None:
    (tree / ".wh.etc").write_text("")
    (tree / "d").mkdir()
    (tree / "d/.wh..wh..opq").write_text("")
    raw, writer = packed(tree)
    assert (list(members(raw)), writer.skipped_names) == (["d"], 2)
    assert list(members(packed(tree, 0)[0])) == [".wh.etc", "d", "d/.wh..wh..opq"]


@pytest.mark.parametrize("mark", ["trusted.overlay.redirect", "trusted.overlay.metacopy"])
def test_a_layer_that_refers_to_others_is_refused(tree: Path, mark: str) -> None:
    (tree / "moved").mkdir()
    os.setxattr(tree / "moved", mark, b"/from")
    with pytest.raises(TarError, match="only refers to a file of a lower layer"):
        packed(tree)
    assert list(members(packed(tree, 0)[0])) == ["moved"]


def test_sockets_are_left_out(tree: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "socket"))
    raw, writer = packed(tree)
    assert (raw, writer.skipped_sockets) == (bytes(1024), 1)


def test_holes_are_zeros(tree: Path, tmp_path: Path) -> None:
    with open(tree / "sparse", "wb") as file:
        file.seek(3_000_000)
        file.write(b"middle")
        file.seek(9_000_001)
        file.write(b"end")
        file.truncate(10_000_000)
    with open(tree / "hole", "wb") as file:
        file.truncate(5000)
    raw = round_trip(tree, tmp_path)
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        content = tar.extractfile("sparse")
        assert content is not None
        assert content.read() == (tree / "sparse").read_bytes()
        assert tar.getmember("hole").size == 5000


def test_omitted_paths(tree: Path) -> None:
    for name in ("a/b", "ab", "c"):
        (tree / name).mkdir(parents=True)
        (tree / name / "f").write_text("x")
    assert list(members(packed(tree, omit=["a/b", "c"])[0])) == ["a", "ab", "ab/f"]


def test_the_root_is_an_entry_when_asked_for(tree: Path) -> None:
    os.chmod(tree, 0o711)
    os.chown(tree, 3, 4)
    (tree / "f").write_text("x")
    found = members(packed(tree, LAYER | ROOT)[0])
    root = found["."] if "." in found else found["./"]
    assert root.isdir() and (root.mode, root.uid, root.gid) == (0o711, 3, 4)


def test_a_tree_that_is_changed_meanwhile_gives_a_good_archive(tree: Path) -> None:
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            path = tree / f"d{number % 7}"
            try:
                path.mkdir(exist_ok=True)
                (path / "grows").write_bytes(b"x" * (number * 997 % 100_000))
                (path / f"f{number % 31}").write_bytes(b"y" * 5000)
                if number % 3 == 0:
                    subprocess.run(["rm", "-rf", path], check=False)
                elif number % 5 == 0:
                    path.rename(tree / f"moved{number % 4}")
                elif number % 11 == 0:
                    os.link(path / "grows", tree / f"link{number}")
            except OSError:
                pass

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(60):
            raw, _ = packed(tree)
            members(raw)
    finally:
        stop.set()
        changer.join()


def test_it_stops_when_nobody_reads_on_and_when_it_is_told_to(tree: Path) -> None:
    (tree / "big").write_bytes(bytes(1 << 22))
    reader, sink = os.pipe()
    os.close(reader)
    directory = os.open(tree, os.O_RDONLY)
    try:
        with pytest.raises(TarError) as error:
            TarWriter().run(directory, sink)
        assert isinstance(error.value, OSError) and error.value.errno == 32
        writer = TarWriter()
        writer.stop()
        with pytest.raises(TarError, match="stopped"):
            writer.run(directory, sink)
    finally:
        os.close(sink)
        os.close(directory)


def test_gnu_tar_makes_the_same_tree(tree: Path, tmp_path: Path) -> None:
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/tool").write_bytes(os.urandom(70_000))
    os.link(tree / "usr/bin/tool", tree / "usr/bin/other")
    (tree / ("l" * 200)).symlink_to("x" * 200)
    raw, _ = packed(tree)
    other = tmp_path / "gnu"
    other.mkdir()
    subprocess.run(["tar", "-xpf", "-", "-C", other], input=raw, check=True)
    assert packed(other)[0] == raw
