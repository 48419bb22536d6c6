"""Files on their way from one tree, or archive, to another: the entries, and a tree as source of them and as target.

All names are opened one level at a time or by openat2(RESOLVE_BENEATH), nothing is followed, and what is no regular file
is never opened. What exists at the target is replaced, but no directory by something else, nor the reverse: docker's rule.
"""

from __future__ import annotations

import errno
import os
import stat

from tuidock import native
from tuidock.engine.errors import BadContent, Conflict
from tuidock.engine.extents import copy_piece, extents
from tuidock.engine.files import write_all
from tuidock.engine.idmap import present
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_CAPABILITY = "security.capability"
#: Bytes that are copied at once, and then told.
PIECE = 4 << 20


class Entry(Named):
    """One name. path is relative and clean, "." for the top of what is copied when it has no name of its own.

    kind: stat's S_IFMT bits, 0 for another name (`link`) of an earlier entry. content: a descriptor at its beginning, or a
    stream of `size` bytes; it is the source's and valid until the next entry. pieces: where (offset, bytes) a sparse one of
    an archive is not empty.
    """

    path: str
    kind: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int = 0
    link: str = ""
    device: int = 0
    capability: bytes = b""
    content: int | BinaryIO | None = None
    pieces: tuple[tuple[int, int], ...] | None = None


