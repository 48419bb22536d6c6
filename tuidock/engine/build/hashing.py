"""What files are, as a digest: the part of a cache key that COPY, ADD and bind mounts give.

A file counts with path, kind, mode, owner (where it keeps it), attributes, link target and data, and not with its times.
Data are not read again when device, inode, size and both times are those of the last reading; that memory is a file of
its own below cache/, which may be lost at any time. A file that changed a moment ago is not remembered, because it could
change again without its times telling.
"""

from __future__ import annotations

import os
import stat
import time
from _thread import allocate_lock

from tuidock.engine.build.digests import sha256
from tuidock.engine.errors import SystemFailure
from tuidock.engine.extents import extents
from tuidock.engine.paths import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from tuidock.engine.build.trees import Tree
else:
    import _sqlite3 as sqlite3

_CHUNK = 1 << 20
_SETTLED_NS = 2_000_000_000
_SIZE_LIMIT = 64 << 20
#: Attributes that belong to the file system or the machine and not to the file.
FOREIGN_XATTRS = ("trusted.overlay.", "user.overlay.", "security.selinux", "system.", "trusted.SGI")


def xattrs(path: str, *, follow: bool = False) -> dict[str, bytes]:
    """The attributes of a file that a copy takes along."""
    try:
        names = os.listxattr(path, follow_symlinks=follow)
        return {
            name: os.getxattr(path, name, follow_symlinks=follow)
            for name in sorted(names)
            if not name.startswith(FOREIGN_XATTRS)
        }
    except OSError:
        return {}


class FileHashes:
    """The memory of data digests; `save` writes down what is new. Safe to use from several threads."""

    def __init__(self, paths: Paths) -> None:
        self._directory = paths.cache + "/build"
        self._lock = allocate_lock()
        self._new: list[tuple[int, int, int, int, int, bytes]] = []
        self._trees: dict[str, str] = {}
        self._db: sqlite3.Connection | None = None
        self._tried = False

    def _opened(self) -> sqlite3.Connection | None:
        """The memory, opened when it is first needed; the lock is held."""
        if not self._tried:
            self._tried = True
            self._db = self._open()
        return self._db

    def _open(self) -> sqlite3.Connection | None:
        path = self._directory + "/files.db"
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            if os.path.exists(path) and os.stat(path).st_size > _SIZE_LIMIT:
                os.unlink(path)
            connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS files(dev INTEGER, ino INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER,"
                " digest BLOB, PRIMARY KEY(dev, ino)) WITHOUT ROWID"
            )
            connection.execute("CREATE TABLE IF NOT EXISTS trees(key TEXT PRIMARY KEY, digest TEXT) WITHOUT ROWID")
            return connection
        except (sqlite3.Error, OSError):
            try:
                os.unlink(path)  # damaged by a power cut; it only saves time
            except OSError:
                pass
            return None

    def find(self, status: os.stat_result) -> bytes:
        """The sha256 of a regular file that looks like this, b"" when it has to be read."""
        key = (status.st_dev & 0x7FFFFFFFFFFFFFFF, status.st_ino & 0x7FFFFFFFFFFFFFFF)
        with self._lock:
            row = self._look(key)
        if row is not None and row[:3] == (status.st_size, status.st_mtime_ns, status.st_ctime_ns):
            return bytes(row[3])
        return b""

    def digest(self, fd: int, status: os.stat_result) -> bytes:
        """The sha256 of a regular file that is open for reading."""
        known = self.find(status)
        if known:
            return known
        key = (status.st_dev & 0x7FFFFFFFFFFFFFFF, status.st_ino & 0x7FFFFFFFFFFFFFFF)
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        found = read_digest(fd)
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS:
            after = os.fstat(fd)
            if (after.st_size, after.st_mtime_ns, after.st_ctime_ns) == state:
                with self._lock:
                    self._new.append((*key, *state, found))
        return found

    def _look(self, key: tuple[int, int]) -> tuple[int, int, int, bytes] | None:
        db = self._opened()
        if db is None:
            return None
        try:
            row: tuple[int, int, int, bytes] | None = db.execute(
                "SELECT size, mtime, ctime, digest FROM files WHERE dev = ? AND ino = ?", key
            ).fetchone()
            return row
        except sqlite3.Error:
            return None

    def known(self, key: str) -> str:
        """The digest of what a key names for ever (a path in layers), "" when nobody has asked before."""
        with self._lock:
            db = self._opened()
            if key in self._trees or db is None:
                return self._trees.get(key, "")
            try:
                row = db.execute("SELECT digest FROM trees WHERE key = ?", (key,)).fetchone()
            except sqlite3.Error:
                return ""
            return str(row[0]) if row else ""

    def remember(self, key: str, digest: str) -> None:
        """What `known` is to answer."""
        with self._lock:
            self._trees[key] = digest

    def forget(self) -> None:
        """Every file: one of them was other than it was remembered."""
        with self._lock:
            self._new.clear()
            db = self._opened()
            try:
                if db is not None:
                    db.execute("DELETE FROM files")
            except sqlite3.Error:
                pass

    def close(self) -> None:
        """Writes down what is new."""
        with self._lock:
            if (self._new or self._trees) and self._opened() is None:
                return
            if self._db is None:
                return
            try:
                if self._new or self._trees:
                    self._db.execute("BEGIN")
                    self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", self._new)
                    self._db.executemany("INSERT OR REPLACE INTO trees VALUES (?, ?)", list(self._trees.items()))
                    self._db.execute("COMMIT")
            except sqlite3.Error:
                pass
            self._db.close()
            self._db = None


