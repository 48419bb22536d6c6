"""The images that all engines get, written here as docker-archive tars, so that no registry is needed.

The small one has three layers like many real images: busybox, its applets as links, a file. The big one is a Debian
root file system, as debootstrap makes it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence

from bench.measure import BenchFailure

SMALL = "localhost/bench:1"
DEBIAN = "localhost/bench-debian:1"
_APPLETS = ("sh", "true", "sleep", "cat", "echo", "yes", "head", "seq", "httpd")


def small(path: str) -> None:
    """Writes the busybox image. Raises BenchFailure when there is no static busybox."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise BenchFailure("busybox is not installed (Debian package busybox-static)")
    with open(busybox, "rb") as stream:
        program = stream.read()
    first = _layer(
        [("bin", b"", ""), ("tmp", b"", ""), ("root", b"", ""), ("etc", b"", ""), ("bin/busybox", program, "")]
    )
    second = _layer([(f"bin/{name}", b"", "busybox") for name in _APPLETS])
    third = _layer([("etc/motd", b"hello\n", "")])
    with tarfile.open(path, "w") as archive:
        _write(archive, SMALL, [(io.BytesIO(data), len(data), _digest(data)) for data in (first, second, third)])


def debian(root_tar: str, path: str) -> None:
    """Wraps the tar of a root file system as an image with that one layer."""
    with open(root_tar, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(0)
        with tarfile.open(path, "w") as archive:
            _write(archive, DEBIAN, [(stream, os.path.getsize(root_tar), digest)])


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
