"""What tests of pull share: a pull with short patience, layers of a known kind, and a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.engine.store.archives import layer
from tests.engine.store.conftest import Store
from tuidock.engine.oci.reference import parse_tagged
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.settings import Settings
from tuidock.engine.store import images
from tuidock.engine.transfer import pulling
from tuidock.engine.types import Progress

REPOSITORY = Path(__file__).resolve().parents[3]
BASE = layer({"bin": None, "bin/sh": b"#!", "etc": None, "etc/conf": b"base"})
TOP = layer({"etc": None, "etc/new": b"top"})


def noise(size: int, name: str = "noise") -> bytes:
    """A layer that cannot be compressed."""
    return layer({name: os.urandom(size)})


def connect(**settings: object) -> Callable[[str], Registry]:
    """Registries with little patience."""
    chosen = Settings(**{"attempts": 3, "backoff": 0.01, "stall": 30.0, **settings})  # type: ignore[arg-type]
    return lambda host: Registry(host, chosen)


def begin(store: Store, text: str, **options: object) -> Iterator[Progress]:
    """The pull, not yet begun."""
    all_tags, platform = bool(options.pop("all_tags", False)), str(options.pop("platform", ""))
    reference = parse_tagged(text)
    return pulling.pull(store.state, store.paths, connect(**options), reference, platform=platform, all_tags=all_tags)


def pull(store: Store, text: str, **options: object) -> list[Progress]:
    """All of it."""
    return list(begin(store, text, **options))


def until(steps: Iterator[Progress], wanted: Callable[[Progress], bool]) -> Progress:
    """Goes on with a pull until something is told."""
    return next(step for step in steps if wanted(step))


def said(steps: list[Progress]) -> tuple[str, str]:
    """Digest and status that a pull ended with."""
    return (
        next(step.message for step in steps if step.action == "digest"),
        next(step.message for step in steps if step.action == "pulled-image"),
    )


def files(store: Store, reference: str) -> dict[str, bytes]:
    """The files of an image, those of higher layers first."""
    found: dict[str, bytes] = {}
    for lower in images.resolve(store.state, store.paths, reference).lower:
        for directory, _, names in os.walk(lower):
            for name in names:
                path = Path(directory, name)
                if path.is_file():
                    found.setdefault(str(path.relative_to(lower)), path.read_bytes())
    return found


def partials(store: Store) -> dict[str, int]:
    """Bytes by digest of what has arrived in part."""
    found = {}
    for name in store.names("content", "ingest"):
        data = Path(store.paths.ingest, name, "data")
        if data.exists():
            found["sha256:" + name] = data.stat().st_size
    return found


def process(store: Store, text: str) -> subprocess.Popen[bytes]:
    """A pull in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tuidock", "--root", store.paths.root, "pull", text],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def eventually(true: Callable[[], bool], what: str) -> None:
    """Waits until it is so; fails after half a minute."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
