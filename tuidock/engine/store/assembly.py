"""Putting an image together: layers in order, then configuration and manifest, then one commit.

Whatever the source is (archive, registry, build, import, this machine's programs), nothing is visible before `commit`:
blobs are ingests, layers are drafts, and what is used of the store is held by a lease. The commit is syncfs, renames,
fsync of two directories, one transaction; a kill at any point leaves either nothing or blobs and layers that the next
collection removes.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

from tuidock.engine.errors import BadContent, NotFound
from tuidock.engine.oci import descriptor
from tuidock.engine.oci.descriptor import Descriptor
from tuidock.engine.oci.digest import chain_ids
from tuidock.engine.oci.image_config import ImageConfig
from tuidock.engine.oci.manifest import make_manifest
from tuidock.engine.oci.reference import Reference
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import collection, images
from tuidock.engine.store.ahead import Ahead
from tuidock.engine.store.compression import SNIFF, kind_of
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.images import ImageRecord, Layer
from tuidock.engine.store.layers import Unpacking, diff_id_of
from tuidock.engine.store.leases import Lease
from tuidock.engine.store.snapshots import Draft, Snapshots
from tuidock.engine.types import Progress
from tuidock.native import syncfs
from tuidock.native.extractor import Extractor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from tuidock.engine.store.content import Blob

#: Deeper images cannot be mounted by docker, so they are refused here too.
DEPTH_LIMIT = 127
_SUFFIX = {"": "", "gzip": "+gzip", "zstd": "+zstd"}


def sync_root(paths: Paths) -> None:
    """Makes everything durable that was written to the data root's file system."""
    root = os.open(paths.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        syncfs(root)
    finally:
        os.close(root)


class Assembly:
    """One image in the making; use as context manager. The ingests belong to the caller, who closes them."""

    def __init__(self, state: State, paths: Paths) -> None:
        self._state, self._paths = state, paths
        self._content, self._snapshots = ContentStore(paths), Snapshots(paths)
        self._undo = ExitStack()
        self._layers: list[Layer] = []
        self._blobs: list[Blob] = []
        self._drafts: list[tuple[Draft, str]] = []
        self._roots: list[int] = []  # of the layers so far, topmost first
        self._replaces = False  # documents or blobs of what was there before may be left over
        self.warnings: list[str] = []
        self.lease = self._undo.enter_context(Lease(paths))
        self._documents = self._undo.enter_context(self._content.ingests())

    def __enter__(self) -> Assembly:
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()
        if self._replaces:
            collection.collect(self._state, self._paths)

    @property
    def diff_ids(self) -> list[str]:
        return [layer.diff_id for layer in self._layers]

    @property
    def roots(self) -> Sequence[int]:
        """Descriptors of the directories of the layers so far, topmost first."""
        return self._roots

    def adopt(self, draft: Draft | None, blob: Blob, diff_id: str, media_type: str = "") -> None:
        """The next layer upwards, whose directory and blob are made and checked already.

        draft: its filled directory, this assembly's from now on; None when the layer lies in its place. media_type "":
        that of what the blob is compressed with.
        """
        self._check_depth()
        chain_id = chain_ids([*self.diff_ids, diff_id])[-1]
        self.lease.add(blob.digest, chain_id)
        if draft is not None:
            self._undo.enter_context(draft)
            draft.diff_id = diff_id
            draft.write_size()
            self._drafts.append((draft, chain_id))
            root = self._keep(os.dup(draft.root))
        else:
            root = self._open_layer(chain_id)
        if not media_type:
            fd = self._content.open_ingest(blob)
            try:
                media_type = descriptor.OCI_LAYER + _SUFFIX[kind_of(os.pread(fd, SNIFF, 0))]
            finally:
                os.close(fd)
        self._put(root, blob, Layer(diff_id, chain_id, blob.digest, blob.size, media_type))

    def _check_depth(self) -> None:
        if len(self._layers) == DEPTH_LIMIT:
            raise BadContent(f"the image has more than {DEPTH_LIMIT} layers; squash some of them")

    def _open_layer(self, chain_id: str) -> int:
        return self._keep(os.open(self._snapshots.path(chain_id), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def _keep(self, fd: int) -> int:
        self._undo.callback(os.close, fd)
        return fd

    def _put(self, root: int, blob: Blob, layer: Layer) -> None:
        self._roots.insert(0, root)
        self._blobs.append(blob)
        self._layers.append(layer)

    def add(
        self, blob: Blob, diff_id: str = "", media_type: str = "", ahead: Ahead | None = None
    ) -> Iterator[Progress]:
        """The next layer upwards. diff_id: what it must be; "" takes it as it comes. ahead: its unpacking has begun.

        Raises BadContent when the blob is another layer or hostile.
        """
        self._check_depth()
        fd = self._content.open_ingest(blob)
        try:
            kind = kind_of(os.pread(fd, SNIFF, 0))
            if kind not in _SUFFIX:
                raise BadContent(f"layer {blob.digest} is compressed with {kind}, which images do not use")
            subject = (diff_id or blob.digest)[7:19]
            if diff_id and not kind and blob.digest != diff_id:
                raise BadContent(f"layer {subject} is {blob.digest}, not what the image config promises")
            chain_id = chain_ids([*self.diff_ids, diff_id])[-1] if diff_id else ""
            self.lease.add(blob.digest, chain_id)
            if chain_id and self._snapshots.has(chain_id):
                if kind and not self._is_known(blob.digest, diff_id):
                    self._check(fd, diff_id, subject)
                yield Progress(subject, "exists", blob.size, blob.size)
                root = self._open_layer(chain_id)
            else:
                draft = yield from self._unpack(fd, blob, kind, diff_id, ahead)
                diff_id = draft.diff_id
                chain_id = chain_ids([*self.diff_ids, diff_id])[-1]
                self.lease.add(chain_id)
                draft.write_size()
                self._drafts.append((draft, chain_id))
                root = self._keep(os.dup(draft.root))
        finally:
            os.close(fd)
        kind_of_blob = media_type or descriptor.OCI_LAYER + _SUFFIX[kind]
        self._put(root, blob, Layer(diff_id, chain_id, blob.digest, blob.size, kind_of_blob))

    def _is_known(self, digest: str, diff_id: str) -> bool:
        """Whether an image has this very blob as this layer, so that it was unpacked and compared once."""
        return any(layer.digest == digest for layer in images.layers_of(self._state, diff_id))

    def _check(self, fd: int, diff_id: str, subject: str) -> None:
        """A layer that is there already is not unpacked again; its blob could be anything and be pushed or saved later."""
        found = diff_id_of(lambda size: os.read(fd, size))
        if found != diff_id:
            raise BadContent(f"layer {subject} is {found}, not what the image config promises")

    def _unpack(
        self, fd: int, blob: Blob, kind: str, diff_id: str, ahead: Ahead | None
    ) -> Generator[Progress, None, Draft]:
        subject = (diff_id or blob.digest)[7:19]
        ready = ahead.take(has_parent=bool(self._roots)) if ahead else None
        if ready is not None:
            draft, extracted = ready
            self._undo.enter_context(draft)
            if self._roots and not extracted.root_seen:
                draft.dress_like(self._roots[0])
            draft.diff_id = blob.digest
            self.warn(extracted, subject)
            yield Progress(subject, "extracting", blob.size, blob.size)
            return draft
        draft = self._undo.enter_context(self._snapshots.draft())
        if self._roots:
            draft.dress_like(self._roots[0])
        unpacking = Unpacking(fd, draft, lower=self._roots)
        yield from unpacking.progress(subject, blob.size, "" if kind else blob.digest)
        if diff_id and draft.diff_id != diff_id:
            raise BadContent(f"layer {subject} is {draft.diff_id}, not what the image config promises")
        self.warn(unpacking.extractor, subject)
        return draft

    def commit(
        self,
        config: ImageConfig,
        tags: Iterable[Reference] = (),
        manifest: bytes = b"",
        documents: Iterable[bytes] = (),
    ) -> None:
        """Makes the image durable and visible.

        manifest: its raw bytes when it came with one. documents: what a registry named by the tags, outermost first (an
        index, a manifest whose layers came from elsewhere): the first one's digest is that of the tags.
        """
        if list(config.diff_ids) != self.diff_ids:
            raise BadContent(f"the image config names {len(config.diff_ids)} layers, {len(self._layers)} were given")
        tags = list(tags)
        self._replaces = self._is_known_by(config.id, tags)
        known = self._whole(config.id) if self._replaces and not manifest else None
        others = [self._documents.put(document) for document in documents]
        written = [*others]
        if known is None:
            written.append(self._documents.put(manifest or self._make_manifest(config)))
        named = written[0].digest if written else known.manifest_digest if known else ""
        if known is None:
            manifest_digest, layers, blobs = written[-1].digest, self._layers, self._blobs
            written.append(self._documents.put(config.raw))
        else:  # with the blobs that it has: what came has no manifest of its own that would name others
            manifest_digest, layers, blobs = known.manifest_digest, list(known.layers), []
        self.lease.add(*[blob.digest for blob in written])
        sync_root(self._paths)
        for blob in (*blobs, *written):
            self._content.publish(blob, synced=True)
        self._content.sync()
        self.settle()
        size = sum(self._snapshots.size(layer.chain_id) for layer in layers)
        with self._state.write() as db:
            images.insert(db, config, manifest_digest, layers, size, tags, named, replace=known is None)

    def _make_manifest(self, config: ImageConfig) -> bytes:
        described = Descriptor(descriptor.OCI_CONFIG, config.id, len(config.raw))
        return make_manifest(
            described, [Descriptor(layer.media_type, layer.digest, layer.size) for layer in self._layers]
        )

    def _is_known_by(self, image_id: str, tags: Iterable[Reference]) -> bool:
        """Whether the image or one of its names is there already."""
        db = self._state.read()
        if db.execute("SELECT 1 FROM images WHERE id = ?", (image_id,)).fetchone():
            return True
        query = "SELECT 1 FROM image_references WHERE reference = ?"
        return any(db.execute(query, (str(tag),)).fetchone() for tag in tags)

    def _whole(self, image_id: str) -> ImageRecord | None:
        """The image as the store has it already, if nothing of it is missing; from now on that stays."""
        try:
            record = images.get(self._state, self._paths, image_id)
        except NotFound:
            return None
        needed = [(image_id, -1), (record.manifest_digest, -1)] + [(one.digest, one.size) for one in record.layers]
        self.lease.add(*[digest for digest, _ in needed])
        there = all(self._content.has(digest, size) for digest, size in needed)
        return record if there else None

    def settle(self) -> None:
        """Gives the layers so far their names, also before the image is complete: what is durable already (`sync_root`)
        can be used by others."""
        for draft, chain_id in self._drafts:
            self._snapshots.commit(draft, chain_id)
        if self._drafts:
            self._snapshots.sync()
        self._drafts.clear()

    def warn(self, extracted: Extractor, subject: str) -> None:
        if extracted.skipped_devices:
            self.warnings.append(f"layer {subject}: {extracted.skipped_devices} device nodes were left out")
        if extracted.skipped_xattrs:
            self.warnings.append(f"layer {subject}: {extracted.skipped_xattrs} extended attributes were left out")
