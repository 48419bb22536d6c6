"""Save: images become one archive that docker, podman, skopeo and this program load.

The layout of docker 25 and newer: an OCI layout and docker's manifest.json over the same blobs. Layers stand in it as
uncompressed tars named by their diffID, so two archives of one image are the same bytes whatever registry it came from.
"""

from __future__ import annotations

from tuidock.engine.events import append
from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid, descriptor, manifest
from tuidock.engine.oci import reference as references
from tuidock.engine.oci.descriptor import Descriptor, Platform
from tuidock.engine.oci.digest import hex_of, of_bytes
from tuidock.engine.oci.reference import Reference
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import images
from tuidock.engine.store.archive_writing import ArchiveWriter
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.images import ImageRecord
from tuidock.engine.store.leases import Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, BinaryIO


class _Chosen(Named):
    record: ImageRecord
    tags: list[Reference]


def _choose(state: State, paths: Paths, texts: Sequence[str]) -> list[_Chosen]:
    """A tag saves the image under that tag, a bare repository under all its tags, an id under none."""
    db = state.read()
    chosen: dict[str, _Chosen] = {}
    for text in texts:
        tags = _all_tags(state, text)
        image_id = ""
        if not tags:
            named = images.find_reference(db, text)
            image_id = named[0] if named else images.find(db, text)
            tags = [(image_id, named[1])] if named else []
        for one, tag in tags:
            entry = chosen.setdefault(one, _Chosen(images.get(state, paths, one), []))
            if not tag.digest and tag not in entry.tags:
                entry.tags.append(tag)
        if not tags:
            chosen.setdefault(image_id, _Chosen(images.get(state, paths, image_id), []))
    return list(chosen.values())


def _all_tags(state: State, text: str) -> list[tuple[str, Reference]]:
    try:
        wanted = references.parse(text)
    except Invalid:
        return []
    if wanted.tag or wanted.digest:
        return []
    rows = state.read().execute(
        "SELECT image_id, reference FROM image_references WHERE reference >= ? AND reference < ? ORDER BY reference",
        (wanted.name + ":", wanted.name + ";"),
    )
    return [(image_id, references.parse(stored)) for image_id, stored in rows]


def _manifest(content: ContentStore, record: ImageRecord, config: bytes, sizes: dict[str, int]) -> bytes:
    """The stored manifest when its layers are uncompressed, else a new one over the uncompressed layers."""
    if all(layer.digest == layer.diff_id for layer in record.layers):
        return content.read(record.manifest_digest, manifest.SIZE_LIMIT)
    layers = [Descriptor(descriptor.OCI_LAYER, layer.diff_id, sizes[layer.diff_id]) for layer in record.layers]
    return manifest.make_manifest(Descriptor(descriptor.OCI_CONFIG, record.id, len(config)), layers)


def save(state: State, paths: Paths, texts: Sequence[str], target: BinaryIO) -> None:
    """Writes the archive. Raises NotFound, AmbiguousId, BadContent for a damaged store, OSError of the target."""
    content = ContentStore(paths)
    with Lease(paths) as lease:
        chosen = _choose(state, paths, texts)
        for record, _ in chosen:
            lease.add(record.id, record.manifest_digest, *[layer.digest for layer in record.layers])
        archive = ArchiveWriter(content, target)
        _write(content, chosen, archive)
        archive.close()
    for entry in chosen:
        append(
            paths.journal, "image", "save", entry.record.id, entry.tags[0].familiar if entry.tags else "",
            labels=entry.record.labels,
        )  # fmt: skip


def _write(content: ContentStore, chosen: list[_Chosen], archive: ArchiveWriter) -> None:
    from tuidock.engine.oci.image_config import SIZE_LIMIT

    archive.directory("blobs/")
    archive.directory("blobs/sha256/")
    index: list[Descriptor] = []
    items: list[dict[str, Any]] = []
    repositories: dict[str, dict[str, str]] = {}
    for record, tags in chosen:
        names, sizes = [archive.layer(layer) for layer in record.layers], archive.sizes
        config = content.read(record.id, SIZE_LIMIT)
        raw = _manifest(content, record, config, sizes)
        archive.blob(raw)
        media_type = manifest.parse_manifest(raw).media_type
        platform = Platform(record.config["os"], record.config["architecture"], record.config.get("variant", ""))
        described = Descriptor(media_type, of_bytes(raw), len(raw), {}, platform)
        for tag in tags:
            note = {"io.containerd.image.name": str(tag), "org.opencontainers.image.ref.name": tag.tag}
            index.append(described._replace(annotations=note))
            if record.layers:
                repositories.setdefault(tag.familiar_name, {})[tag.tag] = hex_of(record.layers[-1].diff_id)
        if not tags:
            index.append(described)
        items.append(
            {
                "Config": archive.blob(config),
                "RepoTags": [tag.familiar for tag in tags] or None,
                "Layers": names,
                "LayerSources": {
                    layer.diff_id: {
                        "mediaType": descriptor.OCI_LAYER, "size": sizes[layer.diff_id], "digest": layer.diff_id,
                    }
                    for layer in record.layers
                },
            }
        )  # fmt: skip
    archive.document("index.json", manifest.make_index(index))
    archive.document("manifest.json", items)
    archive.document("oci-layout", {"imageLayoutVersion": manifest.LAYOUT_VERSION})
    archive.document("repositories", repositories)
