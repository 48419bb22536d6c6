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
from tuidock.engine.store.levels import OPAQUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_STUB_DIRECTORIES = ("dev", "proc", "sys", "etc")
_STUB_FILES = ("etc/hosts", "etc/hostname", "etc/resolv.conf")

#: What `make_stubs` makes where an image lacks it, the inner ones first.
STUBS = (*_STUB_FILES, *_STUB_DIRECTORIES)


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
            if _is_opaque(f"{level}/{name}"):
                break
        if found.kind != "directory":
            return (
                found if name == path.rpartition("/")[2] else Found("missing" if found.kind == "missing" else "other")
            )
        levels = below
    return found


def _is_opaque(directory: str) -> bool:
    for name in OPAQUE:
        try:
            if os.getxattr(directory, name, follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue
    return False


def with_init_layer(paths: Paths, top_chain_id: str, lower: tuple[str, ...]) -> tuple[str, ...]:
    """The image's layers with the init layer on top; made once per image. top_chain_id "" = an image without layers."""
    name = top_chain_id.removeprefix("sha256:") or "scratch"
    directory = f"{paths.init_layers}/{name}"
    if not os.path.isdir(directory):
        _make(directory, lower)
    return (directory, *lower)


def _make(directory: str, lower: tuple[str, ...]) -> None:
    temporary = f"{directory}.{os.getpid()}.{os.urandom(4).hex()}"
    try:
        make_stubs(temporary, lower)
        os.rename(temporary, directory)
    except OSError:
        remove_tree(temporary)
        if not os.path.isdir(directory):  # another create may have been faster; its layer is the same
            raise
    sync_directory(os.path.dirname(directory))


def make_stubs(target: str, lower: tuple[str, ...], more: Sequence[tuple[str, bool]] = ()) -> None:
    """A new directory `target` with the mountpoints that the merged layers lack; more: path and whether it is a file.

    What it has to repeat of the layers (a directory on the way) looks as it does there.
    """
    os.mkdir(target, 0o755)
    _dress_like(target, os.stat(lower[0]) if lower else None)
    stubs = [*((path, False) for path in _STUB_DIRECTORIES), *((path, True) for path in _STUB_FILES), *more]
    for path, is_file in stubs:
        _make_stub(target, lower, path, is_file)


def _make_stub(target: str, lower: tuple[str, ...], path: str, is_file: bool) -> None:
    parts = path.split("/")
    for count in range(1, len(parts)):
        parent = "/".join(parts[:count])
        if not os.path.isdir(f"{target}/{parent}"):
            found = look_up(lower, parent)
            if found.kind == "other":
                return
            os.mkdir(f"{target}/{parent}")
            os.chown(f"{target}/{parent}", found.uid, found.gid)
            os.chmod(f"{target}/{parent}", found.mode)
    if os.path.lexists(f"{target}/{path}") or look_up(lower, path).kind != "missing":
        return
    if is_file:
        os.close(os.open(f"{target}/{path}", os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC, 0o644))
    else:
        os.mkdir(f"{target}/{path}", 0o755)


def _dress_like(path: str, known: os.stat_result | None) -> None:
    if known is not None:
        os.chown(path, known.st_uid, known.st_gid)
    os.chmod(path, stat.S_IMODE(known.st_mode) if known is not None else 0o755)


def make_layer(directory: str, lower: tuple[str, ...], ids: IdMap) -> None:
    """The container's own upper and work directories; upper gets the image root's owner and mode, which `/` shows."""
    for name in ("upper", "work"):
        os.mkdir(f"{directory}/{name}", 0o755)
    if lower:
        root = os.stat(lower[0])
        os.chown(f"{directory}/upper", ids.uid(root.st_uid), ids.gid(root.st_gid))
        os.chmod(f"{directory}/upper", stat.S_IMODE(root.st_mode))