def tree_entries(place: int, name: str) -> Iterator[Entry]:
    """What an O_PATH descriptor stands for, with all below it, called `name`; sockets are left out."""
    links: dict[tuple[int, int], str] = {}
    yield from _one(place, name, links)
    if not stat.S_ISDIR(os.fstat(place).st_mode):
        return
    stack = [_listed(place, "" if name == "." else name)]
    try:
        while stack:
            directory, path, names = stack[-1]
            if not names:
                os.close(stack.pop()[0])
                continue
            base = names.pop()
            try:
                fd = os.open(base, native.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            except FileNotFoundError:
                continue
            try:
                here = f"{path}/{base}" if path else base
                yield from _one(fd, here, links)
                if stat.S_ISDIR(os.fstat(fd).st_mode):
                    stack.append(_listed(fd, here))
            finally:
                os.close(fd)
    finally:
        for directory, _, _ in stack:
            os.close(directory)


def _listed(place: int, path: str) -> tuple[int, str, list[str]]:
    directory = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return directory, path, sorted(os.listdir(directory), reverse=True)


def _one(place: int, path: str, links: dict[tuple[int, int], str]) -> Iterator[Entry]:
    status = os.fstat(place)
    kind = stat.S_IFMT(status.st_mode)
    entry = Entry(
        path, kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns,
        device=status.st_rdev if kind in (stat.S_IFCHR, stat.S_IFBLK) else 0,
    )  # fmt: skip
    if status.st_nlink > 1 and kind != stat.S_IFDIR:
        first = links.setdefault((status.st_dev, status.st_ino), path)
        if first != path:
            yield entry._replace(kind=0, link=first)
            return
    if kind == stat.S_IFLNK:
        yield entry._replace(link=os.readlink("", dir_fd=place))
    elif kind == stat.S_IFREG:
        fd = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield entry._replace(size=status.st_size, capability=_capability_of(fd), content=fd)
        finally:
            os.close(fd)
    elif kind != stat.S_IFSOCK:
        yield entry


def _capability_of(fd: int) -> bytes:
    try:
        return os.getxattr(fd, _CAPABILITY)
    except OSError:
        return b""


class TreeTarget:
    """A directory that entries are written into; takes the descriptor.

    owner: (uid, gid) that everything gets, None: those of the entries. devices: whether nodes are made.
    """

    def __init__(self, directory: int, *, owner: tuple[int, int] | None, devices: bool) -> None:
        self._root, self._owner, self._devices = directory, owner, devices
        self._parent, self._parent_path = -1, ""
        self._times: list[tuple[str, int]] = []

    def close(self) -> None:
        if self._parent >= 0:
            os.close(self._parent)
        os.close(self._root)
        self._parent = self._root = -1

    def finish(self) -> None:
        """The times of directories, which filling them has changed."""
        for path, moment in reversed(self._times):
            fd = self._open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                os.utime(fd, ns=(moment, moment))
            finally:
                os.close(fd)

    def add(self, entry: Entry) -> Iterator[int]:
        """Writes one entry; yields the bytes of its content piece by piece. Raises Conflict, BadContent, OSError."""
        if entry.path == ".":
            return
        parent, _, name = entry.path.rpartition("/")
        directory = self._directory(parent)
        try:
            there = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            is_directory = stat.S_ISDIR(there.st_mode)
            if is_directory and entry.kind != stat.S_IFDIR:
                raise Conflict(f'cannot overwrite directory "{name}" with non-directory "{entry.path}"')
            if not is_directory and entry.kind == stat.S_IFDIR:
                raise Conflict(f'cannot overwrite non-directory "{name}" with directory "{entry.path}"')
            if not is_directory and not self._is_left_out(entry):
                os.unlink(name, dir_fd=directory)
        if entry.kind == stat.S_IFREG:
            yield from self._file(directory, name, entry)
        elif not self._is_left_out(entry):
            self._other(directory, name, entry)

    def _is_left_out(self, entry: Entry) -> bool:
        return not self._devices and entry.kind in (stat.S_IFCHR, stat.S_IFBLK)

    def _open(self, path: str, flags: int) -> int:
        return native.openat2(
            self._root, path or ".", flags, resolve=native.RESOLVE_BENEATH | native.RESOLVE_NO_MAGICLINKS
        )

    def _directory(self, path: str) -> int:
        """The directory of a name, made when an archive does not name it."""
        if self._parent >= 0 and self._parent_path == path:
            return self._parent
        try:
            fd = self._made(path)
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.ELOOP):
                raise BadContent(f"{path} leads out of the directory that is copied to") from None
            raise
        if self._parent >= 0:
            os.close(self._parent)
        self._parent, self._parent_path = fd, path
        return fd

    def _made(self, path: str) -> int:
        """Opens a directory; from the first name on that is not there, directories are made."""
        absent: list[str] = []
        while True:
            try:
                fd = self._open(path, native.O_PATH | os.O_DIRECTORY)
                break
            except FileNotFoundError:
                path, _, name = path.rpartition("/")
                absent.append(name)
        for name in reversed(absent):
            outer = fd
            try:
                os.mkdir(name, 0o755, dir_fd=outer)
                fd = os.open(name, native.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=outer)
            finally:
                os.close(outer)
        return fd

    def _ids(self, entry: Entry) -> tuple[int, int]:
        return present(self._owner or (entry.uid, entry.gid))

    def _file(self, directory: int, name: str, entry: Entry) -> Iterator[int]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            if isinstance(entry.content, int):
                yield from _copy_sparse(entry.content, fd, entry.size)
            elif entry.content is not None:
                yield from _write_stream(entry, entry.content, fd)
            os.fchown(fd, *self._ids(entry))
            os.fchmod(fd, entry.mode)
            if entry.capability:
                try:
                    os.setxattr(fd, _CAPABILITY, entry.capability)
                except OSError as error:
                    if error.errno not in (errno.ENOTSUP, errno.EPERM):
                        raise
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        except BaseException:
            os.unlink(name, dir_fd=directory)  # half a file is worse than none
            raise
        finally:
            os.close(fd)

    def _other(self, directory: int, name: str, entry: Entry) -> None:
        if entry.kind == 0:
            outer, _, base = entry.link.rpartition("/")
            first = self._open(outer, native.O_PATH | os.O_DIRECTORY)
            try:
                os.link(base, name, src_dir_fd=first, dst_dir_fd=directory, follow_symlinks=False)
            finally:
                os.close(first)
            return
        if entry.kind == stat.S_IFDIR:
            try:
                os.mkdir(name, 0o700, dir_fd=directory)
            except FileExistsError:
                pass
            self._times.append((entry.path, entry.mtime_ns))
        elif entry.kind == stat.S_IFLNK:
            os.symlink(entry.link, name, dir_fd=directory)
        else:
            os.mknod(name, entry.kind | 0o600, entry.device, dir_fd=directory)
        os.chown(name, *self._ids(entry), dir_fd=directory, follow_symlinks=False)
        if entry.kind != stat.S_IFLNK:
            place = os.open(name, native.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            try:
                os.chmod(f"/proc/self/fd/{place}", entry.mode)
            finally:
                os.close(place)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=directory, follow_symlinks=False)


def _copy_sparse(source: int, target: int, size: int) -> Iterator[int]:
    """Holes stay holes; a file that shrinks meanwhile ends in one."""
    done = 0
    for begin, end in extents(source):
        if begin >= size:
            break
        os.lseek(source, begin, os.SEEK_SET)
        os.lseek(target, begin, os.SEEK_SET)
        yield begin - done
        done, end = begin, min(end, size)
        while done < end and (count := copy_piece(source, target, min(PIECE, end - done))):
            done += count
            yield count
    os.ftruncate(target, size)
    yield size - done


def _write_stream(entry: Entry, stream: BinaryIO, target: int) -> Iterator[int]:
    """The pieces that an archive holds of a file; all of it where it does not say."""
    done, place = 0, getattr(stream, "raw", stream)  # below, nobody minds that the archive itself cannot be sought in
    for begin, count in ((0, entry.size),) if entry.pieces is None else entry.pieces:
        place.seek(begin)
        os.lseek(target, begin, os.SEEK_SET)
        yield begin - done
        done, end = begin, begin + count
        while done < end and (piece := place.read(min(PIECE, end - done))):
            write_all(target, piece)
            done += len(piece)
            yield len(piece)
    os.ftruncate(target, entry.size)
    yield entry.size - done
