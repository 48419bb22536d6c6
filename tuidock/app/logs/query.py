"""What is looked for in a log: a regular expression over gigabytes, in time linear to them.

A pattern without a capital letter ignores case. A hit is a line whose visible text (without escapes and without the
head of the record) matches; of a line in many records the first LINE_LIMIT bytes count.

RE2 (google-re2) and not `re`: it is an automaton, so that no expression runs away (`re` keeps the interpreter's lock
for as long as it runs and froze the app); it gives the lock away while it runs, so that keys are answered; and it takes
260-450 MB/s with nearly every pattern (110 where every third line is a hit), where `re` took 20 to 480. Heads, gaps and
the ends of lines are part of the automaton: one call goes over any number of lines up to the next hit, one more over
all hits that follow each other. What is no plain record (a part, a torn write, a foreign file) ends such a call and is
looked at alone. A thread that scans this way was as fast as a child process (357 and 420 MB/s; 346 and 273 with dense
hits), and keys took about as long.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, Final

from tuidock.app.logs.ansi import ESCAPES, visible
from tuidock.app.logs.pattern import CHARACTER, NEVER, Pattern, QueryError
from tuidock.app.logs.records import HEADER_LENGTH, KEPT, continues, tag_at
from tuidock.app.logs.runs import Found, Matcher, Runs, rest

__all__ = ["LINE_LIMIT", "Automaton", "Query", "QueryError", "every_line", "inverted", "lines"]

#: So much of a line is searched.
LINE_LIMIT: Final = KEPT
#: Hits that are highlighted in one line.
_MARKS: Final = 200
#: For RE2's program and its table of states; too little makes it slow, never wrong.
_MEMORY: Final = 8 << 20
#: So many lines of a chunk are looked at one by one before all of them are.
_FEW: Final = 32
_PARTS: Final = (b"Z stdout P ", b"Z stderr P ")
_HEAD: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z std(?:out|err) F "
_TEXT: Final = f"{CHARACTER}*"


class Automaton:
    """A pattern of RE2's, to be matched from a place on. Raises ValueError for one that is too large."""

    __slots__ = ("search", "start")

    def __init__(self, pattern: str, longest: bool = False) -> None:
        # Here and not above: who opens no log, or searches none, does not pay for it. The extension and not the module
        # around it, which makes a generator and an object for every match and keeps the last 128 patterns.
        from re2 import _re2  # type: ignore[import-untyped]

        options = _re2.RE2.Options()
        options.never_capture = True
        options.longest_match = longest
        options.log_errors = False
        options.max_mem = _MEMORY
        machine = _re2.RE2(pattern.encode(), options)
        if not machine.ok():
            said = machine.error()
            raise ValueError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))
        # both take a text, where to begin and how long the text is, and return [(start, end)], -1 without a match;
        # a method around them would cost a third of a dense search
        self.start: Callable[[bytes, int, int], Any] = functools.partial(machine.Match, _re2.RE2.Anchor.ANCHOR_START)
        self.search: Callable[[bytes, int, int], Any] = functools.partial(machine.Match, _re2.RE2.Anchor.UNANCHORED)


