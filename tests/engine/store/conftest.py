"""A data root of its own for every test of the store, without an engine around it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import operations, verify
from tuidock.engine.types import Progress


class Store:
    """State and paths of one data root, and what most tests do with them."""

    def __init__(self, root: str) -> None:
        os.makedirs(root + "/events")
        self.paths = Paths(root)
        self.state = State(self.paths)

    def load(self, raw: bytes) -> list[str]:
        """The subjects that were loaded."""
        return loaded(list(operations.load(self.state, self.paths, io.BytesIO(raw))))

    def save(self, *references: str) -> bytes:
        out = io.BytesIO()
        operations.save(self.state, self.paths, references, out)
        return out.getvalue()

    def problems(self) -> list[str]:
        return [str(problem) for problem in verify.problems(self.state, self.paths)]

    def names(self, *parts: str) -> list[str]:
        path = os.path.join(self.paths.root, *parts)
        return sorted(os.listdir(path)) if os.path.isdir(path) else []

    def is_empty(self) -> bool:
        """Nothing is visible and nothing lies about."""
        rows = self.state.read().execute("SELECT count(*) FROM images").fetchone()[0]
        where = (("content", "blobs", "sha256"), ("content", "ingest"), ("snapshots",), ("trash",))
        return rows == 0 and not any(self.names(*parts) for parts in where)


def loaded(progress: list[Progress]) -> list[str]:
    return [one.subject for one in progress if one.action == "loaded"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(str(tmp_path / "root"))
    yield made
    made.state.close()


@pytest.fixture
def new_store(tmp_path: Path) -> Iterator[Callable[[], Store]]:
    made: list[Store] = []

    def make() -> Store:
        made.append(Store(str(tmp_path / f"root{len(made) + 1}")))
        return made[-1]

    yield make
    for one in made:
        one.state.close()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """For volumes alone."""
    paths = Paths(str(tmp_path / "root"))
    for directory in (paths.volumes, paths.trash):
        os.makedirs(directory)
    return paths


@pytest.fixture
def state(paths: Paths) -> Iterator[State]:
    state = State(paths)
    yield state
    state.close()
