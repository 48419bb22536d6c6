"""Dockerfiles, contexts and base images made to hurt whoever builds with them."""

from __future__ import annotations

import mmap
import os
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.build.helpers import build_text, read, write
from tests.native.monitored import needs_root
from tests.security.conftest import busybox_layer, image, layer_of
from tuidock.engine import Engine
from tuidock.engine.errors import BuildFailed
from tuidock.engine.image_types import BuildRequest
from tuidock.engine.oci.digest import chain_ids, of_bytes

pytestmark = needs_root
Load = Callable[[bytes], None]
DIRECTORY, FILE, SYMLINK = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE


def parents(path: str) -> list[tuple[str, bytes, dict[str, object]]]:
    """The directories on the way to a path, as entries of a layer."""
    parts = path.strip("/").split("/")[:-1]
    return [("/".join(parts[: number + 1]), DIRECTORY, {}) for number in range(len(parts))]


def test_a_path_in_an_image_that_looks_like_a_layer_of_the_host_is_none(
    engine: Engine, load: Load, tmp_path: Path
) -> None:
    """A bind's source is named by its descriptor; in a merged tree that name is the image's to choose."""
    (tmp_path / "ctx").mkdir()
    (tmp_path / "secret").write_text("of the host\n")
    first = layer_of(("escape", SYMLINK, {"linkname": "/"}))
    layers = [busybox_layer(), first]
    chain = chain_ids([of_bytes(layer) for layer in layers])[-1]
    place = engine.instance.paths.snapshots + f"/{chain[7:]}/fs/escape{tmp_path}/secret"
    second = layer_of(*parents(place), (place.lstrip("/"), FILE, {}), content=b"of the image\n")
    load(image({}, *layers, second))
    dockerfile = f"FROM hostile\nRUN --mount=type=bind,from=hostile,source={place},target=/m cat /m\n"
    built = build_text(engine, tmp_path / "ctx", dockerfile)
    assert built.output == "of the image\n"


def changing(engine: Engine, context: Path, dockerfile: str, change: Callable[[], object]) -> None:
    """A build in whose last step something happens between looking at the sources and taking them."""
    write(context, {"Dockerfile": dockerfile})
    last = 0
    for event in engine.build(BuildRequest(str(context))):
        if event.kind == "plan":
            last = event.steps[-1].number
        elif event.kind == "state" and event.state == "running" and event.step == last:
            change()


@pytest.mark.parametrize(
    ("dockerfile", "packed"),
    [
        ("FROM busybox\nCOPY app /app/\n", False),
        ("FROM busybox\nCOPY . /app/\n", False),
        ("FROM busybox\nADD app /app/\n", True),
        ("FROM busybox\nRUN --mount=type=bind,source=app,target=/in mkdir app && cp /in app/app\n", False),
        ("FROM busybox\nRUN --mount=type=bind,target=/in mkdir app && cp /in/app app/app\n", False),
    ],
)
def test_other_content_is_never_kept_under_the_key_of_what_was_there_before(
    engine: Engine, tmp_path: Path, dockerfile: str, packed: bool
) -> None:
    """Else the next who builds the good files gets the bad ones, out of the cache that all builds share."""

    def content(text: bytes) -> bytes:
        return layer_of(("app", FILE, {}), content=text) if packed else text

    mine = write(tmp_path / "mine", {"app": content(b"bad!")})
    (mine / "app").write_bytes(content(b"good"))
    with pytest.raises(BuildFailed, match="changed while it was copied"):
        changing(engine, mine, dockerfile, lambda: (mine / "app").write_bytes(content(b"bad!")))
    yours = write(tmp_path / "yours", {"app": content(b"good")})
    built = build_text(engine, yours, dockerfile)
    assert read(engine, built.id, "app/app") == "good"


def test_a_file_whose_times_tell_nothing_is_noticed(engine: Engine) -> None:
    """On a tmpfs stores through a mapping change neither mtime nor ctime."""
    dockerfile = "FROM busybox\nLABEL mapped=1\nCOPY app /app\n"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        context = write(Path(directory), {"app": "good"})
        with open(context / "app", "r+b") as file, mmap.mmap(file.fileno(), 4) as mapped:
            mapped[:4] = b"good"
            time.sleep(2.1)  # the age at which digests are remembered
            status = os.stat(context / "app")
            build_text(engine, context, dockerfile)
            mapped[:4] = b"bad!"
            assert os.stat(context / "app").st_ctime_ns == status.st_ctime_ns
        with pytest.raises(BuildFailed, match="changed while it was copied"):
            build_text(engine, context, dockerfile, no_cache=True)
        built = build_text(engine, context, dockerfile)
        assert read(engine, built.id, "app") == "bad!"
