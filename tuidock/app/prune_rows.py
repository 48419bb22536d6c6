"""What may go, with why and how much: images, build cache, volumes, networks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tuidock.app.format import since, size
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.engine.image_types import CacheEntry
from tuidock.engine.types import Image, Network, Volume

COLUMNS = (
    Column("tick", "", 3, sortable=False),
    Column("kind", "KIND", 7, sortable=False),
    Column("name", "NAME", 22, grow=3, sortable=False),
    Column("size", "SIZE", 6, "right", sortable=False),
    Column("why", "WHY", 18, priority=1, grow=1, sortable=False),
)
IMAGE, CACHE, VOLUME, NETWORK = "image", "cache", "volume", "network"
DANGLING, UNUSED, CACHED, EMPTY, FREE = "dangling", "unused", "cached", "empty", "free"


class Candidate(NamedTuple):
    """Something that nobody uses. sort says why it may go, which decides what ticks it."""

    kind: str
    id: str
    name: str
    size: int
    sort: str
    why: str

    @property
    def key(self) -> str:
        return f"{self.kind} {self.id}"


def candidates(
    images: Iterable[Image],
    cache: Iterable[CacheEntry],
    volumes: Iterable[Volume],
    now: int,
    networks: Iterable[Network] = (),
) -> list[Candidate]:
    """Dangling images first, then unused ones, the cache, networks and volumes; the largest of each first."""
    found: list[Candidate] = []
    for image in images:
        if image.containers:
            continue
        age = f" {since(image.created, now)}" if image.created > 0 else ""
        if image.references:
            name, sort = " ".join(image.references), UNUSED
        else:
            name, sort = f"<none> {image.short_id}", DANGLING
        found.append(Candidate(IMAGE, image.id, name, image.size, sort, sort + age))
    for entry in cache:
        if not entry.in_use:
            text = " ".join(entry.text.split()) or entry.kind
            used = f"not used for {since(entry.used, now)}" if entry.used else entry.kind
            found.append(Candidate(CACHE, entry.id, text, entry.size, CACHED, used))
    for volume in volumes:
        if not volume.users:
            found.append(Candidate(VOLUME, volume.name, volume.name, volume.size, FREE, "no user"))
    for network in networks:
        found.append(Candidate(NETWORK, network.name, network.name, -1, EMPTY, "no container"))
    order = (DANGLING, UNUSED, CACHED, EMPTY, FREE)
    return sorted(found, key=lambda each: (order.index(each.sort), -each.size, each.name))


def row_of(each: Candidate, ticked: bool) -> Row:
    return Row(
        each.key,
        (
            Cell("[x]" if ticked else "[ ]", "accent" if ticked else "muted"),
            Cell(each.kind, "" if ticked else "muted"),
            Cell(each.name, "" if ticked else "muted"),
            Cell(size(each.size)),
            Cell(each.why, "warn" if each.sort == DANGLING else "muted"),
        ),
    )


def summed(every: Sequence[Candidate], ticked: set[str]) -> str:
    """ "selected 1.3G of 2.0G" """
    whole = sum(max(0, each.size) for each in every)
    chosen = sum(max(0, each.size) for each in every if each.key in ticked)
    return f"selected {size(chosen)} of {size(whole)}"
