"""The doors to the kernel do what the system call says and name what they tried when it refuses."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tuidock import native

KERNEL = tuple(int(part) for part in os.uname().release.split(".")[:2])
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="mounts and namespaces need root"
)


def test_a_link_of_a_rootfs_ends_inside_the_rootfs(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hostname").write_text("inside")
    (tmp_path / "link").symlink_to("/etc/hostname")
    root = os.open(tmp_path, os.O_PATH)
    fd = native.open_in_root(root, "../../link", os.O_RDONLY)
    try:
        assert os.read(fd, 100) == b"inside"
        assert not os.get_inheritable(fd)
    finally:
        os.close(fd)
        os.close(root)


def test_an_error_names_what_was_tried_and_on_what(tmp_path: Path) -> None:
    root = os.open(tmp_path, os.O_PATH)
    try:
        with pytest.raises(FileNotFoundError) as error:
            native.open_in_root(root, "absent", os.O_RDONLY)
    finally:
        os.close(root)
    assert error.value.errno == errno.ENOENT
    assert "open" in str(error.value) and "absent" in str(error.value)


def test_a_process_is_signalled_and_its_descriptor_fetched_by_pidfd(tmp_path: Path) -> None:
    (tmp_path / "given").write_text("from the child")
    with (tmp_path / "given").open() as given:
        child = subprocess.Popen(["sleep", "60"], stdin=given)
    pidfd = native.pidfd_open(child.pid)
    try:
        fetched = native.pidfd_getfd(pidfd, 0)
        assert os.pread(fetched, 100, 0) == b"from the child"
        os.close(fetched)
        native.pidfd_send_signal(pidfd, signal.SIGTERM)
        assert child.wait(10) == -signal.SIGTERM
        with pytest.raises(ProcessLookupError, match="send signal"):
            native.pidfd_send_signal(pidfd, signal.SIGTERM)
    finally:
        os.close(pidfd)


def test_rename_without_replacing_refuses_an_existing_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        native.renameat2(native.AT_FDCWD, str(tmp_path / "a"), native.AT_FDCWD, str(tmp_path / "b"))
    assert (tmp_path / "b").read_text() == "b"


@pytest.mark.skipif(KERNEL < (6, 15), reason="this kernel does not clone a mount that is not mounted anywhere")
@needs_root
def test_an_overlay_is_mounted_and_cloned_by_descriptor_only(tmp_path: Path) -> None:
    for name in ("low", "up", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "low/file").write_text("from below")
    context = native.fsopen("overlay")
    for key, name in (("lowerdir", "low"), ("upperdir", "up"), ("workdir", "work")):
        native.fsconfig(context, native.FSCONFIG_SET_STRING, key, str(tmp_path / name))
    native.fsconfig(context, native.FSCONFIG_CMD_CREATE)
    mount = native.fsmount(context)
    os.close(context)
    clone = native.open_tree(mount, "", native.OPEN_TREE_CLONE | native.OPEN_TREE_CLOEXEC | native.AT_EMPTY_PATH)
    native.mount_setattr(clone, "", native.AT_EMPTY_PATH, set=native.MOUNT_ATTR_RDONLY)
    try:
        fd = native.open_in_root(mount, "/file", os.O_RDONLY)
        assert os.read(fd, 100) == b"from below"
        os.close(fd)
        with pytest.raises(OSError) as error:
            native.open_in_root(clone, "/new", os.O_WRONLY | os.O_CREAT, 0o644)
        assert error.value.errno == errno.EROFS
        readable = native.open_in_root(mount, "/", os.O_RDONLY)
        native.syncfs(readable)
        os.close(readable)
    finally:
        os.close(clone)
        os.close(mount)


@needs_root
@pytest.mark.skipif(KERNEL < (6, 5), reason="overlay of this kernel does not say why it refuses an option")
def test_the_kernels_own_message_is_in_the_error_of_a_refused_mount(tmp_path: Path) -> None:
    context = native.fsopen("overlay")
    try:
        with pytest.raises(OSError, match="option nonsense"):
            native.fsconfig(context, native.FSCONFIG_SET_STRING, "nonsense", "1")
    finally:
        os.close(context)


def test_the_shim_lies_beside_the_extension() -> None:
    assert Path(native.shim_path()).parent == Path(native.__file__).parent


def test_a_tree_of_any_depth_is_removed_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").write_text("kept")
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(tmp_path / "outside")
    (top / ".deep-0").write_text("in the way")
    fd = os.open(top, os.O_RDONLY)
    for level in range(1500):
        os.mkdir("d", dir_fd=fd)
        if level % 100 == 0:
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        deeper = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = deeper
    os.close(fd)
    native.remove_tree(str(top))
    assert os.listdir(tmp_path) == ["outside"] and os.listdir(tmp_path / "outside") == ["kept"]
    native.remove_tree(str(top))


def test_removing_a_link_removes_only_the_link(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "directory")
    native.remove_tree(str(tmp_path / "link"))
    assert os.listdir(tmp_path) == ["directory"]
