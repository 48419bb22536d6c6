"""--since and --until: a moment (`2026-11-24T08:00:00Z`, seconds since the epoch) or how long ago (`42m`)."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.values import parse_duration

_SECOND = 1_000_000_000


def parse_moment(raw: str, now: int) -> int:
    """Nanoseconds since the epoch; now is the present in the same unit."""
    if not raw:
        return 0
    seconds, dot, fraction = raw.partition(".")
    if seconds.isascii() and seconds.isdecimal() and (not dot or fraction.isdecimal()):
        return int(seconds) * _SECOND + int((fraction + "0" * 9)[:9])
    if len(raw) > 4 and raw[4] == "-" and raw[:4].isdecimal():
        return _date(raw)
    try:
        return now - parse_duration(raw)
    except InvalidArgument:
        raise InvalidArgument(
            f'"{raw}" is no time: write 2026-11-24T08:00:00Z, seconds since 1970, or how long ago, like 42m'
        ) from None


def _date(raw: str) -> int:
    """RFC 3339 and its shorter forms; without a zone the local one counts, as docker has it."""
    import datetime

    text, fraction = raw, ""
    if "." in raw:
        head, _, tail = raw.partition(".")
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text, fraction = head + tail[digits:], tail[:digits]
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(f'"{raw}" is no time: write it like 2026-11-24T08:00:00Z') from None
    return int(moment.timestamp()) * _SECOND + int((fraction + "0" * 9)[:9])
