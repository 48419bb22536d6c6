"""Compressing with all processors: gzip in members of a fixed length, each made by itself.

The length is of what goes in, so the same bytes always give the same blob whatever the number of processors is. A file of
many members is as good a gzip file as one of a single member (RFC 1952, 2.2): every reader of layers takes it, since
images that are meant to be read in pieces (eStargz) have a member for each file. It grows by less than a hundredth.
"""

from __future__ import annotations

import os
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

    from tuidock.engine.store.content import Ingest

#: What a member holds (bytes). Thirty times gzip's window: larger ones are hardly smaller when they are packed.
MEMBER = 1 << 20
#: Beyond these threads nothing is won: whoever reads, hashes and writes is one thread.
_MOST = 8
_LEVEL = 2  # of isal, which goes from 0 to 3: as fast as 1, and 3 takes three times as long for 2 %


class Packer:
    """Compresses into an ingest; `close` it in any case. grown: is told when the ingest has more bytes."""

    def __init__(self, out: Ingest, grown: Callable[[], None] = lambda: None) -> None:
        self._out, self._grown = out, grown
        self._threads = min(_MOST, len(os.sched_getaffinity(0)))
        self._pool: ThreadPoolExecutor | None = None
        self._made: deque[Future[bytes]] = deque()
        self._pieces: list[bytes] = []
        self._gathered = 0

    def write(self, chunk: bytes) -> None:
        """Waits while the threads have enough to do. Raises OSError when the ingest does."""
        while chunk:
            if self._gathered == MEMBER:
                self._submit()
            piece = chunk[: MEMBER - self._gathered]
            chunk = chunk[len(piece) :]
            self._pieces.append(piece)
            self._gathered += len(piece)

    def finish(self) -> None:
        """The last member; all that was written is in the ingest then."""
        last = b"".join(self._pieces)
        while self._made:
            self._take()
        self._put(_member(last))

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self) -> None:
        content = b"".join(self._pieces)
        self._pieces, self._gathered = [], 0
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # 8 ms, which most layers of builds need not wait for

            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="tuidock-gzip")
        self._made.append(self._pool.submit(_member, content))
        while len(self._made) > 2 * self._threads or (self._made and self._made[0].done()):
            self._take()

    def _take(self) -> None:
        self._put(self._made.popleft().result())

    def _put(self, packed: bytes) -> None:
        self._out.write(packed)
        self._grown()


def _member(content: bytes) -> bytes:
    from isal import isal_zlib

    return isal_zlib.compress(content, _LEVEL, wbits=31)
