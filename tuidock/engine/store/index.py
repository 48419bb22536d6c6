"""index.json beside the blobs: the names of all images, so that the content directory is an OCI image layout.

The database is what counts; this is written again after each change of names, and a rebuild without the old database
learns the names from here.
"""

from __future__ import annotations

import json
import os

from tuidock.engine.files import read_text, write_atomic
from tuidock.engine.oci.manifest import LAYOUT_VERSION
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store.content import ContentStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAME = "io.containerd.image.name"
#: The digest that the name has at its registry, where that is an index.
_KNOWN_AS = "io.tuidock.image.digest"


def _directory(paths: Paths) -> str:
    return os.path.dirname(os.path.dirname(paths.blobs))


def write(state: State, paths: Paths) -> None:
    """Writes oci-layout and index.json from the tables, if they say something new."""
    entries: list[dict[str, Any]] = []
    content = ContentStore(paths)
    query = (
        "SELECT i.manifest_digest, r.reference, r.digest FROM images i LEFT JOIN image_references r ON r.image_id = i.id "
        "ORDER BY i.id, r.reference"
    )
    for digest, reference, known_as in state.read().execute(query):
        entry: dict[str, Any] = {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": content.size(digest) if content.has(digest) else 0,
        }
        if reference:
            entry["annotations"] = {_NAME: reference}
            if known_as != digest:
                entry["annotations"][_KNOWN_AS] = known_as
        entries.append(entry)
    directory = _directory(paths)
    if not os.path.exists(directory + "/oci-layout"):
        write_atomic(directory + "/oci-layout", json.dumps({"imageLayoutVersion": LAYOUT_VERSION}), 0o644)
    text = json.dumps({"schemaVersion": 2, "manifests": entries}, separators=(",", ":"))
    if read_text(directory + "/index.json") != text:
        write_atomic(directory + "/index.json", text, 0o644)


def names(paths: Paths) -> dict[str, list[tuple[str, str]]]:
    """Manifest digest -> references, each with the digest it is known by or ""; a damaged index costs the names, not the
    images."""
    found: dict[str, list[tuple[str, str]]] = {}
    try:
        document = json.loads(read_text(_directory(paths) + "/index.json") or "{}")
        for entry in document.get("manifests") or ():
            notes = entry.get("annotations") or {}
            name = notes.get(_NAME)
            if isinstance(name, str):
                found.setdefault(str(entry.get("digest")), []).append((name, str(notes.get(_KNOWN_AS) or "")))
    except (ValueError, AttributeError):
        pass
    return found
