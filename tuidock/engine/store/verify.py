"""Is everything that images need there and unharmed? For `system check`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator

from tuidock.engine.oci import digest as digests
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.snapshots import Snapshots
from tuidock.engine.types import Problem


def problems(state: State, paths: Paths, *, hashes: bool) -> Iterator[Problem]:
    """What is missing or damaged; with hashes every blob is read again."""
    db = state.read()
    content, snapshots = ContentStore(paths), Snapshots(paths)
    needed: dict[str, str] = {}
    for image_id, manifest_digest, layers in db.execute("SELECT id, manifest_digest, layers FROM images"):
        short = image_id.removeprefix("sha256:")[:12]
        for digest in (image_id, manifest_digest, *(layer["digest"] for layer in json.loads(layers))):
            needed[digest] = short
        for layer in json.loads(layers):
            if not snapshots.has(layer["chain_id"]):
                yield Problem("image", short, f"layer {layer['diff_id'][7:19]} is not unpacked; load the image again")
    for digest, short in needed.items():
        if not content.has(digest):
            yield Problem("image", short, f"blob {digest[7:19]} is missing; load the image again")
        elif hashes and _hash(content.path(digest)) != digest:
            yield Problem("image", short, f"blob {digest[7:19]} is damaged; remove the image and load it again")
    for reference, image_id in db.execute(
        "SELECT reference, image_id FROM image_references WHERE image_id NOT IN (SELECT id FROM images)"
    ):
        yield Problem("image", reference, f"the name points to {image_id[7:19]}, which does not exist")
    for name in os.listdir(paths.snapshots):
        path = f"{paths.snapshots}/{name}"
        if len(name) == 64 and digests.is_digest("sha256:" + name) and not os.path.isdir(path + "/fs"):
            yield Problem("snapshot", name[:12], "it has no files directory; load its image again")


def _hash(path: str) -> str:
    with open(path, "rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
