"""Somebody removes what the store counts on: it is a sentence or made anew, never a wrong image and never a dead end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Run
from tuidock.engine import Engine
from tuidock.engine.image_types import BuildRequest

_DOCKERFILE = """\
FROM busybox AS first
RUN echo one > /one
FROM busybox
RUN echo two > /two
COPY --from=first /one /copied
"""


def build(engine: Engine, context: Path) -> list[str]:
    """The states that its steps ended in."""
    request = BuildRequest(context=str(context), tags=("built:1",), network="none")
    return [event.state for event in engine.build(request) if event.kind == "state" and event.state != "running"]


@pytest.mark.parametrize("kind", ["snapshots/{chain_id}", "content/blobs/sha256/{digest}"])
def test_a_step_whose_layer_has_gone_is_done_again(engine: Engine, run: Run, tmp_path: Path, kind: str) -> None:
    (tmp_path / "Dockerfile").write_text(_DOCKERFILE)
    build(engine, tmp_path)
    assert set(build(engine, tmp_path)) == {"cached"}
    (row,) = engine.instance.state.read().execute("SELECT layers FROM build_cache WHERE text LIKE '%echo one%'")
    (layer,) = json.loads(row[0])
    names = {key: layer[key].removeprefix("sha256:") for key in ("chain_id", "digest")}
    lost = Path(engine.root, kind.format(**names))
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    engine.remove_image("built:1")
    states = build(engine, tmp_path)
    assert "done" in states and "failed" not in states
    assert run.output(["cat", "/copied", "/two"], config={"Image": "built:1"}) == "one\ntwo\n"
    engine.remove_image("built:1", force=True)
    engine.prune_builds(all=True)
    assert list(engine.check()) == []
