"""Image rows anew from the content store, for `system rebuild`: every complete image whose manifest lies there.

Names are taken from the old database as far as it can still be read, else from the index beside the blobs.
"""

from __future__ import annotations

import os
import sqlite3

from tuidock.engine.errors import EngineError
from tuidock.engine.oci import Invalid, image_config, manifest
from tuidock.engine.oci import reference as references
from tuidock.engine.oci.digest import chain_ids, is_digest
from tuidock.engine.oci.image_config import ImageConfig
from tuidock.engine.oci.manifest import Manifest
from tuidock.engine.paths import Paths
from tuidock.engine.store import images as rows
from tuidock.engine.store import index
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.images import Layer
from tuidock.engine.store.snapshots import Snapshots


def images(db: sqlite3.Connection, paths: Paths, old_database: str) -> list[str]:
    """Fills the image tables of a new database; answers what was taken in, one text each."""
    content, snapshots = ContentStore(paths), Snapshots(paths)
    old, indexed = _old_references(old_database), index.names(paths)
    done: list[str] = []
    seen: set[str] = set()
    for digest in sorted(content.digests()):
        found = _complete(content, snapshots, digest)
        if found is None or found[1].id in seen:
            continue
        document, config = found
        seen.add(config.id)
        chain = chain_ids(config.diff_ids)
        layers = [
            Layer(diff_id, chain_id, layer.digest, layer.size, layer.media_type)
            for diff_id, chain_id, layer in zip(config.diff_ids, chain, document.layers, strict=True)
        ]
        size = sum(snapshots.size(chain_id) for chain_id in chain)
        named = [(text, known_as) for text, image_id, known_as in old if image_id == config.id]
        if not old:
            named = [(text, known_as) for text, known_as in indexed.get(digest, ()) if _is_reference(text)]
        tags = [references.parse(text) for text, _ in named]
        rows.insert(db, config, digest, layers, size)
        for tag, (_, known_as) in zip(tags, named, strict=True):
            rows.set_reference(db, tag, config.id, known_as if is_digest(known_as) else digest)
        done.append(f"image {', '.join(tag.familiar for tag in tags) or config.id[7:19]}")
    return done


def _complete(content: ContentStore, snapshots: Snapshots, digest: str) -> tuple[Manifest, ImageConfig] | None:
    """The manifest and config of a blob that is a manifest with everything it names in place."""
    try:
        if content.size(digest) > manifest.SIZE_LIMIT:
            return None
        with os.fdopen(content.open(digest), "rb") as file:
            if file.read(1) != b"{":
                return None
        document = manifest.parse_manifest(content.read(digest, manifest.SIZE_LIMIT))
        config = image_config.parse(content.read(document.config.digest, image_config.SIZE_LIMIT))
        chain = chain_ids(config.diff_ids)
        complete = (
            len(document.layers) == len(chain)
            and all(content.has(layer.digest) for layer in document.layers)
            and all(snapshots.has(chain_id) for chain_id in chain)
        )
    except (Invalid, EngineError, OSError):
        return None
    return (document, config) if complete else None


def _old_references(path: str) -> list[tuple[str, str, str]]:
    """Reference, image and the digest it is known by."""
    if not os.path.exists(path):
        return []
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return [
                (str(text), str(image_id), str(digest))
                for text, image_id, digest in connection.execute(
                    "SELECT reference, image_id, digest FROM image_references"
                )
                if _is_reference(text)
            ]
        finally:
            connection.close()
    except sqlite3.Error:
        return []


def _is_reference(text: object) -> bool:
    try:
        return isinstance(text, str) and str(references.parse(text)) == text
    except Invalid:
        return False
