"""Cleaning of outside strings: images, names, labels, logs and registries are hostile.

Whatever comes from outside passes `clean` before it reaches a terminal: control bytes, escape sequences and
bidirectional overrides can retitle, clear or reprogram the terminal and write its clipboard (OSC 52).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

# C0 without nothing, DEL, C1; bidi embeddings, overrides and isolates; line and paragraph separators; tags; surrogates
_BAD = (
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"


def clean(text: str) -> str:
    """The text on one line with every control and bidi character made visible (ESC becomes the symbol for escape)."""
    if text.isascii() and text.isprintable():
        return text
    import re  # costs a short command more than all its cells, and these are plain almost always

    return re.sub(_BAD, _visible, text)


def clean_json(text: str) -> str:
    """A JSON document as it may be shown: the same value, with what `clean` makes visible written as JSON escapes.

    Line ends stay; in a document they stand between values only.
    """
    import re

    return re.sub(f"(?!\n){_BAD}", _escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code > 0xFFFF:
        code -= 0x10000
        return f"\\u{0xD800 | code >> 10:04x}\\u{0xDC00 | code & 0x3FF:04x}"
    return f"\\u{code:04x}"


def words_of(error: BaseException) -> str:
    """What an error of the system or of a library says, without the numbers that Python puts around it
    ("[Errno 111] Connection refused", "[SSL: X] why (_ssl.c:1006)"); its type when it says nothing."""
    import re

    said = clean(str(error)).strip().rstrip(".")
    said = re.sub(r"\[(?:Errno -?\d+|SSL\b[^\]]*)\]\s*|\s*\(_ssl\.c:\d+\)", "", said)
    return said[:300] or type(error).__name__
