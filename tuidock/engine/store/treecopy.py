"""Copying a directory tree between two descriptors: owner, mode, times, attributes, hard links; holes are filled.

Every step goes by descriptor and follows no link, so that nothing an image holds can lead the copy elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat

_SKIPPED = ("trusted.overlay.", "user.overlay.")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def copy_tree(source: int, target: int) -> None:
    """Fills the target directory with the source's entries and gives it the source's looks. Raises OSError."""
    _copy_directory(source, target, {}, target, "")


def _copy_directory(source: int, target: int, seen: dict[tuple[int, int], str], top: int, path: str) -> None:
    for name in sorted(os.listdir(source)):
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        below = f"{path}/{name}" if path else name
        if stat.S_ISDIR(status.st_mode):
            inner = os.open(name, _DIRECTORY, dir_fd=source)
            try:
                os.mkdir(name, 0o700, dir_fd=target)
                made = os.open(name, _DIRECTORY, dir_fd=target)
                try:
                    _copy_directory(inner, made, seen, top, below)
                finally:
                    os.close(made)
            finally:
                os.close(inner)
            continue
        key = (status.st_dev, status.st_ino)
        if status.st_nlink > 1 and key in seen:
            os.link(seen[key], name, src_dir_fd=top, dst_dir_fd=target, follow_symlinks=False)
            continue
        seen[key] = below
        _copy_entry(source, target, name, status)
    _dress(source, target, os.fstat(source))


def _copy_entry(source: int, target: int, name: str, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        _copy_file(source, target, name, status)
        return
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    elif stat.S_ISSOCK(status.st_mode):
        return
    else:
        os.mknod(name, stat.S_IFMT(status.st_mode) | 0o600, status.st_rdev, dir_fd=target)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)


def _copy_file(source: int, target: int, name: str, status: os.stat_result) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writer = os.open(name, flags, 0o600, dir_fd=target)
        try:
            while os.sendfile(writer, reader, None, 1 << 30):
                pass
            _dress(reader, writer, status)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _dress(source: int, target: int, status: os.stat_result) -> None:
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    try:
        names = os.listxattr(source)
    except OSError:
        names = []
    for name in names:
        if name.startswith(_SKIPPED):
            continue
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
