"""Engine: the one door. It resolves what people type, asks the rooms in order, and turns nothing into a surprise.

Plain blocking code, safe to call from several threads (each gets its own database connection). Long operations are
generators of Progress that stop and clean up when they are closed. Everything heavy is imported by the method that
needs it: `tuidock ps` loads the database, the rows and nothing else. The methods lie in `doors`, by noun.
"""

from __future__ import annotations

from tuidock.engine.doors.builds import Builds
from tuidock.engine.doors.layers import Layers
from tuidock.engine.doors.moving_in import MovingIn
from tuidock.engine.doors.removed import Trash
from tuidock.engine.doors.system import System
from tuidock.engine.instance import Instance


class Engine(System, Builds, Layers, MovingIn, Trash):
    """Containers, images, volumes and networks of one data root ("" = TUIDOCK_ROOT or /var/lib/tuidock)."""

    def __init__(self, root: str = "", *, read_only: bool = False) -> None:
        self.instance = Instance(root, read_only=read_only)
        self.read_only = read_only

    def notices(self) -> list[str]:
        """What went on in another way than usual since the last call, a sentence each."""
        found, self.instance.notices = self.instance.notices, []
        return found

    def close(self) -> None:
        """Closes this thread's database connection."""
        self.instance.state.close()
