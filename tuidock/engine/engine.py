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
from tuidock.engine.viewer import Viewer


class Engine(System, Builds, Layers, MovingIn, Trash, Viewer):
    """Containers, images, volumes and networks of one data root ("" = TUIDOCK_ROOT or /var/lib/tuidock)."""
