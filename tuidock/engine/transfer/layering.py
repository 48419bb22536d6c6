"""The layers of one image on their way: fetched, inflated, hashed and unpacked at the same time.

Two small crews of threads work on the list of layers from the lowest upwards. A layer is unpacked while it arrives and
before those below it are there, because what an archive says does not depend on them; only a directory that it uses
without naming looks as it does below (see `store.ahead`). Such a layer is unpacked again when its turn has come, from
the blob that is here by then.

Meanwhile what was written is brought to the disk again and again, so that the commit finds little left to wait for.

The thread of the caller does what has an order: it takes finished layers into the assembly from the lowest upwards, and
tells what happens.
"""

from __future__ import annotations

import queue
import threading
import time

from tuidock.engine.errors import BadContent
from tuidock.engine.oci.descriptor import Descriptor
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import images
from tuidock.engine.store.assembly import Assembly, sync_root
from tuidock.engine.store.content import Stored
from tuidock.engine.store.images import Layer
from tuidock.engine.store.layers import Bomb, Unpacking, diff_id_of
from tuidock.engine.store.snapshots import Draft, Snapshots
from tuidock.engine.transfer.fetching import Fetch, Reader, Source, Stopped
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: docker's number of downloads at a time; as many are unpacked.
CREW = 3
#: How often bytes are told, and brought to the disk (seconds).
_BEAT, _WRITE_BACK = 0.1, 0.2
#: A layer that cannot be unpacked waits so long for the digest to say that it is only damaged (seconds).
_PATIENCE = 5.0


class Wanted:
    """One layer of the image that is pulled.

    known: a layer of the store that stands in for it, so that nothing is fetched. is_there: its directory is in place,
    so that it is fetched and compared, but not unpacked.
    """

    def __init__(self, described: Descriptor, diff_id: str, chain_id: str) -> None:
        self.described, self.diff_id, self.chain_id = described, diff_id, chain_id
        self.known: Layer | None = None
        self.is_there = False
        self.fetch: Fetch | None = None
        self.draft: Draft | None = None
        self.unpacking: Unpacking | None = None
        self.is_bare = False  # uses directories that it does not name
        self.root_seen = True
        self.ended = False

    @property
    def subject(self) -> str:
        return self.described.digest[7:19]


