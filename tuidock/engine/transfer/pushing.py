"""Push: an image goes to a registry.

Its blobs go several at a time, each only if the repository lacks it and no other repository of the registry lends it;
then the manifest, which makes them an image, last. The bytes of the manifest are those that the image came with, so its
digest stays what it was - unless the store has a layer as a plain tar, as archives bring them: that one is compressed on
its way (`compressing`), and the manifest names what was sent. The first such layer is begun with before the registry is
asked anything, even before the modules are loaded that ask: these take a tenth of the whole time with one processor busy.
"""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import Empty, SimpleQueue

from tuidock.engine.errors import InvalidArgument, NotFound
from tuidock.engine.events import append
from tuidock.engine.named import Named
from tuidock.engine.oci import manifest
from tuidock.engine.oci import reference as references
from tuidock.engine.oci.descriptor import Descriptor
from tuidock.engine.oci.digest import of_bytes
from tuidock.engine.oci.reference import Reference
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import images
from tuidock.engine.store.compression import SNIFF, kind_of
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.images import ImageRecord, Layer
from tuidock.engine.store.leases import Lease
from tuidock.engine.transfer import compressing
from tuidock.engine.transfer.compressing import Compressing, Packed
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tuidock.engine.registry.client import Registry
    from tuidock.engine.registry.uploading import Upload

#: docker's number of uploads at a time.
_AT_ONCE = 5
_BEAT_NS = 100_000_000
_SILENCE = 0.5
_PIECE = 1 << 18
#: A plain layer no longer than this is compressed first: perhaps it need not be sent (bytes).
_SMALL = 16 << 20
#: How many other repositories are asked to lend a blob.
_LENDERS = 3


def push(
    state: State, paths: Paths, connect: Callable[[str], Registry], reference: Reference, *, all_tags: bool = False
) -> Iterator[Progress]:
    """The image under its name, or with all_tags every local tag of the repository.

    First comes `pushing-to` (subject: the repository's full name). The layers' subject is the beginning of their diffID;
    the last of each tag is `digest` (subject tag, message sha256:..., total the manifest's size). Closing it ends the
    connections. Raises NotFound, RegistryRefused, AuthFailed,
    BadContent, InvalidArgument.
    """
    if reference.digest:
        raise InvalidArgument(f"cannot push {reference.familiar}: a digest cannot be chosen, give name:tag")
    yield Progress(reference.name, "pushing-to")
    chosen = _all_tags(state, reference) if all_tags else [reference]
    known = _Known()
    with ExitStack() as undo:
        connected: list[Registry] = []

        def registry() -> Registry:
            if not connected:
                connected.append(undo.enter_context(connect(reference.domain)))
            return connected[0]

        for one in chosen:
            yield from _Push(state, paths, registry, one, known).run()


def _all_tags(state: State, reference: Reference) -> list[Reference]:
    rows = state.read().execute(
        "SELECT reference FROM image_references WHERE reference >= ? AND reference < ? ORDER BY reference",
        (reference.name + ":", reference.name + ";"),
    )
    found = [references.parse(row[0]) for row in rows]
    if not found:
        raise NotFound("image", reference.familiar_name)
    return found