class Query:
    """A pattern, compiled once for all threads."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        parsed = Pattern(pattern)
        self.ignores_case = parsed.ignores_case
        try:
            self._alone = Automaton(parsed.alone)
            self._text = Automaton(f"{_TEXT}?(?:{parsed.alone})")
            self._lines = _LineFinder(NEVER if parsed.by_text else _hit(parsed.here, parsed.elsewhere))
        except ValueError as error:
            raise QueryError(f"{pattern!r} cannot be searched for: {error}") from None
        self._by_text = parsed.by_text
        try:
            self._loose: Automaton | None = _gap(_hit(parsed.loose_here, parsed.loose_elsewhere))
        except ValueError:
            self._loose = None  # too large with escapes between all its characters

    def matches(self, text: bytes) -> bool:
        """Whether visible text is a hit."""
        text = _valid(text)
        return bool(self._text.start(text, 0, len(text))[0][1] >= 0)

    def matches_line(self, raw: bytes) -> bool:
        """Whether the raw text of a line is a hit."""
        return self.matches(visible(raw[:LINE_LIMIT]))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where to highlight in text as shown."""
        raw = text.encode("utf-8", "replace")
        found: list[tuple[int, int]] = []
        at = 0
        while at < len(raw) and len(found) < _MARKS:
            start, end = self._alone.search(raw, at, len(raw))[0]
            if start < 0:
                break
            if end > start:
                found.append((start, end))
            at = end + (end == start)
        if text.isascii():
            return found
        return [(len(raw[:start].decode()), len(raw[:end].decode("utf-8", "replace"))) for start, end in found]

    def find(self, chunk: bytes) -> Found:
        """The lines that match. The chunk has whole lines only and begins with one."""
        if not chunk:
            return Found([], [])
        if not chunk.endswith(b"\n"):
            chunk += b"\n"
        if self._by_text:
            return self._each(chunk)
        if (b"\x1b" in chunk or b"\r" in chunk) and (few := self._sparse(chunk)) is not None:
            return few
        plain = ESCAPES.sub(b"", chunk) if b"\x1b" in chunk else chunk
        if b"\r" in plain:
            plain = plain.replace(b"\r\n", b"\n")
        return self._lines.find(_valid(plain), chunk, self.matches_line)

    def _sparse(self, chunk: bytes) -> Found | None:
        """The hits in a chunk with escapes or CRs, which take longer to remove than to pass over; None: too many."""
        if self._loose is None or not _is_valid(chunk):
            return None
        hits: Runs = []
        at, number, size = 0, 0, len(chunk)
        for _ in range(_FEW):
            stop = self._loose.start(chunk, at, size)[0][1]
            if stop == size:
                return Found(hits, [])
            if stop < 0:
                break  # not a plain record
            number += chunk.count(b"\n", at, stop) + 1
            start = max(at, chunk.rfind(b"\n", at, stop) + 1)
            at = chunk.find(b"\n", stop) + 1
            if self.matches_line(chunk[start + HEADER_LENGTH : at - 1]):
                hits.append((number - 1, number))
        return None

    def _each(self, chunk: bytes) -> Found:
        found = Found([], [])
        for number, count, text in walk(chunk):
            if self.matches_line(text):
                found.hits.append((number, number + 1))
            if count > 1:
                found.continued.append((number + 1, number + count))
        return found


def _hit(here: str, elsewhere: str) -> str:
    """What follows the head of a record that is a hit."""
    hit = f"{_TEXT}?(?:{elsewhere})"
    return hit if here == elsewhere else f"(?:{here}|{hit})"


def _gap(hit: str) -> Automaton:
    """Goes over plain records to the next hit, or to the end."""
    return Automaton(f"(?:{_HEAD}{_TEXT}\\n)*?(?:{_HEAD}{hit}|\\z)")


class _LineFinder:
    """Finds lines with a hit in them; `hit` is what may follow the head of a record."""

    def __init__(self, hit: str) -> None:
        self._gap = _gap(hit)
        self._run = Automaton(f"{_TEXT}\\n(?:{_HEAD}{hit}{_TEXT}\\n)*", longest=True)

    def find(self, plain: bytes, chunk: bytes, matches: Callable[[bytes], bool]) -> Found:
        """plain is the chunk without escapes and CRs: the same records. matches looks at the raw text of one line."""
        found = Found([], [])
        hits, size = found.hits, len(plain)
        gap, run, count = self._gap.start, self._run.start, plain.count
        at = number = 0
        raw, same = _Place(), plain is chunk
        while at < size:
            stop = gap(plain, at, size)[0][1]
            if stop == size:
                break
            if stop < 0:
                # not a plain record: everything up to it is one without a hit
                odd = _plain_records().start(plain, at, size)[0][1]
                number += count(b"\n", at, odd)
                raw.to(chunk, number, odd if same else -1)
                number = self._odd(chunk, raw, matches, found)
                at = _behind(plain, odd, number - raw.number)
                continue
            misses = count(b"\n", at, stop)
            if misses or not hits:
                at = plain.find(b"\n", stop) + 1
                number += misses + 1
                hits.append((number - 1, number))
            else:
                # the second of two neighbours: there may be many
                at = run(plain, stop, size)[0][1]
                first = hits[-1][0] if hits[-1][1] == number else number
                number += count(b"\n", stop, at)
                hits[-1:] = [(first, number)] if first < hits[-1][1] else [hits[-1], (first, number)]
        return found

    def _odd(self, chunk: bytes, place: _Place, matches: Callable[[bytes], bool], found: Found) -> int:
        """Look at the records that are no plain ones from there on; returns the number behind them."""
        number = place.number
        for start, records, text in walk(chunk, place.offset, number, only_odd=True):
            if matches(text):
                found.hits.append((start, start + 1))
            if records > 1:
                found.continued.append((start + 1, start + records))
            number = start + records
        return number


