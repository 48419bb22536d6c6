"""docker's rules for the two paths of `cp`: what a trailing slash, a `/.`, a link and an absent name mean.

Both ends are looked at through a descriptor of their root, the container's or the machine's, and stay descriptors.
"""

from __future__ import annotations

import os
import stat

from tuidock import native
from tuidock.engine.errors import EngineError, InvalidArgument, NotFound, SystemFailure
from tuidock.engine.named import Named

_LINKS_FOLLOWED = 40


class Side(Named):
    """One end: a descriptor of its root, and the container's name, "" for this machine. kind: what bears that name."""

    root: int
    container: str
    kind: str = "container"

    def missing(self, path: str) -> EngineError:
        """What is to be read, or to be written into, is not there."""
        if self.container:
            error = NotFound("file", path)
            error.args = (f"Could not find the file {path} in {self.kind} {self.container}",)
            return error
        return InvalidArgument(f"lstat {path}: no such file or directory")

    def no_parent(self, path: str) -> EngineError:
        """The directory in which something is to be made is not there."""
        if self.container:
            return self.missing(path)
        return InvalidArgument(f'invalid output path: directory "{path}" does not exist')

    def no_target(self, path: str) -> EngineError:
        """Neither a directory nor a regular file."""
        if self.container:
            return InvalidArgument(f'destination "{self.container}:{path}" must be a directory or a regular file')
        return InvalidArgument(f'invalid output path: "{path}" must be a directory or a regular file')


class Path(Named):
    """A path as it was typed. clean: absolute and without dots; base: how it is called at the other end, "." for the
    content of a directory; directory: it was said to be one."""

    clean: str
    base: str
    directory: bool


class Target(Named):
    """Where a copy goes: a descriptor of the directory, and what the source is called there."""

    directory: int
    name: str


def parse(path: str) -> Path:
    """`a/b/`, `a/b/.`, `/`: an absolute path and what the end of it says."""
    clean = os.path.normpath("/" + path)
    clean = "/" + clean.lstrip("/")
    current = path in ("", ".") or path.endswith("/.")
    base = "." if current or clean == "/" else os.path.basename(clean)
    return Path(clean, base, current or path.endswith("/"))


def open_source(side: Side, path: Path, *, follow: bool) -> int:
    """An O_PATH descriptor of what is to be copied; a link itself, unless it is to be followed. Raises NotFound."""
    flags = native.O_PATH
    if path.directory:
        flags |= os.O_DIRECTORY
    elif not follow:
        flags |= os.O_NOFOLLOW
    try:
        return native.open_in_root(side.root, path.clean, flags)
    except (FileNotFoundError, NotADirectoryError):
        raise side.missing(path.clean) from None


def _final(side: Side, path: Path) -> tuple[str, os.stat_result | None]:
    """The path behind its links, and what is there."""
    clean = path.clean
    for _ in range(_LINKS_FOLLOWED):
        try:
            fd = native.open_in_root(side.root, clean, native.O_PATH | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            return clean, None
        try:
            status = os.fstat(fd)
            if not stat.S_ISLNK(status.st_mode):
                return clean, status
            clean = os.path.normpath(os.path.join(os.path.dirname(clean), os.readlink("", dir_fd=fd)))
        finally:
            os.close(fd)
    raise InvalidArgument(f"{path.clean}: too many levels of symbolic links")


def open_target(side: Side, path: Path, source: Path, *, is_directory: bool) -> Target:
    """The directory that the copy goes to and the name that it gets there.

    Raises InvalidArgument or NotFound in docker's words, SystemFailure for what is mounted read-only.
    """
    clean, status = _final(side, path)
    if status is not None and not stat.S_ISDIR(status.st_mode) and path.directory:
        status = None
    if status is None or not stat.S_ISDIR(status.st_mode):
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise side.no_target(path.clean)
        if status is not None and is_directory:
            raise InvalidArgument("cannot copy directory")
        if status is None and path.directory and not is_directory:
            raise InvalidArgument("no such directory")
        return Target(_open_directory(side, os.path.dirname(clean)), os.path.basename(clean))
    return Target(_open_directory(side, clean), source.base)


def open_directory(side: Side, path: Path) -> int:
    """The directory that an archive is unpacked into."""
    clean, status = _final(side, path)
    if status is None or not stat.S_ISDIR(status.st_mode):
        raise InvalidArgument(f'destination "{side.container}:{path.clean}" must be a directory')
    return _open_directory(side, clean)


def _open_directory(side: Side, path: str) -> int:
    try:
        fd = native.open_in_root(side.root, path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        raise side.no_parent(path) from None
    except NotADirectoryError:
        raise InvalidArgument("extraction point is not a directory" if side.container else "not a directory") from None
    if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
        own = os.fstat(fd).st_dev == os.stat(f"/proc/self/fd/{side.root}").st_dev
        os.close(fd)
        if not side.container:
            raise SystemFailure(f"cannot copy to {path}: read-only file system")
        raise SystemFailure(f"{'container rootfs' if own else 'mounted volume'} is marked read-only")
    return fd
