"""Images for registries: manifests and blobs as bytes, exact and as wrong as wanted."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.engine.store.archives import config, sha256

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Made(NamedTuple):
    """manifest is the raw document; blobs are the configuration's and the layers' bytes, as a registry has them."""

    manifest: bytes
    media_type: str
    config: bytes
    layers: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        return sha256(self.manifest)

    @property
    def blobs(self) -> dict[str, bytes]:
        return {sha256(raw): raw for raw in (self.config, *self.layers)}

    def descriptor(self, **more: Any) -> dict[str, Any]:
        """As an index names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.manifest), **more}


def image(tars: Sequence[bytes], *, docker: bool = False, compress: bool = True, **change: Any) -> Made:
    """An image of these layers; `change` replaces fields of the manifest."""
    kind = "application/vnd.docker" if docker else "application/vnd.oci"
    layers = tuple(gzip.compress(tar, mtime=0) if compress else tar for tar in tars)
    raw_config = config(tars)
    layer_type = f"{kind}.image.rootfs.diff.tar.gzip" if docker else f"{kind}.image.layer.v1.tar"
    if not docker and compress:
        layer_type += "+gzip"
    config_type = f"{kind}.container.image.v1+json" if docker else f"{kind}.image.config.v1+json"
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": config_type, "digest": sha256(raw_config), "size": len(raw_config)},
        "layers": [{"mediaType": layer_type, "digest": sha256(raw), "size": len(raw)} for raw in layers],
        **change,
    }
    return Made(json.dumps(document, indent=3).encode(), media_type, raw_config, layers)


def index(manifests: Sequence[dict[str, Any]], **change: Any) -> bytes:
    """An index of descriptors."""
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(manifests), **change}).encode()
