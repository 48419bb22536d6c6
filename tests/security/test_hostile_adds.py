"""Hostile tars that a Dockerfile adds: they are unpacked into the stage, over an image that may itself lead astray."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import needs_root
from tests.rawtar import archive, entry
from tests.security.hostile_tars import TREES, corpus
from tests.security.tar_case import link
from tests.security.test_hostile_tars import Canary, described
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError
from tuidock.engine.image_types import BuildRequest
from tuidock.engine.store import images

pytestmark = needs_root
NAMES = [name for name, case in corpus("/nowhere").items() if name in TREES and not case.layer]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="tuidock-adds-", dir=memory) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def builder(place: Path) -> Iterator[Engine]:
    made = Engine(str(place / "root"))
    yield made
    made.reset()


@pytest.fixture(autouse=True)
def nothing_stays(builder: Engine) -> Iterator[None]:
    yield
    forget(builder)


@pytest.fixture(scope="module")
def canary(place: Path, builder: Engine) -> Canary:
    (place / "context").mkdir()
    return Canary(place)


def add(engine: Engine, context: Path, tar: bytes, dockerfile: str = "FROM scratch\nADD x.tar /\n") -> list[str]:
    """The layers' directories of what was built, topmost first."""
    (context / "x.tar").write_bytes(tar)
    (context / "Dockerfile").write_text(dockerfile)
    for _ in engine.build(BuildRequest(context=str(context), tags=("added:1",))):
        pass
    return list(images.resolve(engine.instance.state, engine.instance.paths, "added:1").lower)


def forget(engine: Engine) -> None:
    """The image and all that the build kept; nothing may be left."""
    if engine.images():
        engine.remove_image("added:1", force=True, now=True)
    engine.prune_builds(all=True)
    assert list(engine.check(repair=True)) == [] and os.listdir(engine.instance.paths.snapshots) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_tar_that_is_added(builder: Engine, canary: Canary, place: Path, name: str) -> None:
    case = corpus(str(canary.directory))[name]
    try:
        root = add(builder, place / "context", case.tar)[0]
    except EngineError as error:
        too_deep = "is longer than 4096 bytes" in str(error)  # no tar can hold what this one made
        assert case.refused is not False or too_deep, f"it was refused: {error}"
        assert str(error).replace("\n", "").isprintable() and str(error)
    else:
        assert case.refused is not True, "it was taken"
        for path, expected in case.tree.items():
            found = described(f"{root}/{path}" if path else root)
            assert found.startswith(expected) if expected else not found, (
                f"{path[:99]!r} is {found!r}, not {expected!r}"
            )
    canary.check()


def test_an_added_tar_follows_the_links_of_the_image_below_but_not_out(
    builder: Engine, canary: Canary, place: Path
) -> None:
    first = archive(
        link("out", str(canary.directory)), link("up", "../" * 30 + str(canary.directory)), link("in", "real")
    )
    second = archive(
        *(entry(f"{name}/evil", content=b"x") for name in ("out", "up", "in")), entry("out/witness", content=b"x")
    )
    (place / "context/first.tar").write_bytes(first)
    dockerfile = "FROM scratch\nADD first.tar /\nADD x.tar /\nADD x.tar /out/\nADD x.tar /up/sub/\nCOPY x.tar /out/\n"
    try:
        add(builder, place / "context", second, dockerfile)
    except EngineError as error:
        assert str(error)
    canary.check()
