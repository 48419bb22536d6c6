"""What is looked for in a log: a regular expression that is found fast.

A pattern without a capital letter ignores case. A hit is a line whose visible text (UTF-8 bytes without escapes and
without the head of the record) matches; classes such as \\w are ASCII, a dot is a byte, except in patterns that have
other letters themselves. Of a longer line the first LINE_LIMIT bytes count, which bounds what a hostile line can cost.
Python's `re` alone scans 70-600 MB/s and ten times slower when it ignores case, so the parse tree is asked first for a
literal that every match must contain: bytes.find runs at gigabytes a second, and only lines with the literal are looked
at by the expression. Alternatives `a|b` are searched one by one. Which way is the fastest (literal, expression over the
raw bytes, expression over the bytes without heads) depends on the log as much as on the pattern, so the first chunk is
timed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

from tuidock.app.logs.ansi import ESCAPES, visible
from tuidock.app.logs.records import HEADER_LENGTH, KEPT, continues, tag_at

#: So much of a line is searched.
LINE_LIMIT: Final = KEPT
_SAMPLE: Final = 65_536
_HEADS: Final = (b"Z stdout F ", b"Z stderr F ")
_PARTS: Final = (b"Z stdout P ", b"Z stderr P ")
_CAREFUL: Final = {"AT", "ASSERT", "ASSERT_NOT", "ATOMIC_GROUP", "POSSESSIVE_REPEAT", "GROUPREF_EXISTS", "GROUPREF"}


class QueryError(ValueError):
    """The pattern is no regular expression; says what is wrong where."""


class Query:
    """A pattern, compiled once for all threads."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.ignores_case = not any(one.isupper() for one in re.sub(r"\\.", "", pattern))
        flags = re.IGNORECASE if self.ignores_case else 0
        try:
            self._text = re.compile(pattern, flags)
            self._bytes = re.compile(pattern.encode("utf-8", "surrogateescape"), flags)
        except (re.error, OverflowError, RecursionError) as error:
            raise QueryError(f"{pattern!r} is no regular expression: {error}") from None
        uncased = pattern.lower() == pattern.upper() and re.escape(pattern) == pattern
        self._by_text = not pattern.isascii() and not uncased
        self._finders = [] if self._by_text else [_Finder(one, flags) for one in alternatives(pattern)]

    def matches(self, text: bytes) -> bool:
        """Whether visible text is a hit."""
        if self._by_text:
            return self._text.search(text.decode("utf-8", "replace")) is not None
        return self._bytes.search(text) is not None

    def matches_line(self, raw: bytes) -> bool:
        """Whether the raw text of a line is a hit."""
        return self.matches(visible(raw)[:LINE_LIMIT])

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where to highlight in text as shown."""
        return [match.span() for match in self._text.finditer(text) if match.end() > match.start()]

    def line_starts(self, chunk: bytes) -> list[int]:
        """Offsets of the lines that match. The chunk has whole lines only and begins with one."""
        if self._by_text or any(finder.careful for finder in self._finders) or has_parts(chunk):
            return [start for start, text in lines(chunk) if self.matches(visible(text))]
        plain = ESCAPES.sub(b"", chunk) if b"\x1b" in chunk else chunk
        if b"\r" in plain:
            plain = plain.replace(b"\r\n", b"\n")
        view = _Chunk(plain)
        if len(self._finders) == 1:
            starts = list(self._finders[0].find(view))
        else:
            starts = sorted({start for finder in self._finders for start in finder.find(view)})
        if len(plain) == len(chunk) or not starts:
            return starts
        return _translate(starts, plain, chunk)


class _Chunk:
    """A chunk in the forms that finders want, each made once."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self._lower = b""
        self._bodies: list[bytes] = []
        self._body = b""

    @property
    def lower(self) -> bytes:
        if not self._lower:
            self._lower = self.plain.lower()
        return self._lower

    @property
    def bodies(self) -> list[bytes]:
        """The lines without the heads of their records."""
        if not self._bodies:
            self._bodies = [line[HEADER_LENGTH:] for line in self.plain.split(b"\n")]
        return self._bodies

    @property
    def body(self) -> bytes:
        if not self._body:
            self._body = b"\n".join(self.bodies)
        return self._body

    def offsets(self) -> list[int]:
        """Where each line begins."""
        return [0, *accumulate(len(line) + 1 for line in self.plain.split(b"\n"))]


