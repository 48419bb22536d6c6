"""Pull: an image comes from a registry.

First what it is - an index, from it the manifest for the platform, its config - then the layers (`layering`), then one
commit. What the store has is not asked for again: documents by their digest, layers by their chainID or blob. Whatever
a registry says is compared with the digests that lead to it, from the name down to the files.
"""

from __future__ import annotations

from contextlib import closing

from tuidock.engine.clean import clean
from tuidock.engine.errors import EngineError, RegistryRefused, SystemFailure
from tuidock.engine.events import append
from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid, descriptor, image_config, manifest
from tuidock.engine.oci.descriptor import INDEXES, Descriptor, Platform
from tuidock.engine.oci.digest import chain_ids, is_digest
from tuidock.engine.oci.image_config import ImageConfig
from tuidock.engine.oci.manifest import Manifest
from tuidock.engine.oci.reference import Reference
from tuidock.engine.paths import Paths
from tuidock.engine.registry.client import Document, Registry
from tuidock.engine.state import State
from tuidock.engine.store import collection, images, partial
from tuidock.engine.store.assembly import DEPTH_LIMIT, Assembly
from tuidock.engine.store.content import ContentStore, free_bytes
from tuidock.engine.store.images import Layer
from tuidock.engine.store.leases import Lease
from tuidock.engine.store.snapshots import Snapshots
from tuidock.engine.transfer import choosing
from tuidock.engine.transfer.fetching import Source
from tuidock.engine.transfer.layering import Layering, Wanted
from tuidock.engine.types import Progress
from tuidock.engine.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CONFIGS = (descriptor.OCI_CONFIG, descriptor.DOCKER_CONFIG)
#: An index in an index in an index has no sense.
_NESTED = 3
#: What stays free beside the layers' blobs (bytes).
_SPARE = 16 << 20


class Found(Named):
    """What a reference means: documents from the outermost one (its digest is the image's at the registry) down to the
    manifest, and the config."""

    documents: tuple[Document, ...]
    manifest: Manifest
    config: ImageConfig

    @property
    def digest(self) -> str:
        return self.documents[0].digest


def pull(
    state: State,
    paths: Paths,
    connect: Callable[[str], Registry],
    reference: Reference,
    *,
    platform: str = "",
    all_tags: bool = False,
) -> Iterator[Progress]:
    """The image by its name, tag or digest; with all_tags every one of the repository.

    For each: `pulling` (subject tag or digest, message repository), the layers' progress, `digest` (message sha256:...),
    `pulled-image` (subject familiar reference, message what docker says of it). Closing the iterator leaves nothing but
    what has arrived of blobs. Raises RegistryRefused, AuthFailed, BadContent, InvalidArgument, SystemFailure.
    """
    machine = choosing.wanted(platform)
    collection.sweep(paths)
    with connect(reference.domain) as registry:
        tagged = [reference]
        if all_tags:
            tagged = [reference._replace(tag=tag) for tag in registry.tags(reference.path)]
            if not tagged:
                raise RegistryRefused(f"{reference.domain} has no tag of {reference.path}")
        for one in tagged:
            yield from _Pull(state, paths, registry, one, machine, platform).run()


