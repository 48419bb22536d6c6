"""A layer's blob becomes a draft snapshot: inflate, hash, extract, each in its own thread, without the interpreter lock.

The digest of the uncompressed tar (the diffID) is made on the way and compared with the configuration's, so that no
blob can stand for another layer than the image names.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import threading

from tuidock.engine.clean import clean
from tuidock.engine.errors import BadContent, EngineError, SystemFailure
from tuidock.engine.files import refuse
from tuidock.engine.store.compression import inflate
from tuidock.engine.store.content import free_bytes
from tuidock.engine.store.snapshots import Draft
from tuidock.engine.types import Progress
from tuidock.native import extractor
from tuidock.native.extractor import ExtractError, Extractor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PIPE_SIZE = 1 << 20
_BEAT = 0.1
#: Beyond the free space: headers of the tar that become inodes and not blocks (bytes).
_SLACK = 256 << 20


def room(path: str) -> int:
    """How long a layer's tar may be there."""
    return free_bytes(path) + _SLACK


class Unpacking:
    """One layer on its way into a draft, whose size and diff_id are known when `progress` has ended."""

    def __init__(self, blob: int, draft: Draft, *, lower: Sequence[int] = (), flags: int = extractor.LAYER) -> None:
        self._blob, self._draft = blob, draft
        self.extractor = Extractor(flags, max_bytes=room(draft.path), lower=lower)
        self._consumed = 0
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def progress(self, subject: str, total: int, diff_id: str = "") -> Iterator[Progress]:
        """Unpacks while progress is taken; closing the iterator stops it.

        diff_id: the blob is an uncompressed tar of this digest, checked already. Raises BadContent or SystemFailure.
        """
        try:
            if diff_id:
                self._draft.diff_id = diff_id
                self._start(self._extract, self._blob)
            else:
                reader, writer = os.pipe2(os.O_CLOEXEC)
                _widen(writer)
                self._start(self._feed, writer)
                self._start(self._extract, reader, True)
            for thread in self._threads:
                while thread.is_alive():
                    thread.join(_BEAT)
                    done = self.extractor.bytes_read if diff_id else self._consumed
                    yield Progress(subject, "extracting", min(done, total), total)
        finally:
            self.extractor.stop()
            for thread in self._threads:
                thread.join()
        if self._failures:
            raise self._sentence(self._failures[0], subject)
        self._draft.size = self.extractor.file_bytes

    def _start(self, target: object, *arguments: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=arguments, name="tuidock-layer", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _extract(self, tar: int, close: bool = False) -> None:
        try:
            self.extractor.run(tar, self._draft.root)
        except BaseException as error:
            # a damaged stream makes the extractor fail too, but its feeder knows why
            self._failures.append(error)
        finally:
            if close:
                os.close(tar)

    def _feed(self, pipe: int) -> None:
        digest = hashlib.sha256()
        try:
            for chunk in inflate(self._read):
                digest.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(pipe, view) :]
            self._draft.diff_id = "sha256:" + digest.hexdigest()
        except BrokenPipeError:
            pass  # the extractor has stopped and says why
        except BaseException as error:
            self._failures.insert(0, error)
        finally:
            os.close(pipe)

    def _read(self, size: int) -> bytes:
        chunk = os.read(self._blob, size)
        self._consumed += len(chunk)
        return chunk

    def _sentence(self, error: BaseException, subject: str) -> BaseException:
        if isinstance(error, ExtractError):
            reason = clean(error.reason)
            if error.bad_content:
                return BadContent(f"layer {subject} cannot be unpacked: {reason}")
            return refuse(OSError(error.errno, ""), f"unpack layer {subject} ({reason})")
        if isinstance(error, BadContent):
            return BadContent(f"layer {subject} cannot be unpacked: {error}")
        if isinstance(error, OSError):
            return SystemFailure(f"cannot read layer {subject}: {os.strerror(error.errno or errno.EIO)}")
        return error if isinstance(error, EngineError) else SystemFailure(f"cannot unpack layer {subject}: {error}")


def _widen(pipe: int) -> None:
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    except OSError:
        pass  # the user's share of pipe memory is used up; a small pipe is only slower
