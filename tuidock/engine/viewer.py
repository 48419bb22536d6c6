"""Viewer: the part of the engine that lists containers, for short commands that need no more.

Every door costs a command some tenths of a millisecond to load; `ps` is typed all day, from scripts and shell prompts.
"""

from __future__ import annotations

from tuidock.engine.doors.images import Images
from tuidock.engine.doors.looking import Looking
from tuidock.engine.instance import Instance


class Viewer(Looking, Images):
    """Containers and names of images of one data root ("" = TUIDOCK_ROOT or /var/lib/tuidock)."""

    def __init__(self, root: str = "", *, read_only: bool = False, instance: Instance | None = None) -> None:
        self.instance = Instance(root, read_only=read_only) if instance is None else instance
        self.read_only = read_only

    def notices(self) -> list[str]:
        """What went on in another way than usual since the last call, a sentence each."""
        found, self.instance.notices = self.instance.notices, []
        return found

    def close(self) -> None:
        """Closes this thread's database connection."""
        self.instance.state.close()
