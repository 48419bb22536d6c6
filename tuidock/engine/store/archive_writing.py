"""The tar of an image archive, written front to end: documents, and layers that are checked while they go out.

The standard library's tarfile would copy every byte four times on its way; its headers are used, and nothing else of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import threading
from queue import SimpleQueue

from tuidock.engine.errors import BadContent
from tuidock.engine.oci.digest import hex_of, of_bytes
from tuidock.engine.store.compression import inflate
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.images import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

_CHUNK = 1 << 20
#: An inflated layer up to this size waits in memory for its header; a longer one is inflated twice (bytes).
_IN_MEMORY = 64 << 20
_WAITING = 8


class Hasher:
    """sha256 in a thread of its own: writing goes on meanwhile."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._pending: SimpleQueue[bytes] = SimpleQueue()
        self._space = threading.Semaphore(_WAITING)
        self._thread = threading.Thread(target=self._run, name="tuidock-hash", daemon=True)
        self._thread.start()

    def update(self, chunk: bytes) -> None:
        self._space.acquire()
        self._pending.put(chunk)

    def _run(self) -> None:
        while chunk := self._pending.get():
            self._hash.update(chunk)
            self._space.release()

    def end(self) -> str:
        """The digest; nothing is added any more."""
        self._pending.put(b"")
        self._thread.join()
        return "sha256:" + self._hash.hexdigest()


class ArchiveWriter:
    """One archive on its way into a file or pipe."""

    def __init__(self, content: ContentStore, out: BinaryIO) -> None:
        self._content, self._out = content, out
        self._offset = 0
        self._written: set[str] = set()
        self.sizes: dict[str, int] = {}  # of the uncompressed layers, by diffID

    def close(self) -> None:
        """The end of the archive; only after everything went well."""
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._write(bytes(-self._offset % tarfile.RECORDSIZE))
        self._out.flush()

    def _write(self, raw: bytes) -> None:
        self._out.write(raw)
        self._offset += len(raw)

    def _header(self, entry: tarfile.TarInfo) -> None:
        self._write(entry.tobuf(tarfile.PAX_FORMAT))

    def directory(self, name: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        self._header(entry)

    def file(self, name: str, size: int, chunks: Iterable[bytes]) -> None:
        """chunks: as many bytes as size says."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o644
        self._header(entry)
        for chunk in chunks:
            self._write(chunk)
        self._write(bytes(-size % tarfile.BLOCKSIZE))

    def document(self, name: str, document: object) -> None:
        raw = document if isinstance(document, bytes) else json.dumps(document, separators=(",", ":")).encode()
        self.file(name, len(raw), [raw])

    def blob(self, raw: bytes) -> str:
        """A document under its digest; answers its name in the archive."""
        digest = of_bytes(raw)
        name = f"blobs/sha256/{hex_of(digest)}"
        if digest not in self._written:
            self._written.add(digest)
            self.document(name, raw)
        return name

    def layer(self, layer: Layer) -> str:
        """A layer, uncompressed and named by its diffID; answers its name in the archive.

        Raises BadContent when the stored blob is no longer the layer: the archive is then not complete.
        """
        name = f"blobs/sha256/{hex_of(layer.diff_id)}"
        if layer.diff_id in self._written:
            return name
        self._written.add(layer.diff_id)
        with os.fdopen(self._content.open(layer.digest), "rb", buffering=0) as file:
            if layer.digest == layer.diff_id:
                size = os.fstat(file.fileno()).st_size
                self.file(name, size, _checked(_pieces(file, size), layer))
            else:
                size, kept = _measured(inflate(file.read), layer)
                file.seek(0)
                self.file(name, size, inflate(file.read) if kept is None else kept)
        self.sizes[layer.diff_id] = size
        return name


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0 and (chunk := file.read(min(_CHUNK, size))):
        size -= len(chunk)
        yield chunk


def _checked(chunks: Iterator[bytes], layer: Layer) -> Iterator[bytes]:
    hasher, digest = Hasher(), ""
    try:
        for chunk in chunks:
            hasher.update(chunk)
            yield chunk
    finally:
        digest = hasher.end()
    _expect(digest, layer)


def _measured(chunks: Iterator[bytes], layer: Layer) -> tuple[int, list[bytes] | None]:
    """The length of an inflated layer, which a tar header must state before it, and its bytes when they are few."""
    hasher, size, digest = Hasher(), 0, ""
    kept: list[bytes] | None = []
    try:
        for chunk in chunks:
            size += len(chunk)
            hasher.update(chunk)
            if kept is not None:
                kept.append(chunk)
                kept = kept if size <= _IN_MEMORY else None
    finally:
        digest = hasher.end()
    _expect(digest, layer)
    return size, kept


def _expect(digest: str, layer: Layer) -> None:
    if digest != layer.diff_id:
        raise BadContent(
            f"layer {layer.diff_id[:19]} in the store is damaged (`tuidock system check` tells which images use it);"
            " load or pull it again"
        )
