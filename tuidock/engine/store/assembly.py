"""Putting an image together: layers in order, then configuration and manifest, then one commit.

Whatever the source is (archive, import, this machine's programs), nothing is visible before `commit`: blobs are ingests,
layers are drafts. The commit is syncfs, renames, fsync of two directories, one transaction; a kill at any point leaves
either nothing or blobs and layers that the next collection removes.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import ExitStack

from tuidock.engine.errors import BadContent
from tuidock.engine.oci import descriptor
from tuidock.engine.oci.descriptor import Descriptor
from tuidock.engine.oci.digest import chain_ids
from tuidock.engine.oci.image_config import ImageConfig
from tuidock.engine.oci.manifest import make_manifest
from tuidock.engine.oci.reference import Reference
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import images
from tuidock.engine.store.ahead import Ahead
from tuidock.engine.store.compression import SNIFF, inflate, kind_of
from tuidock.engine.store.content import ContentStore, Ingest
from tuidock.engine.store.images import Layer
from tuidock.engine.store.layers import Unpacking
from tuidock.engine.store.snapshots import Draft, Snapshots
from tuidock.engine.types import Progress
from tuidock.native import syncfs
from tuidock.native.extractor import Extractor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

#: Deeper images cannot be mounted by docker, so they are refused here too.
DEPTH_LIMIT = 127
_SUFFIX = {"": "", "gzip": "+gzip", "zstd": "+zstd"}


class Assembly:
    """One image in the making; use as context manager. The ingests belong to the caller, who closes them."""

    def __init__(self, state: State, paths: Paths) -> None:
        self._state, self._paths = state, paths
        self._content, self._snapshots = ContentStore(paths), Snapshots(paths)
        self._undo = ExitStack()
        self._layers: list[Layer] = []
        self._blobs: list[Ingest] = []
        self._drafts: list[tuple[Draft, str]] = []
        self._roots: list[int] = []  # of the layers so far, topmost first
        self.warnings: list[str] = []
        self._undo.enter_context(self._content.lease())
        self._documents = self._undo.enter_context(self._content.ingests())

    def __enter__(self) -> Assembly:
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    @property
    def diff_ids(self) -> list[str]:
        return [layer.diff_id for layer in self._layers]

    def add(
        self, blob: Ingest, diff_id: str = "", media_type: str = "", ahead: Ahead | None = None
    ) -> Iterator[Progress]:
        """The next layer upwards. diff_id: what it must be; "" takes it as it comes. ahead: its unpacking has begun.

        Raises BadContent when the blob is another layer or hostile.
        """
        if len(self._layers) == DEPTH_LIMIT:
            raise BadContent(f"the image has more than {DEPTH_LIMIT} layers; squash some of them")
        fd = self._content.open_ingest(blob)
        try:
            kind = kind_of(os.pread(fd, SNIFF, 0))
            if kind not in _SUFFIX:
                raise BadContent(f"layer {blob.digest} is compressed with {kind}, which images do not use")
            subject = (diff_id or blob.digest)[7:19]
            if diff_id and not kind and blob.digest != diff_id:
                raise BadContent(f"layer {subject} is {blob.digest}, not what the image config promises")
            chain_id = chain_ids([*self.diff_ids, diff_id])[-1] if diff_id else ""
            if chain_id and self._snapshots.has(chain_id):
                if kind and not self._is_known(blob.digest, diff_id):
                    self._check(fd, diff_id, subject)
                yield Progress(subject, "exists", blob.size, blob.size)
                root = os.open(self._snapshots.path(chain_id), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self._undo.callback(os.close, root)
            else:
                draft = yield from self._unpack(fd, blob, kind, diff_id, ahead)
                diff_id = draft.diff_id
                chain_id = chain_ids([*self.diff_ids, diff_id])[-1]
                draft.write_size()
                self._drafts.append((draft, chain_id))
                root = draft.root
        finally:
            os.close(fd)
        self._roots.insert(0, root)
        self._blobs.append(blob)
        kind_suffix = media_type or descriptor.OCI_LAYER + _SUFFIX[kind]
        self._layers.append(Layer(diff_id, chain_id, blob.digest, blob.size, kind_suffix))

    def _is_known(self, digest: str, diff_id: str) -> bool:
        """Whether an image has this very blob as this layer, so that it was unpacked and compared once."""
        rows = self._state.read().execute("SELECT layers FROM images WHERE instr(layers, ?)", (digest,)).fetchall()
        layers = [layer for row in rows for layer in json.loads(row[0])]
        return any(layer["digest"] == digest and layer["diff_id"] == diff_id for layer in layers)

    def _check(self, fd: int, diff_id: str, subject: str) -> None:
        """A layer that is there already is not unpacked again; its blob could be anything and be pushed or saved later."""
        found = hashlib.sha256()
        for chunk in inflate(lambda size: os.read(fd, size)):
            found.update(chunk)
        if "sha256:" + found.hexdigest() != diff_id:
            raise BadContent(f"layer {subject} is sha256:{found.hexdigest()}, not what the image config promises")

    def _unpack(
        self, fd: int, blob: Ingest, kind: str, diff_id: str, ahead: Ahead | None
    ) -> Generator[Progress, None, Draft]:
        subject = (diff_id or blob.digest)[7:19]
        ready = ahead.take(has_parent=bool(self._roots)) if ahead else None
        if ready is not None:
            draft, extracted = ready
            self._undo.enter_context(draft)
            if self._roots and not extracted.root_seen:
                draft.dress_like(self._roots[0])
            draft.diff_id = blob.digest
            self._warn(extracted, subject)
            yield Progress(subject, "extracting", blob.size, blob.size)
            return draft
        draft = self._undo.enter_context(self._snapshots.draft())
        if self._roots:
            draft.dress_like(self._roots[0])
        unpacking = Unpacking(fd, draft, lower=self._roots)
        yield from unpacking.progress(subject, blob.size, "" if kind else blob.digest)
        if diff_id and draft.diff_id != diff_id:
            raise BadContent(f"layer {subject} is {draft.diff_id}, not what the image config promises")
        self._warn(unpacking.extractor, subject)
        return draft

    def commit(self, config: ImageConfig, tags: Iterable[Reference] = (), manifest: bytes = b"") -> None:
        """Makes the image durable and visible. manifest: its raw bytes when it came with one."""
        if list(config.diff_ids) != self.diff_ids:
            raise BadContent(f"the image config names {len(config.diff_ids)} layers, {len(self._layers)} were given")
        config_blob = self._documents.put(config.raw)
        if not manifest:
            described = Descriptor(descriptor.OCI_CONFIG, config.id, len(config.raw))
            layers = [Descriptor(layer.media_type, layer.digest, layer.size) for layer in self._layers]
            manifest = make_manifest(described, layers)
        manifest_blob = self._documents.put(manifest)
        root = os.open(self._paths.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syncfs(root)
        finally:
            os.close(root)
        for blob in (*self._blobs, config_blob, manifest_blob):
            self._content.publish(blob, synced=True)
        self._content.sync()
        for draft, chain_id in self._drafts:
            self._snapshots.commit(draft, chain_id)
        if self._drafts:
            self._snapshots.sync()
        size = sum(self._snapshots.size(layer.chain_id) for layer in self._layers)
        with self._state.write() as db:
            images.insert(db, config, manifest_blob.digest, self._layers, size, tags)

    def _warn(self, extracted: Extractor, subject: str) -> None:
        if extracted.skipped_devices:
            self.warnings.append(f"layer {subject}: {extracted.skipped_devices} device nodes were left out")
        if extracted.skipped_xattrs:
            self.warnings.append(f"layer {subject}: {extracted.skipped_xattrs} extended attributes were left out")
