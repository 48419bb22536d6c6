"""What a program writes, cut into text, controls and sequences.

Instead of pyte's own stream, which goes character by character, takes `CSI > 4;2 m` (which vim sends) for colours,
shows what is in a DCS as text and keeps an OSC of any length in memory. Here text goes on in whole runs, a sequence is
one match, and the contents of OSC, DCS, SOS, PM and APC are skipped without being kept: titles, clipboards, pictures
and palettes are nothing that a container may set, and nobody answers them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final, Protocol

#: Printable as far as one character can tell; the screen looks closer at what is not ASCII.
_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
#: Whole rows of plain text, as they come in a flood.
_ROWS: Final = re.compile(r"(?:[ -~]*\r\n){2,}")
_CSI: Final = re.compile(r"\x1b\[([<=>?]?)([0-9;:]*)([ -/]*)([@-~])")
_CSI_BEGUN: Final = re.compile(r"\x1b(?:\[[<=>?]?[0-9;:]*[ -/]*)?\Z")
_ESCAPE: Final = re.compile(r"\x1b([ -/]*)([0-OQ-WYZ`-~])")
_ESCAPE_BEGUN: Final = re.compile(r"\x1b[ -/]*\Z")
_STRING: Final = re.compile(r"\x1b[\]PX^_]")
_STRING_END: Final = re.compile(r"[\x07\x18\x1a\x1b]")
#: A sequence that is longer is none, and neither a number that is larger.
_LONGEST: Final = 256
_LARGEST: Final = 9999

Groups = list[list[int]]


class Target(Protocol):
    """Who is called."""

    def draw(self, text: str) -> None: ...
    def put_rows(self, texts: list[str]) -> bool: ...
    def control(self, char: str) -> None: ...
    def escape(self, between: str, final: str) -> None: ...
    def csi(self, private: str, groups: Groups, between: str, final: str) -> None: ...


class Parser:
    """Feeds a target. It takes any bytes, in any pieces, and keeps at most one unfinished sequence."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._decode: Callable[[bytes], str] = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._in_string = False

    def feed(self, data: bytes) -> None:
        text = self._rest + self._decode(data)
        self._rest = ""
        target, at, length = self._target, 0, len(text)
        while at < length:
            if self._in_string:
                at = self._skip(text, at)
                continue
            if (found := _ROWS.match(text, at)) and target.put_rows(found.group().split("\r\n")[:-1]):
                at = found.end()
                continue
            if found := _TEXT.match(text, at):
                target.draw(found.group())
                at = found.end()
                continue
            char = text[at]
            if char != "\x1b":
                if char < "\x20":
                    target.control(char)
                at += 1
            elif found := _CSI.match(text, at):
                target.csi(found[1], _groups(found[2]), found[3], found[4])
                at = found.end()
            elif _STRING.match(text, at):
                self._in_string = True
                at += 2
            elif (begun := _CSI_BEGUN.match(text, at) or _ESCAPE_BEGUN.match(text, at)) and length - at < _LONGEST:
                self._rest = begun.group()
                return
            elif text.startswith("\x1b[", at):
                at += 2  # not a sequence: what follows is text
            elif found := _ESCAPE.match(text, at):
                target.escape(found[1], found[2])
                at = found.end()
            else:
                at += 1

    def _skip(self, text: str, at: int) -> int:
        """Behind the end of a string, or of the text when it goes on."""
        found = _STRING_END.search(text, at)
        if found is None:
            return len(text)
        at = found.start()
        if text[at] != "\x1b":
            self._in_string = False
            return at + 1
        if at + 1 == len(text):
            self._rest = "\x1b"
            return at + 1
        self._in_string = False
        return at + 2 if text[at + 1] == "\\" else at


def _groups(written: str) -> Groups:
    if not written:
        return []
    if ":" not in written:
        return [[_number(each)] for each in written.split(";")]
    return [[_number(part) for part in each.split(":")] for each in written.split(";")]


def _number(written: str) -> int:
    return min(int(written), _LARGEST) if 0 < len(written) < 6 else 0 if not written else _LARGEST
