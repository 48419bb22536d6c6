"""References as properties: whatever is accepted has one full form, a short form that means the same, and nothing in it
that could lead a path, a URL or a terminal astray."""

from __future__ import annotations

import re
import string

from hypothesis import given
from hypothesis import strategies as st

from tuidock.engine.oci import Invalid, reference

_LOWER = string.ascii_lowercase + string.digits
_WORD = st.text(_LOWER, min_size=1, max_size=8)
_SEPARATOR = st.sampled_from([".", "_", "__", "-", "---"])
_COMPONENT = _WORD | st.builds(lambda first, sign, last: first + sign + last, _WORD, _SEPARATOR, _WORD)
_PATH = st.lists(_COMPONENT, min_size=1, max_size=4).map("/".join)
_LABEL = st.from_regex(r"\A[a-zA-Z0-9]([a-zA-Z0-9-]{0,6}[a-zA-Z0-9])?\Z")
_PORT = st.integers(0, 99_999).map(lambda port: f":{port}")
_DOMAIN = st.one_of(
    st.builds(lambda labels, port: ".".join(labels) + port, st.lists(_LABEL, min_size=2, max_size=4), st.just("") | _PORT),
    st.builds(lambda label, port: label + port, _LABEL, _PORT), st.just("localhost"), st.just("[::1]:5000"),
)  # fmt: skip
_TAG = st.from_regex(r"\A[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}\Z")
_DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64).map(lambda digits: "sha256:" + digits)
_VALID = st.builds(
    lambda domain, path, tag, digest: (domain and domain + "/") + path + (tag and ":" + tag) + (digest and "@" + digest),
    st.just("") | _DOMAIN, _PATH, st.just("") | _TAG, st.just("") | _DIGEST,
).filter(lambda text: not re.fullmatch("[0-9a-f]{64}", text))  # fmt: skip
#: Nearly references: their signs in any order, and anything else.
_NEARLY = st.text(st.sampled_from(_LOWER[:4] + "AZ.:/@-_%~ \n\0\u202e\xe4[]") | st.characters(), max_size=40)


def accepted(text: str) -> reference.Reference | None:
    try:
        return reference.parse(text)
    except Invalid:
        return None


def holds(parsed: reference.Reference) -> None:
    """What must be true of every reference, wherever it came from."""
    full = str(parsed)
    assert re.fullmatch(r"[\x21-\x7e]+", full)
    assert reference.parse(full) == parsed and reference.parse(parsed.familiar) == parsed
    assert reference.parse(parsed.with_default_tag().familiar) == parsed.with_default_tag()
    assert parsed.with_default_tag().tag or parsed.digest
    assert parsed.path == parsed.path.lower() and not {"", ".", ".."} & set(parsed.path.split("/"))
    assert len(parsed.familiar) <= len(full) and full.startswith(parsed.domain + "/")


@given(_VALID)
def test_what_the_grammar_makes_is_accepted(text: str) -> None:
    parsed = accepted(text)
    assert parsed is not None, text
    holds(parsed)
    name, _, digest = text.partition("@")
    assert (parsed.tag, parsed.digest) == (name.rpartition("/")[2].partition(":")[2], digest)


@given(_NEARLY)
def test_what_is_accepted_by_chance_holds_too(text: str) -> None:
    parsed = accepted(text)
    if parsed is not None:
        holds(parsed)


@given(_VALID, st.integers(0, 300), st.characters())
def test_one_sign_more_makes_it_invalid_or_leaves_it_whole(text: str, position: int, sign: str) -> None:
    parsed = accepted(text[:position] + sign + text[position:])
    if parsed is not None:
        holds(parsed)
        assert sign.isascii() and sign.isprintable() and sign != " "


@given(_VALID, _VALID)
def test_two_that_mean_the_same_are_equal_and_no_others(one: str, two: str) -> None:
    first, second = accepted(one), accepted(two)
    assert first is not None and second is not None
    assert (first == second) == (str(first) == str(second)) == (first.familiar == second.familiar)
