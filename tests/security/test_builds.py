"""Dockerfiles, contexts and base images made to hurt whoever builds with them."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

from tests.engine.build.helpers import build_text
from tests.native.monitored import needs_root
from tests.security.conftest import busybox_layer, image, layer_of
from tuidock.engine import Engine
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
