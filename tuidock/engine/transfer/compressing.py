"""A layer that the store has as a plain tar goes out as gzip, as every other engine's layers do.

One thread compresses into an ingest and the upload follows it, so that what must be sent again after a drop is there.
The same tar always gives the same blob; how it was called is noted, so that the next push only has to ask for it.
"""

from __future__ import annotations

import hashlib
import os
import threading

from tuidock.engine.errors import BadContent, EngineError
from tuidock.engine.files import read_text, refuse, write_atomic
from tuidock.engine.named import Named
from tuidock.engine.oci.digest import hex_of, is_digest
from tuidock.engine.paths import Paths
from tuidock.engine.store.content import CHUNK, Ingest
from tuidock.engine.store.packing import Packer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1 << 18


class Packed(Named):
    """What a layer is called when it is compressed."""

    digest: str
    size: int


def remembered(paths: Paths, diff_id: str) -> Packed | None:
    """The note of an earlier push."""
    digest, _, size = (read_text(_note(paths, diff_id)) or "").strip().partition(" ")
    return Packed(digest, int(size)) if is_digest(digest) and size.isdecimal() else None


def remember(paths: Paths, diff_id: str, packed: Packed) -> None:
    """Notes it; a cache that cannot be written only costs time."""
    try:
        os.makedirs(os.path.dirname(_note(paths, diff_id)), mode=0o700, exist_ok=True)
        write_atomic(_note(paths, diff_id), f"{packed.digest} {packed.size}\n", 0o600, durable=False)
    except OSError:
        pass


def _note(paths: Paths, diff_id: str) -> str:
    return f"{paths.cache}/gzip/{hex_of(diff_id)}"


class Compressing:
    """The body of an upload: see registry.uploading. Closing it ends the thread."""

    def __init__(self, tar: int, diff_id: str, ingest: Ingest) -> None:
        self._tar, self._diff_id, self._ingest = tar, diff_id, ingest
        self._condition = threading.Condition()
        self._done, self._stopped = False, False
        self._failure: BaseException | None = None
        self._reader = os.open(ingest.path, os.O_RDONLY | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="tuidock-gzip", daemon=True)
        self.size, self.digest = -1, ""
        self.consumed = self._written = 0
        self._thread.start()

    def close(self) -> None:
        self._stopped = True
        self._thread.join()
        os.close(self._reader)

    def finish(self) -> None:
        """Waits until digest and size are known. Raises what `chunks` raises."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def chunks(self, offset: int) -> Iterator[bytes]:
        """Raises BadContent when the tar is not the layer, SystemFailure when the disk refuses."""
        while True:
            with self._condition:
                while self._written <= offset and not self._done:
                    self._condition.wait()
                if self._failure is not None:
                    raise self._failure
                if self._written <= offset:
                    return
            chunk = os.pread(self._reader, _PIECE, offset)
            offset += len(chunk)
            yield chunk

    def _run(self) -> None:
        try:
            self._pack()
        except OSError as error:
            self._failure = refuse(error, f"compress layer {self._diff_id[7:19]}")
        except EngineError as error:
            self._failure = error
        finally:
            self._tell(done=True)

    def _tell(self, *, done: bool = False) -> None:
        with self._condition:
            self._written = self._ingest.size
            self._done = self._done or done
            self._condition.notify_all()

    def _pack(self) -> None:
        plain = hashlib.sha256()
        packer = Packer(self._ingest, self._tell)
        try:
            while chunk := os.read(self._tar, CHUNK):
                if self._stopped:
                    return
                packer.write(chunk)
                plain.update(chunk)
                self.consumed += len(chunk)
            packer.finish()
        finally:
            packer.close()
        if "sha256:" + plain.hexdigest() != self._diff_id:
            raise BadContent(
                f"layer {self._diff_id[:19]} in the store is damaged (`tuidock system check` tells which images use it);"
                " load or pull it again"
            )
        self.digest, self.size = self._ingest.digest, self._ingest.size
