"""Which bytes of images are shared: a layer lies in the store once, however many images have it."""

from __future__ import annotations

import json

from tuidock.engine.named import Named
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store.snapshots import Snapshots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Sizes(Named):
    """by_image: bytes that other images have too, and its own, by id. total: of all layers once; used: of those that
    containers stand on."""

    by_image: Mapping[str, tuple[int, int]]
    total: int
    used: int


def sizes(state: State, paths: Paths, in_use: Collection[str] = ()) -> Sizes:
    """in_use: ids of the images that containers stand on."""
    snapshots = Snapshots(paths)
    chains: dict[str, list[str]] = {}
    for image_id, layers in state.read().execute("SELECT id, layers FROM images"):
        chains[image_id] = [layer["chain_id"] for layer in json.loads(layers)]
    users: dict[str, int] = {}
    for found in chains.values():
        for chain_id in found:
            users[chain_id] = users.get(chain_id, 0) + 1
    size = {chain_id: snapshots.size(chain_id) for chain_id in users}
    by_image = {
        image_id: (
            sum(size[one] for one in found if users[one] > 1),
            sum(size[one] for one in found if users[one] == 1),
        )
        for image_id, found in chains.items()
    }
    held = {chain_id for image_id in in_use for chain_id in chains.get(image_id, ())}
    return Sizes(by_image, sum(size.values()), sum(size[chain_id] for chain_id in held))
