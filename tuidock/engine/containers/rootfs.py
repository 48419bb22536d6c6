"""The directories that a container's root file system is made of.

Mountpoint stubs (/dev, /proc, /etc/hosts ...) that the image lacks lie in an init layer per image, shared and read-only,
between the image and the container's own layer: so they never show in diff or commit.
"""

from __future__ import annotations

import os
import stat

from tuidock.engine.files import remove_tree, sync_directory
from tuidock.engine.idmap import IdMap
from tuidock.engine.named import Named
from tuidock.engine.paths import Paths

_STUB_DIRECTORIES = ("dev", "proc", "sys", "etc")
_STUB_FILES = ("etc/hosts", "etc/hostname", "etc/resolv.conf")


class Found(Named):
    """A name of the merged image. kind: missing, directory or other."""

    kind: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


def look_up(lower: tuple[str, ...], path: str) -> Found:
    """What a path of plain names is in the merged layers (topmost first), without following any link.

    A whiteout (character device 0/0) hides what lies below, an opaque directory the lower directories' entries.
    """
    levels = list(lower)
    found = Found("directory")
    for name in path.split("/"):
        below: list[str] = []
        found = Found("missing")
        for level in levels:
            try:
                status = os.lstat(f"{level}/{name}")
            except (FileNotFoundError, NotADirectoryError):
                continue
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                break
            is_directory = stat.S_ISDIR(status.st_mode)
            if found.kind == "missing":
                kind = "directory" if is_directory else "other"
                found = Found(kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
            if not is_directory:
                break
            below.append(f"{level}/{name}")
            try:
                if os.getxattr(f"{level}/{name}", "trusted.overlay.opaque", follow_symlinks=False) == b"y":
                    break
            except OSError:
                pass
        if found.kind != "directory":
            return (
                found if name == path.rpartition("/")[2] else Found("missing" if found.kind == "missing" else "other")
            )
        levels = below
    return found


def with_init_layer(paths: Paths, top_chain_id: str, lower: tuple[str, ...]) -> tuple[str, ...]:
    """The image's layers with the init layer on top; made once per image. top_chain_id "" = an image without layers."""
    name = top_chain_id.removeprefix("sha256:") or "scratch"
    directory = f"{paths.init_layers}/{name}"
    if not os.path.isdir(directory):
        _make(directory, lower)
    return (directory, *lower)


def _make(directory: str, lower: tuple[str, ...]) -> None:
    temporary = f"{directory}.{os.getpid()}.{os.urandom(4).hex()}"
    os.mkdir(temporary, 0o755)
    try:
        root = os.stat(lower[0]) if lower else None
        if root is not None:
            os.chown(temporary, root.st_uid, root.st_gid)
        os.chmod(temporary, stat.S_IMODE(root.st_mode) if root is not None else 0o755)
        for path in _STUB_DIRECTORIES:
            if look_up(lower, path).kind == "missing":
                os.mkdir(f"{temporary}/{path}", 0o755)
        etc = look_up(lower, "etc")
        for path in _STUB_FILES:
            if etc.kind == "other" or look_up(lower, path).kind != "missing":
                continue
            if not os.path.isdir(f"{temporary}/etc"):
                os.mkdir(f"{temporary}/etc")
                os.chown(f"{temporary}/etc", etc.uid, etc.gid)
                os.chmod(f"{temporary}/etc", etc.mode)
            os.close(os.open(f"{temporary}/{path}", os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC, 0o644))
        os.rename(temporary, directory)
    except OSError:
        remove_tree(temporary)
        if not os.path.isdir(directory):  # another create may have been faster; its layer is the same
            raise
    sync_directory(os.path.dirname(directory))


def make_layer(directory: str, lower: tuple[str, ...], ids: IdMap) -> None:
    """The container's own upper and work directories; upper gets the image root's owner and mode, which `/` shows."""
    for name in ("upper", "work"):
        os.mkdir(f"{directory}/{name}", 0o755)
    if lower:
        root = os.stat(lower[0])
        os.chown(f"{directory}/upper", ids.uid(root.st_uid), ids.gid(root.st_gid))
        os.chmod(f"{directory}/upper", stat.S_IMODE(root.st_mode))
