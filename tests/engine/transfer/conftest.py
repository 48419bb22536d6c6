"""Pulls into stores without an engine around them, from registries on the loopback interface."""

from __future__ import annotations

import pytest

from tests.engine.store.conftest import new_store, store  # noqa: F401
from tests.registry.fixtures import docker_config, docker_registry, locked_registry, registry  # noqa: F401


@pytest.fixture(autouse=True)
def nobody_is_logged_in(docker_config: object) -> None:  # noqa: F811
    """No test reads the credentials of whoever runs it."""
