"""Clients of a shim that was killed find the one that took over."""

from __future__ import annotations

import time

from tuidock.engine import stream
from tuidock.engine.containers.moves import status_of
from tuidock.engine.instance import Instance
from tuidock.engine.stream import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
else:
    import _socket as socket

#: The recorder starts a successor at once; a look at the container starts one too. Between two tries (s), and in all.
_PAUSE, _PATIENCE = 0.01, 20.0
_LIVING = ("running", "paused", "restarting")


def reattach(instance: Instance, container_id: str, *, owner: bool) -> socket.socket | None:
    """A stream to the successor, None when the container has ended, or nobody answers."""
    wants = stream.WANT_STDIN | stream.WANT_STDOUT | stream.WANT_STDERR | (stream.OWNER if owner else 0)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if status_of(instance, container_id).status not in _LIVING:
            return None
        try:
            return connect(instance.paths.container_run(container_id), wants)
        except OSError:
            time.sleep(_PAUSE)
    return None
