"""Partial blobs: downloads by digest that outlive the process that began them, and that several processes share.

content/ingest/<digest>/data is what has arrived. Whoever writes it holds a flock on the directory; the lock ends with
the process, so a killed download is taken over by the next who wants that blob: what is there is hashed again and the
rest is asked for. Nothing that is written here is trusted before the digest of all of it was right.

A process that waits for another's blob leaves a file `wanted` beside it; the owner then publishes the blob as soon as it
is complete instead of at the end of its whole operation.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time

from tuidock.engine.files import remove_tree
from tuidock.engine.oci.digest import hex_of, is_digest
from tuidock.engine.paths import Paths
from tuidock.engine.store.content import CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

#: What nobody goes on with is kept so long (seconds).
KEPT = 24 * 3600


def _directory(paths: Paths, digest: str) -> str:
    return f"{paths.ingest}/{hex_of(digest)}"


class Partial:
    """A blob on its way, locked. digest and size are promises until `correct` was asked."""

    def __init__(self, directory: str, lock: int, digest: str, size: int) -> None:
        self._directory, self._lock = directory, lock
        self.digest, self.size, self.published = digest, size, False
        self.path = directory + "/data"
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._hash = hashlib.sha256()
        self.written = 0

    def restore(self) -> Iterator[int]:
        """Hashes what an earlier download left; yields how much of it has been seen, and counts it as written."""
        if os.fstat(self._fd).st_size > self.size:
            os.ftruncate(self._fd, 0)
        while chunk := os.read(self._fd, CHUNK):
            self._hash.update(chunk)
            self.written += len(chunk)
            yield self.written

    def write(self, chunk: bytes | memoryview) -> None:
        self._hash.update(chunk)
        view = memoryview(chunk)
        while view:
            count = os.write(self._fd, view)
            self.written += count
            view = view[count:]

    def correct(self) -> bool:
        """Whether what was written is the promised blob."""
        return self.written == self.size and "sha256:" + self._hash.hexdigest() == self.digest

    @property
    def found(self) -> str:
        """The digest of what was written."""
        return "sha256:" + self._hash.hexdigest()

    def restart(self) -> None:
        """Forgets what was written."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._hash, self.written = hashlib.sha256(), 0

    @property
    def wanted(self) -> bool:
        """Whether another process waits for it."""
        return os.path.exists(self._directory + "/wanted")

    def finish(self) -> None:
        """No more writes."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def release(self, *, drop: bool = False) -> None:
        """Ends it and lets others have it. What was written stays, unless it was published or drop says it is useless."""
        if self._lock < 0:
            return
        self.finish()
        if drop or self.published or not os.path.exists(self.path) or not os.stat(self.path).st_size:
            remove_tree(self._directory)
        os.close(self._lock)
        self._lock = -1


def claim(paths: Paths, digest: str, size: int) -> Partial | None:
    """The place for a blob, now the caller's; None while another process or thread has it."""
    directory = _directory(paths, digest)
    while True:
        os.makedirs(paths.ingest, mode=0o700, exist_ok=True)
        try:
            os.mkdir(directory, 0o700)
        except FileExistsError:
            pass
        try:
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        if os.fstat(lock).st_nlink:
            break
        os.close(lock)  # its owner removed it between
    try:
        os.unlink(directory + "/wanted")
    except FileNotFoundError:
        pass
    return Partial(directory, lock, digest, size)


def want(paths: Paths, digest: str) -> int:
    """Tells the owner of a partial blob that somebody waits for it; answers how many bytes it has by now."""
    directory = _directory(paths, digest)
    try:
        os.close(os.open(directory + "/wanted", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return os.stat(directory + "/data").st_size
    except FileNotFoundError:
        return 0


def _each(paths: Paths) -> Iterator[tuple[str, int, float]]:
    """Digest, bytes and time of the last write of every partial blob."""
    try:
        names = os.listdir(paths.ingest)
    except FileNotFoundError:
        return
    for name in names:
        if not is_digest("sha256:" + name):
            continue
        try:
            changed, size = os.stat(f"{paths.ingest}/{name}").st_mtime, 0
            data = os.stat(f"{paths.ingest}/{name}/data")
            changed, size = data.st_mtime, data.st_size
        except FileNotFoundError:
            pass
        yield "sha256:" + name, size, changed


def _is_old(changed: float, kept: float) -> bool:
    return not 0 <= time.time() - changed < kept


def left(paths: Paths) -> tuple[int, int]:
    """How many partial blobs there are, and their bytes; also those that are being written."""
    sizes = [size for _, size, _ in _each(paths)]
    return len(sizes), sum(sizes)


def arrived(paths: Paths, digests: Collection[str]) -> int:
    """The bytes that are there already of these blobs."""
    return sum(size for digest, size, _ in _each(paths) if digest in digests)


def sweep(paths: Paths, *, kept: float = KEPT, spare: Collection[str] = ()) -> tuple[int, int]:
    """Removes what nobody has gone on with for `kept` seconds; answers how many and how many bytes."""
    count = freed = 0
    for digest, size, changed in list(_each(paths)):
        if digest in spare or (size and not _is_old(changed, kept)):
            continue
        partial = claim(paths, digest, size)
        if partial is not None:
            partial.release(drop=True)
            count, freed = count + 1, freed + size
    return count, freed


def stale(paths: Paths) -> list[str]:
    """The digests of what no sweep has come to remove in time."""
    return [digest for digest, _, changed in _each(paths) if _is_old(changed, KEPT)]
