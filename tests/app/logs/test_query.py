"""Hits are exactly those that `re` finds line by line."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.app.logs.log_samples import random_log, record
from tuidock.app.logs.ansi import visible
from tuidock.app.logs.query import Query, QueryError, every_line, inverted, lines
from tuidock.app.logs.runs import Matcher, starts

PATTERNS = [
    "timeout", "Timeout", "timeout|5\\d\\d", "5\\d\\d", "^GET", "0$", "\\d{3}", "error", "erro|x{5}", "^$", "", "a?",
    "[^a]\\s", "\\bGET\\b", "(a|b)c|caf", "café", "CAFÉ", "é", "\\d+\\s--", "[|]x|GET", "(?i:get)", "(?x: t o)",
    "G.T.*500", "(GET|PUT) /", "P ", "stdout", "\\S+out", "-", "--", "9 --", "\\w+ \\d", "(timeout){2}|512", "caf.$",
    "(^|-)5", "^$|9", "a*^t", "(^x)*5", "\\Atime", "out\\Z", "[^\\W\\d]{9}", "[a-fé]+ ", "[^e]{3}\\b", "É|[À-Ö]", "f\\B.?",
    "caf[^x]( |$)", "\\x1b|\\n", "(?:a|)(?:b|)c??af", "T[^I]*", "\ufffd", "[\\s\\S]$", "x{3,7}(x|5)", "(?s:.)9", "(?-i:E)R",
]  # fmt: skip
REFUSED = ["(?!x)5", "(?=x)5", "(?<=G)ET", "(?<!G)ET", "x++", "(x)\\1", "(?>x)5", "(x)?(?(1)a|b)", "x{1001}"]


def oracle(pattern: str) -> re.Pattern[str]:
    """Python's own reading: characters, ASCII classes, the case of any letter that is named."""
    flags = 0 if any(one.isupper() for one in re.sub(r"\\.", "", pattern)) else re.IGNORECASE
    return re.compile(pattern, flags | (re.ASCII if pattern.isascii() else 0))


def expected(pattern: str, chunk: bytes) -> list[int]:
    search = oracle(pattern).search
    return [start for start, text in lines(chunk) if search(visible(text).decode("utf-8", "replace"))]


def found(matcher: Matcher, chunk: bytes) -> list[int]:
    return starts(chunk, matcher(chunk).hits)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("kind", ["mixed", "regular", "coloured"])
def test_hits_are_those_of_re(pattern: str, kind: str) -> None:
    rng = random.Random(pattern + kind)
    chunk = random_log(rng, 400)
    kept = [one for one in chunk.splitlines(keepends=True) if b"Z stdout F " in one and b" P " not in one]
    if kind != "mixed":
        chunk = b"".join(kept)
    if kind == "regular":
        chunk = chunk.replace(b"\x1b[31m", b"").replace(b"\x1b[0m", b"").replace(b"\r", b"")
    assert found(Query(pattern).find, chunk) == expected(pattern, chunk)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("few", [1, 10_000])
def test_escapes_may_stand_anywhere(pattern: str, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuidock.app.logs.query._FEW", few)
    rng = random.Random(pattern)
    escapes = [b"\x1b[1;31m", b"\x1b[0m", b"\x1b]0;timeout\x07", b"\x1b(B", b"\x1b", b"\x1b[K", b"\r", b"\x1b[?25l"]
    records = []
    for line in random_log(rng, 200).splitlines():
        head, tag, text = line.partition(b" F ")
        if tag and text.isascii():
            for _ in range(rng.randrange(4)):
                at = rng.randrange(len(text) + 1)
                text = text[:at] + rng.choice(escapes) + text[at:]
            records.append(head + tag + text + b"\n")
    chunk = b"".join(records)
    assert found(Query(pattern).find, chunk) == expected(pattern, chunk)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")), max_size=20),
    st.sampled_from(PATTERNS),
)
def test_hits_are_those_of_re_for_any_bytes(texts: list[bytes], pattern: str) -> None:
    chunk = b"".join(record(text) for text in texts)
    assert found(Query(pattern).find, chunk) == expected(pattern, chunk)


def test_inverted_is_everything_else() -> None:
    chunk = random_log(random.Random(3), 300)
    hits, rest = found(Query("timeout").find, chunk), found(inverted(Query("timeout")), chunk)
    assert sorted(hits + rest) == found(every_line, chunk) == [start for start, _ in lines(chunk)]
    assert not set(hits) & set(rest)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_highlighted_is_what_is_a_hit(pattern: str) -> None:
    query = Query(pattern)
    for text in ("", "a timeout 5123", "café CAFÉ cafÉx", "GET /index 500", "--9 --", "xxxxx5 9", "e\u0301ß 漢字é5"):
        marks = [match.span() for match in oracle(pattern).finditer(text) if match.end() > match.start()]
        assert bool(marks) <= query.matches(text.encode())
        if "|" not in pattern and "?" not in pattern:
            assert query.spans(text) == marks


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_could_run_away_is_refused_in_one_sentence(pattern: str) -> None:
    with pytest.raises(QueryError, match="cannot be searched for: ") as caught:
        Query(pattern)
    assert "\n" not in str(caught.value)


def test_an_expression_that_runs_away_in_re_takes_no_time() -> None:
    chunk = b"".join(record(b"a" * 60) for _ in range(200))
    begun = time.perf_counter()
    assert found(Query("(a|a)*b|(a+)+c").find, chunk) == []
    assert time.perf_counter() - begun < 1


def test_the_head_of_a_record_is_not_searched() -> None:
    chunk = record(b"nothing", nano=500_500_500) + record(b"has 500")
    assert found(Query(r"500").find, chunk) == [len(record(b"nothing"))]
    assert found(Query(r"5\d\d").find, chunk) == [len(record(b"nothing"))]
    assert found(Query("stdout").find, chunk) == []


def test_a_match_does_not_reach_into_the_next_line() -> None:
    assert found(Query(r"a\s+b").find, record(b"a") + record(b"b")) == []


def test_a_bad_pattern_says_what_is_wrong() -> None:
    with pytest.raises(QueryError, match="not a valid regular expression"):
        Query("a(b")