@functools.cache
def _plain_records() -> Automaton:
    """Goes over records that are plain ones."""
    return Automaton(f"(?:{_HEAD}{_TEXT}\\n)*", longest=True)


class _Place:
    """A record's number and where it begins in a chunk."""

    number = offset = 0

    def to(self, chunk: bytes, number: int, known: int = -1) -> None:
        self.offset = known if known >= 0 else _behind(chunk, self.offset, number - self.number)
        self.number = number


def _behind(chunk: bytes, at: int, records: int) -> int:
    for _ in range(records):
        at = chunk.find(b"\n", at) + 1 or len(chunk)
    return at


def _valid(text: bytes) -> bytes:
    """UTF-8 as it is shown: RE2 sees no character in bytes that are none, a person sees U+FFFD."""
    if text.isascii():
        return text
    return text.decode("utf-8", "replace").encode()


def _is_valid(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def has_parts(chunk: bytes) -> bool:
    # one letter is looked for twenty times as fast as a word
    return b"P" in chunk and any(part in chunk for part in _PARTS)


def walk(chunk: bytes, at: int = 0, number: int = 0, only_odd: bool = False) -> Iterator[tuple[int, int, bytes]]:
    """Number of the first record, number of records and joined raw text of each line from there on.

    only_odd: the first line, whatever it is, and what follows up to a plain record.
    """
    end, first = len(chunk), number
    while at < end:
        records, pieces, size = 0, [], 0
        while True:
            stop = chunk.find(b"\n", at)
            stop = end if stop < 0 else stop
            tag = tag_at(chunk, at, stop)
            if only_odd and not records and number > first and tag.stream and not tag.partial:
                return
            if size < LINE_LIMIT:
                pieces.append(chunk[tag.text_start : stop])
                size += len(pieces[-1])
            at = stop + 1
            records += 1
            if not tag.partial or at >= end:
                break
            following = chunk.find(b"\n", at)
            if not continues(tag, tag_at(chunk, at, end if following < 0 else following)):
                break
        yield number, records, b"".join(pieces)[:LINE_LIMIT]
        number += records


def lines(chunk: bytes) -> Iterator[tuple[int, bytes]]:
    """Start and joined text of each line in a chunk of whole lines."""
    at = last = 0
    for number, _, text in walk(chunk):
        at, last = _behind(chunk, at, number - last), number
        yield at, text


def _continued(chunk: bytes) -> Runs:
    """Records that go on with the line before them: looks at parts only."""
    found: Runs = []
    at = number = counted = 0
    while (at := chunk.find(b" P ", at)) >= 0:
        start = max(chunk.rfind(b"\n", counted, at) + 1, counted)
        number += chunk.count(b"\n", counted, start)
        counted = start
        records = 1
        if tag_at(chunk, start, at + 3).partial:
            _, records, _ = next(walk(chunk, start, number))
            if records > 1:
                found.append((number + 1, number + records))
        at = counted = _behind(chunk, start, records)
        number += records
    return found


def _records(chunk: bytes) -> int:
    return chunk.count(b"\n") + (bool(chunk) and not chunk.endswith(b"\n"))


def every_line(chunk: bytes) -> Found:
    """All lines of a chunk of whole lines."""
    continued = _continued(chunk) if has_parts(chunk) else []
    return Found(rest(_records(chunk), continued), continued)


def inverted(query: Query) -> Matcher:
    """The lines that do not match."""

    def matcher(chunk: bytes) -> Found:
        hits, continued = query.find(chunk).hits, every_line(chunk).continued
        return Found(rest(_records(chunk), hits, continued), continued)

    return matcher
