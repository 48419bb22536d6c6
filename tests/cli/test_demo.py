"""The demo: made from this machine's own programs, repaired by a second run, taken away without a trace."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Callable

import pytest

from tests.cli.conftest import Result
from tests.conftest import missing
from tuidock.cli.demo import CONTAINERS, LABEL, VOLUME
from tuidock.engine import Engine


@pytest.fixture(autouse=True)
def needs_programs() -> None:
    if shutil.which("busybox") is None:
        missing("busybox is not installed (package busybox-static)")


def test_demo_runs_twice_and_goes_without_touching_others(engine: Engine, tuidock: Callable[..., Result]) -> None:
    tuidock("run", "-d", "--name", "mine", "busybox", "sleep", "60")
    first = tuidock("demo")
    assert first.code == 0, first.err
    assert {c.name for c in engine.containers()} == {*CONTAINERS, "mine"}
    assert all(LABEL in c.labels for c in engine.containers() if c.name != "mine")
    address = next(line.rpartition(" ")[2] for line in first.out.splitlines() if "serves" in line)
    tuidock("exec", "demo-web", "sh", "-c", "until wget -q -O - http://127.0.0.1/ >/dev/null; do :; done")
    assert b"demo-web" in urllib.request.urlopen(address, timeout=10).read()
    ids = {c.name: c.id for c in engine.containers()}
    tuidock("rm", "-f", "demo-chatty")
    assert tuidock("demo", "--quiet") == (0, "", "")
    again = {c.name: c.id for c in engine.containers()}
    assert again.pop("demo-chatty") != ids.pop("demo-chatty")
    assert again == ids
    assert tuidock("demo", "--clean").code == 0
    assert [c.name for c in engine.containers()] == ["mine"]
    assert VOLUME not in {volume.name for volume in engine.volumes()}
    assert tuidock("demo", "--clean") == (0, "", "")
    tuidock("rm", "-f", "mine")


def test_demo_leaves_a_stranger_s_name_alone(engine: Engine, tuidock: Callable[..., Result]) -> None:
    tuidock("create", "--name", "demo-web", "busybox", "true")
    done = tuidock("demo")
    assert done.code == 1 and "demo-web" in done.err
    assert tuidock("demo", "--clean").code == 0
    assert [c.name for c in engine.containers()] == ["demo-web"]
    tuidock("rm", "demo-web")
