"""Manifests and indexes, OCI and docker's own. The raw bytes stay beside the values, because writing them anew would
change their digest.
"""

from __future__ import annotations

import json

from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid, descriptor
from tuidock.engine.oci.descriptor import INDEXES, MANIFESTS, Descriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

SIZE_LIMIT = 4 * 1024 * 1024
LAYOUT_VERSION = "1.0.0"


class Manifest(Named):
    raw: bytes
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


class Index(Named):
    raw: bytes
    media_type: str
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


def _document(raw: bytes, what: str, expected: str, known: Sequence[str]) -> tuple[dict[str, Any], str]:
    document = descriptor.load_object(raw, what, SIZE_LIMIT)
    if document.get("schemaVersion") != 2:
        raise Invalid(f"{what} is of schema version {document.get('schemaVersion')!r:.20}, not 2")
    stated = descriptor.text(document, "mediaType", what)
    # the same bytes must not be a manifest to one reader and an index to another (CVE-2021-41190)
    if stated and expected and stated != expected:
        raise Invalid(f"{what} calls itself {stated:.100} where {expected} was promised")
    if (stated or expected) and (stated or expected) not in known:
        raise Invalid(f"{what} is of the media type {stated or expected:.100}")
    if document.get("manifests") is not None and document.get("layers") is not None:
        raise Invalid(f"{what} has both manifests and layers")
    if document.get("subject") is not None:
        descriptor.parse(document["subject"], f"the subject of {what}")
    if document.get("artifactType") is not None:
        descriptor.media_type(document["artifactType"], what)
    return document, stated or expected or known[0]


def _descriptors(value: object, what: str) -> tuple[Descriptor, ...]:
    if not isinstance(value, list):
        raise Invalid(f"the list of {what} is none")
    return tuple(descriptor.parse(item, f"{what[:-1]} {number}") for number, item in enumerate(value))


def parse_manifest(raw: bytes, media_type: str = "") -> Manifest:
    """A manifest; media_type is what the source called it. Raises Invalid."""
    document, kind = _document(raw, "the manifest", media_type, MANIFESTS)
    layers = _descriptors(document.get("layers"), "layers")
    if not layers:
        raise Invalid("the manifest has no layers")
    return Manifest(
        raw,
        kind,
        descriptor.parse(document.get("config"), "the config's descriptor"),
        layers,
        descriptor.string_map(document.get("annotations"), "annotations of the manifest"),
    )


def parse_index(raw: bytes, media_type: str = "") -> Index:
    """An index; media_type is what the source called it. Raises Invalid."""
    document, kind = _document(raw, "the index", media_type, INDEXES)
    return Index(
        raw,
        kind,
        _descriptors(document.get("manifests"), "manifests"),
        descriptor.string_map(document.get("annotations"), "annotations of the index"),
    )


def check_layout(raw: bytes) -> None:
    """Refuses an `oci-layout` file of another version. Raises Invalid."""
    version = descriptor.load_object(raw, "oci-layout", SIZE_LIMIT).get("imageLayoutVersion")
    if version != LAYOUT_VERSION:
        raise Invalid(f"the image layout has the version {version!r:.40}, not {LAYOUT_VERSION}")


def make_manifest(config: Descriptor, layers: Sequence[Descriptor], media_type: str = descriptor.OCI_MANIFEST) -> bytes:
    """The bytes of a new manifest, the same for the same image."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.document(),
        "layers": [layer.document() for layer in layers],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def make_index(manifests: Sequence[Descriptor]) -> bytes:
    """The bytes of a new index."""
    document = {
        "schemaVersion": 2,
        "mediaType": descriptor.OCI_INDEX,
        "manifests": [manifest.document() for manifest in manifests],
    }
    return json.dumps(document, separators=(",", ":")).encode()
