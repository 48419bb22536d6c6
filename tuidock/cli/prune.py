"""`prune` of containers, images, networks, volumes, and of all four: first it says what would go, then it asks.

What is pruned does not go to the trash: whoever prunes wants the room, and has been asked. system prune empties the trash.
"""

from __future__ import annotations

import time

from tuidock.cli import filters, output
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import EngineError
from tuidock.engine.options.flags import Values, listed, switch
from tuidock.engine.options.times import parse_moment
from tuidock.engine.types import Container, Network, Volume
from tuidock.engine.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_FORCE = switch("force", "f", "Do not ask")
_FILTER = listed("filter", "", "Only what fits (until=24h, label=x, label!=x)", kind="filter")
_STOPPED = ("created", "exited", "dead")
_UNUSED_IMAGES = "all images without at least one container associated to them"


class Selection:
    """What --filter of prune lets through: until=, label= and label!=."""

    def __init__(self, given: Sequence[str]) -> None:
        plain = [raw for raw in given if not raw.startswith("label!=")]
        self._refused = [raw.removeprefix("label!=") for raw in given if raw.startswith("label!=")]
        wanted = filters.parse(plain, "until label all")
        self._labels = wanted.get("label", [])
        moments = [parse_moment(value, time.time_ns()) for value in wanted.get("until", [])]
        self._before = min(moments, default=0)
        self.everything = "true" in wanted.get("all", [])

    def __contains__(self, item: Container | Network | Volume) -> bool:
        if self._before and item.created >= self._before:
            return False
        if any(filters.label_fits(item.labels, [label]) for label in self._refused):
            return False
        return filters.label_fits(item.labels, self._labels)


def _agreed(values: Values, parts: Sequence[str]) -> bool:
    if values.on("force"):
        return True
    listed = ":\n" + "\n".join("  - " + part for part in parts) + "\n\n"
    what = f" {parts[0]}.\n" if len(parts) == 1 else listed  # as docker's one-kind prunes and its system prune ask
    return output.confirm(f"WARNING! This will remove{what}Are you sure you want to continue?")


def containers(context: Context, values: Values, _: list[str]) -> int:
    selection = Selection(values.items("filter"))
    return _total(_containers(context, selection)) if _agreed(values, ["all stopped containers"]) else 0


def _containers(context: Context, selection: Selection) -> tuple[int, int]:
    engine = context.engine
    idle = [c for c in engine.containers() if c.status in _STOPPED and c in selection]
    sizes = {c.id: int(engine.inspect_container(c.id, size=True).get("SizeRw") or 0) for c in idle}
    size = failed = 0
    names: list[str] = []
    for reference, error in engine.remove_many([c.id for c in idle], now=True):
        if error is None:
            size += sizes[reference]
            names.append(reference)
        else:
            output.error(str(error))
            failed = 1
    _list("Deleted Containers:", names)
    return size, failed


def images(context: Context, values: Values, _: list[str]) -> int:
    every = values.on("all")
    if not _agreed(values, [_UNUSED_IMAGES if every else "all dangling images"]):
        return 0
    return _total(_images(context, values.items("filter"), every))


def _images(context: Context, filters: Sequence[str], every: bool) -> tuple[int, int]:
    removed, size = context.engine.prune_images(all=every, filters=filters)
    _list("Deleted Images:", [f"{one.kind.lower()}: {one.what}" for one in removed])
    return size, 0


def volumes(context: Context, values: Values, _: list[str]) -> int:
    selection = Selection(values.items("filter"))
    every = values.on("all") or selection.everything
    kind = "all local volumes" if every else "all anonymous local volumes"
    found = _unused(context, selection, every)
    if found and not values.on("force"):
        rows = [(volume.name, human_size(size)) for volume, size in found]
        output.table([("VOLUME NAME", "SIZE"), *rows])
    if not _agreed(values, [f"{kind} not used by at least one container"]):
        return 0
    return _total(_volumes(context, found))


