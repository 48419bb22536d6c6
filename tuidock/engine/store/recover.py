"""The image tables anew from the content store, for `system rebuild`.

Beside the blobs lies an index.json that names every image (so the content directory is an OCI image layout); it is
written again after each change of names. What it does not name is found by looking at every small blob.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from typing import Any

from tuidock.engine.files import read_text, write_atomic
from tuidock.engine.oci import Invalid, image_config, manifest
from tuidock.engine.oci import digest as digests
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import images
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.snapshots import Snapshots

_NAME = "io.containerd.image.name"
#: Larger blobs are no manifests (bytes).
_MANIFEST_LIMIT = 4 << 20


def write_index(state: State, paths: Paths) -> None:
    """Writes content/index.json from the tables."""
    entries: list[dict[str, Any]] = []
    content = ContentStore(paths)
    query = (
        "SELECT i.manifest_digest, r.reference FROM images i LEFT JOIN image_references r ON r.image_id = i.id "
        "ORDER BY i.id, r.reference"
    )
    for digest, reference in state.read().execute(query):
        entry: dict[str, Any] = {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": content.size(digest) if content.has(digest) else 0,
        }
        if reference:
            entry["annotations"] = {_NAME: reference}
        entries.append(entry)
    directory = os.path.dirname(os.path.dirname(paths.blobs))
    if not os.path.exists(directory + "/oci-layout"):
        write_atomic(directory + "/oci-layout", '{"imageLayoutVersion":"1.0.0"}', 0o644)
    text = json.dumps({"schemaVersion": 2, "manifests": entries}, separators=(",", ":"))
    if read_text(directory + "/index.json") != text:
        write_atomic(directory + "/index.json", text, 0o644)


def rebuild_images(db: sqlite3.Connection, paths: Paths) -> list[str]:
    """Fills the tables; returns a word for each image that was taken in. Images without all their layers stay out."""
    directory = os.path.dirname(os.path.dirname(paths.blobs))
    names: dict[str, list[str]] = {}
    try:
        index = json.loads(read_text(directory + "/index.json") or "{}")
        for entry in index.get("manifests") or ():
            name = (entry.get("annotations") or {}).get(_NAME)
            names.setdefault(str(entry.get("digest")), []).extend([str(name)] if name else [])
    except (ValueError, AttributeError):
        pass  # a damaged index costs the names, not the images
    done = []
    for digest, found, config in _manifests(paths):
        layers = _layers(paths, found, config)
        if layers is None:
            done.append(f"image {config.id[7:19]} was left out: a layer is missing")
            continue
        snapshots = Snapshots(paths)
        size = sum(snapshots.size(layer.chain_id) for layer in layers)
        tags = [images.parse_reference(name) for name in names.get(digest, ())]
        images.insert(db, config, digest, layers, size, tags)
        done.append(f"image {', '.join(tag.familiar for tag in tags) or config.id[7:19]}")
    return done


def _manifests(paths: Paths) -> Iterator[tuple[str, manifest.Manifest, image_config.ImageConfig]]:
    content = ContentStore(paths)
    for digest in content.digests():
        if content.size(digest) > _MANIFEST_LIMIT:
            continue
        raw = content.read(digest, _MANIFEST_LIMIT)
        if not raw.lstrip().startswith(b"{") or b'"layers"' not in raw:
            continue
        try:
            found = manifest.parse_manifest(raw)
            if content.has(found.config.digest):
                config = image_config.parse(content.read(found.config.digest, 8 << 20))
                yield digest, found, config
        except Invalid:
            continue


def _layers(paths: Paths, found: manifest.Manifest, config: image_config.ImageConfig) -> list[images.Layer] | None:
    snapshots = Snapshots(paths)
    chain = digests.chain_ids(config.diff_ids)
    if len(chain) != len(found.layers) or not all(snapshots.has(chain_id) for chain_id in chain):
        return None
    return [
        images.Layer(diff_id, chain_id, layer.digest, layer.size, layer.media_type)
        for diff_id, chain_id, layer in zip(config.diff_ids, chain, found.layers, strict=True)
    ]
