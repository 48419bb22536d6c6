"""The content store: blobs named by their digest, below content/blobs/sha256.

A blob is written as an ingest, checked, and published by one rename; until then nobody can see it. The ingests of an
operation lie in a directory below content/ingest that it holds a flock on: whatever can be locked there was left by a
dead process and is swept. (Downloads are ingests by digest, which others go on with: `partial`.)
They share one syncfs before they are published: the disk is asked once, not per blob.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager

from tuidock.engine.errors import BadContent, NotFound, SystemFailure
from tuidock.engine.files import remove_tree, sync_directory
from tuidock.engine.oci.digest import hex_of, of_bytes
from tuidock.engine.paths import Paths
from tuidock.engine.store.leases import Lease
from tuidock.native import begin_writeback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Blob(Protocol):
        """What can become a blob: an Ingest, a partial.Partial, or a Stored that is one already."""

        path: str
        size: int
        published: bool

        @property
        def digest(self) -> str: ...

        def finish(self) -> None: ...


CHUNK = 1 << 20
#: Ingests of an operation have names of this length; those of a digest (`partial`) have 64 digits.
_OPERATION = 16


class Stored:
    """A blob that is in the store, where others are still ingests."""

    published = True

    def __init__(self, digest: str, size: int) -> None:
        self.digest, self.size, self.path = digest, size, ""

    def finish(self) -> None:
        """There is nothing to finish."""


class Ingest:
    """A blob that is being written, or that has been and waits for its name."""

    def __init__(self, path: str) -> None:
        self._hash = hashlib.sha256()
        self.path, self.size, self.published = path, 0, False
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, chunk: bytes | memoryview) -> None:
        self._hash.update(chunk)
        self.size += len(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._fd, view) :]

    @property
    def digest(self) -> str:
        """Of everything written so far."""
        return "sha256:" + self._hash.hexdigest()

    def expect(self, digest: str, size: int = -1) -> None:
        """Raises BadContent when the bytes are not the promised ones."""
        if size >= 0 and size != self.size:
            raise BadContent(f"blob {digest} has {self.size} bytes where {size} were promised; fetch it again")
        if digest != self.digest:
            raise BadContent(f"blob {digest} arrived as {self.digest}: the source is damaged or lies; fetch it again")

    def finish(self) -> None:
        """No more writes: the descriptor goes, because an archive may hold thousands of blobs."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def begin_writeback(self) -> None:
        """Asks the disk to begin: the syncfs at the end then waits less."""
        begin_writeback(self._fd)

    def read(self, limit: int) -> bytes:
        """The first bytes of what was written."""
        with open(self.path, "rb") as file:
            return file.read(limit)

    def drop(self) -> None:
        """Forgets it unless it was published."""
        self.finish()
        if not self.published:
            os.unlink(self.path)


class Ingests:
    """The ingests of one operation, in a directory that is locked while it lives; use as context manager."""

    def __init__(self, directory: str) -> None:
        self._open: list[Ingest] = []
        while True:
            self._path = f"{directory}/{os.urandom(8).hex()}"
            os.mkdir(self._path, 0o700)
            try:
                self._lock = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # a sweep came between
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if os.fstat(self._lock).st_nlink:
                return
            os.close(self._lock)

    def new(self) -> Ingest:
        ingest = Ingest(f"{self._path}/{len(self._open)}")
        self._open.append(ingest)
        return ingest

    def put(self, raw: bytes) -> Ingest:
        """A finished one of a small document."""
        ingest = self.new()
        ingest.write(raw)
        ingest.finish()
        return ingest

    def __enter__(self) -> Ingests:
        return self

    def __exit__(self, *_: object) -> None:
        for ingest in self._open:
            ingest.finish()
        remove_tree(self._path)
        os.close(self._lock)