class Layering:
    """Brings the layers into an assembly; `close` it in any case."""

    def __init__(
        self, state: State, paths: Paths, source: Source, layers: Sequence[Wanted], cancel: Callable[[], None]
    ) -> None:
        self._state, self._paths, self._snapshots, self._layers = state, paths, Snapshots(paths), layers
        self._cancel = cancel
        self.committed = False  # the image is in the store: nobody has to go on with what arrived
        self._told: queue.SimpleQueue[Progress] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._stopped = self._done = False
        self._sampled: dict[str, tuple[str, int]] = {}
        self._fetches: dict[str, Fetch] = {}
        for layer in layers:
            if layer.known is None:
                layer.fetch = self._fetches.setdefault(
                    layer.described.digest, Fetch(paths, source, layer.described, self._teller(layer.described))
                )
        self._to_fetch = iter(list(self._fetches.values()))
        self._to_unpack = iter([layer for layer in layers if layer.known is None])
        self._threads: list[threading.Thread] = []
        self._written = threading.Event()  # everything: there is nothing to write back any more

    def _teller(self, described: Descriptor) -> Callable[[str, str], None]:
        subject, total = described.digest[7:19], described.size

        def tell(action: str, message: str) -> None:
            done = total if action in ("verifying", "downloaded") else 0
            self._told.put(Progress(subject, action, done, total, message))

        return tell

    # --- the crews

    def _start(self, work: Callable[[], None], count: int) -> None:
        for _ in range(count):
            thread = threading.Thread(target=work, name="tuidock-pull", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, Stopped):
            with self._lock:
                self._failure = self._failure or error
        self._told.put(Progress("", ""))

    def _fetch_all(self) -> None:
        while True:
            with self._lock:
                fetch = None if self._stopped or self._failure else next(self._to_fetch, None)
            if fetch is None:
                return
            try:
                fetch.run()
            except BaseException as error:
                self._fail(error)
                return

    def _unpack_all(self) -> None:
        try:
            self._unpack_each()
        finally:
            self._state.close()  # this thread's connection

    def _unpack_each(self) -> None:
        while True:
            with self._lock:
                layer = None if self._stopped or self._failure else next(self._to_unpack, None)
            if layer is None:
                return
            try:
                self._unpack(layer)
            except BaseException as error:
                self._fail(error)
                return
            layer.ended = True
            self._told.put(Progress("", ""))

    def _unpack(self, layer: Wanted) -> None:
        fetch = layer.fetch
        assert fetch is not None
        while True:
            fetch.await_begin()
            layer.is_there = layer.is_there or self._snapshots.has(layer.chain_id)
            if layer.is_there and fetch.await_end() and self._was_compared(layer):
                return
            reader = fetch.reader()
            try:
                found = diff_id_of(reader.read) if layer.is_there else self._unpack_once(layer, reader)
                if found != layer.diff_id:
                    raise BadContent(f"layer {layer.subject} is {found}, not what the image config promises")
                failure = None
            except (BadContent, Stopped) as error:
                if isinstance(error, Bomb):
                    raise
                failure = error
            finally:
                reader.close()
            # the sentence about a wrong digest says more than the one about its consequences; and behind what was
            # unpacked there may be more bytes that belong to the blob
            complete = fetch.await_end(None if failure is None else _PATIENCE)
            if failure is not None and fetch.is_running:
                raise failure
            if complete and not reader.is_stale:
                if failure is not None:
                    raise failure
                return
            if not complete:
                raise Stopped("given up")
            self._drop_draft(layer)

    def _was_compared(self, layer: Wanted) -> bool:
        """Whether some image has this blob as this layer: perhaps one that another process has just pulled."""
        return any(one.digest == layer.described.digest for one in images.layers_of(self._state, layer.diff_id))

    def _unpack_once(self, layer: Wanted, reader: Reader) -> str:
        draft = layer.draft = self._snapshots.draft()
        unpacking = Unpacking(reader.read, draft, give_up=reader.give_up)
        with self._lock:
            if self._stopped:
                raise Stopped("given up")
            layer.unpacking = unpacking
        unpacking.run(layer.subject)
        layer.is_bare, layer.root_seen = unpacking.extractor.implied > 0, unpacking.extractor.root_seen
        return draft.diff_id

    def _drop_draft(self, layer: Wanted) -> None:
        layer.unpacking = None
        if layer.draft is not None:
            layer.draft.close()
            layer.draft = None

    def _write_back(self) -> None:
        try:
            while not self._written.wait(_WRITE_BACK):
                sync_root(self._paths)
        except OSError:
            pass  # the commit will say so

    # --- the caller's thread

    def run(self, assembly: Assembly) -> Iterator[Progress]:
        """Everything, in order. Raises RegistryRefused, BadContent, SystemFailure, OSError."""
        for layer in self._layers:
            action = "exists" if layer.known else "waiting"
            yield Progress(layer.subject, action, 0, layer.described.size)
        self._start(self._fetch_all, min(CREW, len(self._fetches)))
        self._start(self._unpack_all, min(CREW, sum(layer.known is None for layer in self._layers)))
        self._start(self._write_back, 1)
        looked = time.monotonic()
        for layer in self._layers:
            while not layer.known and not layer.ended:
                yield from self._news()
                if self._failure:
                    raise self._failure
                if time.monotonic() - looked > _BEAT:
                    looked = time.monotonic()
                    yield from self._sample()
                    self._hand_over(assembly)
            yield from self._adopt(assembly, layer)
        self._done = True
        self._written.set()

    def _news(self) -> Iterator[Progress]:
        """What was told, at least after a beat."""
        try:
            told = self._told.get(timeout=_BEAT)
            while True:
                if told.action:
                    yield told
                told = self._told.get_nowait()
        except queue.Empty:
            pass

    def _sample(self) -> Iterator[Progress]:
        for layer in self._layers:
            fetch = layer.fetch
            if fetch is None or layer.ended:
                continue
            if not fetch.is_complete:
                done = fetch.arrived_elsewhere if fetch.elsewhere else fetch.arrived
                if done == layer.described.size:
                    continue  # verified, or about to be
                now = ("downloading", done)
            elif layer.unpacking is not None:
                now = ("extracting", min(layer.unpacking.consumed, layer.described.size))
            else:
                continue
            if now[1] and self._sampled.get(layer.subject) != now:
                self._sampled[layer.subject] = now
                yield Progress(layer.subject, *now, layer.described.size)

    def _adopt(self, assembly: Assembly, layer: Wanted) -> Iterator[Progress]:
        if layer.known is not None:
            known = layer.known
            assembly.adopt(None, Stored(known.digest, known.size), layer.diff_id, known.media_type)
            return
        fetch = layer.fetch
        assert fetch is not None
        if layer.is_bare and assembly.roots:
            yield from self._unpack_again(assembly, layer, fetch)
        draft, layer.draft = layer.draft, None
        if draft is not None and assembly.roots and not layer.root_seen:
            draft.dress_like(assembly.roots[0])
        assembly.adopt(draft, fetch.blob, layer.diff_id, layer.described.media_type)
        if layer.unpacking is not None:
            assembly.warn(layer.unpacking.extractor, layer.subject)
        yield Progress(layer.subject, "pulled", layer.described.size, layer.described.size)

    def _unpack_again(self, assembly: Assembly, layer: Wanted, fetch: Fetch) -> Iterator[Progress]:
        self._drop_draft(layer)
        draft = layer.draft = self._snapshots.draft()
        draft.dress_like(assembly.roots[0])
        reader = fetch.reader()
        try:
            layer.unpacking = unpacking = Unpacking(reader.read, draft, lower=assembly.roots)
            yield from unpacking.progress(layer.subject, layer.described.size)
        finally:
            reader.close()
        layer.root_seen = True

    def _hand_over(self, assembly: Assembly) -> None:
        """Gives others what they wait for, as far as it is ready; the rest gets its name with the whole image.

        The blob of a layer that is ready is given away in any case: else two who wait for each other would for ever.
        """
        wanted = [layer for layer in self._layers if layer.ended and layer.fetch is not None and layer.fetch.wanted]
        if not wanted:
            return
        ready = [layer for layer in wanted if layer.draft is not None and not layer.is_bare and layer.root_seen]
        for layer in ready:
            assert layer.draft is not None
            layer.draft.write_size()
        sync_root(self._paths)
        assembly.settle()
        for layer in ready:
            assert layer.draft is not None
            self._snapshots.commit(layer.draft, layer.chain_id)
            layer.draft, layer.is_there = None, True
        if ready:
            self._snapshots.sync()
        for fetch in dict.fromkeys(layer.fetch for layer in wanted):
            assert fetch is not None
            fetch.publish()

    def close(self) -> None:
        """Stops everything; what has arrived of blobs is left for the next time."""
        with self._lock:
            self._stopped = True
        self._written.set()
        if not self._done:
            self._cancel()
        for fetch in self._fetches.values():
            fetch.stop()
        for layer in self._layers:
            if layer.unpacking is not None:
                layer.unpacking.stop()
        for thread in self._threads:
            thread.join()
        for layer in self._layers:
            self._drop_draft(layer)
        for fetch in self._fetches.values():
            fetch.close(drop=self.committed)
