"""builder prune: which entries of the cache go, and what that frees."""

from __future__ import annotations

import time

from tuidock.engine.build import cache
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.instance import Instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuidock.engine.image_types import CacheEntry

#: docker's words for kinds of entries.
_TYPES = {"regular": (), "exec.cachemount": (cache.MOUNT,), "cache-mount": (cache.MOUNT,)}


def prune(
    instance: Instance, *, all_: bool, keep_bytes: int, older_than: int, filters: Sequence[str]
) -> tuple[list[str], int]:
    """Ids and bytes. Raises InvalidArgument for a filter that is not known."""
    before = time.time_ns() - older_than * 1_000_000_000 if older_than else 0
    kinds: list[str] = []
    wanted_ids: list[str] = []
    for text in filters:
        key, equals, value = text.partition("=")
        if key in ("until", "unused-for") and equals:
            before = _before(value)
        elif key == "type" and equals:
            kinds += _TYPES.get(value, (value,))
        elif key == "id" and value:
            wanted_ids.append(value)
        else:
            raise InvalidArgument(f"invalid filter '{text:.60}': known are until, unused-for, type and id")
    found = cache.entries(instance.state, instance.paths)
    chosen: list[CacheEntry] = cache.select(found, all_=all_, keep_bytes=keep_bytes, before=before, kinds=kinds)
    if wanted_ids:
        chosen = [entry for entry in chosen if entry.id.startswith(tuple(wanted_ids))]
    freed = cache.remove(instance.state, instance.paths, chosen) if chosen else 0
    return [entry.id for entry in chosen], freed


def _before(value: str) -> int:
    """The moment of `until`: a duration back from now, or a time."""
    from tuidock.engine.options.times import parse_moment

    return parse_moment(value, time.time_ns())
