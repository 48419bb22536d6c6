"""What the build tests share: contexts written in a line, builds with their events, trees of images."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tuidock.engine import Engine
from tuidock.engine.build import merging
from tuidock.engine.image_types import BuildEvent, BuildRequest
from tuidock.engine.store import images


class Built(NamedTuple):
    """A build that went well."""

    id: str
    events: list[BuildEvent]

    @property
    def output(self) -> str:
        return b"".join(event.output for event in self.events).decode()

    def states(self) -> dict[int, str]:
        """The last state of each step."""
        return {event.step: event.state for event in self.events if event.kind == "state"}


def write(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    """A context; a name that ends with a slash is an empty directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = directory / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return directory


def build(engine: Engine, context: str | Path, source: Any = None, **request: Any) -> Built:
    """Builds and answers the image's id; raises what the build raises."""
    events = list(engine.build(BuildRequest(str(context), **request), source))
    assert events[-1].kind == "built"
    return Built(events[-1].message, events)


def build_text(engine: Engine, directory: Path, dockerfile: str, **request: Any) -> Built:
    """Builds a Dockerfile given as text in a context that is there."""
    return build(engine, write(directory, {"Dockerfile": dockerfile}), **request)


@contextmanager
def root_of(engine: Engine, image: str) -> Iterator[int]:
    """A descriptor of an image's merged tree."""
    record = images.resolve(engine.instance.state, engine.instance.paths, image)
    fd = merging.open_merged(record.lower) if record.lower else merging.open_empty()
    try:
        yield fd
    finally:
        os.close(fd)


def tree(engine: Engine, image: str) -> dict[str, tuple[str, int, int, int, str, str]]:
    """path -> (tar's type, mode, uid, gid, link target, first digits of the content's sha256)."""
    found: dict[str, tuple[str, int, int, int, str, str]] = {}
    with root_of(engine, image) as root:
        for base, directories, names, fd in os.fwalk(".", dir_fd=root):
            for name in (*directories, *names):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                path = f"{base}/{name}".removeprefix("./")
                found[path] = _entry(fd, name, status)
    return found


def _entry(fd: int, name: str, status: os.stat_result) -> tuple[str, int, int, int, str, str]:
    mode, owner = stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
    if stat.S_ISLNK(status.st_mode):
        return ("2", mode, *owner, os.readlink(name, dir_fd=fd), "")
    if stat.S_ISDIR(status.st_mode):
        return ("5", mode, *owner, "", "")
    if not stat.S_ISREG(status.st_mode):
        return ("6", mode, *owner, "", "")
    with open(os.open(name, os.O_RDONLY, dir_fd=fd), "rb") as file:
        return ("0", mode, *owner, "", hashlib.sha256(file.read()).hexdigest()[:12])


def read(engine: Engine, image: str, path: str) -> str:
    """A file of an image."""
    with root_of(engine, image) as root, open(os.open(path.lstrip("/"), os.O_RDONLY, dir_fd=root), "rb") as file:
        return file.read().decode()


def tar_of(entries: Mapping[str, bytes], compression: str = "") -> bytes:
    """A tar of regular files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=f"w:{compression}") as tar:  # type: ignore[call-overload]
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()