class _Pull:
    def __init__(
        self, state: State, paths: Paths, registry: Registry, reference: Reference, machine: Platform, asked: str
    ) -> None:
        self._state, self._paths, self._registry, self._asked = state, paths, registry, asked
        self._content, self._machine = ContentStore(paths), machine
        # docker keeps an image that was asked for by digest under its digest only, whatever the tag beside it says
        self._reference = reference._replace(tag="") if reference.digest else reference
        self._name = reference.path
        self._shown = reference.digest or reference.tag
        self._asked_for = reference

    def run(self) -> Iterator[Progress]:
        with Lease(self._paths) as lease:
            found = self._find(lease)
            yield Progress(self._shown, "pulling", message=self._name)
            layers = self._plan(found, lease)
            known = self._row()
            changed = known != (found.config.id, found.digest)
            if changed or not self._is_complete(found, layers):
                yield from self._bring(found, layers)
        yield Progress(str(self._asked_for), "digest", message=found.digest)
        said = "Downloaded newer image" if changed else "Image is up to date"
        yield Progress(self._asked_for.familiar, "pulled-image", message=said)

    # --- what it is

    def _row(self) -> tuple[str, str] | None:
        """Image and digest that the store knows by this name."""
        found = (
            self._state.read()
            .execute("SELECT image_id, digest FROM image_references WHERE reference = ?", (str(self._reference),))
            .fetchone()
        )
        return (found[0], found[1]) if found else None

    def _find(self, lease: Lease) -> Found:
        documents = [self._top(lease)]
        while documents[-1].media_type in INDEXES:
            if len(documents) > _NESTED:
                raise self._lie("its index leads to an index again and again")
            documents.append(self._child(documents[-1], lease))
        raw = documents[-1]
        try:
            document = manifest.parse_manifest(raw.raw, raw.media_type)
        except Invalid as error:
            raise self._lie(str(error)) from None
        self._check_digests(document.config, *document.layers)
        return Found(tuple(documents), document, self._config(document, lease))

    def _check_digests(self, *described: Descriptor) -> None:
        """Before they become part of a path."""
        for one in described:
            if not is_digest(one.digest):
                raise self._lie(f"it names a blob as {one.digest[:30]}; only sha256 can be stored")

    def _lie(self, why: str) -> RegistryRefused:
        return RegistryRefused(f"cannot pull {self._asked_for.familiar} from {self._registry.host}: {clean(why)}")

    def _top(self, lease: Lease) -> Document:
        """What the name means. The store's own copy is as good when the registry only has to confirm its digest."""
        known = self._row()
        digest = self._reference.digest
        if known and not digest:
            head = self._registry.head(self._name, self._reference.tag)
            digest = head.digest if head and head.digest == known[1] else ""
        if known and digest and (stored := self._stored(digest, lease)) is not None:
            return stored
        return self._registry.manifest(self._name, self._reference.digest or self._reference.tag)

    def _stored(self, digest: str, lease: Lease, media_type: str = "") -> Document | None:
        """A document of the store, checked."""
        lease.add(digest)
        if not self._content.has(digest):
            return None
        try:
            raw = self._content.read(digest, manifest.SIZE_LIMIT)
            if not media_type:
                document = descriptor.load_object(raw, "the manifest", manifest.SIZE_LIMIT)
                media_type = descriptor.text(document, "mediaType", "the manifest")
        except (EngineError, Invalid):
            return None  # damaged: asked for again
        return Document(raw, media_type, digest) if media_type else None

    def _child(self, index: Document, lease: Lease) -> Document:
        try:
            offered = manifest.parse_index(index.raw, index.media_type).manifests
        except Invalid as error:
            raise self._lie(str(error)) from None
        chosen = choosing.choose(offered, self._machine)
        if chosen is None:
            raise RegistryRefused(
                f"no matching manifest for {self._machine} in the manifest list entries of {self._asked_for.familiar}:"
                f" it has {clean(choosing.offers(offered))}; choose with --platform"
            )
        self._check_digests(chosen)
        found = self._stored(chosen.digest, lease, chosen.media_type)
        if found is None:
            found = self._registry.manifest(self._name, chosen.digest)
        if len(found.raw) != chosen.size:
            raise self._lie(
                f"manifest {chosen.digest[:19]} has {len(found.raw)} bytes where {chosen.size} were promised"
            )
        return found._replace(media_type=chosen.media_type)

    def _config(self, document: Manifest, lease: Lease) -> ImageConfig:
        described = document.config
        if described.media_type not in _CONFIGS:
            raise self._lie(f"it is no container image but {described.media_type}")
        lease.add(described.digest)
        try:
            raw = self._content.read(described.digest, image_config.SIZE_LIMIT)
        except EngineError:  # missing or damaged
            raw = self._registry.document(self._name, described, image_config.SIZE_LIMIT)
        try:
            config = image_config.parse(raw)
        except Invalid as error:
            raise self._lie(str(error)) from None
        if config.platform.os != "linux":
            raise self._lie(f"the image is for {config.platform}, which cannot run here")
        choosing.check(config.platform, self._asked, self._asked_for.familiar)
        if len(config.diff_ids) != len(document.layers):
            raise self._lie(f"its manifest has {len(document.layers)} layers, its config {len(config.diff_ids)}")
        if len(document.layers) > DEPTH_LIMIT:
            raise self._lie(f"it has more than {DEPTH_LIMIT} layers")
        return config

    # --- its layers

    def _plan(self, found: Found, lease: Lease) -> list[Wanted]:
        try:
            chain = chain_ids(found.config.diff_ids)
        except Invalid as error:
            raise self._lie(str(error)) from None
        described = found.manifest.layers
        lease.add(*[one.digest for one in described], *chain)
        layers = [Wanted(*one) for one in zip(described, found.config.diff_ids, chain, strict=True)]
        snapshots = Snapshots(self._paths)
        for layer in layers:
            layer.is_there = snapshots.has(layer.chain_id)
            layer.known = self._known(layer, lease) if layer.is_there else None
        return layers

    def _known(self, layer: Wanted, lease: Lease) -> Layer | None:
        """A blob of the store that was unpacked to this layer; the very one if it is there."""
        stored = images.layers_of(self._state, layer.diff_id)
        stored.sort(key=lambda one: one.digest != layer.described.digest)
        for one in stored:
            lease.add(one.digest)
            if self._content.has(one.digest, one.size):
                return one
        return None

    def _is_complete(self, found: Found, layers: list[Wanted]) -> bool:
        """Whether the image is in the store and visible, with all that belongs to it."""
        row = (
            self._state.read()
            .execute("SELECT manifest_digest FROM images WHERE id = ? AND loaded > 0", (found.config.id,))
            .fetchone()
        )
        needed = [found.config.id, *[document.digest for document in found.documents], *(row or ())]
        return row is not None and all(layer.known for layer in layers) and all(map(self._content.has, needed))

    def _bring(self, found: Found, layers: list[Wanted]) -> Iterator[Progress]:
        self._make_room(layers)
        source = Source(
            lambda one, offset, retrying: self._registry.blob(self._name, one, offset, retrying=retrying),
            self._registry.host,
        )
        layering = Layering(self._state, self._paths, source, layers, self._registry.cancel)
        with Assembly(self._state, self._paths) as assembly, closing(layering):
            yield from layering.run(assembly)
            raw, documents = _documents(found, layers)
            yield Progress(found.config.id[7:19], "committing")
            assembly.commit(found.config, [self._reference], raw, documents)
            layering.committed = True
        for warning in assembly.warnings:
            yield Progress(found.config.id, "warning", message=warning)
        append(
            self._paths.journal, "image", "pull", found.config.id, self._asked_for.familiar, labels=found.config.labels
        )

    def _make_room(self, layers: list[Wanted]) -> None:
        """Before anything is fetched: whether at least the blobs have room. Raises SystemFailure."""
        missing: dict[str, Descriptor] = {
            layer.described.digest: layer.described
            for layer in layers
            if layer.known is None and not self._content.has(layer.described.digest, layer.described.size)
        }
        needed = sum(one.size for one in missing.values())
        if needed + _SPARE > free_bytes(self._paths.root):
            partial.sweep(self._paths, kept=0, spare=missing.keys())
        free = free_bytes(self._paths.root)
        if needed > free + partial.arrived(self._paths, missing.keys()):
            raise SystemFailure(
                f"cannot pull {self._asked_for.familiar}: its layers need {human_size(needed)} and there are"
                f" {human_size(free)} left below {self._paths.root}; free some space (tuidock system df) and try again"
            )


def _documents(found: Found, layers: list[Wanted]) -> tuple[bytes, list[bytes]]:
    """The manifest to store the image by, and what the registry calls it.

    A layer that another blob stands in for is not in the manifest as it came; then the image gets one of its own, whose
    blobs are all there, and the one that came is kept beside it.
    """
    documents = [document.raw for document in found.documents]
    if all(layer.known is None or layer.known.digest == layer.described.digest for layer in layers):
        return documents[-1], documents if len(documents) > 1 else []
    return b"", documents
