"""Fixtures for tests that speak to a registry; a directory's conftest.py imports those that it uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registry.misbehaving import Misbehaving, misbehaving
from tests.registry.real import RealRegistry, running


@pytest.fixture
def registry() -> Iterator[Misbehaving]:
    """A fresh registry in this process, honest until told otherwise."""
    with misbehaving() as made:
        yield made


@pytest.fixture(scope="module")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    """Debian's docker-registry over plain http, open to everybody."""
    with running(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture(scope="module")
def locked_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    """Debian's docker-registry over TLS with an authority of its own, for USER with PASSWORD only."""
    with running(tmp_path_factory.mktemp("locked"), password=True, tls=True) as made:
        yield made


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in the place of ~/.docker, and none of the caller's configuration or proxies."""
    directory = tmp_path / "docker"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("DOCKER_CONFIG", str(directory))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return directory
