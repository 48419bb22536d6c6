"""One blob on its way from a registry into the store, with readers that follow it while it arrives.

A fetch is run by one thread. It takes the blob from the store when it is there and undamaged, goes on with what an
earlier download left, and waits for another process that is at it, to take over when that one dies. Readers see bytes
before the digest of all of them is known; what they make of these counts only when the fetch has ended well.
"""

from __future__ import annotations

import hashlib
import os
import threading

from tuidock.engine.errors import EngineError, RegistryRefused
from tuidock.engine.oci.descriptor import Descriptor
from tuidock.engine.paths import Paths
from tuidock.engine.store import partial
from tuidock.engine.store.content import CHUNK, ContentStore, Stored
from tuidock.engine.store.partial import Partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tuidock.engine.store.content import Blob

#: How often a blob that another process has is looked at (seconds).
_LOOK = 0.1


class Stopped(EngineError):
    """The operation was given up, or what was read so far has turned out to be damaged; nobody sees this."""


class Source:
    """Where a blob's bytes come from: an offset to an iterator over the rest (`Registry.blob` with a name)."""

    def __init__(self, open: Callable[[Descriptor, int, Callable[[str], None]], Iterator[bytes]], name: str) -> None:
        self.open, self.name = open, name


class Fetch:
    """One blob. tell: is told the verbs of Progress as they come, with a message for `retrying`."""

    def __init__(
        self,
        paths: Paths,
        source: Source,
        described: Descriptor,
        tell: Callable[[str, str], None],
        *,
        anew: bool = False,
    ) -> None:
        self._paths, self._source, self._tell, self._anew = paths, source, tell, anew
        self._content = ContentStore(paths)
        self.described = described
        self.arrived = 0  # that readers may have
        self.elsewhere = False  # another process has it, and this much of it:
        self.arrived_elsewhere = 0
        self._partial: Partial | None = None
        self._blob: Blob | None = None
        self._ended = self._stopped = self._failed = False
        self._generation = 0
        self._news = threading.Condition()

    @property
    def subject(self) -> str:
        """As Progress names it."""
        return self.described.digest[7:19]

    @property
    def blob(self) -> Blob:
        """The complete blob, checked."""
        assert self._blob is not None
        return self._blob

    @property
    def is_complete(self) -> bool:
        return self._blob is not None

    @property
    def generation(self) -> int:
        """Grows when what had arrived turned out to be damaged and it begins anew."""
        return self._generation

    # --- the thread that fetches

    def run(self) -> None:
        """Raises RegistryRefused, OSError, Stopped."""
        try:
            self._take(self._claim())
        except BaseException:
            with self._news:
                self._failed = True
            raise
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _claim(self) -> Partial:
        """The place for it; waits while another process has it."""
        described = self.described
        while (found := partial.claim(self._paths, described.digest, described.size)) is None:
            if not self.elsewhere:
                self.elsewhere = True
                self._tell("downloading", "another process is fetching it")
            self.arrived_elsewhere = min(partial.want(self._paths, described.digest), described.size)
            with self._news:
                if self._news.wait_for(lambda: self._stopped, _LOOK):
                    raise Stopped("given up")
        self.elsewhere = False
        return found

    def _take(self, place: Partial) -> None:
        with self._news:
            if self._stopped:
                place.release()
                raise Stopped("given up")
            self._partial = place
        size = self.described.size
        if not self._anew and self._content.has(self.described.digest, size):
            if self._is_whole():
                place.release(drop=True)
                self._complete(Stored(self.described.digest, size))
                return
            self._content.remove(self.described.digest)  # nobody can use it, and what comes now would find it there
        for _ in place.restore():
            self._grown(place)
        resumed = place.written > 0
        self._receive(place)
        if not place.correct() and resumed:  # what was left by an earlier download may have lost its end in a power cut
            place.restart()
            with self._news:
                self._generation += 1
                self.arrived = 0
                self._news.notify_all()
            self._receive(place)
        if not place.correct():
            found = place.found
            place.release(drop=True)
            raise RegistryRefused(
                f"{self._source.name} sent {found} as {self.described.digest}: it is damaged or lies; nothing was kept"
            )
        place.finish()
        self._complete(place)

    def _is_whole(self) -> bool:
        """Whether the blob of the store is what its name says: a disk may have lost some of it, and what is asked for
        here is going to be unpacked."""
        self._tell("verifying", "")
        digest = hashlib.sha256()
        fd = self._content.open(self.described.digest)
        try:
            while chunk := os.read(fd, CHUNK):
                if self._stopped:
                    raise Stopped("given up")
                digest.update(chunk)
        finally:
            os.close(fd)
        return "sha256:" + digest.hexdigest() == self.described.digest

    def _receive(self, place: Partial) -> None:
        self._tell("downloading", "")
        described = self.described
        if place.written < described.size:
            for chunk in self._source.open(described, place.written, lambda why: self._tell("retrying", why)):
                if self._stopped:
                    raise Stopped("given up")
                place.write(chunk)
                self._grown(place)
        self._tell("verifying", "")

    def _grown(self, place: Partial) -> None:
        with self._news:
            if self._stopped:
                raise Stopped("given up")
            self.arrived = place.written
            self._news.notify_all()

    def _complete(self, blob: Blob) -> None:
        self._tell("downloaded", "")
        with self._news:
            self._blob = blob
            self.arrived = self.described.size
            self._news.notify_all()

    # --- other threads

    def await_begin(self) -> None:
        """Until there is something to read. Raises Stopped."""
        with self._news:
            self._news.wait_for(lambda: self.arrived or self._ended or self._stopped)
            if self._stopped or self._failed:
                raise Stopped("given up")

    @property
    def is_running(self) -> bool:
        """Whether more may come."""
        return not (self._ended or self._stopped)

    def await_end(self, timeout: float | None = None) -> bool:
        """Until nothing more will come, or so many seconds; whether it has ended well."""
        with self._news:
            self._news.wait_for(lambda: self._ended or self._stopped, timeout)
            return self._blob is not None

    def reader(self) -> Reader:
        """From the beginning. Close it."""
        with self._news:
            generation = self._generation
            if self._blob is not None and self._blob.published:
                fd = self._content.open(self.described.digest)
            elif self._partial is not None:
                fd = self._content.open_ingest(self._partial)
            else:
                raise Stopped("given up")
        return Reader(self, fd, generation)

    def await_bytes(self, position: int, generation: int, given_up: Callable[[], bool]) -> int:
        """How many bytes from this position on are there; 0 at the end of the blob. Raises Stopped."""

        def over() -> bool:
            return self._stopped or self._generation != generation

        with self._news:
            self._news.wait_for(lambda: self.arrived > position or self._ended or over() or given_up())
            there = self.arrived - position
            if over() or self._failed or (given_up() and not there and not self._ended):
                raise Stopped("given up")
            return there

    def wake_readers(self) -> None:
        """They look again at what they wait for."""
        with self._news:
            self._news.notify_all()

    @property
    def wanted(self) -> bool:
        """Whether another process waits for what this one has."""
        place = self._partial
        return place is not None and not place.published and place.wanted

    def publish(self, *, replace: bool = False) -> None:
        """Gives the complete blob its name now, durably, and lets other processes have it."""
        with self._news:
            self._content.publish(self.blob, replace=replace)
            if self._partial is not None:
                self._partial.release()

    def stop(self) -> None:
        """`run` and readers in other threads raise Stopped soon."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    def close(self, *, drop: bool = False) -> None:
        """When nothing runs any more: lets go of what arrived, for whoever goes on with it, or for nobody (drop)."""
        if self._partial is not None:
            self._partial.release(drop=drop)


class Reader:
    """A blob's bytes as they arrive."""

    def __init__(self, fetch: Fetch, fd: int, generation: int) -> None:
        self._fetch, self._fd, self._generation = fetch, fd, generation
        self._position = 0
        self._given_up = False

    def read(self, size: int) -> bytes:
        """Blocks until there are some; b"" only at the end. Raises Stopped."""
        there = self._fetch.await_bytes(self._position, self._generation, lambda: self._given_up)
        chunk = os.pread(self._fd, min(size, there), self._position) if there else b""
        self._position += len(chunk)
        return chunk

    def give_up(self) -> None:
        """From another thread: nobody wants what has not arrived yet, `read` raises Stopped instead of waiting for it."""
        self._given_up = True
        self._fetch.wake_readers()

    @property
    def is_stale(self) -> bool:
        """Whether the blob has begun anew, so that what was read was damaged."""
        return self._fetch.generation != self._generation

    def close(self) -> None:
        os.close(self._fd)