class ContentStore:
    """Blobs of one data root."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def path(self, digest: str) -> str:
        return f"{self._paths.blobs}/{hex_of(digest)}"

    def has(self, digest: str, size: int = -1) -> bool:
        """Whether it is there; with size also whether it has that many bytes."""
        try:
            return os.stat(self.path(digest)).st_size == size or size < 0
        except FileNotFoundError:
            return False

    def size(self, digest: str) -> int:
        """Bytes as stored. Raises NotFound."""
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            raise NotFound("blob", digest) from None

    def open(self, digest: str) -> int:
        """A descriptor for reading. Raises NotFound."""
        try:
            return os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound("blob", digest) from None

    def read(self, digest: str, limit: int) -> bytes:
        """A small document, checked against its name. Raises NotFound, BadContent."""
        with os.fdopen(self.open(digest), "rb") as blob:
            raw = blob.read(limit + 1)
        if len(raw) > limit or of_bytes(raw) != digest:
            raise BadContent(f"blob {digest} in the store is damaged; remove its image and load or pull it again")
        return raw

    def ingests(self) -> Ingests:
        """A place for new blobs."""
        os.makedirs(self._paths.ingest, mode=0o700, exist_ok=True)
        return Ingests(self._paths.ingest)

    def publish(self, ingest: Blob, *, synced: bool = False, replace: bool = False) -> str:
        """Makes a finished ingest visible under its digest, durably; the digest is the answer.

        synced: the caller has made the bytes durable (syncfs) and syncs the directory with `sync`. replace: what has
        that name already is known to be damaged.
        """
        digest = ingest.digest
        target = self.path(digest)
        ingest.finish()
        if not ingest.published and (replace or not self.has(digest, ingest.size)):
            os.makedirs(self._paths.blobs, mode=0o710, exist_ok=True)
            fd = os.open(ingest.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fchmod(fd, 0o444)
                if not synced:
                    os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(ingest.path, target)
            if not synced:
                self.sync()
        ingest.published = True
        return digest

    def open_ingest(self, ingest: Blob) -> int:
        """A descriptor for reading an ingest, wherever it lies by now."""
        if ingest.published:
            return self.open(ingest.digest)
        return os.open(ingest.path, os.O_RDONLY | os.O_CLOEXEC)

    def sync(self) -> None:
        """Makes the names of published blobs durable."""
        sync_directory(self._paths.blobs)

    def put(self, raw: bytes) -> str:
        """Stores a small document; the digest is the answer."""
        with self.ingests() as ingests:
            return self.publish(ingests.put(raw))

    def digests(self) -> Iterator[str]:
        """Every blob there is."""
        try:
            names = os.listdir(self._paths.blobs)
        except FileNotFoundError:
            return
        for name in names:
            if len(name) == 64:
                yield "sha256:" + name

    def remove(self, digest: str) -> int:
        """Removes a blob if it is there; answers the bytes that became free."""
        path = self.path(digest)
        try:
            size = os.stat(path).st_size
            os.unlink(path)
        except FileNotFoundError:
            return 0
        return size

    def sweep(self) -> int:
        """Removes ingests of dead processes; answers how many."""
        swept = 0
        try:
            names = os.listdir(self._paths.ingest)
        except FileNotFoundError:
            return 0
        for name in names:
            if len(name) != _OPERATION:
                continue
            path = f"{self._paths.ingest}/{name}"
            try:
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(path)
                swept += 1
            except BlockingIOError:
                pass
            finally:
                os.close(fd)
        return swept

    @contextmanager
    def lease(self) -> Iterator[None]:
        """While it is held no blob or layer is collected at all; `leases.Lease` holds only what it names."""
        with Lease(self._paths, everything=True):
            yield


def free_bytes(path: str) -> int:
    """What may still be written there. Raises SystemFailure."""
    try:
        found = os.statvfs(path)
    except OSError as error:
        raise SystemFailure(f"cannot ask for the free space of {path}: {error.strerror}") from error
    return found.f_bavail * found.f_frsize