def _unused(context: Context, selection: Selection, every: bool) -> list[tuple[Volume, int]]:
    """What would go, with its bytes. A container in the trash does not use its volumes."""
    return [
        (volume, max(0, context.engine.volume_size(volume.name)))
        for volume in context.engine.volumes()
        if not volume.users and (every or volume.anonymous) and volume in selection
    ]


def _volumes(context: Context, found: Sequence[tuple[Volume, int]]) -> tuple[int, int]:
    names: list[str] = []
    size = failed = 0
    for volume, held in found:
        try:
            context.engine.remove_volume(volume.name, now=True)
        except EngineError as error:
            output.error(str(error))
            failed = 1
        else:
            size += held
            names.append(volume.name)
    _list("Deleted Volumes:", names)
    return size, failed


def networks(context: Context, values: Values, _: list[str]) -> int:
    selection = Selection(values.items("filter"))
    if not _agreed(values, ["all custom networks not used by at least one container"]):
        return 0
    return _networks(context, selection)


def _networks(context: Context, selection: Selection) -> int:
    failed = 0
    names = []
    unused = [network.name for network in context.engine.unused_networks() if network in selection]
    for name, error in context.engine.prune_networks(unused):
        if error is None:
            names.append(name)
        else:
            output.error(str(error))
            failed = 1
    _list("Deleted Networks:", names)
    return failed


def system(context: Context, values: Values, _: list[str]) -> int:
    every = values.on("all")
    selection = Selection(values.items("filter"))
    parts = ["all stopped containers", "all networks not used by at least one container"]
    if values.on("volumes"):
        parts.append("all anonymous volumes not used by at least one container")
    parts.append(_UNUSED_IMAGES if every else "all dangling images")
    parts.append("all unused build cache" if every else "all dangling build cache")
    trash = [] if values.items("filter") else context.engine.trash(sizes=True)
    if trash:
        parts.append(f"everything in the trash ({len(trash)}, {human_size(sum(entry.size for entry in trash), 4)})")
    if not _agreed(values, parts):
        return 0
    results = [_containers(context, selection), (0, _networks(context, selection))]
    if values.on("volumes"):
        results.append(_volumes(context, _unused(context, selection, False)))
    results.append(_images(context, values.items("filter"), every))
    results.append(_builds(context, values.items("filter"), every))
    if trash:
        results.append((context.engine.empty_trash()[1], 0))
    return _total((sum(size for size, _failed in results), max(failed for _size, failed in results)))


def _builds(context: Context, filters: Sequence[str], every: bool) -> tuple[int, int]:
    """Steps have no labels, so a filter for some takes none of them."""
    if any(text.startswith("label") for text in filters):
        return 0, 0
    ids, size = context.engine.prune_builds(all=every, filters=filters)
    _list("Deleted build cache objects:", ids)
    return size, 0


def _list(title: str, lines: list[str]) -> None:
    if lines:
        output.line("\n".join([title, *lines]) + "\n")


def _total(result: tuple[int, int]) -> int:
    output.line(f"Total reclaimed space: {human_size(result[0], 4)}")
    return result[1]


PRUNE_CONTAINERS = Command("[OPTIONS]", "Remove all stopped containers", containers, (_FILTER, _FORCE), most=0)
PRUNE_IMAGES = Command(
    "[OPTIONS]",
    "Remove unused images",
    images,
    (switch("all", "a", "Remove all unused images, not only dangling ones"), _FILTER, _FORCE),
    most=0,
)
PRUNE_VOLUMES = Command(
    "[OPTIONS]",
    "Remove unused local volumes",
    volumes,
    (switch("all", "a", "Remove all unused volumes, not only anonymous ones"), _FILTER, _FORCE),
    most=0,
)
PRUNE_NETWORKS = Command("[OPTIONS]", "Remove all networks that no container uses", networks, (_FILTER, _FORCE), most=0)
PRUNE_SYSTEM = Command(
    "[OPTIONS]",
    "Remove unused data",
    system,
    (
        switch("all", "a", "Remove all unused images, not only dangling ones"),
        _FILTER,
        _FORCE,
        switch("volumes", "", "Remove anonymous volumes too"),
    ),
    most=0,
)
