"""One record of a container's log: `TIME stream F|P TEXT`, TIME in UTC with nine digits.

A record tagged P goes on in the next one when that has the same stream; together they are one line. What does not look
like a record (a torn write, a foreign file) is shown as text without a time rather than hidden.
"""

from __future__ import annotations

import calendar
import functools
import re
from typing import Final, NamedTuple

#: Length of "2026-11-24T08:00:00.123456789Z stdout F ".
HEADER_LENGTH: Final = 40
HEADER: Final = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z (stdout|stderr) ([FP]) ")
_SECOND: Final = re.compile(rb"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)")
#: Bytes of a line that are kept for showing it; the rest is only counted.
KEPT: Final = 65_536

Position = tuple[int, int]
Anchor = tuple[int, Position]


class Tag(NamedTuple):
    """The head of a record: time 0 and an empty stream when it is none."""

    time: int
    stream: str
    partial: bool
    text_start: int


class Line(NamedTuple):
    """One line: start is where its first record begins, next where the following line begins.

    text is raw and has at most KEPT bytes; length counts all of them. A note (restart, rotation, mark) is a line with
    stream "note"; anchor is then the source and the start of the line in front of which it stands, when it is about one.
    complete is False while the container may still add to it.
    """

    source: int
    start: Position
    next: Position
    time: int
    stream: str
    text: bytes
    length: int
    complete: bool = True
    anchor: Anchor | None = None


@functools.lru_cache(maxsize=256)
def _seconds(second: bytes) -> int:
    match = _SECOND.fullmatch(second)
    assert match is not None
    year, month, day, hour, minute, sec = map(int, match.groups())
    try:
        return calendar.timegm((year, month, day, hour, minute, sec))
    except ValueError:
        return 0


def tag_at(buffer: bytes | bytearray, start: int, end: int) -> Tag:
    """The head of the record at buffer[start:end]."""
    match = HEADER.match(buffer, start, end)
    if match is None:
        return Tag(0, "", False, start)
    second, fraction, stream, tag = match.groups()
    return Tag(_seconds(bytes(second)) * 1_000_000_000 + int(fraction), stream.decode(), tag == b"P", match.end())


def continues(previous: Tag, tag: Tag) -> bool:
    """Whether a record goes on with the line of the record before it."""
    return previous.partial and previous.stream == tag.stream
