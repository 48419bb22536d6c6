"""Search in an index and in a catalog."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.engine.registry.conftest import QUICK
from tests.engine.store.archives import layer
from tests.registry import images
from tests.registry.misbehaving import Misbehaving, error, status
from tuidock.engine.errors import InvalidArgument, RegistryRefused
from tuidock.engine.image_types import SearchResult
from tuidock.engine.registry import searching
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.session import Session

ANSWER = {
    "num_results": 2,
    "results": [
        {"name": "nginx", "description": "web\nserver", "star_count": 12, "is_official": True, "is_automated": False},
        {"name": "me/nginx", "description": None, "star_count": 0, "is_official": False, "is_automated": True},
    ],
}


@pytest.mark.parametrize(
    ("term", "parts"),
    [
        ("nginx", ("docker.io", "nginx")), ("me/nginx", ("docker.io", "me/nginx")), ("docker.io/x", ("docker.io", "x")),
        ("localhost:5000/x", ("localhost:5000", "x")), ("a.test/", ("a.test", "")), ("localhost/a/b", ("localhost", "a/b")),
    ],
)  # fmt: skip
def test_terms(term: str, parts: tuple[str, str]) -> None:
    assert searching.split(term) == parts
    with pytest.raises(InvalidArgument, match="without a scheme"):
        searching.split("https://" + term)


def test_the_index(registry: Misbehaving, docker_config: object) -> None:
    registry.fault("GET", "/v1/search", status(200, json.dumps(ANSWER).encode()))
    session = Session(registry.host, QUICK)
    assert searching.in_index(session, "ng inx", 25) == [
        SearchResult("nginx", "web\nserver", 12, True, False), SearchResult("me/nginx", "", 0, False, True),
    ]  # fmt: skip
    assert registry.requests[-1].query == {"q": ["ng inx"], "n": ["25"]}
    assert len(searching.in_index(session, "nginx", 1)) == 1
    session.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b'{"results": 5}',
        b'{"results": [5]}',
        b'{"results": [{}]}',
        b'{"results": [{"name": 1, "star_count": "x"}]}',
    ],
)
def test_an_index_that_answers_nonsense(registry: Misbehaving, docker_config: object, answer: bytes) -> None:
    registry.fault("GET", "/v1/search", status(200, answer))
    session = Session(registry.host, QUICK)
    with pytest.raises(RegistryRefused, match="cannot be read"):
        searching.in_index(session, "nginx", 25)
    session.close()


def test_the_catalog(registry: Misbehaving, connect: Callable[..., Registry]) -> None:
    for name in ("web/nginx", "db/postgres", "nginx-old"):
        registry.add(name, "latest", images.image([layer({"a": b"1"})]))
    client = connect()
    assert [one.name for one in searching.in_catalog(client, "NGINX", 25)] == [
        f"{registry.host}/nginx-old", f"{registry.host}/web/nginx",
    ]  # fmt: skip
    assert len(searching.in_catalog(client, "", 2)) == 2
    registry.fault("GET", "/_catalog", error(401, "UNAUTHORIZED", "no"))
    with pytest.raises(RegistryRefused, match="denies access to its catalog"):
        searching.in_catalog(client, "", 2)


def test_filters() -> None:
    found = [SearchResult("a", "", 5, True), SearchResult("b", "", 1, False, True), SearchResult("c")]

    def names(*filters: str) -> str:
        fits = searching.test_of(filters)
        return "".join(one.name for one in found if fits(one))

    assert names() == "abc" and names("stars=0") == "abc"
    assert names("stars=1") == "ab" and names("stars=3", "stars=1") == "a"
    assert names("is-official=true") == "a" and names("is-official=false", "is-automated=1") == "b"
    for wrong in ("stars", "stars=x", "stars=-1", "is-official=maybe", "colour=red"):
        with pytest.raises(InvalidArgument, match="invalid filter"):
            names(wrong)
