"""Times as people type them: of the clock, of the calendar, or how long ago."""

from __future__ import annotations

import re
import time
from typing import Final

from tuidock.engine.options.times import parse_moment

_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_DAY: Final = 86_400_000_000_000


def moment_of(text: str, now: int) -> int:
    """Nanoseconds since the epoch: of `12:04` and `12:04:05` the last time that the local clock showed it, else what
    `--since` takes (`10m`, `2026-11-24T12:04:05`). Raises InvalidArgument."""
    text = text.strip()
    match = _CLOCK.fullmatch(text)
    if match is None:
        return parse_moment(text.replace(" ", "T", 1) if text[:4].isdecimal() and text[4:5] == "-" else text, now)
    day = time.localtime(now // 1_000_000_000)
    hour, minute, second = (int(part or 0) for part in match.groups())
    moment = int(time.mktime((*day[:3], hour, minute, second, 0, 0, -1))) * 1_000_000_000
    return moment if moment <= now else moment - _DAY
