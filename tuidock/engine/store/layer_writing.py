"""A directory becomes a layer's blob: walked by C, hashed and compressed by threads while it is walked.

The same tree always gives the same diffID and the same blob: entries are sorted, gzip's header has no time. With a draft
the tar is unpacked into it on the way, so that what is stored is what the tar says and not what the directory has become
since.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading

from tuidock.engine import rootless
from tuidock.engine.clean import clean
from tuidock.engine.errors import SystemFailure
from tuidock.engine.files import refuse, write_all
from tuidock.engine.named import Named
from tuidock.engine.store.content import CHUNK, Ingest
from tuidock.engine.store.layers import rootless_flags
from tuidock.engine.store.packing import Packer
from tuidock.engine.types import Progress
from tuidock.native import extractor, tarwriter
from tuidock.native.extractor import ExtractError, Extractor
from tuidock.native.tarwriter import TarError, TarWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tuidock.engine.store.snapshots import Draft

_BEAT = 0.1
_EARLY = 8 << 20  # bytes after which the disk is asked to begin


class Written(Named):
    """A layer as it was written. size: of the blob; tar_size: uncompressed; file_bytes: of its regular files."""

    diff_id: str
    digest: str
    size: int
    file_bytes: int
    entries: int
    tar_size: int = 0
    skipped_sockets: int = 0
    skipped_names: int = 0

    def remarks(self) -> list[str]:
        """A sentence for each kind of thing that no layer can hold."""
        found = []
        if self.skipped_sockets:
            found.append(f"{self.skipped_sockets} sockets were left out: an image cannot hold them")
        if self.skipped_names:
            found.append(f"{self.skipped_names} names were left out: .wh. at their beginning would delete other files")
        return found


class LayerWriting:
    """One directory on its way into an ingest; `written` is there when `progress` has ended.

    root: a descriptor of the directory; below: of the root directory of the layer below, -1 when there is none: the own
    root is an entry only when it looks different. draft: is filled with the same layer. omit: paths to leave out.
    """

    def __init__(
        self,
        root: int,
        out: Ingest,
        *,
        compress: bool = True,
        below: int = -1,
        draft: Draft | None = None,
        omit: Sequence[str] = (),
        userxattr: bool = False,
    ) -> None:
        flags = tarwriter.LAYER | (tarwriter.USERXATTR if userxattr or rootless.is_active() else 0)
        flags |= 0 if same_looks(root, below) else tarwriter.ROOT
        self.writer = TarWriter(flags, omit=omit)
        self._root, self._out, self._compress, self._draft = root, out, compress, draft
        self._extractor = (
            Extractor(extractor.LAYER | extractor.EARLY | extractor.HOLES | rootless_flags())
            if draft is not None
            else None
        )
        self._digest = hashlib.sha256()
        self._stopped = False
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self.written: Written | None = None

    def progress(self, subject: str = "layer", total: int = 0) -> Iterator[Progress]:
        """Writes while progress is taken; closing the iterator stops it. Raises SystemFailure."""
        try:
            self._begin()
            for thread in self._threads:
                while thread.is_alive():
                    thread.join(_BEAT)
                    yield Progress(subject, "writing", self.writer.bytes_written, total)
        finally:
            self._end()
        if self._failures:
            raise _sentence(self._failures[0])
        self._out.finish()
        tar = self.writer
        diff_id = "sha256:" + self._digest.hexdigest() if self._compress else self._out.digest
        self.written = Written(
            diff_id, self._out.digest, self._out.size, tar.file_bytes, tar.entries, tar.bytes_written,
            tar.skipped_sockets, tar.skipped_names,
        )  # fmt: skip
        if self._draft is not None and self._extractor is not None:
            self._draft.size, self._draft.diff_id = self._extractor.file_bytes, diff_id

    def _begin(self) -> None:
        reader, writer = _pipe()
        sink = -1
        if self._extractor is not None:
            source, sink = _pipe()
            self._start(self._extract, source)
        self._start(self._walk, writer)
        self._start(self._hash, reader, sink)

    def _end(self) -> None:
        """Whether it is done or not: nobody works on after this."""
        self._stopped = True
        self.writer.stop()
        if self._extractor is not None:
            self._extractor.stop()
        for thread in self._threads:
            thread.join()

    def _start(self, target: Callable[..., None], *arguments: int) -> None:
        def run() -> None:
            try:
                target(*arguments)
            except BrokenPipeError:
                pass  # the other end has stopped and says why
            except BaseException as error:
                self._failures.append(error)
            finally:
                for fd in arguments:
                    if fd >= 0:
                        os.close(fd)

        thread = threading.Thread(target=run, name="tuidock-layer", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _walk(self, pipe: int) -> None:
        self.writer.run(self._root, pipe)

    def _extract(self, pipe: int) -> None:
        assert self._extractor is not None and self._draft is not None
        self._extractor.run(pipe, self._draft.root)

    def _hash(self, pipe: int, sink: int) -> None:
        packer = Packer(self._out) if self._compress else None
        begun = 0
        try:
            while chunk := os.read(pipe, CHUNK):
                if packer is not None:
                    packer.write(chunk)
                    self._digest.update(chunk)
                else:
                    self._out.write(chunk)
                if self._out.size - begun >= _EARLY:
                    begun = self._out.size
                    self._out.begin_writeback()
                if sink >= 0:
                    write_all(sink, chunk)
                if self._failures or self._stopped:
                    return
            if packer is not None:
                packer.finish()
        finally:
            if packer is not None:
                packer.close()


def write_layer(
    root: int,
    out: Ingest,
    *,
    compress: bool = True,
    below: int = -1,
    draft: Draft | None = None,
    omit: Sequence[str] = (),
    userxattr: bool = False,
) -> Written:
    """Writes an overlay's upper directory as a layer and finishes the ingest; see LayerWriting. Raises SystemFailure."""
    work = LayerWriting(root, out, compress=compress, below=below, draft=draft, omit=omit, userxattr=userxattr)
    for _ in work.progress():
        pass
    assert work.written is not None
    return work.written


def same_looks(root: int, below: int) -> bool:
    """Whether a root directory has the owner, mode and attributes of the one below (of a new one when there is none)."""
    own = os.fstat(root)
    if below < 0:
        return (own.st_uid, own.st_gid, own.st_mode & 0o7777) == (0, 0, 0o755) and not _attributes(root)
    other = os.fstat(below)
    same = (own.st_uid, own.st_gid, own.st_mode) == (other.st_uid, other.st_gid, other.st_mode)
    return same and _attributes(root) == _attributes(below)


def _attributes(fd: int) -> dict[str, bytes]:
    try:
        names = os.listxattr(fd)
    except OSError:
        return {}
    own = ("trusted.overlay.", "user.overlay.", "security.")
    return {name: os.getxattr(fd, name) for name in names if not name.startswith(own)}


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, CHUNK)
    except OSError:
        pass  # the user's share of pipe memory is used up; a small pipe is only slower
    return reader, writer


def _sentence(error: BaseException) -> BaseException:
    if isinstance(error, TarError | ExtractError):
        return refuse(OSError(error.errno, ""), f"write the layer ({clean(error.reason)})")
    if isinstance(error, OSError):
        return refuse(error, "write the layer")
    return error if isinstance(error, SystemFailure) else SystemFailure(f"cannot write the layer: {error}")
