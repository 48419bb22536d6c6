"""The trash: what was removed and can come back."""

from __future__ import annotations

from tuidock.engine.doors.images import Images
from tuidock.engine.types import RemovedEntry, Restored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Trash(Images):
    """`undo` and `trash`."""

    def trash(self, *, sizes: bool = False) -> list[RemovedEntry]:
        """What can come back, the newest first; with sizes each is measured (once)."""
        from tuidock.engine.store import expiring, removed

        known = removed.entries(self.instance.state)
        return expiring.measured(self.instance.state, self.instance.paths, known) if sizes else known

    def undo(self, references: Sequence[str] = ()) -> list[Restored]:
        """Brings back what is named by entry, id or name, or all of the last removal. Raises NotFound, AmbiguousId,
        Conflict."""
        from tuidock.engine.containers.undoing import undo

        self._change("undo a removal")
        done = undo(self.instance, references)
        self._note()
        return done

    def empty_trash(self, references: Sequence[str] = ()) -> tuple[int, int]:
        """Removes what is named, or everything, for good; answers how many things and how many bytes."""
        from tuidock.engine.store import expiring, removed

        self._change("empty the trash")
        state, paths = self.instance.state, self.instance.paths
        chosen = removed.find(state, references) if references else removed.entries(state)
        return expiring.drop(state, paths, chosen)

    def new_batch(self) -> str:
        """A name under which the removals of one command come back together."""
        from tuidock.engine.store.removed import new_batch

        return new_batch()
