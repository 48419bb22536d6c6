"""Files of a volume, for whoever looks into it: list, read, copy in and out, by descriptors below its root.

Containers write there while somebody looks, so no path is walked twice and no link leads out (CVE-2018-15664).
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager

from tuidock import native
from tuidock.engine.clean import clean
from tuidock.engine.containers import copying
from tuidock.engine.containers.copy_paths import Side
from tuidock.engine.errors import EngineError, InvalidArgument, NotFound
from tuidock.engine.events import append
from tuidock.engine.files import refuse
from tuidock.engine.image_types import TreeEntry
from tuidock.engine.instance import Instance
from tuidock.engine.store import volume_mounts
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import BinaryIO

_KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "device", stat.S_IFCHR: "device",
}  # fmt: skip


@contextmanager
def _root(instance: Instance, name: str, *, read_only: bool = True) -> Iterator[int]:
    if not instance.state.read().execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone():
        raise NotFound("volume", name)
    root = volume_mounts.open_root(instance.state, instance.paths, name, read_only=read_only)
    try:
        yield root
    finally:
        os.close(root)


def _open(root: int, name: str, path: str, flags: int) -> int:
    try:
        return native.open_in_root(root, path.strip("/") or ".", flags)
    except OSError as error:
        raise _refused(error, name, path) from None


def _refused(error: OSError, name: str, path: str) -> EngineError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        missing = NotFound("file", path)
        missing.args = (f"Could not find the file {clean(path)} in volume {name}",)
        return missing
    if error.errno == errno.EINVAL:
        return InvalidArgument(f"{clean(path)} in volume {name} is no regular file, so there is nothing to read")
    return refuse(error, f"open {clean(path)} in volume {name}")


def listed(instance: Instance, name: str, path: str) -> list[TreeEntry]:
    """One directory, by name; a name that goes meanwhile is left out. Raises NotFound, SystemFailure."""
    found = []
    with _root(instance, name) as root:
        directory = _open(root, name, path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for entry in sorted(os.listdir(directory)):
                try:
                    found.append(_entry(directory, path.strip("/"), entry))
                except FileNotFoundError:
                    continue
        finally:
            os.close(directory)
    return found


def _entry(directory: int, above: str, name: str) -> TreeEntry:
    known = os.stat(name, dir_fd=directory, follow_symlinks=False)
    kind = _KINDS.get(stat.S_IFMT(known.st_mode), "device")
    target = os.readlink(name, dir_fd=directory) if kind == "link" else ""
    return TreeEntry(
        f"{above}/{name}" if above else name, kind, "", known.st_size if kind == "file" else 0,
        stat.S_IMODE(known.st_mode), known.st_uid, known.st_gid, target, known.st_mtime_ns,
    )  # fmt: skip


def read(instance: Instance, name: str, path: str, limit: int) -> bytes:
    """The beginning of a regular file. Raises NotFound, InvalidArgument for what is none, SystemFailure."""
    with _root(instance, name) as root:
        try:
            fd = native.open_file_in_root(root, path.strip("/") or ".")
        except OSError as error:
            raise _refused(error, name, path) from None
        with os.fdopen(fd, "rb") as file:
            try:
                return file.read(limit)
            except OSError as error:
                raise refuse(error, f"read {clean(path)} in volume {name}") from error


def copy_out(
    instance: Instance, name: str, path: str, target: str | BinaryIO, *, archive: bool = False
) -> Generator[Progress]:
    """By docker's rules for `cp`. Raises as copying.copy_out."""
    with _root(instance, name) as root:
        yield from copying.send(Side(root, name, "volume"), path, target, archive=archive)


def copy_in(instance: Instance, name: str, source: str | BinaryIO, path: str) -> Generator[Progress]:
    """By docker's rules for `cp`. Raises as copying.copy_in."""
    with _root(instance, name, read_only=False) as root:
        yield from copying.receive(Side(root, name, "volume"), source, path)
    append(instance.paths.journal, "volume", "extract-to-dir", name, driver="local")
