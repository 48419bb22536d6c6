"""A layer's blob becomes a draft snapshot: inflate, hash, extract, each in its own thread, without the interpreter lock.

The digest of the uncompressed tar (the diffID) is made on the way and compared with the configuration's, so that no
blob can stand for another layer than the image names. Where the bytes come from is the caller's: a file, or a blob that
is still arriving.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import threading

from tuidock.engine import rootless
from tuidock.engine.clean import clean
from tuidock.engine.errors import BadContent, EngineError, SystemFailure
from tuidock.engine.files import refuse
from tuidock.engine.store.compression import Read, inflate
from tuidock.engine.store.content import free_bytes
from tuidock.engine.store.snapshots import Draft
from tuidock.engine.types import Progress
from tuidock.native import extractor
from tuidock.native.extractor import ExtractError, Extractor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_PIPE_SIZE = 1 << 20
_BEAT = 0.1
#: Beyond the free space: headers of the tar that become inodes and not blocks (bytes).
_SLACK = 256 << 20
#: A layer may inflate to so much whatever its size is (bytes), and beyond it to so many times its size. What people
#: really have in layers stays below 20; gzip itself ends at 1030, zstd far beyond.
_INFLATED_FREELY, _INFLATED_TIMES = 1 << 30, 200


def room(path: str) -> int:
    """How long a layer's tar may be there."""
    return free_bytes(path) + _SLACK


class Bomb(BadContent):
    """It inflates to more than anybody means; there is no need to look at the rest."""


class Counted:
    """A source that knows how much was read from it, and with `check` when it inflates too far."""

    def __init__(self, read: Read) -> None:
        self._read, self.consumed, self.produced = read, 0, 0

    def read(self, size: int) -> bytes:
        chunk = self._read(size)
        self.consumed += len(chunk)
        return chunk

    def inflated(self) -> Iterator[bytes]:
        """Raises BadContent, Bomb."""
        for chunk in inflate(self.read):
            self.produced += len(chunk)
            if self.produced > _INFLATED_FREELY + _INFLATED_TIMES * self.consumed:
                raise Bomb(f"{self.consumed} bytes of it inflate to more than {self.produced}, as only a bomb does")
            yield chunk


def diff_id_of(read: Read) -> str:
    """The digest of a layer's uncompressed tar. Raises BadContent."""
    digest = hashlib.sha256()
    for chunk in Counted(read).inflated():
        digest.update(chunk)
    return "sha256:" + digest.hexdigest()


def rootless_flags() -> int:
    """What the extractor leaves out in a user namespace: devices, trusted attributes, and owners when root is alone."""
    if not rootless.is_active():
        return 0
    return extractor.USERXATTR | extractor.NO_DEVICES | (extractor.KEEP_OWNER if rootless.has_one_id() else 0)


class Unpacking:
    """One layer on its way into a draft, whose size and diff_id are known when it has ended.

    blob: a descriptor, or what to read the blob with; that may block until more has arrived. give_up: ends such a wait,
    when what has arrived is refused already.
    """

    def __init__(
        self,
        blob: int | Read,
        draft: Draft,
        *,
        lower: Sequence[int] = (),
        flags: int = extractor.LAYER,
        give_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._file = blob if isinstance(blob, int) else -1
        self._source = Counted((lambda size: os.read(blob, size)) if isinstance(blob, int) else blob)
        self._draft = draft
        self._give_up, self._given_up = give_up, False
        self.extractor = Extractor(flags | rootless_flags(), max_bytes=room(draft.path), lower=lower)
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    @property
    def consumed(self) -> int:
        """Bytes of the blob that have been taken so far."""
        return self._source.consumed or self.extractor.bytes_read

    def progress(self, subject: str, total: int, diff_id: str = "") -> Iterator[Progress]:
        """Unpacks while progress is taken; closing the iterator stops it.

        diff_id: the blob is an uncompressed tar of this digest, checked already. Raises BadContent or SystemFailure.
        """
        try:
            if diff_id and self._file >= 0:
                self._draft.diff_id = diff_id
                self._start(self._extract, self._file)
            else:
                self._start(self._extract, self._feeder(), True)
            for thread in self._threads:
                while thread.is_alive():
                    thread.join(_BEAT)
                    yield Progress(subject, "extracting", min(self.consumed, total), total)
        finally:
            self._end()
        self._finish(subject)

    def run(self, subject: str) -> None:
        """Unpacks in this thread and one more. Raises BadContent or SystemFailure, or what the source raised."""
        try:
            self._extract(self._feeder(), True)
        finally:
            self._end()
        self._finish(subject)

    def stop(self) -> None:
        """Lets `run` in another thread end soon; a source that blocks has to be woken by its owner."""
        self.extractor.stop()

    def _end(self) -> None:
        self.extractor.stop()
        for thread in self._threads:
            thread.join()

    def _finish(self, subject: str) -> None:
        if self._failures:
            raise self._sentence(self._failures[0], subject)
        self._draft.size = self.extractor.file_bytes

    def _feeder(self) -> int:
        """Starts what inflates; answers where the tar comes out."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        _widen(writer)
        self._start(self._feed, writer)
        return reader

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
            self._given_up = True
            self._give_up()
        finally:
            if close:
                os.close(tar)

    def _feed(self, pipe: int) -> None:
        digest = hashlib.sha256()
        try:
            for chunk in self._source.inflated():
                digest.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(pipe, view) :]
            self._draft.diff_id = "sha256:" + digest.hexdigest()
        except BrokenPipeError:
            pass  # the extractor has stopped and says why
        except BaseException as error:
            knows_why = not self._given_up or isinstance(error, BadContent)
            self._failures.insert(0 if knows_why else len(self._failures), error)
        finally:
            os.close(pipe)

    def _sentence(self, error: BaseException, subject: str) -> BaseException:
        if isinstance(error, ExtractError):
            reason = clean(error.reason)
            if error.bad_content:
                return BadContent(f"layer {subject} cannot be unpacked: {reason}")
            return refuse(OSError(error.errno, ""), f"unpack layer {subject} ({reason})")
        if isinstance(error, BadContent):
            return type(error)(f"layer {subject} cannot be unpacked: {error}")
        if isinstance(error, OSError):
            return SystemFailure(f"cannot read layer {subject}: {os.strerror(error.errno or errno.EIO)}")
        return error if isinstance(error, EngineError) else SystemFailure(f"cannot unpack layer {subject}: {error}")


def _widen(pipe: int) -> None:
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    except OSError:
        pass  # the user's share of pipe memory is used up; a small pipe is only slower
