"""Collecting what nothing refers to any more: blobs, layers, hidden images, and the leftovers of dead processes.

Roots are the rows of state.db: an image row and what a build has left keep their layers, a reference the index or
manifest that its registry named by it, a container row its image, an entry of the trash both. Everybody who uses what no
row keeps holds a lease that names it (`leases`).
"""

from __future__ import annotations

import json

from tuidock.engine.errors import EngineError
from tuidock.engine.oci import Invalid, manifest
from tuidock.engine.oci.digest import is_digest
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import partial, removed, trash
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.leases import collecting
from tuidock.engine.store.snapshots import Snapshots


def sweep(paths: Paths, *, partial_kept: float = partial.KEPT) -> int:
    """Removes ingests, drafts and trash of processes that died; answers how many.

    partial_kept: how long downloads that were cut off wait for somebody to go on with them (seconds).
    """
    done, _ = partial.sweep(paths, kept=partial_kept)
    return done + ContentStore(paths).sweep() + Snapshots(paths).sweep() + trash.sweep(paths)


def roots(state: State) -> tuple[set[str], set[str]]:
    """The digests of blobs and the chainIDs of layers that some image or the cache of builds needs."""
    blobs: set[str] = set()
    chains: set[str] = set()
    for image_id, manifest_digest, layers in state.read().execute("SELECT id, manifest_digest, layers FROM images"):
        blobs |= {image_id, manifest_digest}
        for layer in json.loads(layers):
            blobs.add(layer["digest"])
            chains.add(layer["chain_id"])
    for layers in _built(state):
        for layer in json.loads(layers):
            blobs.add(layer["digest"])
            chains.add(layer["chain_id"])
    blobs |= _documents(state, blobs)
    return blobs, chains


def _built(state: State) -> list[str]:
    """What the cache of builds refers to; a data root of an older version that is only looked at has none."""
    db = state.read()
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'build_cache'").fetchone():
        return []
    return [row[0] for row in db.execute("SELECT layers FROM build_cache")]


def _documents(state: State, manifests: set[str]) -> set[str]:
    """What references name by digest: a manifest, or an index with the manifests in it."""
    content = ContentStore(state.paths)
    found: set[str] = set()
    named = {row[0] for row in state.read().execute("SELECT DISTINCT digest FROM image_references")}
    for digest in named | removed.digests(state):
        if digest in manifests or not is_digest(digest):
            continue
        found.add(digest)
        try:
            raw = content.read(digest, manifest.SIZE_LIMIT)
            found.update(one.digest for one in manifest.parse_index(raw).manifests)
        except (Invalid, EngineError):
            pass  # a manifest, or not there
    return found


def collect(state: State, paths: Paths) -> tuple[int, int]:
    """Removes what nothing refers to; answers how many blobs and layers went and how many bytes of them.

    What others are just making or using stays; when somebody cannot say what that is, everything stays.
    """
    content, snapshots = ContentStore(paths), Snapshots(paths)
    removed: list[str] = []
    count = freed = 0
    with collecting(paths) as held:
        if held is None:
            return 0, 0
        with state.write() as db:
            db.execute(
                "DELETE FROM images WHERE loaded = 0 AND id NOT IN (SELECT image_id FROM containers) "
                "AND id NOT IN (SELECT image_id FROM removed)"
            )
        blobs, chains = roots(state)
        for digest in content.digests():
            if digest not in blobs and digest not in held:
                freed += content.remove(digest)
                count += 1
        for chain_id in snapshots.chain_ids():
            if chain_id not in chains and chain_id not in held:
                freed += snapshots.size(chain_id)
                removed.append(snapshots.discard(chain_id))
                count += 1
    for target in removed:
        trash.empty(target)
    return count, freed
