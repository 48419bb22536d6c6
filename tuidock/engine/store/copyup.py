"""Copy-up: a new, empty volume gets what the image has at the place that it covers, as docker does.

The copy is made beside the volume and committed by one rename; then its entries move into the volume's own directory,
which may already be mounted elsewhere and so must stay the same inode. Whoever comes after a crash finishes the moves.
The source is resolved inside the image by descriptor, because a VOLUME path with links copied the host's files once
(CVE-2022-23648).
"""

from __future__ import annotations

import errno
import os
import stat

from tuidock import native
from tuidock.engine.extents import copy_data
from tuidock.engine.files import locked, remove_tree
from tuidock.engine.store import merged

_COPY = "_copy"
_PARTIAL = "_copy.partial"
_OVERLAY_XATTRS = ("trusted.overlay.", "user.overlay.")


def copy_up(volume: str, lower: tuple[str, ...], destination: str) -> bool:
    """volume is the directory that holds _data. True when content was put into it."""
    with locked(f"{volume}/lock"):
        if os.path.isdir(f"{volume}/{_COPY}"):
            _move_in(volume)
            return True
        if os.listdir(f"{volume}/_data"):
            return False
        source = _open_source(volume, lower, destination)
        if source < 0:
            return False
        try:
            copy_tree(source, f"{volume}/{_PARTIAL}")
        finally:
            os.close(source)
        os.rename(f"{volume}/{_PARTIAL}", f"{volume}/{_COPY}")
        _move_in(volume)
    return True


def fill(volume: str, root: int, lower: tuple[str, ...], destination: str) -> bool:
    """The same for a volume on a file system of its own, given by a descriptor of its root: no rename reaches it, so a
    kill leaves it with a part. True when content was put into it."""
    with locked(f"{volume}/lock"):
        if os.listdir(root):
            return False
        source = _open_source(volume, lower, destination)
        if source < 0:
            return False
        try:
            _copy_directory(source, f"/proc/self/fd/{root}/.", {})
            native.syncfs(root)
        finally:
            os.close(source)
    return True


def _open_source(scratch: str, lower: tuple[str, ...], destination: str) -> int:
    """A descriptor of the image's directory, -1 when it has none there."""
    root = merged.open_merged(scratch, lower)
    try:
        return native.open_in_root(root, destination.lstrip("/") or ".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return -1
        raise
    finally:
        os.close(root)


def fill_from(volume: str, source: int) -> None:
    """An empty volume gets a copy of the directory behind the descriptor, all of it or nothing. Raises OSError."""
    with locked(f"{volume}/lock"):
        copy_tree(source, f"{volume}/{_PARTIAL}")
        os.rename(f"{volume}/{_PARTIAL}", f"{volume}/{_COPY}")
        _move_in(volume)


def copy_image(directory: str, lower: tuple[str, ...], target: str) -> None:
    """The image's merged tree as a new directory `target`; `directory` is for what that takes meanwhile. Raises OSError."""
    mount = merged.open_merged(directory, lower)
    try:
        root = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
    finally:
        os.close(mount)
    try:
        known = os.fstat(root)
        ready = target + ".new"
        copy_tree(root, ready)
        os.chown(ready, known.st_uid, known.st_gid)
        os.chmod(ready, stat.S_IMODE(known.st_mode))
        os.rename(ready, target)
    finally:
        os.close(root)


def _move_in(volume: str) -> None:
    ready, target = f"{volume}/{_COPY}", f"{volume}/_data"
    root = _open(ready)
    try:
        known = os.fstat(root)
        for name in os.listdir(root):
            try:
                os.rename(f"{ready}/{name}", f"{target}/{name}")
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR, errno.ENOTDIR):
                    raise
                _discard(f"{ready}/{name}")  # after a crash somebody has used the volume: theirs is newer
        _dress_entry(f"/proc/self/fd/{root}", known, target, directory=True)
    finally:
        os.close(root)
    os.rmdir(ready)


def _discard(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        remove_tree(path)
    else:
        os.unlink(path)


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)


def copy_tree(source: int, target: str) -> None:
    """Copy a directory given by descriptor to a new path: content, owners, modes, times, xattrs, links, nodes."""
    if os.path.lexists(target):
        remove_tree(target)
    os.mkdir(target, 0o700)
    try:
        _copy_directory(source, target, {})
    except RecursionError:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)) from None
    descriptor = _open(target)
    try:
        native.syncfs(descriptor)
    finally:
        os.close(descriptor)


def _copy_directory(source: int, target: str, linked: dict[tuple[int, int], str]) -> None:
    for name in os.listdir(source):
        known = os.stat(name, dir_fd=source, follow_symlinks=False)
        path = f"{target}/{name}"
        key = (known.st_dev, known.st_ino)
        if known.st_nlink > 1 and not stat.S_ISDIR(known.st_mode):
            if key in linked:
                os.link(linked[key], path, follow_symlinks=False)
                continue
            linked[key] = path
        _copy_entry(source, name, known, path, linked)
    _dress(source, target)


def _copy_entry(source: int, name: str, known: os.stat_result, path: str, linked: dict[tuple[int, int], str]) -> None:
    mode = known.st_mode
    if stat.S_ISDIR(mode):
        os.mkdir(path, 0o700)
        child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=source)
        try:
            _copy_directory(child, path, linked)
        finally:
            os.close(child)
        return
    if stat.S_ISSOCK(mode) or (stat.S_ISCHR(mode) and known.st_rdev == 0):
        return  # a socket has nobody behind it; 0:0 is a whiteout
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(name, dir_fd=source), path)
    elif stat.S_ISREG(mode):
        _copy_file(source, name, path)
    else:
        os.mknod(path, stat.S_IFMT(mode) | 0o600, known.st_rdev)
    _dress_entry(f"/proc/self/fd/{source}/{name}", known, path)


def _copy_file(source: int, name: str, path: str) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=source)
    try:
        writer = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            copy_data(reader, writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _dress(source: int, target: str) -> None:
    _dress_entry(f"/proc/self/fd/{source}", os.fstat(source), target, directory=True)


def _dress_entry(source: str, known: os.stat_result, path: str, *, directory: bool = False) -> None:
    """Owner, mode, xattrs, times, in the order in which the kernel does not clear what was set before."""
    os.chown(path, known.st_uid, known.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(known.st_mode):
        os.chmod(path, stat.S_IMODE(known.st_mode))
    for name in _xattrs(source, directory):
        try:
            os.setxattr(path, name, os.getxattr(source, name, follow_symlinks=directory), follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EPERM, errno.ENODATA):
                raise
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns), follow_symlinks=False)


def _xattrs(source: str, directory: bool) -> list[str]:
    try:
        # a directory is named by its descriptor, which is a link to follow; its entries are not
        names = os.listxattr(source, follow_symlinks=directory)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EPERM):
            return []
        raise
    return [name for name in names if not name.startswith(_OVERLAY_XATTRS)]
