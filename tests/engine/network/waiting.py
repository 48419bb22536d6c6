"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], within: float = 20) -> None:
    """Returns when the condition holds; fails when it does not in `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.01)
