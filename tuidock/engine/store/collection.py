"""Collecting what nothing refers to any more: blobs, layers, hidden images, and the leftovers of dead processes.

Roots are the rows of state.db, and those only: an image row keeps its layers, a container row keeps its image. Everybody
who writes blobs holds a lease until a row refers to them; while there is one, nothing is collected.
"""

from __future__ import annotations

import json

from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import trash
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.snapshots import Snapshots


def sweep(paths: Paths) -> int:
    """Removes ingests, drafts and trash of processes that died; answers how many."""
    return ContentStore(paths).sweep() + Snapshots(paths).sweep() + trash.sweep(paths)


def roots(state: State) -> tuple[set[str], set[str]]:
    """The digests of blobs and the chainIDs of layers that some image needs."""
    blobs: set[str] = set()
    chains: set[str] = set()
    for image_id, manifest_digest, layers in state.read().execute("SELECT id, manifest_digest, layers FROM images"):
        blobs |= {image_id, manifest_digest}
        for layer in json.loads(layers):
            blobs.add(layer["digest"])
            chains.add(layer["chain_id"])
    return blobs, chains


def collect(state: State, paths: Paths) -> tuple[int, int]:
    """Removes what nothing refers to; answers how many blobs and layers went and how many bytes of blobs.

    While another process loads or pulls it does nothing: the next collection will.
    """
    content, snapshots = ContentStore(paths), Snapshots(paths)
    removed: list[str] = []
    count = freed = 0
    with content.exclusive() as alone:
        if not alone:
            return 0, 0
        with state.write() as db:
            db.execute("DELETE FROM images WHERE loaded = 0 AND id NOT IN (SELECT image_id FROM containers)")
        blobs, chains = roots(state)
        for digest in content.digests():
            if digest not in blobs:
                freed += content.remove(digest)
                count += 1
        for chain_id in snapshots.chain_ids():
            if chain_id not in chains:
                freed += snapshots.size(chain_id)
                removed.append(snapshots.discard(chain_id))
                count += 1
    for target in removed:
        trash.empty(target)
    return count, freed
