"""WWW-Authenticate as registries write it, and as they should not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuidock.engine.registry.challenges import Challenge, choose, parse


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (
            'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"',
            [("bearer", {"realm": "https://auth.example/token", "service": "registry", "scope": "repository:a/b:pull,push"})],
        ),
        ('Basic realm="a, b=c", charset="UTF-8"', [("basic", {"realm": "a, b=c", "charset": "UTF-8"})]),
        ('BASIC realm=simple', [("basic", {"realm": "simple"})]),
        ("Negotiate", [("negotiate", {})]),
        (
            'Basic realm="x" , Bearer  realm = "y" ,error=invalid_token',
            [("basic", {"realm": "x"}), ("bearer", {"realm": "y", "error": "invalid_token"})],
        ),
        ('Negotiate abc==, Bearer realm="y"', [("negotiate", {}), ("bearer", {"realm": "y"})]),
        (r'Basic realm="say \"hi\" \\ there"', [("basic", {"realm": 'say "hi" \\ there'})]),
        ('Bearer realm="one",REALM="two"', [("bearer", {"realm": "one"})]),
        (', ,Basic realm="x",,', [("basic", {"realm": "x"})]),
        ("", []),
        ("= , = ;;", []),
    ],
)  # fmt: skip
def test_challenges(header: str, found: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, dict(one.parameters)) for one in parse([header])] == found


def test_an_open_quote_ends_nothing_else() -> None:
    assert choose(parse(['Bearer realm="https://never.closed', 'Basic realm="x"'])) == Challenge(
        "basic", {"realm": "x"}
    )


def test_bearer_goes_first() -> None:
    chosen = choose(parse(['Basic realm="x"', 'Digest realm="z"', 'Bearer realm="y"']))
    assert chosen == Challenge("bearer", {"realm": "y"})
    assert choose(parse(["Bearer", "Digest realm=x"])) is None


@given(st.text(alphabet='abc ,="\\\t;', max_size=60))
def test_nothing_makes_it_fail(header: str) -> None:
    for challenge in parse([header]):
        assert challenge.scheme


@pytest.mark.parametrize("piece", [" ", ",", '"', '\\"', "a=", 'a="', "a ", "a,"])
def test_long_headers_cost_little(piece: str) -> None:
    began = time.process_time()
    parse(["Bearer " + piece * 20000])
    assert time.process_time() - began < 2