class _Finder:
    """Finds one alternative. `literal` is what every match contains; without one the expression scans by itself."""

    def __init__(self, pattern: str, flags: int) -> None:
        self._lower = bool(flags & re.IGNORECASE)
        tree = _parser.parse(pattern, flags)
        literal = required_literal(tree).encode()
        self.literal = literal.lower() if self._lower else literal
        if len(self.literal) < 2:
            self.literal = b""
        self._whole = pattern.isascii() and re.escape(pattern) == pattern and len(pattern) > 1
        # without letters there is no case, and without IGNORECASE the expression is five times faster
        if not any(one.isalpha() for one in re.sub(r"\\.", "", pattern)):
            flags &= ~re.IGNORECASE
        self._exact = re.compile(pattern.encode(), flags)
        self._multi = re.compile(pattern.encode(), flags | re.MULTILINE)
        self._needs_care = _needs_care(tree)
        self.careful = not self.literal and self._needs_care
        self._way: Callable[[_Chunk], Iterable[int]] | None = None

    def find(self, chunk: _Chunk) -> Iterable[int]:
        """Starts of the lines that match, each once, ascending."""
        if self._way is not None:
            return self._way(chunk)
        if len(chunk.plain) < _SAMPLE:
            return (self._by_literal if self.literal else self._by_expression)(chunk)
        return self._race(chunk)

    def _race(self, chunk: _Chunk) -> Iterable[int]:
        """All ways over a sample, to keep the fastest; then the whole chunk."""
        cut = chunk.plain.rfind(b"\n", 0, _SAMPLE) + 1 or len(chunk.plain)
        ways = [self._by_literal] if self.literal else []
        if not self._needs_care:
            ways += [self._by_expression, self._by_bodies]
        best, best_time = ways[0], float("inf")
        for way in ways:
            sample = _Chunk(chunk.plain[:cut])
            begun = time.perf_counter()
            for _ in way(sample):
                pass
            taken = time.perf_counter() - begun
            if taken < best_time:
                best, best_time = way, taken
        self._way = best
        return best(chunk)

    def _by_literal(self, chunk: _Chunk) -> Iterator[int]:
        plain, hay = chunk.plain, chunk.lower if self._lower else chunk.plain
        literal, search = self.literal, self._exact.search
        at = hay.find(literal)
        while at >= 0:
            start = hay.rfind(b"\n", 0, at) + 1
            end = hay.find(b"\n", at)
            end = len(hay) if end < 0 else end
            text_start = tag_at(plain, start, end).text_start if at < start + 48 or not self._whole else start
            if (at >= text_start and self._whole) or search(plain[text_start:end]):
                yield start
            at = hay.find(literal, end)

    def _by_expression(self, chunk: _Chunk) -> Iterator[int]:
        plain, search, exact = chunk.plain, self._multi.search, self._exact.search
        match = search(plain)
        while match is not None and match.start() < len(plain):
            at = match.start()
            start = plain.rfind(b"\n", 0, at) + 1
            end = plain.find(b"\n", at)
            end = len(plain) if end < 0 else end
            # the match may lie in the head or go on into the next line: the text alone decides
            if exact(plain[tag_at(plain, start, end).text_start : end]):
                yield start
            match = search(plain, end + 1)

    def _by_bodies(self, chunk: _Chunk) -> Iterator[int]:
        if not regular(chunk.plain):
            yield from self._by_expression(chunk)
            return
        body, bodies = chunk.body, chunk.bodies
        offsets: list[int] = []
        number, at = 0, 0
        match = self._multi.search(body)
        while match is not None and match.start() < len(body):
            number += body.count(b"\n", at, match.start())
            if self._exact.search(bodies[number]):
                offsets = offsets or chunk.offsets()
                yield offsets[number]
            at = body.find(b"\n", match.start()) + 1
            if at <= 0:
                return
            number += 1
            match = self._multi.search(body, at)


