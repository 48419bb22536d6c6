"""Which ids of the host stand for a container's ids.

Every id that is written to disk for a container passes through here, so that rootless use and user namespaces need one
other map and no search for chown calls. As root the map is the identity.
"""

from __future__ import annotations

from tuidock.engine import rootless
from tuidock.engine.named import Named


class Range(Named):
    """length ids from `container` on are `host` and those after it, as a line of /proc/PID/uid_map."""

    container: int
    host: int
    length: int


class IdMap(Named):
    """Maps of user and group ids."""

    users: tuple[Range, ...]
    groups: tuple[Range, ...]

    def uid(self, container_uid: int) -> int:
        """The host's id, or -1 (leave as it is) for one that is not mapped."""
        return _mapped(self.users, container_uid)

    def gid(self, container_gid: int) -> int:
        """The host's id, or -1 (leave as it is) for one that is not mapped."""
        return _mapped(self.groups, container_gid)


def _mapped(ranges: tuple[Range, ...], number: int) -> int:
    for span in ranges:
        if span.container <= number < span.container + span.length:
            return span.host + number - span.container
    return -1


def current() -> IdMap:
    """The map of this process, which it has for life: the identity, or in a user namespace what is there."""
    global _current
    if _current is None:
        _current = _of_this_process() if rootless.is_active() else IDENTITY
    return _current


def present(owner: tuple[int, int]) -> tuple[int, int]:
    """A user and a group as chown may be told them here, -1 for one that does not exist."""
    ids = current()
    return ids.uid(owner[0]), ids.gid(owner[1])


def _of_this_process() -> IdMap:
    """The ids that the user namespace of this process has; they are the same on both sides, others are not there."""
    return IdMap(
        tuple(Range(first, first, count) for first, _, count in rootless.mapped("uid")),
        tuple(Range(first, first, count) for first, _, count in rootless.mapped("gid")),
    )


_ALL = (Range(0, 0, (1 << 32) - 1),)
IDENTITY = IdMap(_ALL, _ALL)
_current: IdMap | None = None
