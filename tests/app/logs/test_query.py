"""Hits are exactly those that `re` finds line by line."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import random_log, record

from tuidock.app.logs.ansi import visible
from tuidock.app.logs.query import Query, QueryError, alternatives, every_line, inverted, lines

PATTERNS = [
    "timeout", "Timeout", "timeout|5\\d\\d", "5\\d\\d", "^GET", "0$", "\\d{3}", "error", "erro|x{5}", "^$", "", "a?",
    "[^a]\\s", "(?!x)5", "(?<=G)ET", "\\bGET\\b", "(a|b)c|caf", "café", "é", "\\d+\\s--", "[|]x|GET", "x++", "(?i:get)",
    "G.T.*500", "(GET|PUT) /", "P ", "stdout", "(x)\\1", "\\S+out", "-", "--", "9 --", "\\w+ \\d", "(timeout){2}|512",
]  # fmt: skip


def expected(pattern: str, chunk: bytes) -> list[int]:
    flags = 0 if any(one.isupper() for one in re.sub(r"\\.", "", pattern)) else re.IGNORECASE
    if pattern.isascii():
        plain = re.compile(pattern.encode(), flags)
        return [start for start, text in lines(chunk) if plain.search(visible(text))]
    letters = re.compile(pattern, flags)
    return [start for start, text in lines(chunk) if letters.search(visible(text).decode("utf-8", "replace"))]


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
    assert Query(pattern).line_starts(chunk) == expected(pattern, chunk)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_way_of_searching_finds_the_same(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuidock.app.logs.query._SAMPLE", 100)
    rng = random.Random(pattern)
    for _ in range(5):
        chunk = b"".join(
            one for one in random_log(rng, 200).splitlines(keepends=True) if b" P " not in one or rng.random() < 0.01
        )
        for way in ("_by_literal", "_by_expression", "_by_bodies"):
            query = Query(pattern)
            for finder in query._finders:
                if way != "_by_literal" or finder.literal:
                    finder._way = None if finder._needs_care else getattr(finder, way)
            assert query.line_starts(chunk) == expected(pattern, chunk)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")), max_size=20),
    st.sampled_from(PATTERNS),
)
def test_hits_are_those_of_re_for_any_bytes(texts: list[bytes], pattern: str) -> None:
    chunk = b"".join(record(text) for text in texts)
    assert Query(pattern).line_starts(chunk) == expected(pattern, chunk)


def test_inverted_is_everything_else() -> None:
    chunk = random_log(random.Random(3), 300)
    hits, rest = Query("timeout").line_starts(chunk), inverted(Query("timeout"))(chunk)
    assert sorted(hits + rest) == every_line(chunk)
    assert not set(hits) & set(rest)


def test_the_head_of_a_record_is_not_searched() -> None:
    chunk = record(b"nothing", nano=500_500_500) + record(b"has 500")
    assert Query(r"500").line_starts(chunk) == [len(record(b"nothing"))]
    assert Query(r"5\d\d").line_starts(chunk) == [len(record(b"nothing"))]
    assert Query("stdout").line_starts(chunk) == []


def test_a_match_does_not_reach_into_the_next_line() -> None:
    assert Query(r"a\s+b").line_starts(record(b"a") + record(b"b")) == []


def test_a_bad_pattern_says_what_is_wrong() -> None:
    with pytest.raises(QueryError, match="no regular expression"):
        Query("a(b")


def test_alternatives_are_split_only_on_the_top_level() -> None:
    assert alternatives("a|b") == ["a", "b"]
    assert alternatives("(a|b)c|[|]") == ["(a|b)c", "[|]"]
    assert alternatives(r"a\|b") == [r"a\|b"]
    assert alternatives("[]|]|x") == ["[]|]", "x"]
    assert alternatives(r"(a)\1|b") == [r"(a)\1|b"]