def alternatives(pattern: str) -> list[str]:
    """The parts of `a|b` on the top level; the whole pattern when splitting could change what it means."""
    if "|" not in pattern or pattern.startswith("(?") or re.search(r"\\\d|\(\?P[=<]|\(\?\(", pattern):
        return [pattern]
    parts, depth, in_class, start, i = [], 0, False, 0, 0
    while i < len(pattern):
        one = pattern[i]
        if one == "\\":
            i += 1
        elif in_class:
            # a bracket that comes first in a class is a member of it
            in_class = one != "]" or pattern[i - 1] == "[" or pattern[i - 2 : i] == "[^"
        elif one == "[":
            in_class = True
        elif one in "()":
            depth += 1 if one == "(" else -1
        elif one == "|" and depth == 0:
            parts.append(pattern[start:i])
            start = i + 1
        i += 1
    parts.append(pattern[start:])
    try:
        for part in parts:
            re.compile(part)
    except re.error:
        return [pattern]
    return parts


def required_literal(tree: Any) -> str:
    """The longest run of ASCII letters that every match of a parsed expression must contain."""
    best, run = "", ""
    for code, value in tree:
        if code is codes.LITERAL and 32 <= value < 127:
            run += chr(value)
            continue
        best, run = max(best, run, key=len), ""
        inner = ""
        if code is codes.SUBPATTERN and not value[1] and not value[2]:
            inner = required_literal(value[3])
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT) and value[0] >= 1:
            inner = required_literal(value[2])
        best = max(best, inner, key=len)
    return max(best, run, key=len)


def _needs_care(tree: Any) -> bool:
    """Whether the expression may see a line's end differently inside a chunk than at the end of the line alone."""
    found = False

    def walk(node: Any) -> None:
        nonlocal found
        if isinstance(node, tuple) and node and str(node[0]) in _CAREFUL:
            found = found or not (str(node[0]) == "AT" and node[1] in (codes.AT_BOUNDARY, codes.AT_NON_BOUNDARY))
        if isinstance(node, (tuple, list, _parser.SubPattern)):
            for one in node:
                walk(one)

    walk(tree)
    # an expression that matches nothing at all matches every line, the last empty piece of a chunk, too
    return found or tree.getwidth()[0] == 0


def has_parts(chunk: bytes) -> bool:
    # one letter is looked for twenty times as fast as a word
    return b"P" in chunk and any(part in chunk for part in _PARTS)


def regular(chunk: bytes) -> bool:
    """Whether every line has the head of a record of the usual length."""
    return sum(chunk.count(head) for head in _HEADS) == chunk.count(b"\n")


def lines(chunk: bytes) -> Iterator[tuple[int, bytes]]:
    """Start and joined text of each line in a chunk of whole lines."""
    at, end = 0, len(chunk)
    while at < end:
        start, pieces, size = at, [], 0
        while True:
            stop = chunk.find(b"\n", at)
            stop = end if stop < 0 else stop
            tag = tag_at(chunk, at, stop)
            if size < LINE_LIMIT:
                pieces.append(chunk[tag.text_start : stop])
                size += len(pieces[-1])
            at = stop + 1
            if not tag.partial or at >= end:
                break
            following = chunk.find(b"\n", at)
            if not continues(tag, tag_at(chunk, at, end if following < 0 else following)):
                break
        yield start, b"".join(pieces)[:LINE_LIMIT]


def _translate(starts: list[int], plain: bytes, chunk: bytes) -> list[int]:
    """Line starts in the plain form as line starts in the chunk; both have the same lines."""
    wanted: list[int] = []
    number = plain_at = chunk_at = chunk_number = 0
    for start in starts:
        number += plain.count(b"\n", plain_at, start)
        plain_at = start
        while chunk_number < number:
            chunk_at = chunk.find(b"\n", chunk_at) + 1
            chunk_number += 1
        wanted.append(chunk_at)
    return wanted


Matcher = Callable[[bytes], list[int]]


def every_line(chunk: bytes) -> list[int]:
    """Starts of all lines of a chunk of whole lines."""
    if has_parts(chunk):
        return [start for start, _ in lines(chunk)]
    starts = [0, *accumulate(len(line) + 1 for line in chunk.split(b"\n"))]
    return starts[:-2] if chunk.endswith(b"\n") else starts[:-1]


def inverted(query: Query) -> Matcher:
    """The lines that do not match."""

    def matcher(chunk: bytes) -> list[int]:
        hits = set(query.line_starts(chunk))
        return [start for start in every_line(chunk) if start not in hits]

    return matcher