def _sparse_digest(fd: int) -> bytes:
    """The same for a file that does not change, without reading what is a hole: a step can make one of exabytes."""
    from hashlib import sha256 as fast

    digest = fast()
    for start, end in extents(fd):
        digest.update(b"%d-%d:" % (start, end))
        while start < end and (chunk := os.pread(fd, min(_CHUNK, end - start), start)):
            digest.update(chunk)
            start += len(chunk)
    digest.update(b"%d" % os.fstat(fd).st_size)
    return digest.digest()


def read_digest(fd: int) -> bytes:
    """The sha256 of what an open file holds."""
    from hashlib import sha256 as fast

    digest = fast()
    offset = 0
    while chunk := os.pread(fd, _CHUNK, offset):
        digest.update(chunk)
        offset += len(chunk)
    return digest.digest()


class Description:
    """The digest of one source, file by file. Who copies makes it again from what has arrived: a context can change
    after its key was made, and a layer must not be found under the key of other content."""

    def __init__(self, own_ids: bool) -> None:
        self._own_ids, self._digest = own_ids, sha256()

    def _add_text(self, text: str) -> None:
        raw = text.encode("utf-8", "surrogateescape")
        self._digest.update(b"%d:" % len(raw) + raw)

    def add(self, path: str, status: os.stat_result, attributes: Mapping[str, bytes], content: bytes = b"") -> None:
        """content: a link's target, the digest of a regular file's data, nothing for what else there is."""
        mode = status.st_mode
        owner = (status.st_uid, status.st_gid) if self._own_ids else (0, 0)
        self._add_text(path)
        self._add_text(f"{mode:o} {owner[0]} {owner[1]} {status.st_rdev if stat.S_IFMT(mode) in _NODES else 0}")
        for name, value in attributes.items():
            self._add_text(name)
            self._add_text(value.hex())
        self._add_text(content.hex())

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class Content:
    """The digest of everything that an instruction takes, collected piece by piece."""

    def __init__(self, files: FileHashes) -> None:
        self._files, self._digest = files, sha256()
        self._forgetful = False

    def add_text(self, text: str) -> None:
        raw = text.encode("utf-8", "surrogateescape")
        self._digest.update(b"%d:" % len(raw) + raw)

    def add_source(self, tree: Tree, path: str, also_excluded: Callable[[str], bool] | None = None) -> str:
        """A file, or a directory with all below it; answers the digest of this alone. Raises SystemFailure."""
        self._forgetful = bool(tree.identity)  # files of a merged tree have numbers that mean nothing tomorrow
        description = Description(tree.own_ids)
        try:
            fd = tree.open(path)
            try:
                status = os.fstat(fd)
                self._add(description, "", status, f"/proc/self/fd/{fd}", follow=True)
            finally:
                os.close(fd)
            if stat.S_ISDIR(status.st_mode):
                for entry in tree.walk(path, also_excluded):
                    self._add(description, entry.path, entry.status, f"/proc/self/fd/{entry.parent}/{entry.name}")
        except OSError as error:
            raise SystemFailure(f"cannot read {path or '.'} for the build: {os.strerror(error.errno or 0)}") from error
        found = description.hexdigest()
        self.add_text(found)
        return found

    def _add(
        self, description: Description, path: str, status: os.stat_result, place: str, *, follow: bool = False
    ) -> None:
        content = b""
        if stat.S_ISLNK(status.st_mode):
            content = os.fsencode(os.readlink(place))
        elif stat.S_ISREG(status.st_mode) and not self._forgetful and (known := self._files.find(status)):
            content = known
        elif stat.S_ISREG(status.st_mode):
            fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
            try:
                content = _sparse_digest(fd) if self._forgetful else self._files.digest(fd, os.fstat(fd))
            finally:
                os.close(fd)
        description.add(path, status, xattrs(place, follow=follow), content)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


_NODES = (stat.S_IFCHR, stat.S_IFBLK)
