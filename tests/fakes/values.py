"""What all fakes share: the moment at which the clock stands still, and ids."""

from __future__ import annotations

SECOND = 1_000_000_000
#: 2026-11-24T08:00:00Z, the moment at which all pictures are taken.
NOW = 1_795_507_200 * SECOND
ALIVE = ("running", "paused", "restarting")


def identity(number: int) -> str:
    return f"{number:02x}" * 32
