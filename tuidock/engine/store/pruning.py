"""image prune: what no container stands on goes, without names only or with `all` whatever its names are."""

from __future__ import annotations

import time

from tuidock.engine.errors import EngineError, InvalidArgument
from tuidock.engine.options.times import parse_moment
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import images, partial, removal
from tuidock.engine.store.snapshots import Snapshots
from tuidock.engine.types import Image, Removed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEYS = ("dangling", "label", "label!", "until")
_TRUTHS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


class Selection:
    """What --filter lets through: until=, label=, label!=, and dangling=false, which is `all`."""

    def __init__(self, given: Sequence[str], *, all: bool) -> None:
        self.all, self._before = all, 0
        self._wanted: list[str] = []
        self._refused: list[str] = []
        for raw in given:
            key, equals, value = raw.partition("=")
            key = key.strip().lower()
            if not equals or key not in _KEYS:
                raise InvalidArgument(f"invalid filter '{raw:.100}'; there are dangling=, label=, label!= and until=")
            if key == "until":
                moment = parse_moment(value, time.time_ns())
                self._before = min(self._before or moment, moment)
            elif key == "dangling":
                if value.lower() not in _TRUTHS:
                    raise InvalidArgument(f"invalid filter '{raw:.100}': it is true or false")
                self.all = not _TRUTHS[value.lower()]
            else:
                (self._wanted if key == "label" else self._refused).append(value)

    def __contains__(self, image: Image) -> bool:
        if image.containers or (image.references and not self.all):
            return False
        if self._before and image.created >= self._before:
            return False
        if any(_has(image.labels, label) for label in self._refused):
            return False
        return all(_has(image.labels, label) for label in self._wanted)


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def prune(
    state: State, paths: Paths, users: Sequence[tuple[str, str, bool]], *, all: bool, filters: Sequence[str]
) -> tuple[list[Removed], int]:
    """Removes them; answers what went and the bytes of the layers that went.

    One that somebody has begun to use meanwhile stays. Raises InvalidArgument for a filter.
    """
    selection = Selection(filters, all=all)
    used: dict[str, int] = {}
    for _, image_id, _ in users:
        used[image_id] = used.get(image_id, 0) + 1
    snapshots = Snapshots(paths)
    done: list[Removed] = []
    freed = 0
    for image in images.list_images(state, used):
        if image not in selection:
            continue
        sizes = {layer.chain_id: snapshots.size(layer.chain_id) for layer in images.get(state, paths, image.id).layers}
        for reference in image.references or (image.id,):
            try:
                removed = removal.remove(state, paths, reference, users)
            except EngineError:
                break
            done += removed
            freed += sum(sizes.get(one.what, 0) for one in removed)
    if not filters:
        freed += partial.sweep(paths, kept=0)[1]  # downloads that were cut off
    return done, freed
