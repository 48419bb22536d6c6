"""What every door has: the instance, and the way from a typed reference to a container."""

from __future__ import annotations

import os

from tuidock.engine.errors import Conflict, WrongState
from tuidock.engine.instance import Instance
from tuidock.engine.types import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.engine.containers.creating import ImageView
    from tuidock.engine.store.removed import Keeping

LIVING = ("running", "paused", "restarting")


class Door:
    """One data root, perhaps only to be looked at."""

    instance: Instance
    read_only: bool

    def _change(self, what: str) -> None:
        if self.read_only:
            raise Conflict(f"cannot {what}: this session is read-only")
        self._make_room()

    def _make_room(self) -> None:
        """On a disk that is nearly full what was thrown away gives way to what is wanted now."""
        try:
            disk = os.statvfs(self.instance.paths.root)
        except OSError:
            return
        if disk.f_bavail < disk.f_blocks // 20:
            from tuidock.engine.store import expiring

            expiring.enforce(self.instance.state, self.instance.paths)

    def _keeping(self, now: bool, batch: str) -> Keeping | None:
        """How a removal is kept in the trash; None when it is to be for good, by wish or by configuration."""
        if now:
            return None
        from tuidock.engine.options.settings import trash_limits
        from tuidock.engine.store.removed import Keeping, new_batch

        keep, (size, _), problem = trash_limits()
        if problem:
            self.instance.notices.append(problem)
        return Keeping(batch or new_batch()) if keep and size else None

    def _limit_trash(self, keeping: Keeping | None) -> None:
        """After a removal: what is too old or too much goes for good."""
        if keeping is not None:
            from tuidock.engine.store import expiring

            expiring.enforce(self.instance.state, self.instance.paths)

    def _id(self, reference: str) -> str:
        from tuidock.engine.containers import rows

        return rows.resolve(self.instance.state.read(), reference)

    def container(self, reference: str) -> Container:
        """By name, id or unambiguous prefix. Raises NotFound, AmbiguousId."""
        from tuidock.engine.containers import rows

        return rows.one_container(self.instance, self._id(reference))

    def _tell(self, action: str, container: Container) -> None:
        """An event of a container; a session that only looks leaves none."""
        if not self.read_only:
            from tuidock.engine.containers.telling import tell

            tell(self.instance, action, container.id, container.name)

    def _running(self, reference: str, words: str = "is not running") -> Container:
        container = self.container(reference)
        if container.status not in ("running", "paused"):
            raise WrongState(f"Container {container.name} {words}")
        return container

    def _image_view(self, reference: str) -> ImageView:
        from tuidock.engine.containers.creating import ImageView
        from tuidock.engine.store import lookup

        found = lookup.find(self.instance.state, self.instance.paths, reference)
        return ImageView(found.id, reference, found.config, found.lower, found.top_chain_id)
