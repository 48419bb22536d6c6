"""Engine's methods about registries."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.engine.store.archives import layer
from tests.registry import images
from tests.registry.misbehaving import Misbehaving, status
from tests.registry.real import PASSWORD, USER
from tuidock.engine import Engine
from tuidock.engine.errors import Conflict, InvalidArgument
from tuidock.engine.image_types import SearchResult
from tuidock.engine.registry import searching
from tuidock.engine.registry.settings import Settings


@pytest.fixture(autouse=True)
def own_configuration(docker_config: Path) -> Path:
    return docker_config


@pytest.fixture
def door(tmp_path: Path) -> Engine:
    return Engine(str(tmp_path / "root"))


def test_lists(door: Engine, registry: Misbehaving) -> None:
    for tag in ("v1", "v2"):
        registry.add("a/b", tag, images.image([layer({"a": b"1"})]))
    assert door.tags(f"{registry.host}/a/b") == ["v1", "v2"]
    assert door.catalog(registry.host) == ["a/b"] == door.catalog(f"http://{registry.host}/v2/")
    assert door.search(f"{registry.host}/b") == [SearchResult(f"{registry.host}/a/b")]
    assert door.search(f"{registry.host}/b", filters=["is-official=true"]) == []
    for wrong in (lambda: door.tags("A"), lambda: door.search("x", limit=0), lambda: door.catalog("a b")):
        with pytest.raises(InvalidArgument):
            wrong()


def test_search_asks_the_index(door: Engine, registry: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "INDEX", registry.host)
    answer = {"results": [{"name": "a", "star_count": 5}, {"name": "b", "star_count": 1}]}
    registry.fault("GET", "/v1/search", status(200, json.dumps(answer).encode()))
    assert [one.name for one in door.search("a", limit=3, filters=["stars=2"])] == ["a"]
    assert registry.requests[-1].query == {"q": ["a"], "n": ["3"]}


def test_credentials(door: Engine, registry: Misbehaving) -> None:
    registry.auth = "bearer"
    assert door.logins() == []
    done = door.login(registry.host, USER, PASSWORD)
    assert door.logins() == [done] and done.username == USER
    assert door.logout(registry.host) and not door.logout(registry.host)
    assert door.logins() == []


def test_what_is_read_only_stays(door: Engine, registry: Misbehaving) -> None:
    looking = Engine(door.root, read_only=True)
    with pytest.raises(Conflict, match="read-only"):
        looking.push(f"{registry.host}/a/b")
    assert not registry.requests


def test_a_short_command_does_not_wait_for_http(door: Engine) -> None:
    """The room is imported by those who speak to a registry."""
    import subprocess
    import sys

    code = "import sys; from tuidock.engine import Engine; Engine(sys.argv[1]).images(); print('httpx' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, door.root], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout == "False\n"


def test_the_defaults_are_docker_s() -> None:
    assert Settings().attempts == 5 and not Settings().mirrors and not Settings().insecure
