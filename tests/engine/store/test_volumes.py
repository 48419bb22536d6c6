"""Volumes: rows with directories, users, and the copy-up of an image's content."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from tuidock import native
from tuidock.engine.errors import InUse, InvalidArgument, NotFound, Unsupported
from tuidock.engine.options import volume_driver
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import copyup, volumes


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer with everything that a copy can lose."""
    data = tmp_path / "layer" / "srv" / "data"
    (data / "deep" / "er").mkdir(parents=True)
    (data / "file").write_text("content")
    os.chown(data / "file", 1234, 4321)
    os.chmod(data / "file", 0o4751)
    os.setxattr(data / "file", "user.note", b"kept")
    os.link(data / "file", data / "deep" / "twin")
    (data / "absolute").symlink_to("/etc/passwd")
    (data / "dangling").symlink_to("nowhere")
    os.mkfifo(data / "fifo", 0o600)
    os.mknod(data / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(data / "gone", stat.S_IFCHR | 0o600, 0)
    os.utime(data / "file", ns=(5, 1_000_000_007))
    os.utime(data / "absolute", ns=(5, 7), follow_symlinks=False)
    os.chmod(data / "deep", 0o1777)
    os.chown(data, 77, 88)
    os.chmod(data, 0o2750)
    os.utime(data, ns=(5, 9))
    return tmp_path / "layer"


def use(state: State, volume: str, container: str) -> None:
    with state.write() as db:
        db.execute(
            "INSERT INTO containers(id, name, image, image_id, created, command, restart_policy, auto_remove, tty, "
            "open_stdin, exposed, labels, mounts, request) VALUES (?, ?, '', '', 0, '', 'no', 0, 0, 0, '', '', '', '')",
            (container * 64, container),
        )
        db.execute("INSERT INTO volume_uses VALUES (?, ?)", (volume, container * 64))


def test_a_volume_is_made_once_and_keeps_its_first_labels(state: State, paths: Paths) -> None:
    assert volumes.ensure(state, paths, "data", labels={"a": "b"})
    assert not volumes.ensure(state, paths, "data", labels={"c": "d"})
    (found,) = volumes.list_volumes(state, paths)
    assert (found.name, found.labels, found.anonymous, found.users) == ("data", {"a": "b"}, False, ())
    assert os.path.isdir(found.mountpoint)
    shown = volumes.inspect(state, paths, "data")
    assert shown["Mountpoint"] == f"{paths.volumes}/data/_data" and shown["Scope"] == "local"


def test_a_lost_directory_is_made_again(state: State, paths: Paths) -> None:
    volumes.ensure(state, paths, "data")
    os.rmdir(volumes.data_directory(paths, "data"))
    assert not volumes.ensure(state, paths, "data")
    assert os.path.isdir(volumes.data_directory(paths, "data"))


@pytest.mark.parametrize("name", ["", "a", "../x", "a/b", ".hidden", "-x", "a b", "ä1", "x" * 256, "a\n"])
def test_names_that_are_no_names_are_refused(state: State, paths: Paths, name: str) -> None:
    with pytest.raises(InvalidArgument):
        volumes.ensure(state, paths, name)
    assert os.listdir(paths.volumes) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "nfs"}, "invalid option"),
        ({"type": "nfs"}, 'missing required option: "device"'),
        ({"device": "/dev/x"}, 'missing required option: "type"'),
        ({"o": "ro"}, "missing required option"),
        ({"type": "none", "o": "bind", "device": "relative"}, "absolute path"),
        ({"type": "none", "device": "/tmp"}, "no type of a file system"),
        ({"type": "ext4", "device": "/dev/x", "size": "1g"}, "has the size of its device"),
        ({"type": "tmpfs", "size": "much"}, "invalid size"),
        ({"type": "tmpfs", "o": "size=1\x1fbind"}, "control character"),
    ],
)
def test_wrong_driver_options_are_refused_in_a_sentence(
    state: State, paths: Paths, options: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        volumes.ensure(state, paths, "data", options=options)
    assert os.listdir(paths.volumes) == []


def test_driver_options_are_kept_and_shown(state: State, paths: Paths) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=1000"}
    volumes.ensure(state, paths, "data", options=options)
    assert volumes.inspect(state, paths, "data")["Options"] == options
    assert volume_driver.file_system(options) == ("tmpfs", "tmpfs", ("size=1m", "uid=1000"))
    assert volume_driver.file_system({"type": "none", "o": "bind,ro", "device": "/x"}) == (
        "bind", "/x", ("ro", "nonrecursive"),
    )  # fmt: skip


def test_a_size_for_a_directory_needs_a_quota(state: State, paths: Paths) -> None:
    with pytest.raises(Unsupported, match="cannot be limited"):
        volumes.ensure(state, paths, "data", options={"size": "10m"})
    assert os.listdir(paths.volumes) == [] and volumes.list_volumes(state, paths) == []


def test_removal_names_the_users_and_takes_the_content_along(state: State, paths: Paths) -> None:
    volumes.ensure(state, paths, "data")
    Path(volumes.data_directory(paths, "data"), "f").write_text("12345")
    use(state, "data", "b")
    use(state, "data", "a")
    assert volumes.list_volumes(state, paths)[0].users == ("a", "b")
    with pytest.raises(InUse, match="in use by a, b"):
        volumes.remove(state, paths, "data", force=True)
    assert volumes.size(paths, "data") == 5
    with state.write() as db:
        db.execute("DELETE FROM volume_uses")
    volumes.remove(state, paths, "data")
    assert os.listdir(paths.volumes) == os.listdir(paths.trash) == []
    with pytest.raises(NotFound):
        volumes.remove(state, paths, "data")
    volumes.remove(state, paths, "data", force=True)


def assert_is_copy(data: Path) -> None:
    known = os.lstat(data / "file")
    assert (known.st_uid, known.st_gid, stat.S_IMODE(known.st_mode)) == (1234, 4321, 0o4751)
    assert known.st_mtime_ns == 1_000_000_007
    assert (data / "file").read_text() == "content"
    assert os.getxattr(data / "file", "user.note") == b"kept"
    assert os.lstat(data / "deep" / "twin").st_ino == known.st_ino
    assert os.readlink(data / "absolute") == "/etc/passwd"
    assert os.lstat(data / "absolute").st_mtime_ns == 7
    assert os.readlink(data / "dangling") == "nowhere"
    assert stat.S_ISFIFO(os.lstat(data / "fifo").st_mode)
    assert os.lstat(data / "null").st_rdev == os.makedev(1, 3)
    assert not os.path.lexists(data / "gone")
    assert stat.S_IMODE(os.lstat(data / "deep").st_mode) == 0o1777
    top = os.lstat(data)
    assert (top.st_uid, top.st_gid, stat.S_IMODE(top.st_mode)) == (77, 88, 0o2750)


def test_an_empty_volume_gets_the_images_content(state: State, paths: Paths, layer: Path) -> None:
    volumes.ensure(state, paths, "data")
    data = Path(volumes.data_directory(paths, "data"))
    inode = data.stat().st_ino
    assert volumes.copy_up(state, paths, "data", (str(layer),), "/srv/data")
    assert_is_copy(data)
    assert data.stat().st_mtime_ns == 9
    assert data.stat().st_ino == inode, "a container that has the volume mounted must see the content"
    assert sorted(os.listdir(data.parent)) == ["_data", "lock"]
    assert volumes.size(paths, "data") == len("content" + "/etc/passwd" + "nowhere")
    assert not volumes.copy_up(state, paths, "data", (str(layer),), "/srv")


def test_a_volume_with_content_is_left_alone(state: State, paths: Paths, layer: Path) -> None:
    volumes.ensure(state, paths, "data")
    Path(volumes.data_directory(paths, "data"), "mine").write_text("")
    assert not volumes.copy_up(state, paths, "data", (str(layer),), "/srv/data")
    assert os.listdir(volumes.data_directory(paths, "data")) == ["mine"]


def test_what_is_no_directory_in_the_image_is_not_copied(state: State, paths: Paths, layer: Path) -> None:
    volumes.ensure(state, paths, "data")
    assert not volumes.copy_up(state, paths, "data", (str(layer),), "/absent")
    assert not volumes.copy_up(state, paths, "data", (str(layer),), "/srv/data/file")


def test_links_and_dots_end_at_the_images_root(state: State, paths: Paths, layer: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("host")
    (layer / "out").symlink_to(f"{tmp_path}/secret")
    (layer / "up").symlink_to("../../../../../../../../srv/data/deep")
    volumes.ensure(state, paths, "data")
    assert not volumes.copy_up(state, paths, "data", (str(layer),), "/out")
    assert not volumes.copy_up(state, paths, "data", (str(layer),), f"/srv/../../../..{tmp_path}/secret")
    assert volumes.copy_up(state, paths, "data", (str(layer),), "/up")
    assert sorted(os.listdir(volumes.data_directory(paths, "data"))) == ["er", "twin"]


@pytest.mark.parametrize("old_kernel", [False, True])
def test_several_layers_are_seen_merged(
    state: State, paths: Paths, layer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old_kernel: bool
) -> None:
    if old_kernel:
        real = native.fsconfig

        def refuse(context: int, command: int, key: str = "", value: str | None = None, aux: int = 0) -> None:
            if key == "lowerdir+":
                raise OSError(errno.EINVAL, "no such option")
            real(context, command, key, value, aux)

        monkeypatch.setattr(native, "fsconfig", refuse)
    here = os.getcwd()
    top = tmp_path / "top" / "srv" / "data"
    top.mkdir(parents=True)
    (top / "new").write_text("x")
    os.mknod(top / "file", stat.S_IFCHR | 0o600, 0)
    between = [tmp_path / f"between{n}" for n in range(100)]
    for directory in between:
        directory.mkdir()
    volumes.ensure(state, paths, "data")
    lower = (str(tmp_path / "top"), *map(str, between), str(layer))
    assert volumes.copy_up(state, paths, "data", lower, "/srv/data")
    data = Path(volumes.data_directory(paths, "data"))
    assert not (data / "file").exists() and (data / "new").exists() and (data / "deep" / "twin").exists()
    assert not any(name.startswith("trusted.overlay") for name in os.listxattr(data))
    assert sorted(os.listdir(data.parent)) == ["_data", "lock"]
    assert os.getcwd() == here
    if old_kernel:
        volumes.ensure(state, paths, "more")
        with pytest.raises(Unsupported, match="an image of 202 layers"):
            volumes.copy_up(state, paths, "more", lower + tuple(map(str, between)), "/srv/data")


def test_a_copy_keeps_holes(state: State, paths: Paths, layer: Path) -> None:
    with (layer / "srv/data/holes").open("wb") as file:
        os.pwrite(file.fileno(), b"middle", 1 << 30)
        file.truncate(3 << 30)
    volumes.ensure(state, paths, "data")
    assert volumes.copy_up(state, paths, "data", (str(layer),), "/srv/data")
    with open(volumes.data_directory(paths, "data") + "/holes", "rb") as file:
        assert os.pread(file.fileno(), 8, (1 << 30) - 1) == b"\0middle\0"
        assert os.fstat(file.fileno()).st_size == 3 << 30 and os.fstat(file.fileno()).st_blocks * 512 < 1 << 20


def test_a_copy_that_a_kill_cut_short_is_finished_by_the_next(state: State, paths: Paths, layer: Path) -> None:
    volumes.ensure(state, paths, "data")
    data = Path(volumes.data_directory(paths, "data"))
    source = os.open(layer / "srv" / "data", os.O_RDONLY)
    copyup.copy_tree(source, str(data.parent / "_copy"))
    os.close(source)
    os.rename(data.parent / "_copy" / "null", data / "null")
    assert volumes.copy_up(state, paths, "data", (str(layer),), "/absent")
    assert_is_copy(data)


def test_a_copy_that_a_kill_left_half_made_starts_anew(state: State, paths: Paths, layer: Path) -> None:
    volumes.ensure(state, paths, "data")
    data = Path(volumes.data_directory(paths, "data"))
    (data.parent / "_copy.partial" / "deep").mkdir(parents=True)
    assert volumes.copy_up(state, paths, "data", (str(layer),), "/srv/data")
    assert_is_copy(data)


def test_what_a_container_wrote_after_the_crash_is_kept(state: State, paths: Paths, layer: Path) -> None:
    volumes.ensure(state, paths, "data")
    data = Path(volumes.data_directory(paths, "data"))
    source = os.open(layer / "srv" / "data", os.O_RDONLY)
    copyup.copy_tree(source, str(data.parent / "_copy"))
    os.close(source)
    (data / "deep").mkdir()
    (data / "deep" / "newer").write_text("")
    assert volumes.copy_up(state, paths, "data", (str(layer),), "/srv/data")
    assert os.listdir(data / "deep") == ["newer"]
    assert not (data.parent / "_copy").exists()
