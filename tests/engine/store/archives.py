"""Image archives for the tests: small, exact, and as hostile as wanted."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

CREATED = "2024-01-02T03:04:05.678Z"


def sha256(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def layer(files: Mapping[str, bytes | None], mode: int = 0o644) -> bytes:
    """A tar; None makes a directory."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            else:
                entry.size, entry.mode = len(content), mode
                tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def config(layers: Sequence[bytes], settings: Mapping[str, Any] | None = None, **more: Any) -> bytes:
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": CREATED,
        "config": dict(settings or {"Cmd": ["sh"], "Env": ["PATH=/bin"]}),
        "rootfs": {"type": "layers", "diff_ids": [sha256(one) for one in layers]},
        "history": [{"created": CREATED, "created_by": f"step {number}"} for number in range(len(layers))],
        **more,
    }
    return json.dumps(document).encode()


def tar_of(members: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    """Files with these contents, then symlinks."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return raw.getvalue()


def docker_archive(images: Sequence[tuple[Sequence[bytes], Sequence[str]]], **more: Any) -> bytes:
    """The layout of docker before 25: ID/layer.tar, CONFIG.json, manifest.json last."""
    members: dict[str, bytes] = {}
    items = []
    for layers, tags in images:
        names = []
        for one in layers:
            name = f"{sha256(one)[7:]}/layer.tar"
            members[name.replace("layer.tar", "VERSION")] = b"1.0"
            members[name.replace("layer.tar", "json")] = b"{}"
            members[name] = one
            names.append(name)
        raw = config(layers, **more)
        members[f"{sha256(raw)[7:]}.json"] = raw
        items.append({"Config": f"{sha256(raw)[7:]}.json", "RepoTags": list(tags), "Layers": names})
    members["manifest.json"] = json.dumps(items).encode()
    return tar_of(members)


def oci_archive(layers: Sequence[bytes], name: str = "", *, compress: bool = True, **change: Any) -> bytes:
    """An OCI layout with one image; `change` replaces fields of the manifest."""
    blobs: dict[str, bytes] = {}

    def put(raw: bytes, media_type: str) -> dict[str, Any]:
        blobs[f"blobs/sha256/{sha256(raw)[7:]}"] = raw
        return {"mediaType": media_type, "digest": sha256(raw), "size": len(raw)}

    suffix = "+gzip" if compress else ""
    described = [
        put(gzip.compress(one, mtime=0) if compress else one, "application/vnd.oci.image.layer.v1.tar" + suffix)
        for one in layers
    ]
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(config(layers), "application/vnd.oci.image.config.v1+json"),
        "layers": described,
        **change,
    }
    top = put(json.dumps(document).encode(), "application/vnd.oci.image.manifest.v1+json")
    if name:
        top["annotations"] = {"org.opencontainers.image.ref.name": name}
    index = json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()
    return tar_of({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index, **blobs})
