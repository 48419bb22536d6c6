"""The images that all engines get, written here as docker-archive tars, so that no registry is needed.

The small one has three layers like many real images: busybox, its applets as links, a file. The big one is a Debian
root file system, as debootstrap makes it. The layered one has twenty layers of a hundred files, as applications have.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from typing import Any

from bench.measure import BenchFailure

SMALL = "localhost/bench:1"
DEBIAN = "localhost/bench-debian:1"
LAYERED = "localhost/bench-layered:1"
LAYERS = 20
_APPLETS = ("sh", "true", "sleep", "cat", "echo", "yes", "head", "seq", "httpd")


def small(path: str) -> None:
    """Writes the busybox image. Raises BenchFailure when there is no static busybox."""
    first = _busybox_layer()
    second = _layer([(f"bin/{name}", b"", "busybox") for name in _APPLETS])
    third = _layer([("etc/motd", b"hello\n", "")])
    with tarfile.open(path, "w") as archive:
        _write(archive, SMALL, [(io.BytesIO(data), len(data), _digest(data)) for data in (first, second, third)])


def _busybox_layer() -> bytes:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise BenchFailure("busybox is not installed (Debian package busybox-static)")
    with open(busybox, "rb") as stream:
        program = stream.read()
    return _layer(
        [("bin", b"", ""), ("tmp", b"", ""), ("root", b"", ""), ("etc", b"", ""), ("bin/busybox", program, "")]
    )


def debian(root_tar: str, path: str) -> None:
    """Wraps the tar of a root file system as an image with that one layer."""
    with open(root_tar, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(0)
        with tarfile.open(path, "w") as archive:
            _write(archive, DEBIAN, [(stream, os.path.getsize(root_tar), digest)])


def layered(path: str) -> None:
    """Writes an image of twenty layers over busybox, 80 MB in all, that compress about as programs do."""
    words = [f"{number:x}".encode() for number in random.Random(1).choices(range(1 << 24), k=20_000)]
    chosen = random.Random(2)
    layers = [_busybox_layer()]
    for number in range(1, LAYERS):
        entries = [(f"srv/{number}", b"", "")]
        entries += [
            (f"srv/{number}/{name}", b" ".join(chosen.choices(words, k=chosen.randrange(1000, 12_000))), "")
            for name in range(100)
        ]
        layers.append(_layer([("srv", b"", ""), *entries]))
    with tarfile.open(path, "w") as archive:
        _write(archive, LAYERED, [(io.BytesIO(data), len(data), _digest(data)) for data in layers])


def unpacked(archive: str, directory: str) -> dict[str, Any]:
    """The members of such an archive as files: the paths of its config and of its layers."""
    with tarfile.open(archive) as tar:
        found = tar.extractfile("manifest.json")
        assert found is not None
        (item,) = json.load(found)
        paths = {}
        for number, name in enumerate([item["Config"], *item["Layers"]]):
            paths[name] = f"{directory}/{number}"
            member = tar.extractfile(name)
            assert member is not None
            with open(paths[name], "wb") as target:
                shutil.copyfileobj(member, target, 1 << 20)
    return {"config": paths[item["Config"]], "layers": [paths[name] for name in item["Layers"]]}


def bootstrap(directory: str) -> str:
    """Makes a Debian root file system tar by debootstrap. Raises BenchFailure when it cannot."""
    if shutil.which("debootstrap") is None:
        raise BenchFailure("debootstrap is not installed, and no --debian TAR was given")
    root, path = f"{directory}/debian-root", f"{directory}/debian.tar"
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", "stable", root], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        words = done.stdout.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise BenchFailure(f"debootstrap failed: {words[-1]}")
    subprocess.run(["tar", "--numeric-owner", "-C", root, "-cf", path, "."], check=True)
    shutil.rmtree(root)
    return path


def _layer(entries: Sequence[tuple[str, bytes, str]]) -> bytes:
    """A layer of (name, content, link target): a directory without content and target, else a program or a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content, target in entries:
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            info.size = len(content)
            info.linkname = target
            info.type = tarfile.SYMTYPE if target else tarfile.REGTYPE if content else tarfile.DIRTYPE
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(archive: tarfile.TarFile, tag: str, layers: Sequence[tuple[io.BufferedIOBase, int, str]]) -> None:
    machine = os.uname().machine
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine),
            "os": "linux",
            "config": {"Cmd": ["sh"], "Env": ["PATH=/usr/bin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for _, _, digest in layers]},
            "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "bench"} for _ in layers],
            "created": "2024-01-01T00:00:00Z",
        }
    ).encode()
    names = [f"{digest}/layer.tar" for _, _, digest in layers]
    manifest = [{"Config": f"{_digest(config)}.json", "RepoTags": [tag], "Layers": names}]
    for name, (stream, size, _) in zip(names, layers, strict=True):
        _add(archive, name, stream, size)
    for name, data in ((f"{_digest(config)}.json", config), ("manifest.json", json.dumps(manifest).encode())):
        _add(archive, name, io.BytesIO(data), len(data))


def _add(archive: tarfile.TarFile, name: str, stream: io.BufferedIOBase, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    archive.addfile(info, stream)
