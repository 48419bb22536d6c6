"""What all stages of one build share: the context, the cache, the layers that were made, the trees to take files from.

A layer that was made stays a draft and its blob an ingest until the end, whether that is good or bad: then the disk is
asked once to keep everything, and one transaction makes cache and image visible. A kill before that leaves drafts and
ingests without an owner, which the next sweep takes.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock

from tuidock.engine.build import cache
from tuidock.engine.build.cache import Row
from tuidock.engine.build.trees import Tree
from tuidock.engine.errors import BadContent, NotFound
from tuidock.engine.files import refuse
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.store.layer import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from tuidock.engine.build.context import Context
    from tuidock.engine.build.hashing import FileHashes
    from tuidock.engine.build.planner import Plan
    from tuidock.engine.dockerfile.arguments import Scope
    from tuidock.engine.dockerfile.ast import Dockerfile
    from tuidock.engine.image_types import BuildRequest
    from tuidock.engine.store.content import ContentStore, Ingest, Ingests
    from tuidock.engine.store.leases import Lease
    from tuidock.engine.store.snapshots import Draft, Snapshots
    from tuidock.engine.types import Progress

    Pull = Callable[[str, str], Iterator[Progress]]

#: Deeper images cannot be mounted by docker.
DEPTH_LIMIT = 127


class Base(Named):
    """An image of the store as a stage begins with it. document: its configuration without history and layers."""

    layers: tuple[Layer, ...]
    lower: tuple[str, ...]
    document: dict[str, Any]
    history: tuple[dict[str, Any], ...]


class StageState:
    """A stage as far as it has come. lower: layer directories, topmost first; keys: of the layers that steps made."""

    __slots__ = ("document", "history", "keys", "layers", "lower", "scope")

    def __init__(self, base: Base, scope: Scope) -> None:
        self.layers, self.lower = list(base.layers), list(base.lower)
        self.document, self.history, self.scope = dict(base.document), list(base.history), scope
        self.keys: dict[int, str] = {}

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.document.get("config") or {}
        return config

    @property
    def chain_id(self) -> str:
        return self.layers[-1].chain_id if self.layers else ""

    def digest(self) -> str:
        """What the next step begins with, for its cache key."""
        return cache.state_of(self.chain_id, self.document)

    def base(self) -> Base:
        """As another stage begins with it."""
        return Base(tuple(self.layers), tuple(self.lower), self.document, tuple(self.history))


class Made(Named):
    """A layer of this build that is not committed yet."""

    draft: Draft
    blob: Ingest
    layer: Layer


class Store:
    """Where layers and blobs are made: ingests and a lease of this build."""

    snapshots: Snapshots
    content: ContentStore
    ingests: Ingests
    _lease: Lease

    def __init__(self, instance: Instance) -> None:
        from tuidock.engine.store import collection
        from tuidock.engine.store.content import ContentStore
        from tuidock.engine.store.leases import Lease
        from tuidock.engine.store.snapshots import Snapshots

        self.snapshots, self.content = Snapshots(instance.paths), ContentStore(instance.paths)
        collection.sweep(instance.paths)  # of builds that were killed, whose steps had secrets
        self._lease = Lease(instance.paths)
        self.ingests = self.content.ingests()

    def hold(self, layers: Sequence[Layer]) -> None:
        """From now on these layers stay, if they are there."""
        self._lease.add(*(name for layer in layers for name in (layer.chain_id, layer.digest)))

    def close(self) -> None:
        self.ingests.__exit__()
        self._lease.close()


class Workshop:
    """Use as context manager; `publish` before its end."""

    def __init__(
        self,
        instance: Instance,
        request: BuildRequest,
        dockerfile: Dockerfile,
        plan: Plan,
        context: Context,
        build_args: Mapping[str, str],
        pull: Pull,
    ) -> None:
        self.instance, self.request, self.dockerfile, self.plan = instance, request, dockerfile, plan
        self.context, self.build_args, self.pull = context, build_args, pull
        self.platform = plan.arguments["TARGETPLATFORM"]
        self._files: FileHashes | None = None
        self.results: dict[int, StageState] = {}
        self.epoch = _epoch(build_args)
        self.hits: list[str] = []
        self.replaced = False  # rows of earlier builds went, whose layers nobody may need now
        self._store: Store | None = None
        self._used: dict[str, Layer] = {}
        self._lock = allocate_lock()
        self._made: list[Made] = []
        self._rows: dict[str, Row] = {}
        self._carried: dict[str, Row] = {}  # of images that were named with --cache-from
        self._trees: dict[str, Tree] = {}

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, *_: object) -> None:
        for tree in self._trees.values():
            tree.close()
        for made in self._made:
            made.draft.close()
        if self._files is not None:
            self._files.close()
        if self._store is not None:
            self._store.close()

    @property
    def files(self) -> FileHashes:
        """The memory of what files contain; commands alone need none."""
        with self._lock:
            if self._files is None:
                from tuidock.engine.build.hashing import FileHashes

                self._files = FileHashes(self.instance.paths)
            return self._files

    def now(self) -> int:
        """The time that the image says of its making (ns)."""
        return self.epoch if self.epoch is not None else time.time_ns()

    # ---- what is known ----

    def find(self, key: str) -> Row | None:
        """The result of a step that was done before, in this build or another; its layer stays from now on."""
        if self.request.no_cache:
            return None
        with self._lock:
            row = self._rows.get(key) or self._carried.get(key)
        if row is not None:
            return row
        row = cache.find(self.instance.state, key)
        if row is None:
            return None
        if not self.use(row.layers):
            return None
        if not 0 <= time.time_ns() - row.used < cache.SETTLED:
            with self._lock:
                self.hits.append(key)
        return row

    def carry(self, rows: Sequence[Row]) -> None:
        """Results that images bring along."""
        self._carried.update((row.key, row) for row in rows)

    def directory_of(self, layer: Layer) -> str:
        """Where a layer's files lie, committed or not."""
        with self._lock:
            for made in self._made:
                if made.layer.chain_id == layer.chain_id:
                    return made.draft.path + "/fs"
        return self.layer_path(layer)

    def layer_path(self, layer: Layer) -> str:
        """Where a committed layer's files lie."""
        return f"{self.instance.paths.snapshots}/{layer.chain_id.removeprefix('sha256:')}/fs"

    def use(self, layers: Sequence[Layer]) -> bool:
        """Whether layers are there with their blobs; they stay then, from the moment on in which something is made."""
        blobs = self.instance.paths.blobs
        with self._lock:
            store = self._store
        if store is not None:
            store.hold(layers)
        present = all(
            os.path.isdir(self.layer_path(layer)) and os.path.exists(f"{blobs}/{layer.digest.removeprefix('sha256:')}")
            for layer in layers
        )
        if present:  # what is missing is only no hit: nobody builds on it, so nobody must miss it later
            with self._lock:
                self._used.update((layer.chain_id, layer) for layer in layers)
        return present

    @property
    def store(self) -> Store:
        """The writing side of the store. A build that finds everything done never needs it, nor a lease: nothing of it
        would be new. Raises EngineError when a layer that was found has been collected meanwhile."""
        with self._lock:
            if self._store is not None:
                return self._store
            self._store = store = Store(self.instance)
            used = list(self._used.values())
        if not self.use(used):
            raise BadContent("a layer was removed while the build looked for it; build again")
        return store

    # ---- what is made ----

    def draft(self, state: StageState) -> Draft:
        """A directory for the next layer, with a work directory for overlay beside it."""
        if len(state.layers) >= DEPTH_LIMIT:
            raise BadContent(f"the image would have more than {DEPTH_LIMIT} layers; join some RUN or COPY instructions")
        draft = self.store.snapshots.draft()
        try:
            if state.lower:
                below = os.open(state.lower[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    draft.dress_like(below)
                finally:
                    os.close(below)
            os.mkdir(draft.path + "/work", 0o700)
        except OSError as error:
            draft.close()
            raise refuse(error, f"make a layer in {self.instance.paths.snapshots}") from error
        return draft

    def keep_layer(self, state: StageState, draft: Draft, key: str, kind: str, text: str) -> Iterator[int]:
        """The filled draft becomes the stage's next layer and a row of the cache; yields the bytes written so far."""
        from tuidock.engine.oci.descriptor import OCI_LAYER
        from tuidock.engine.oci.digest import chain_ids
        from tuidock.engine.store.layer_writing import LayerWriting
        from tuidock.native import remove_tree

        store = self.store
        remove_tree(draft.path + "/work")
        if self.epoch is not None:
            _clamp(draft.root, self.epoch)
        with self._lock:
            blob = store.ingests.new()
        below = os.open(state.lower[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if state.lower else -1
        try:
            writing = LayerWriting(draft.root, blob, below=below)
            for progress in writing.progress():
                yield progress.done
        finally:
            if below >= 0:
                os.close(below)
        written = writing.written
        assert written is not None
        draft.size, draft.diff_id = written.file_bytes, written.diff_id
        draft.write_size()
        chain_id = chain_ids([*(layer.diff_id for layer in state.layers), written.diff_id])[-1]
        layer = Layer(written.diff_id, chain_id, written.digest, written.size, OCI_LAYER + "+gzip")
        with self._lock:
            self._made.append(Made(draft, blob, layer))
        self.add_row(Row(key, kind, text, (layer,), draft.size, self.now()))
        state.keys[len(state.layers)] = key
        state.layers.append(layer)
        state.lower.insert(0, draft.path + "/fs")

    def add_row(self, row: Row) -> None:
        with self._lock:
            self._rows[row.key] = row

    def made_row(self, key: str) -> Row:
        """The row of a step that has just been done."""
        with self._lock:
            return self._rows[key]

    def tree_of(self, lower: tuple[str, ...], chain_id: str) -> Tree:
        """The merged tree of a stage or image; kept open until the build ends."""
        from tuidock.engine.build import merging

        with self._lock:
            tree = self._trees.get(chain_id)
            if tree is None:
                tree = Tree(
                    lambda: merging.open_merged(lower) if lower else merging.open_empty(), identity=chain_id or "-"
                )
                self._trees[chain_id] = tree
            return tree

    def origin(self, name: str, before: int) -> Tree:
        """What --from and from= mean: a stage, a build context, an image. Raises NotFound."""
        if name not in self.request.contexts:
            stage = self.dockerfile.stage(name, before)
            if stage is not None:
                result = self.results.get(stage.index)
                if result is None:
                    raise NotFound("stage", f"{name} is not built yet")
                return self.tree_of(tuple(result.lower), result.chain_id)
        else:
            value = self.request.contexts[name]
            if not value.startswith("docker-image://"):
                return self.context.named(name)
            name = value.removeprefix("docker-image://")
        from tuidock.engine.build.bases import local_image

        base = local_image(self, name)
        if base is None:
            for _ in self.pull(name, self.request.platform):
                pass
            base = local_image(self, name)
        if base is None:
            raise NotFound("image", name)
        return self.tree_of(base.lower, base.layers[-1].chain_id if base.layers else "")

    # ---- the end ----

    @property
    def has_news(self) -> bool:
        """Whether something is to be published."""
        return bool(self._made or self._rows)

    def publish(
        self, documents: Sequence[Ingest] = (), insert: Callable[[sqlite3.Connection], None] | None = None
    ) -> None:
        """Makes all that was made durable, then visible in one transaction. Raises SystemFailure."""
        blobs = [*(made.blob for made in self._made), *documents]
        try:
            if blobs:
                self._sync()
                for blob in blobs:
                    self.store.content.publish(blob, synced=True)
                self.store.content.sync()
            for made in self._made:
                self.store.snapshots.commit(made.draft, made.layer.chain_id)
            if self._made:
                self.store.snapshots.sync()
        except OSError as error:
            raise refuse(error, "store what was built") from error
        with self.instance.state.write(durable=bool(blobs)) as db:
            self.replaced = cache.insert(db, self._rows.values())
            cache.touch(db, self.hits)
            if insert is not None:
                insert(db)
        self._made, self._rows, self.hits = [], {}, []

    def put(self, raw: bytes) -> Ingest:
        """A document that is to be stored with the rest."""
        store = self.store
        with self._lock:
            return store.ingests.put(raw)

    def _sync(self) -> None:
        from tuidock.native import syncfs

        root = os.open(self.instance.paths.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syncfs(root)
        finally:
            os.close(root)


def _epoch(build_args: Mapping[str, str]) -> int | None:
    value = build_args.get("SOURCE_DATE_EPOCH", "")
    return int(value) * 1_000_000_000 if value.isascii() and value.isdecimal() and len(value) < 11 else None


def _clamp(root: int, epoch: int) -> None:
    """No file of a layer is newer than SOURCE_DATE_EPOCH says."""
    for base, directories, names, fd in os.fwalk(".", topdown=False, dir_fd=root):
        del base
        for name in (*names, *directories):
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if status.st_mtime_ns > epoch:
                os.utime(name, ns=(epoch, epoch), dir_fd=fd, follow_symlinks=False)
    if os.fstat(root).st_mtime_ns > epoch:
        os.utime(root, ns=(epoch, epoch))
