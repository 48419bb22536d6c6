"""One engine with busybox for the tests of a module; nothing may be left of it in the kernel or on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.conftest import leaks
from tuidock.engine import Engine


@pytest.fixture(scope="module")
def engine(archive: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    import io

    engine = Engine(str(tmp_path_factory.mktemp("build") / "root"))
    for _ in engine.load(io.BytesIO(archive)):
        pass
    yield engine
    assert not leaks(engine)
    paths = engine.instance.paths
    assert os.listdir(paths.containers) == []
    assert os.listdir(paths.run + "/c") == []
    assert [name for name in os.listdir(paths.snapshots) if name.startswith(".")] == []
    assert os.listdir(paths.ingest) == []
    assert os.listdir(paths.trash) == []
    engine.reset()
