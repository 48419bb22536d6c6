"""How the main screen shares the terminal: numbers only, so that the first frame can use them before Textual is there."""

from __future__ import annotations

from tuidock.app.model import CONTAINERS

#: From this width on the details stand beside the lists.
WIDE = 100
#: How much of the width the lists have, in percent; `+` and `_` step through.
SHARES = (30, 38, 46, 56, 68)
#: The share at the start, as a place in SHARES.
SHARE = 2


def pane_heights(room: int, rows: dict[str, int], focused: str) -> dict[str, int]:
    """Lines for each list: one for the title, a few rows for those not in use, the rest for the one in use."""
    others = [kind for kind in rows if kind != focused]
    few = 2 if room < 24 else 3 if room < 34 else 5
    heights = {kind: 1 + max(1, min(rows[kind], few)) for kind in others}
    if CONTAINERS in heights:
        heights[CONTAINERS] = 2 + max(1, min(rows[CONTAINERS], few + 3))
    while room - sum(heights.values()) < 6 and any(height > 2 for height in heights.values()):
        tallest = max(heights, key=lambda kind: heights[kind])
        heights[tallest] -= 1
    heights[focused] = max(3, room - sum(heights.values()))
    return {kind: heights[kind] for kind in rows}
