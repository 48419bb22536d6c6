"""What an image archive says about its images: docker's manifest.json, an OCI layout's index.json, or both at once.

Pure: names, documents and digests in, plans out. Paths in the archive lead only to other members of the archive.
"""

from __future__ import annotations

import json
import posixpath

from tuidock.engine.errors import BadContent
from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid, image_config, manifest
from tuidock.engine.oci import reference as references
from tuidock.engine.oci.descriptor import INDEXES, MANIFESTS, Descriptor, Platform
from tuidock.engine.oci.digest import hex_of
from tuidock.engine.oci.image_config import ImageConfig
from tuidock.engine.oci.reference import Reference
from tuidock.engine.store.content import Ingest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DOCUMENT_LIMIT = 16 << 20
#: Documents that say what the rest is; everything else is kept as a blob until they are known.
DOCUMENTS = ("manifest.json", "index.json", "oci-layout")
_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"


class ImagePlan(Named):
    """An image that the archive holds. manifest is empty when the archive has none of its own."""

    config: ImageConfig
    layers: tuple[Ingest, ...]
    tags: tuple[Reference, ...]
    manifest: bytes


def member_name(name: str) -> str:
    """The plain name of a member; "" for one that leads out of the archive."""
    clean = posixpath.normpath("/" + name).lstrip("/")
    return "" if ".." in name.split("/") else clean


class Contents:
    """The members of an archive that has been read: blobs, links between them, documents."""

    def __init__(self) -> None:
        self.blobs: dict[str, Ingest] = {}
        self.links: dict[str, str] = {}
        self.documents: dict[str, bytes] = {}

    def blob(self, name: object) -> Ingest:
        """The blob of that name, through links inside the archive. Raises BadContent."""
        wanted = member_name(name) if isinstance(name, str) else ""
        found = wanted
        for _ in range(32):
            if found in self.blobs:
                return self.blobs[found]
            if found not in self.links:
                break
            found = self.links[found]
        raise BadContent(f"the archive names {name!r:.200}, but holds no such file; it is incomplete or damaged")

    def by_digest(self, described: Descriptor) -> Ingest | None:
        """The blob that a descriptor promises, checked; None when the archive leaves it out."""
        name = f"blobs/sha256/{hex_of(described.digest)}"
        if name not in self.blobs and name not in self.links:
            return None
        blob = self.blob(name)
        blob.expect(described.digest, described.size)
        return blob

    def read(self, blob: Ingest, limit: int) -> bytes:
        if blob.size > limit:
            raise BadContent(f"a document of the archive is longer than {limit} bytes")
        return blob.read(limit)


def plans(contents: Contents, platform: Platform) -> list[ImagePlan]:
    """The images of the archive in its order. Raises BadContent."""
    try:
        found = _oci_manifests(contents, platform) if "index.json" in contents.documents else []
        if "manifest.json" in contents.documents:
            return _docker_plans(contents, {entry[0].config.digest: entry[0] for entry in found})
        if "index.json" in contents.documents:
            return [_oci_plan(contents, *entry) for entry in found]
    except Invalid as error:
        raise BadContent(f"the archive is damaged: {error}") from error
    raise BadContent(
        "this is no image archive: it has neither manifest.json nor index.json"
        " (for the tar of a root file system use `tuidock import`)"
    )


def _docker_plans(contents: Contents, manifests: Mapping[str, manifest.Manifest]) -> list[ImagePlan]:
    try:
        items = json.loads(contents.documents["manifest.json"])
    except (ValueError, RecursionError) as error:
        raise Invalid(f"manifest.json is no JSON: {error}") from None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items) or not items:
        raise Invalid("manifest.json is no list of images")
    return [_docker_plan(contents, item, manifests) for item in items]


def _docker_plan(contents: Contents, item: dict[str, Any], manifests: Mapping[str, manifest.Manifest]) -> ImagePlan:
    config = image_config.parse(contents.read(contents.blob(item.get("Config")), image_config.SIZE_LIMIT))
    names = item.get("Layers") or []
    tags = item.get("RepoTags") or []
    if not isinstance(names, list) or not isinstance(tags, list):
        raise Invalid("manifest.json is no list of images")
    layers = tuple(contents.blob(name) for name in names)
    if len(layers) != len(config.diff_ids):
        raise Invalid(f"manifest.json names {len(layers)} layers, the image config {len(config.diff_ids)}")
    raw = b""
    known = manifests.get(config.id)
    if known and [layer.digest for layer in known.layers] == [layer.digest for layer in layers]:
        raw = known.raw
    return ImagePlan(config, layers, tuple(references.parse_tagged(str(tag)) for tag in tags), raw)


def _oci_manifests(contents: Contents, platform: Platform) -> list[tuple[manifest.Manifest, tuple[Reference, ...]]]:
    if "oci-layout" in contents.documents:
        manifest.check_layout(contents.documents["oci-layout"])
    index = manifest.parse_index(contents.documents["index.json"])
    found: list[tuple[manifest.Manifest, tuple[Reference, ...]]] = []
    for described in index.manifests:
        chosen = _choose(contents, described, platform)
        if chosen is None:
            continue
        for number, (known, tags) in enumerate(found):
            if known.raw == chosen.raw:  # one image under several names stands there once for each
                found[number] = (known, tags + _names(described))
                break
        else:
            found.append((chosen, _names(described)))
    if not found and "manifest.json" not in contents.documents:
        raise Invalid(f"it holds no image for {platform}")
    return found


def _choose(contents: Contents, described: Descriptor, platform: Platform, depth: int = 0) -> manifest.Manifest | None:
    """The manifest behind a descriptor; of an index the one for this machine that the archive has."""
    blob = contents.by_digest(described)
    if blob is None or depth > 4:
        return None
    raw = contents.read(blob, manifest.SIZE_LIMIT)
    if described.media_type in MANIFESTS:
        return manifest.parse_manifest(raw, described.media_type)
    if described.media_type not in INDEXES:
        return None
    inner = manifest.parse_index(raw, described.media_type).manifests
    fitting = [one for one in inner if one.platform is None or one.platform[:2] == platform[:2]]
    # of several variants (arm/v6, arm/v7) the machine's own one comes first
    fitting.sort(key=lambda one: one.platform is None or one.platform.variant != platform.variant)
    candidates = (_choose(contents, one, platform, depth + 1) for one in fitting)
    return next((one for one in candidates if one is not None), None)


def _names(described: Descriptor) -> tuple[Reference, ...]:
    """A full name that an annotation gives; a bare tag (`latest`) without a repository names nothing here."""
    text = described.annotations.get(_NAME) or described.annotations.get(_REF_NAME, "")
    if not text or not any(mark in text for mark in ":/"):
        return ()
    try:
        return (references.parse_tagged(text),)
    except Invalid:
        return ()


def _oci_plan(contents: Contents, found: manifest.Manifest, tags: tuple[Reference, ...]) -> ImagePlan:
    blob = contents.by_digest(found.config)
    if blob is None:
        raise Invalid(f"the config {found.config.digest} is not in it")
    config = image_config.parse(contents.read(blob, image_config.SIZE_LIMIT))
    layers = []
    for described in found.layers:
        layer = contents.by_digest(described)
        if layer is None:
            raise Invalid(f"the layer {described.digest} is not in it")
        layers.append(layer)
    if len(layers) != len(config.diff_ids):
        raise Invalid(f"the manifest names {len(layers)} layers, the image config {len(config.diff_ids)}")
    return ImagePlan(config, tuple(layers), tags, found.raw)
