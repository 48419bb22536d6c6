"""cp into a container that runs in a user namespace of its own.

Its files are seen through mounts that map their ids, and through those root of the host has no place: what it makes there
is refused (EOVERFLOW). So each write is done with the ids that the container's root has outside, and the capabilities of
the host's, as if the container had written itself; owners are the container's numbers, as in any other container.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from tuidock import native
from tuidock.engine.containers.copy_entries import Entry, TreeTarget
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.runtime import userns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Lines of uid_map and of gid_map.
Maps = tuple[tuple[str, ...], tuple[str, ...]]


class MappedTarget(TreeTarget):
    """A directory below the root of such a container. owner: in the container's numbers, as those of the entries."""

    def __init__(self, directory: int, maps: Maps, *, owner: tuple[int, int] | None) -> None:
        super().__init__(directory, owner=owner, devices=True)
        self._maps = maps
        user, group = (userns.outer(lines, 0) for lines in maps)
        self._root_ids = (0 if user is None else user, 0 if group is None else group)

    @contextmanager
    def _acting(self) -> Iterator[None]:
        native.act_as(*self._root_ids)
        try:
            yield
        finally:
            native.act_as(os.geteuid(), os.getegid())

    def add(self, entry: Entry) -> Iterator[int]:
        """As TreeTarget; between two pieces the thread is itself. Raises InvalidArgument for an id without a place."""
        steps = super().add(entry)
        try:
            while True:
                with self._acting():
                    count = next(steps, None)
                if count is None:
                    return
                yield count
        finally:
            with self._acting():
                steps.close()  # type: ignore[attr-defined]  # takes half a file away

    def finish(self) -> None:
        """The times of directories."""
        with self._acting():
            super().finish()

    def _ids(self, entry: Entry) -> tuple[int, int]:
        found = []
        for kind, lines, inside in zip(
            ("user", "group"), self._maps, self._owner or (entry.uid, entry.gid), strict=True
        ):
            outside = userns.outer(lines, inside)
            if outside is None:
                raise InvalidArgument(
                    f"{entry.path} belongs to the {kind} {inside}, who has no place in the container's user namespace; "
                    "give it to another first"
                )
            found.append(outside)
        return found[0], found[1]
