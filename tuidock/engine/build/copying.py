"""COPY and ADD: files from a tree into the tree of a stage, where docker puts them and as docker leaves them.

Both sides are descriptors. The destination's directories are resolved inside its root by the kernel, links that lead to
nothing yet included; below them everything happens by name in an open directory, without following anything. Times of
directories that were there already stay, so that the same sources always give the same layer.
"""

from __future__ import annotations

import errno
import os
import stat

from tuidock import native
from tuidock.engine.build.hashing import Description, read_digest, xattrs
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.extents import copy_data
from tuidock.engine.idmap import present
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tuidock.engine.build.trees import Tree

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LINKS = 40


class Wish(Named):
    """owner None keeps what the tree says; mode makes permissions from a file's whole mode, None keeps them."""

    owner: tuple[int, int] | None = None
    mode: Callable[[int], int] | None = None
    excluded: Callable[[str], bool] | None = None


class Copier:
    """Copies into one root; `finish` when all is there. Counts bytes in `done` for whoever shows them."""

    def __init__(self, root: int, wish: Wish) -> None:
        self._root, self._wish = root, wish
        self._links: dict[tuple[int, int], tuple[int, str]] = {}
        self._kept: list[tuple[int, int]] = []  # directories that were there, with their times
        self._made: list[int] = []  # directories on the way
        self._seen: set[tuple[int, int]] = set()
        self._newest = 0
        self._described = Description(True)
        self.done = 0

    # ---- where to ----

    def directory(self, path: str, depth: int = 0) -> int:
        """A descriptor of a directory of the destination, made with its parents when missing. Raises OSError."""
        try:
            return native.open_in_root(self._root, path or ".", _DIRECTORY)
        except FileNotFoundError:
            pass
        if depth > _LINKS:
            raise OSError(errno.ELOOP, "too many links")
        above, _, name = path.rstrip("/").rpartition("/")
        _check_name(name)
        parent = self.directory(above, depth)
        try:
            self.keep(parent)
            try:
                os.mkdir(name, 0o700, dir_fd=parent)
            except FileExistsError:
                target = os.readlink(name, dir_fd=parent)  # to nothing yet
                return self.directory(target if target.startswith("/") else f"{above}/{target}", depth + 1)
            fd = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            self._dress_new(fd)
            self._made.append(os.dup(fd))
            status = os.fstat(fd)
            self._seen.add((status.st_dev, status.st_ino))
            return fd
        finally:
            os.close(parent)

    def _dress_new(self, fd: int) -> None:
        if self._wish.owner:
            os.fchown(fd, *present(self._wish.owner))
        os.fchmod(fd, 0o755)

    def keep(self, fd: int) -> None:
        """The times of this directory stay what they are now."""
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) not in self._seen:
            self._seen.add((status.st_dev, status.st_ino))
            self._kept.append((os.dup(fd), status.st_mtime_ns))

    def is_directory(self, path: str) -> bool:
        """Whether the destination is a directory, links followed."""
        try:
            os.close(native.open_in_root(self._root, path or ".", native.O_PATH | os.O_DIRECTORY))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def place(self, path: str, depth: int = 0) -> tuple[int, str]:
        """The directory and the name that a file is to get; a link at the end is followed. Raises OSError."""
        above, _, name = path.rstrip("/").rpartition("/")
        _check_name(name)
        parent = self.directory(above)
        try:
            target = os.readlink(name, dir_fd=parent)
        except OSError:
            self.keep(parent)
            return parent, name
        os.close(parent)
        if depth > _LINKS:
            raise OSError(errno.ELOOP, "too many links")
        return self.place(target if target.startswith("/") else f"{above}/{target}", depth + 1)

    # ---- what ----

    def copy(self, tree: Tree, source: str, destination: str) -> Iterator[None]:
        """One source, a file or the content of a directory. A destination with a slash at its end is a directory.

        Yields now and then; `arrived` is the digest of the source then. Raises OSError, InvalidArgument.
        """
        self._described = Description(tree.own_ids)
        status = tree.status(source)
        assert status is not None
        if stat.S_ISDIR(status.st_mode):
            yield from self._copy_directory(tree, source, destination)
            return
        if destination.endswith("/") or self.is_directory(destination):
            os.close(self.directory(destination.rstrip("/")))
            destination = f"{destination.rstrip('/')}/{os.path.basename(source)}"
        parent, name = self.place(destination)
        try:
            fd = tree.open(source)
            try:
                self._make(parent, name, f"/proc/self/fd/{fd}", status, tree, "", follow=True)
            finally:
                os.close(fd)
        finally:
            os.close(parent)
        yield

    def write_file(
        self, destination: str, content: bytes | memoryview, *, mode: int = 0o644, mtime_ns: int = 0
    ) -> None:
        """A file that comes from nowhere on disk: a heredoc, a download. Raises OSError."""
        parent, name = self.place(destination)
        try:
            self._clear(parent, name)
            fd = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=parent
            )
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(fd, view) :]
                os.fchown(fd, *present(self._wish.owner or (0, 0)))
                os.fchmod(fd, self._mode(stat.S_IFREG | mode))
                os.utime(fd, ns=(mtime_ns, mtime_ns))
            finally:
                os.close(fd)
        finally:
            os.close(parent)
        self._newest = max(self._newest, mtime_ns)
        self.done += len(content)

    def _copy_directory(self, tree: Tree, source: str, destination: str) -> Iterator[None]:
        """Its content; the destination itself does not become like it."""
        if not tree.identity:
            place = tree.open(source)
            try:
                self._described.add("", os.fstat(place), xattrs(f"/proc/self/fd/{place}", follow=True))
            finally:
                os.close(place)
        fd = self.directory(destination.rstrip("/"))
        try:
            self.keep(fd)
            yield from self._fill(tree, source, fd)
        finally:
            os.close(fd)

    def _fill(self, tree: Tree, source: str, target: int) -> Iterator[None]:
        """The content of a source directory into an open one; what is in the way goes, directories are merged."""
        opened: list[tuple[str, int, str, os.stat_result]] = []  # from the target down: path, descriptor, source, looks
        count = 0
        try:
            for entry in tree.walk(source, self._wish.excluded):
                above = entry.path.rpartition("/")[0]
                while opened and opened[-1][0] != above:
                    self._leave(tree, opened.pop())
                parent = opened[-1][1] if opened else target
                place = f"/proc/self/fd/{entry.parent}/{entry.name}"
                if stat.S_ISDIR(entry.status.st_mode):
                    if not tree.identity:
                        self._described.add(entry.path, entry.status, xattrs(place))
                    fd = self._enter(parent, entry.name)
                    whole = f"{source}/{entry.path}" if source else entry.path
                    opened.append((entry.path, fd, whole, entry.status))
                else:
                    self._make(parent, entry.name, place, entry.status, tree, entry.path)
                count += 1
                if count % 64 == 0:
                    yield
            while opened:
                self._leave(tree, opened.pop())
        finally:
            for _, fd, _, _ in opened:
                os.close(fd)

    def _enter(self, parent: int, name: str) -> int:
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=parent)
                os.mkdir(name, 0o700, dir_fd=parent)
        return os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)

    def _leave(self, tree: Tree, directory: tuple[str, int, str, os.stat_result]) -> None:
        """A directory is full: now its looks, which filling would have changed."""
        _, fd, source, status = directory
        try:
            place = tree.open(source)
            try:
                self._dress(fd, f"/proc/self/fd/{place}", status, tree.own_ids, follow=True)
            finally:
                os.close(place)
        finally:
            os.close(fd)

    def _clear(self, parent: int, name: str) -> None:
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            code = native.lib().td_remove_tree(parent, os.fsencode(name))
            if code < 0:
                raise OSError(-code, os.strerror(-code)) from None

    @property
    def arrived(self) -> str:
        """The digest of the last source as it was copied, where that can differ from what the key was made of."""
        return self._described.hexdigest()

    def _make(
        self, parent: int, name: str, place: str, status: os.stat_result, tree: Tree, path: str, *, follow: bool = False
    ) -> None:
        """A file, link or node in an open directory, like the one at `place`; path: how the source calls it."""
        if not stat.S_ISSOCK(status.st_mode):  # nobody would be behind it
            self._make_like(parent, name, place, status, tree.own_ids, follow)
        if tree.identity:
            return
        content = b""
        if stat.S_ISLNK(status.st_mode):
            content = os.fsencode(os.readlink(name, dir_fd=parent))
        elif stat.S_ISREG(status.st_mode):
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                content = read_digest(fd)
            finally:
                os.close(fd)
        self._described.add(path, status, xattrs(place, follow=follow), content)

    def _make_like(
        self, parent: int, name: str, place: str, status: os.stat_result, own_ids: bool, follow: bool
    ) -> None:
        mode = status.st_mode
        self._clear(parent, name)
        key = (status.st_dev, status.st_ino)
        if status.st_nlink > 1 and key in self._links:
            first, other = self._links[key]
            os.link(other, name, src_dir_fd=first, dst_dir_fd=parent, follow_symlinks=False)
            return
        if stat.S_ISREG(mode):
            self._copy_file(parent, name, place, status, own_ids, follow)
        else:
            if stat.S_ISLNK(mode):
                os.symlink(os.readlink(place), name, dir_fd=parent)
            else:
                os.mknod(name, stat.S_IFMT(mode) | 0o600, status.st_rdev, dir_fd=parent)
            target = f"/proc/self/fd/{parent}/{name}"
            os.chown(target, *present(self._owner(status, own_ids)), follow_symlinks=False)
            if not stat.S_ISLNK(mode):
                os.chmod(target, self._mode(mode))
            self._set_xattrs(target, place, follow)
            os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns), follow_symlinks=False)
        if status.st_nlink > 1:
            self._links[key] = (os.dup(parent), name)
        self._newest = max(self._newest, status.st_mtime_ns)

    def _copy_file(
        self, parent: int, name: str, place: str, status: os.stat_result, own_ids: bool, follow: bool
    ) -> None:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
        reader = os.open(place, flags)
        try:
            if not stat.S_ISREG(os.fstat(reader).st_mode):
                raise InvalidArgument(f"{name!r:.200} was exchanged while it was copied; build again")
            create = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            writer = os.open(name, create, 0o600, dir_fd=parent)
            try:
                self.done += copy_data(reader, writer)
                self._dress(writer, place, status, own_ids, follow=follow)
            finally:
                os.close(writer)
        finally:
            os.close(reader)

    def _owner(self, status: os.stat_result, own_ids: bool) -> tuple[int, int]:
        if self._wish.owner:
            return self._wish.owner
        return (status.st_uid, status.st_gid) if own_ids else (0, 0)

    def _mode(self, mode: int) -> int:
        return stat.S_IMODE(mode) if self._wish.mode is None else self._wish.mode(mode)

    def _dress(self, fd: int, place: str, status: os.stat_result, own_ids: bool, *, follow: bool = False) -> None:
        """Owner, mode, attributes, times, in the order in which the kernel does not clear what was set before."""
        os.fchown(fd, *present(self._owner(status, own_ids)))
        os.fchmod(fd, self._mode(status.st_mode))
        self._set_xattrs(f"/proc/self/fd/{fd}", place, follow, target_follow=True)
        os.utime(fd, ns=(status.st_mtime_ns, status.st_mtime_ns))
        self._newest = max(self._newest, status.st_mtime_ns)

    def _set_xattrs(self, target: str, place: str, follow: bool, *, target_follow: bool = False) -> None:
        for name, value in xattrs(place, follow=follow).items():
            try:
                os.setxattr(target, name, value, follow_symlinks=target_follow)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EPERM):
                    raise

    def finish(self) -> None:
        """Times of directories, which come last because filling them changes them."""
        for fd in self._made:
            os.utime(fd, ns=(self._newest, self._newest))
        for fd, mtime in reversed(self._kept):
            os.utime(fd, ns=(mtime, mtime))

    def close(self) -> None:
        for fd in (*self._made, *(fd for fd, _ in self._kept), *(fd for fd, _ in self._links.values())):
            os.close(fd)
        self._made, self._kept, self._links = [], [], {}


def _check_name(name: str) -> None:
    """What is made or replaced by its name in an open directory: `..` would be the directory above it."""
    if name in ("", ".", ".."):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
