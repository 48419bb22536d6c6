"""File trees in full: what an image is when somebody unpacks it, to compare two programs by."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.security.conftest import busybox_layer


def tree(root: Path) -> dict[str, tuple[object, ...]]:
    """Kind, looks, content, attributes, time and fellow links of every name."""
    found: dict[str, tuple[object, ...]] = {}
    links: dict[int, list[str]] = {}
    for base, names, files in os.walk(root):
        for name in (*names, *files):
            path = os.path.join(base, name)
            status = os.lstat(path)
            short = os.path.relpath(path, root)
            content: object = None
            if stat.S_ISREG(status.st_mode):
                links.setdefault(status.st_ino, []).append(short)
                with open(path, "rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif not stat.S_ISDIR(status.st_mode):
                content = status.st_rdev
            attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in _attributes(path)}
            found[short] = (status.st_mode, status.st_uid, status.st_gid, content, attributes, int(status.st_mtime))
    for names in links.values():
        for name in names:
            found[name] += (sorted(names),)
    return found


def _attributes(path: str) -> list[str]:
    return sorted(name for name in os.listxattr(path, follow_symlinks=False) if "overlay" not in name)


@contextmanager
def merged(lower: Sequence[str], place: Path) -> Iterator[Path]:
    """The layers on top of each other, as a container sees them; topmost first."""
    place.mkdir()
    directories = ":".join([*lower, str(_empty(place))])
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={directories}", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _empty(place: Path) -> Path:
    """overlay wants two layers at least."""
    empty = place.with_name(place.name + "-empty")
    empty.mkdir()
    return empty


def layers() -> list[bytes]:
    """busybox, and two layers with everything that a tar can hold, of which the upper one takes away and replaces."""
    return [busybox_layer(), _lower(), _upper()]


def _tar(entries: Sequence[tuple[str, bytes, dict[str, object]]]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content, fields in entries:
            info = tarfile.TarInfo(name)
            info.mtime, info.size, info.mode = 1_700_000_000, len(content), 0o644
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


_DIRECTORY = {"type": tarfile.DIRTYPE, "mode": 0o755}


def _lower() -> bytes:
    return _tar(
        [
            ("srv", b"", _DIRECTORY), ("srv/plain", b"plain", {}), ("srv/gone", b"gone", {}), ("srv/changed", b"1", {}),
            ("srv/tree", b"", _DIRECTORY), ("srv/tree/a", b"a", {}), ("srv/opaque", b"", _DIRECTORY),
            ("srv/opaque/below", b"b", {}), ("srv/becomes", b"", _DIRECTORY), ("srv/becomes/x", b"x", {}),
            ("srv/su", b"#!", {"mode": 0o4755, "uid": 1000, "gid": 50}), ("srv/sticky", b"", {**_DIRECTORY, "mode": 0o1777}),
            ("srv/hard", b"", {"type": tarfile.LNKTYPE, "linkname": "srv/plain"}),
            ("srv/link", b"", {"type": tarfile.SYMTYPE, "linkname": "../etc/passwd", "mode": 0o777}),
            ("srv/dangling", b"", {"type": tarfile.SYMTYPE, "linkname": "/no/where", "mode": 0o777, "uid": 7}),
            ("srv/" + "long" * 60, b"long", {}), ("srv/pipe", b"", {"type": tarfile.FIFOTYPE, "mode": 0o600}),
            ("srv/null", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3, "mode": 0o666}),
            ("srv/ünï", "ü".encode(), {"uid": 3_000_000, "gid": 3_000_000}),
            ("srv/attribute", b"a", {"pax_headers": {"SCHILY.xattr.user.one": "eins"}}),
            ("srv/big", os.urandom(1) * 3_000_000, {"mtime": 1_600_000_000}),
        ]
    )  # fmt: skip


def _upper() -> bytes:
    return _tar(
        [
            ("srv", b"", _DIRECTORY), ("srv/.wh.gone", b"", {}), ("srv/changed", b"22", {"mode": 0o600}),
            ("srv/.wh.tree", b"", {}), ("srv/opaque", b"", _DIRECTORY), ("srv/opaque/.wh..wh..opq", b"", {}),
            ("srv/opaque/above", b"c", {}), ("srv/becomes", b"a file", {}), ("new", b"", _DIRECTORY),
            ("new/deep", b"", _DIRECTORY),
            ("new/deep/file", b"n", {}),
        ]
    )  # fmt: skip
