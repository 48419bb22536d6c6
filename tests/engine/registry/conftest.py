"""Registries to speak to, and a client that loses no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.registry.fixtures import docker_config, docker_registry, locked_registry, registry
from tests.registry.misbehaving import Misbehaving
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.settings import Settings

__all__ = ["docker_config", "docker_registry", "locked_registry", "registry"]

QUICK = Settings(attempts=4, backoff=0.01, connect=5.0, stall=0.5)


@pytest.fixture
def client(registry: Misbehaving, docker_config: Path) -> Iterator[Registry]:
    """Of the registry in this process, without credentials."""
    with Registry(registry.host, QUICK) as made:
        yield made


@pytest.fixture
def connect(registry: Misbehaving, docker_config: Path) -> Iterator[Callable[..., Registry]]:
    """Makes clients whose actions or settings are chosen."""
    made: list[Registry] = []

    def call(host: str = "", *, actions: str = "pull", settings: Settings = QUICK) -> Registry:
        made.append(Registry(host or registry.host, settings, actions=actions))
        return made[-1]

    yield call
    for one in made:
        one.close()
