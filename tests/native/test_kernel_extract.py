"""The extractor writes what GNU tar writes, turns whiteouts into overlay's, and lets no archive out of its directory."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tuidock.native.extractor import LAYER, ExtractError, Extractor

pytestmark = pytest.mark.skipif(os.geteuid() != 0 and os.environ.get("CI") != "true", reason="owners need root")

Build = Callable[[tarfile.TarFile], None]


def entry(name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.mode = kind, mode
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def file(tar: tarfile.TarFile, name: str, content: bytes = b"content", **fields: object) -> None:
    tar.addfile(entry(name, size=len(content), **fields), io.BytesIO(content))


def archive(build: Build, kind: int = tarfile.PAX_FORMAT) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=kind) as tar:
        build(tar)
    return raw.getvalue()


def extract(raw: bytes, root: Path, flags: int = LAYER, lower: tuple[Path, ...] = (), **limits: int) -> Extractor:
    """Through a pipe, as layers come; every directory of the tree stands in `root`."""
    root.mkdir(exist_ok=True)
    reader, writer = os.pipe()

    def feed() -> None:
        try:
            with os.fdopen(writer, "wb") as out:
                out.write(raw)
        except BrokenPipeError:
            pass

    feeder = threading.Thread(target=feed)
    feeder.start()
    directory = os.open(root, os.O_RDONLY)
    lowers = [os.open(path, os.O_RDONLY) for path in lower]
    extractor = Extractor(flags, lower=lowers, **limits)
    try:
        extractor.run(reader, directory)
    finally:
        for fd in (reader, directory, *lowers):
            os.close(fd)
        feeder.join()
    return extractor


def refused(raw: bytes, root: Path, **limits: int) -> str:
    with pytest.raises(ExtractError) as error:
        extract(raw, root, **limits)
    assert error.value.bad_content
    return error.value.reason


# --- fidelity


@pytest.mark.parametrize("form", ["pax", "gnu", "ustar", "v7"])
def test_a_tree_comes_out_as_gnu_tar_writes_it(tmp_path: Path, form: str) -> None:
    tree = tmp_path / "tree"
    long = "n" * (200 if form in ("pax", "gnu") else 80)
    deep = tree / ("d" * 90) / ("e" * 90) if form != "v7" else tree / "d"
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(os.urandom(70_000))
    (tree / long).write_text("long name")
    (tree / "link").symlink_to("/etc/" + "t" * (150 if form in ("pax", "gnu") else 50))
    os.link(tree / long, tree / "hard")
    (tree / "setuid").write_text("x")
    os.chown(tree / "setuid", 1000, 2000)
    os.chmod(tree / "setuid", 0o6755)
    (tree / "empty").mkdir(mode=0o1777)
    os.chmod(tree / "empty", 0o1777)
    if form != "v7":
        os.mkfifo(tree / "fifo", 0o640)
        os.mknod(tree / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(tree / "disk", stat.S_IFBLK | 0o660, os.makedev(259, 4099))
    os.utime(tree / "setuid", ns=(5, -7_500_000_000 if form == "pax" else 7_000_000_000))
    raw = subprocess.run(
        ["tar", f"--format={form}", "--numeric-owner", "-C", str(tree), "-c", "."], capture_output=True, check=True
    ).stdout
    expected, got = tmp_path / "expected", tmp_path / "got"
    expected.mkdir()
    subprocess.run(["tar", "-C", str(expected), "--numeric-owner", "-xp"], input=raw, check=True)
    extract(raw, got)
    assert listing(got) == listing(expected)
    assert os.stat(got / "hard").st_ino == os.stat(got / long).st_ino


def listing(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for directory, names, files in os.walk(root):
        for name in (*names, *files, ""):
            path = Path(directory, name)
            status = path.lstat()
            content: object = None
            if path.is_symlink():
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(root))] = (
                status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_rdev, status.st_nlink, content,
            )  # fmt: skip
    return found


@pytest.mark.parametrize("form", ["--format=gnu -S", "--format=pax -S", "--format=pax -S --sparse-version=0.0",
                                  "--format=pax -S --sparse-version=0.1"])  # fmt: skip
def test_sparse_files_keep_their_content_and_their_holes(tmp_path: Path, form: str) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with (tree / "sparse").open("wb") as out:
        for number in range(60):  # more pieces than the first header of the old format holds
            out.seek(number * 100_000)
            out.write(bytes([number + 1]) * 5000)
        out.truncate(20_000_000)
    (tree / "behind").write_text("still there")
    raw = subprocess.run(["tar", *form.split(), "-C", str(tree), "-c", "sparse", "behind"], capture_output=True,
                         check=True).stdout  # fmt: skip
    assert len(raw) < 2_000_000
    extractor = extract(raw, tmp_path / "got")
    assert (tmp_path / "got/sparse").read_bytes() == (tree / "sparse").read_bytes()
    assert (tmp_path / "got/sparse").stat().st_blocks * 512 < 5_000_000
    assert (tmp_path / "got/behind").read_text() == "still there"
    assert extractor.file_bytes == 20_000_000 + len("still there")


def test_attributes_survive_but_overlays_own_are_dropped(tmp_path: Path) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service+ep
    headers = {
        "SCHILY.xattr.security.capability": capability.decode("latin-1"),
        "SCHILY.xattr.user.note": "kept",
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
        "SCHILY.xattr.trusted.overlay.metacopy": "",
    }
    raw = archive(lambda tar: file(tar, "program", uid=33, gid=33, mode=0o4755, pax_headers=headers))
    # tarfile writes UTF-8; the capability has only bytes below 0x80, so it arrives unchanged
    extract(raw, tmp_path / "got")
    program = tmp_path / "got/program"
    assert sorted(os.listxattr(program)) == ["security.capability", "user.note"]
    assert os.getxattr(program, "security.capability") == capability
    assert stat.S_IMODE(program.stat().st_mode) == 0o4755 and program.stat().st_uid == 33


def test_the_entry_of_the_root_dresses_the_root_directory(tmp_path: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        tar.addfile(entry("./", tarfile.DIRTYPE, 0o2711, uid=5, gid=6, mtime=77))
        file(tar, "./file")

    extractor = extract(archive(build), tmp_path / "got")
    status = (tmp_path / "got").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime) == (0o2711, 5, 6, 77)
    assert extractor.root_seen


def test_directories_keep_their_time_although_they_are_filled(tmp_path: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        tar.addfile(entry("a", tarfile.DIRTYPE, 0o755, mtime=1000))
        tar.addfile(entry("a/b", tarfile.DIRTYPE, 0o755, mtime=2000))
        file(tar, "a/b/file", mtime=3000)

    extract(archive(build), tmp_path / "got")
    assert [(tmp_path / "got" / name).stat().st_mtime for name in ("a", "a/b", "a/b/file")] == [1000, 2000, 3000]


def test_directories_that_are_only_implied_look_as_they_do_below(tmp_path: Path) -> None:
    below = tmp_path / "below"
    (below / "tmp/x").mkdir(parents=True)
    os.chmod(below / "tmp", 0o1777)
    os.chown(below / "tmp/x", 7, 8)
    extractor = extract(archive(lambda tar: file(tar, "tmp/x/new/file")), tmp_path / "got", lower=(below,))
    status = [(tmp_path / "got" / name).stat() for name in ("tmp", "tmp/x", "tmp/x/new")]
    assert [stat.S_IMODE(one.st_mode) for one in status] == [0o1777, 0o755, 0o755]
    assert (status[1].st_uid, status[1].st_gid, status[2].st_uid) == (7, 8, 0)
    assert extractor.implied == 3


def test_later_entries_replace_earlier_ones(tmp_path: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        file(tar, "twice", b"first")
        file(tar, "twice", b"second")
        tar.addfile(entry("tree/deep", tarfile.DIRTYPE, 0o755))
        file(tar, "tree/deep/file")
        file(tar, "tree", b"now a file")
        tar.addfile(entry("link", tarfile.SYMTYPE, linkname="elsewhere"))
        tar.addfile(entry("link", tarfile.DIRTYPE, 0o700))
        file(tar, "link/inside")

    extract(archive(build), tmp_path / "got")
    assert (tmp_path / "got/twice").read_bytes() == b"second"
    assert (tmp_path / "got/tree").read_bytes() == b"now a file"
    assert (tmp_path / "got/link/inside").exists() and not (tmp_path / "got/link").is_symlink()


def test_a_growing_file_is_followed_to_its_end(tmp_path: Path) -> None:
    raw = archive(lambda tar: file(tar, "big", b"x" * 3_000_000))
    (tmp_path / "layer").write_bytes(b"")
    (tmp_path / "got").mkdir()
    news, teller = os.pipe()
    tar = os.open(tmp_path / "layer", os.O_RDONLY)
    root = os.open(tmp_path / "got", os.O_RDONLY)
    extractor = Extractor(follow=news)
    thread = threading.Thread(target=extractor.run, args=(tar, root))
    thread.start()
    with (tmp_path / "layer").open("ab", buffering=0) as out:
        for start in range(0, len(raw), 65536):
            out.write(raw[start : start + 65536])
            os.write(teller, b"\0")
    os.close(teller)
    thread.join()
    for fd in (news, tar, root):
        os.close(fd)
    assert (tmp_path / "got/big").stat().st_size == 3_000_000
    assert extractor.bytes_read == len(raw)


# --- whiteouts


def is_whiteout(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def test_whiteouts_become_overlays_own(tmp_path: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        tar.addfile(entry("etc", tarfile.DIRTYPE, 0o755))
        file(tar, "etc/.wh.gone", b"")
        tar.addfile(entry("opt", tarfile.DIRTYPE, 0o755))
        file(tar, "opt/.wh..wh..opq", b"")
        file(tar, "opt/kept")
        file(tar, ".wh..wh.plnk/ignored")

    extract(archive(build), tmp_path / "got")
    assert is_whiteout(tmp_path / "got/etc/gone")
    assert os.getxattr(tmp_path / "got/opt", "trusted.overlay.opaque") == b"y"
    assert sorted(os.listdir(tmp_path / "got")) == ["etc", "opt"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_directory_removed_and_made_anew_in_one_layer_is_opaque(tmp_path: Path, order: tuple[int, int]) -> None:
    steps: list[Build] = [
        lambda tar: tar.addfile(entry("a/.wh.b", size=0)),
        lambda tar: tar.addfile(entry("a/b", tarfile.DIRTYPE, 0o755)),
    ]
    extract(archive(lambda tar: [steps[i](tar) for i in order] and None), tmp_path / "got")
    assert os.getxattr(tmp_path / "got/a/b", "trusted.overlay.opaque") == b"y"


def test_a_file_beside_its_own_whiteout_stays(tmp_path: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        file(tar, "a/b")
        file(tar, "a/.wh.b", b"")

    extract(archive(build), tmp_path / "got")
    assert (tmp_path / "got/a/b").read_bytes() == b"content"


def test_an_import_takes_whiteout_names_as_names(tmp_path: Path) -> None:
    extract(archive(lambda tar: file(tar, "a/.wh.b")), tmp_path / "got", flags=0)
    assert (tmp_path / "got/a/.wh.b").read_bytes() == b"content"


# --- hostile archives


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory beside the root that nothing may touch."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    return tmp_path / "outside"


def untouched(outside: Path) -> bool:
    return os.listdir(outside) == ["secret"] and (outside / "secret").read_text() == "secret"


@pytest.mark.parametrize("name", ["../outside/secret", "a/../../outside/secret", "..", "/../outside/secret"])
def test_a_name_that_climbs_out_is_refused(tmp_path: Path, outside: Path, name: str) -> None:
    reason = refused(archive(lambda tar: file(tar, name, b"owned")), tmp_path / "got")
    assert "leads out" in reason and name in reason
    assert untouched(outside)


def test_an_absolute_name_lands_inside(tmp_path: Path, outside: Path) -> None:
    extract(archive(lambda tar: file(tar, str(outside / "secret"), b"owned")), tmp_path / "got")
    assert untouched(outside)


def test_writing_through_a_link_ends_inside(tmp_path: Path, outside: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        tar.addfile(entry("absolute", tarfile.SYMTYPE, linkname=str(outside)))
        file(tar, "absolute/secret", b"owned")
        tar.addfile(entry("relative", tarfile.SYMTYPE, linkname="../../../../../.." + str(outside)))
        file(tar, "relative/secret2", b"owned")
        tar.addfile(entry("magic", tarfile.SYMTYPE, linkname="/proc/self/root" + str(outside)))
        file(tar, "magic/secret3", b"owned")

    extract(archive(build), tmp_path / "got")
    assert untouched(outside)
    assert (tmp_path / "got" / str(outside).lstrip("/") / "secret").read_bytes() == b"owned"


def test_a_file_that_is_a_link_is_replaced_and_not_followed(tmp_path: Path, outside: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        tar.addfile(entry("link", tarfile.SYMTYPE, linkname=str(outside / "secret")))
        file(tar, "link", b"owned", mode=0o777, uid=1234)

    extract(archive(build), tmp_path / "got")
    assert untouched(outside)
    assert not (tmp_path / "got/link").is_symlink()


def test_a_cached_directory_that_becomes_a_link_is_not_used_any_more(tmp_path: Path, outside: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        file(tar, "a/b/first")
        tar.addfile(entry("a/b", tarfile.SYMTYPE, linkname="/c"))
        file(tar, "a/b/second")

    extract(archive(build), tmp_path / "got")
    assert (tmp_path / "got/c/second").exists() and (tmp_path / "got/a/b").is_symlink()


@pytest.mark.parametrize("target", ["../outside/secret", "/../outside/secret"])
def test_a_hard_link_out_is_refused(tmp_path: Path, outside: Path, target: str) -> None:
    reason = refused(archive(lambda tar: tar.addfile(entry("x", tarfile.LNKTYPE, linkname=target))), tmp_path / "got")
    assert "leads out" in reason
    assert (outside / "secret").stat().st_nlink == 1


def test_a_hard_link_through_a_link_ends_inside(tmp_path: Path, outside: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        tar.addfile(entry("way", tarfile.SYMTYPE, linkname=str(outside)))
        tar.addfile(entry("x", tarfile.LNKTYPE, linkname="way/secret"))

    assert "not there" in refused(archive(build), tmp_path / "got")
    assert (outside / "secret").stat().st_nlink == 1


def test_a_hard_link_to_itself_changes_nothing(tmp_path: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        file(tar, "x")
        tar.addfile(entry("./x", tarfile.LNKTYPE, linkname="x"))

    extract(archive(build), tmp_path / "got")
    assert (tmp_path / "got/x").read_bytes() == b"content"


@pytest.mark.parametrize("name", [".wh.", "a/.wh..", "a/.wh..."])
def test_a_whiteout_of_nothing_is_refused(tmp_path: Path, name: str) -> None:
    assert "names nothing" in refused(archive(lambda tar: file(tar, name, b"")), tmp_path / "got")


def test_names_beyond_every_limit_are_refused(tmp_path: Path) -> None:
    assert "longer than 4096" in refused(archive(lambda tar: file(tar, "a/" * 3000 + "b")), tmp_path / "got")
    gnu = archive(lambda tar: file(tar, "a/" * 3000 + "b"), tarfile.GNU_FORMAT)
    assert "too long" in refused(gnu, tmp_path / "got2")
    assert "longer than 255" in refused(archive(lambda tar: file(tar, "a" * 256)), tmp_path / "got3")


def test_limits_of_entries_and_bytes_hold(tmp_path: Path) -> None:
    raw = archive(lambda tar: [file(tar, f"f{i}") for i in range(20)] and None)
    assert "more than 10 entries" in refused(raw, tmp_path / "got", max_entries=10)
    assert "2000 bytes" in refused(raw, tmp_path / "got2", max_bytes=2000)


def test_a_root_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    build: Build = lambda tar: tar.addfile(entry("./", tarfile.SYMTYPE, linkname="/etc"))  # noqa: E731
    assert "root directory" in refused(archive(build), tmp_path / "got")


@pytest.mark.parametrize("cut", [100, 512, 700, 1100])
def test_a_cut_archive_is_refused(tmp_path: Path, cut: int) -> None:
    raw = archive(lambda tar: file(tar, "f", b"y" * 5000), tarfile.USTAR_FORMAT)
    if cut == 512:
        assert "middle of an entry" in refused(raw[:cut], tmp_path / "got")
    else:
        assert "middle" in refused(raw[:cut], tmp_path / "got")


def test_random_bytes_are_no_archive(tmp_path: Path) -> None:
    assert "no tar archive" in refused(os.urandom(4096), tmp_path / "got")


def test_an_unknown_type_is_refused_by_name(tmp_path: Path) -> None:
    assert '"odd"' in refused(archive(lambda tar: tar.addfile(entry("odd", b"M"))), tmp_path / "got")


@pytest.mark.parametrize(
    "record", [b"8 path=a\n", b"0 path=abc\n", b"99999999 path=a\n", b"12 path=a\0b\n", b"8 =path\n", b"nonsense"]
)
def test_damaged_pax_headers_are_refused(tmp_path: Path, record: bytes) -> None:
    header = entry("pax", tarfile.XHDTYPE, size=len(record)).tobuf(tarfile.USTAR_FORMAT)
    raw = header + record.ljust(512, b"\0") + archive(lambda tar: file(tar, "f"))
    assert "pax" in refused(raw, tmp_path / "got")


def test_no_mutated_archive_crashes_or_leads_out(tmp_path: Path, outside: Path) -> None:
    import random

    def build(tar: tarfile.TarFile) -> None:
        tar.addfile(entry("d", tarfile.DIRTYPE, 0o755))
        file(tar, "d/" + "n" * 150, b"z" * 1500)
        tar.addfile(entry("d/l", tarfile.SYMTYPE, linkname="../.."))
        tar.addfile(entry("h", tarfile.LNKTYPE, linkname="d/l"))

    raw = bytearray(archive(build, tarfile.GNU_FORMAT))
    chance = random.Random(7)
    for number in range(400):
        mutated = bytearray(raw)
        for _ in range(chance.randrange(1, 8)):
            block = chance.randrange(0, len(raw) // 512) * 512
            mutated[block + chance.randrange(512)] = chance.randrange(256)
        for block in range(0, len(mutated), 512):  # checksums fit again, or nothing else would be tested
            if mutated[block + 257 : block + 262] == b"ustar":
                head = mutated[block : block + 512]
                total = sum(head[:148]) + sum(head[156:]) + 256
                mutated[block + 148 : block + 156] = b"%06o\0 " % total
        root = tmp_path / f"got{number}"
        try:
            extract(bytes(mutated), root)
        except ExtractError:
            pass
        assert untouched(outside)
        shutil.rmtree(root)