class _Known:
    """Which blobs a repository is known to have, for several images of one push."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digests: set[str] = set()

    def add(self, digest: str) -> None:
        with self._lock:
            self._digests.add(digest)

    def __contains__(self, digest: str) -> bool:
        with self._lock:
            return digest in self._digests


class _Stored:
    """A blob of the store as the body of an upload."""

    def __init__(self, content: ContentStore, digest: str, size: int) -> None:
        self._content, self.digest, self.size = content, digest, size

    def chunks(self, offset: int) -> Iterator[bytes]:
        fd = self._content.open(self.digest)
        try:
            while chunk := os.pread(fd, _PIECE, offset):
                offset += len(chunk)
                yield chunk
        finally:
            os.close(fd)


class _Sent(Named):
    """A layer as the registry has it now."""

    digest: str
    size: int
    media_type: str


class _Push:
    _registry: Registry

    def __init__(
        self, state: State, paths: Paths, connect: Callable[[], Registry], reference: Reference, known: _Known
    ) -> None:
        self._state, self._paths, self._connect, self._known = state, paths, connect, known
        self._reference, self._name = reference, reference.path
        self._content = ContentStore(paths)
        self._news: SimpleQueue[Progress | None] = SimpleQueue()
        self._failures: list[BaseException] = []
        self._lock = threading.Lock()
        self._ahead: dict[str, Compressing] = {}
        found = images.find_reference(state.read(), str(reference))
        if found is None:
            raise NotFound("image", reference.familiar)
        self._image_id = found[0]
        query = "SELECT digest FROM image_references WHERE reference = ?"
        self._named = str(state.read().execute(query, (str(reference),)).fetchone()[0])

    def run(self) -> Iterator[Progress]:
        with Lease(self._paths) as lease, ExitStack() as undo:
            record = images.get(self._state, self._paths, self._image_id)
            layers = list({layer.diff_id: layer for layer in record.layers}.values())
            lease.add(record.id, record.manifest_digest, *[layer.digest for layer in layers])
            raw = self._content.read(record.manifest_digest, manifest.SIZE_LIMIT)
            for layer in layers:
                yield Progress(_short(layer), "preparing")
            self._begin_ahead(layers, undo)
            self._registry = self._connect()
            sent: dict[str, _Sent] = {}
            yield from self._layers(layers, sent)
            config = manifest.parse_manifest(raw).config
            self._send_stored(self._upload(), config.digest, config.size)
            raw = _manifest(raw, record, sent)
            digest = of_bytes(raw)
            from tuidock.engine.registry.uploading import put_manifest

            put_manifest(
                self._registry, self._name, self._reference.tag, raw,
                manifest.parse_manifest(raw).media_type, digest,
            )  # fmt: skip
        with self._state.write() as db:
            db.execute(
                "UPDATE image_references SET digest = ? WHERE reference = ? AND image_id = ?",
                (digest, str(self._reference), record.id),
            )
        append(self._paths.journal, "image", "push", record.id, self._reference.familiar, labels=record.labels)
        if self._is_list():
            why = "Not all multiplatform-content is present and only the available single-platform image was pushed"
            yield Progress(self._reference.tag, "warning", message=f"{why}: {self._named} -> {digest}")
        yield Progress(self._reference.tag, "digest", total=len(raw), message=digest)

    def _is_list(self) -> bool:
        """Whether the name came as a list for several platforms, of which a pull brings one."""
        if not self._content.has(self._named):
            return False
        return "manifests" in json.loads(self._content.read(self._named, manifest.SIZE_LIMIT))

    def _upload(self, subject: str = "") -> Upload:
        from tuidock.engine.registry.uploading import Upload

        def retrying(why: str) -> None:
            if subject:
                self._news.put(Progress(subject, "retrying", message=why))

        return Upload(self._registry, self._name, retrying=retrying)

    def _begin_ahead(self, layers: Sequence[Layer], undo: ExitStack) -> None:
        """Compresses the first layer that no push has compressed before, until the stack is closed."""
        for layer in layers:
            if compressing.remembered(self._paths, layer.diff_id) is None and self._is_plain(layer):
                self._ahead[layer.diff_id] = self._compress(layer, undo)
                return

    def _compress(self, layer: Layer, undo: ExitStack) -> Compressing:
        tar = self._content.open(layer.digest)
        undo.callback(os.close, tar)
        body = Compressing(tar, layer.diff_id, undo.enter_context(self._content.ingests()).new())
        undo.callback(body.close)
        return body

    def _is_plain(self, layer: Layer) -> bool:
        """Whether the store has it as a tar that has to be compressed."""
        if layer.digest != layer.diff_id or _is_foreign(layer):
            return False
        fd = self._content.open(layer.digest)
        try:
            return not kind_of(os.pread(fd, SNIFF, 0))
        finally:
            os.close(fd)

    def _layers(self, layers: Sequence[Layer], sent: dict[str, _Sent]) -> Iterator[Progress]:
        """Sends them all; `sent` gets what they are called now, by diffID."""
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="tuidock-push")
        try:
            for number, layer in enumerate(layers):
                if number >= _AT_ONCE:
                    yield Progress(_short(layer), "waiting")
                pool.submit(self._one, layer, self._lenders(layer), sent)
            for _ in layers:
                yield from self._told(layers[0])
                if self._failures:
                    raise self._failures[0]
        finally:
            if len(sent) < len(layers):
                self._registry.cancel()
            pool.shutdown(wait=True, cancel_futures=True)

    def _told(self, first: Layer) -> Iterator[Progress]:
        """The news until the next layer has ended; while there are none the last, so that whoever listens may give up."""
        moving = Progress(_short(first), "pushing", 0, first.size)
        while True:
            try:
                news = self._news.get(timeout=_SILENCE)
            except Empty:
                news = moving
            if news is None:
                return
            if news.action == "pushing":
                moving = news
            yield news

    def _one(self, layer: Layer, lenders: list[str], sent: dict[str, _Sent]) -> None:
        """The work of a thread; None in the news is its end."""
        try:
            found = self._send(layer, lenders)
            with self._lock:
                sent[layer.diff_id] = found
        except BaseException as error:
            self._failures.append(error)
        finally:
            self._news.put(None)

    def _send(self, layer: Layer, lenders: list[str]) -> _Sent:
        subject = _short(layer)
        if _is_foreign(layer):
            self._news.put(Progress(subject, "skipped"))
            return _Sent(layer.digest, layer.size, layer.media_type)
        upload = self._upload(subject)
        if self._is_plain(layer):
            packed = self._send_packed(upload, layer, lenders)
            return _Sent(packed.digest, packed.size, _gzipped(layer.media_type))
        upload.moved = _Moved(self._news, subject, layer.size)
        self._send_stored(upload, layer.digest, layer.size, subject, lenders)
        return _Sent(layer.digest, layer.size, layer.media_type)

    def _send_stored(
        self, upload: Upload, digest: str, size: int, subject: str = "", lenders: Sequence[str] = ()
    ) -> None:
        if not self._is_there(upload, digest, size, subject, lenders):
            if subject:
                self._news.put(Progress(subject, "pushing", 0, size))
            upload.send(_Stored(self._content, digest, size))
            self._finished(digest, size, subject, "pushed")

    def _send_packed(self, upload: Upload, layer: Layer, lenders: list[str]) -> Packed:
        subject = _short(layer)
        known = compressing.remembered(self._paths, layer.diff_id)
        if known is not None and self._is_there(upload, known.digest, known.size, subject, lenders):
            return known
        self._news.put(Progress(subject, "pushing", 0, layer.size))
        with ExitStack() as undo:
            body = self._ahead.get(layer.diff_id) or self._compress(layer, undo)
            moved = _Moved(self._news, subject, layer.size)
            upload.moved = lambda _: moved(body.consumed)
            if layer.size <= _SMALL:
                body.finish()
            if not body.digest or not self._is_there(upload, body.digest, body.size, subject, lenders):
                upload.send(body)
                self._finished(body.digest, layer.size, subject, "pushed")
        packed = Packed(body.digest, body.size)
        compressing.remember(self._paths, layer.diff_id, packed)
        return packed

    def _is_there(self, upload: Upload, digest: str, size: int, subject: str, lenders: Sequence[str]) -> bool:
        """Whether the repository has the blob, or another one lends it."""
        if digest in self._known or upload.exists(digest):
            self._finished(digest, size, subject, "exists")
            return True
        for other in lenders:
            if upload.mount(digest, other):
                self._finished(digest, size, subject, "mounted", other)
                return True
        return False

    def _finished(self, digest: str, size: int, subject: str, action: str, message: str = "") -> None:
        self._known.add(digest)
        if subject:
            self._news.put(Progress(subject, action, size, size, message))

    def _lenders(self, layer: Layer) -> list[str]:
        """Repositories of the same registry under whose names the store has images with this layer."""
        rows = self._state.read().execute(
            "SELECT r.reference FROM image_references r JOIN images i ON i.id = r.image_id WHERE instr(i.layers, ?)"
            " AND r.reference >= ? AND r.reference < ?",
            (layer.diff_id, self._reference.domain + "/", self._reference.domain + "0"),
        )
        found = dict.fromkeys(references.parse(row[0]).path for row in rows)
        return [name for name in found if name != self._name][:_LENDERS]


class _Moved:
    """Passes on how far a layer is, ten times a second."""

    def __init__(self, news: SimpleQueue[Progress | None], subject: str, total: int) -> None:
        self._news, self._subject, self._total, self._next = news, subject, total, 0

    def __call__(self, done: int) -> None:
        now = time.monotonic_ns()
        if now >= self._next:
            self._next = now + _BEAT_NS
            self._news.put(Progress(self._subject, "pushing", min(done, self._total), self._total))


def _short(layer: Layer) -> str:
    return layer.diff_id[7:19]


def _is_foreign(layer: Layer) -> bool:
    """Whether it may not be given to others."""
    return any(word in layer.media_type for word in ("foreign", "nondistributable"))


def _gzipped(media_type: str) -> str:
    if media_type.endswith((".gzip", "+gzip")):
        return media_type
    return media_type + (".gzip" if media_type.startswith("application/vnd.docker.") else "+gzip")


def _manifest(raw: bytes, record: ImageRecord, sent: dict[str, _Sent]) -> bytes:
    """The stored manifest when it names what was sent; else the same with the layers as they were sent."""
    layers = [sent[layer.diff_id] for layer in record.layers]
    stored: list[Descriptor] = list(manifest.parse_manifest(raw).layers)
    if [one.digest for one in stored] == [one.digest for one in layers]:
        return raw
    document = json.loads(raw)
    for entry, one in zip(document["layers"], layers, strict=True):
        entry |= {"mediaType": one.media_type, "digest": one.digest, "size": one.size}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
