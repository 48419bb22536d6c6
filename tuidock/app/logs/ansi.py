"""Bytes of a log line to clean text and colours.

A container's output is hostile: what it writes could retitle the terminal, clear it or write the clipboard. Only SGR
(colours, bold ...) is understood, and it comes out as styles, never as bytes. Other complete escape sequences are
dropped, every control character that is left is made visible, and what is not UTF-8 becomes U+FFFD.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.color import Color
from rich.style import Style

from tuidock.engine.clean import clean

#: Escape sequences: CSI; OSC, DCS, SOS, PM, APC with their terminator; the two-character ones.
ESCAPES: Final = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\[\\`-~])"
)
_SGR: Final = re.compile(rb"\x1b\[([0-9;:]*)m")
_TAB: Final = 8


class Span(NamedTuple):
    """A style from a character to another."""

    start: int
    end: int
    style: Style


class Rendered(NamedTuple):
    """Text that is safe to show, and the colours that it had."""

    text: str
    spans: tuple[Span, ...] = ()


def visible(raw: bytes) -> bytes:
    """The bytes that a person sees as text and that a search looks at: without escapes and the tty's last CR."""
    if b"\x1b" in raw:
        raw = ESCAPES.sub(b"", raw)
    return raw.removesuffix(b"\r")


def expand_tabs(text: str, column: int = 0) -> str:
    """Tabs as blanks up to the next multiple of eight terminal cells."""
    if "\t" not in text:
        return text
    pieces = []
    for i, piece in enumerate(text.split("\t")):
        if i:
            blank = _TAB - column % _TAB
            pieces.append(" " * blank)
            column += blank
        pieces.append(piece)
        column += cell_len(piece)
    return "".join(pieces)


def text_of(raw: bytes, column: int = 0) -> str:
    """Bytes without escapes as clean text."""
    text = raw.decode("utf-8", "replace")
    if text.isascii() and text.isprintable():
        return text
    # tabs become blanks by cells, so everything else must have its final width first
    return expand_tabs("\t".join(clean(piece) for piece in text.split("\t")), column)


def render(raw: bytes) -> Rendered:
    """Clean text and its spans of colour."""
    raw = raw.removesuffix(b"\r")
    if b"\x1b" not in raw:
        return Rendered(text_of(raw))
    pieces: list[str] = []
    spans: list[Span] = []
    style, at, length, column = _Pen(), 0, 0, 0

    def put(chunk: bytes) -> None:
        nonlocal length, column
        text = text_of(chunk, column)
        if text:
            pieces.append(text)
            drawn = style.style()
            if drawn is not None:
                spans.append(Span(length, length + len(text), drawn))
            length += len(text)
            column += cell_len(text)

    for match in ESCAPES.finditer(raw):
        put(raw[at : match.start()])
        at = match.end()
        colours = _SGR.fullmatch(match.group())
        if colours is not None:
            style.apply(colours.group(1))
    put(raw[at:])
    return Rendered("".join(pieces), tuple(spans))


class _Pen:
    """The state that SGR sequences change. Blink and conceal are left out on purpose: text must not hide."""

    __slots__ = ("_made", "attributes", "background", "foreground")
    _ON: Final = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike", 21: "underline"}
    _OFF: Final = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}

    def __init__(self) -> None:
        self.attributes: set[str] = set()
        self.foreground: Color | None = None
        self.background: Color | None = None
        self._made: Style | None = None

    def style(self) -> Style | None:
        if self._made is None and (self.attributes or self.foreground or self.background):
            on: dict[str, bool] = dict.fromkeys(self.attributes, True)
            self._made = Style(color=self.foreground, bgcolor=self.background, **on)  # type: ignore[arg-type]
        return self._made

    def apply(self, parameters: bytes) -> None:
        self._made = None
        codes = [int(code[:4] or b"0") for code in re.split(rb"[;:]", parameters)][:32]
        i = 0
        while i < len(codes):
            code = codes[i]
            i += 1
            if code == 0:
                self.attributes.clear()
                self.foreground = self.background = None
            elif code in self._ON:
                self.attributes.add(self._ON[code])
            elif code in self._OFF:
                self.attributes.difference_update(self._OFF[code])
            elif code in (38, 48):
                colour, i = _extended(codes, i)
                if code == 38:
                    self.foreground = colour
                else:
                    self.background = colour
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.foreground = Color.from_ansi(code - 30 if code < 40 else code - 82)
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.background = Color.from_ansi(code - 40 if code < 50 else code - 92)
            elif code == 39:
                self.foreground = None
            elif code == 49:
                self.background = None


def _extended(codes: list[int], i: int) -> tuple[Color | None, int]:
    """38;5;N and 38;2;R;G;B: the colour and where to go on."""
    if i < len(codes) and codes[i] == 5 and i + 1 < len(codes):
        return (Color.from_ansi(codes[i + 1]) if codes[i + 1] < 256 else None), i + 2
    if i < len(codes) and codes[i] == 2 and i + 3 < len(codes):
        red, green, blue = codes[i + 1 : i + 4]
        return (Color.from_rgb(red, green, blue) if max(red, green, blue) < 256 else None), i + 4
    return None, len(codes)
