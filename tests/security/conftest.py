"""Attacks are made by a container of a real shim (`box`) or by an image that a real engine loads (`hostile`)."""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, busybox_archive
from tests.native.monitored import shim
from tests.native.record import Box, opened
from tests.programs import compiled
from tuidock.engine import Engine

Members = list[tuple[str, bytes]]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with opened(Box(shim(), tmp_path)) as made:
        yield made


@pytest.fixture(scope="session")
def probe() -> Path:
    """The static program of probe.c."""
    return compiled("probe", ("gcc", "-static", "-O1", "-Wall", "-Werror"), (Path(__file__).parent / "probe.c",))


def tar_of(members: Members) -> bytes:
    """An archive of plain files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def layer_of(*entries: tuple[str, bytes, dict[str, Any]], content: bytes = b"") -> bytes:
    """A layer of entries (name, type, attributes of the TarInfo)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, more in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.size = kind, 0o755, len(content) if kind == tarfile.REGTYPE else 0
            for key, value in more.items():
                setattr(entry, key, value)
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def busybox_layer() -> bytes:
    with tarfile.open(fileobj=io.BytesIO(busybox_archive())) as tar:
        found = tar.extractfile("layer.tar")
        assert found is not None
        return found.read()


def image(config: dict[str, Any], *layers: bytes, tag: str = "hostile:latest", **document: Any) -> bytes:
    """A docker archive of an image with these layers."""
    digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    raw = json.dumps(
        {
            "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], **config},
            "rootfs": {"type": "layers", "diff_ids": digests}, **document,
        }
    ).encode()  # fmt: skip
    names = [f"{number}.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": names}]
    members = [("config.json", raw), *zip(names, layers, strict=True), ("manifest.json", json.dumps(manifest).encode())]
    return tar_of(members)


@pytest.fixture
def load(engine: Engine, run: Run) -> Iterator[Callable[[bytes], None]]:
    """Loads an archive; its image `hostile` goes at the end."""

    def loaded(archive: bytes) -> None:
        for _ in engine.load(io.BytesIO(archive)):
            pass

    yield loaded
    known = {container.id for container in engine.containers()}
    engine.remove_many([made for made in run.made if made in known], force=True, volumes=True)
    if any("hostile:latest" in found.references for found in engine.images()):
        engine.remove_image("hostile", force=True)


@contextmanager
def unopened(path: str) -> Iterator[None]:
    """Nobody opens that file meanwhile, other than by O_PATH."""
    fd = watched(path)
    try:
        yield
        with pytest.raises(BlockingIOError):
            os.read(fd, 4096)
    finally:
        os.close(fd)


def watched(path: str) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(fd, os.fsencode(path), 0x20) >= 0  # IN_OPEN
    return fd


HOSTILE = {"Image": "hostile"}
