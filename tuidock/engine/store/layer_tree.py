"""What is in which layer of an image: its names with marks, its wasted bytes, the content of a file.

A layer is looked at in its own directory; what a name means is told by the layers below. Nothing is followed and only
regular files are read, a bounded piece of them: images are made by strangers.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack

from tuidock import native
from tuidock.engine.errors import InvalidArgument, NotFound
from tuidock.engine.files import refuse
from tuidock.engine.image_types import LayerInfo, TreeEntry
from tuidock.engine.oci import Invalid
from tuidock.engine.oci.image_config import parse_time
from tuidock.engine.paths import Paths
from tuidock.engine.store import merged
from tuidock.engine.store.images import ImageRecord
from tuidock.engine.store.levels import Directory, Seen, is_opaque, is_whiteout, open_below
from tuidock.engine.store.snapshots import Snapshots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    #: A directory that is still to be looked at: its path, the same one below, whether that is hidden by an opaque one.
    _Place = tuple[str, Directory | None, bool]

_KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFCHR: "device", stat.S_IFBLK: "device",
    stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
}  # fmt: skip


class Roots:
    """Descriptors of layer directories, the same one for the same directory; use as context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._open: dict[str, int] = {}

    def __enter__(self) -> Roots:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, directories: Sequence[str]) -> tuple[int, ...]:
        """Raises SystemFailure when a layer is not there."""
        for directory in directories:
            if directory not in self._open:
                try:
                    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                except OSError as error:
                    raise refuse(error, f"open the layer {directory}") from error
                self._open[directory] = fd
                self._stack.callback(os.close, fd)
        return tuple(self._open[directory] for directory in directories)


def layers(paths: Paths, record: ImageRecord) -> list[LayerInfo]:
    """The layers of an image, lowest first, each with the step of the history that made it."""
    snapshots = Snapshots(paths)
    steps = [step for step in record.config.get("history") or () if not step.get("empty_layer")]
    # a history that does not fit the layers would give them the wrong commands
    fitting: list[dict[str, Any]] = steps if len(steps) == len(record.layers) else [{}] * len(record.layers)
    with Roots() as roots:
        wasted = _wasted(roots.of(tuple(reversed(record.lower))))
    return [
        LayerInfo(
            index, layer.diff_id, layer.chain_id, layer.digest, snapshots.size(layer.chain_id), layer.size,
            str(step.get("created_by") or ""), _moment(step), str(step.get("comment") or ""), wasted[index],
        )
        for index, (layer, step) in enumerate(zip(record.layers, fitting, strict=True))
    ]  # fmt: skip


def _moment(step: dict[str, Any]) -> int:
    try:
        return parse_time(step.get("created") or "")
    except (Invalid, TypeError):
        return 0


def _walk(root: int) -> Iterator[tuple[str, os.stat_result, bool]]:
    """Everything in one layer: path, status, and for directories whether they are opaque."""
    left = [""]
    while left:
        path = left.pop()
        try:
            fd = open_below(root, path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        before = path + "/" if path else ""
        try:
            if path:
                yield path, os.fstat(fd), is_opaque(fd)
            with os.scandir(fd) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        left.append(before + entry.name)
                    else:
                        yield before + entry.name, entry.stat(follow_symlinks=False), False
        finally:
            os.close(fd)


def _wasted(roots: Sequence[int]) -> list[int]:
    """For each layer, lowest first: bytes of its files that a higher one replaces or deletes."""
    result = [0] * len(roots)
    names: set[str] = set()  # of all higher layers
    covers: set[str] = set()  # those of them below which nothing of a lower layer is seen
    for index in range(len(roots) - 1, -1, -1):
        hidden: dict[str, bool] = {"": False}
        own: list[str] = []
        own_covers: list[str] = []
        counted: set[int] = set()
        for path, status, opaque in _walk(roots[index]):
            own.append(path)
            directory = stat.S_ISDIR(status.st_mode)
            if not directory or opaque:
                own_covers.append(path)
            if stat.S_ISREG(status.st_mode) and (path in names or _is_hidden(path.rpartition("/")[0], covers, hidden)):
                if status.st_nlink < 2 or status.st_ino not in counted:
                    result[index] += status.st_size
                counted.add(status.st_ino)
        names.update(own)
        covers.update(own_covers)
    return result


def _is_hidden(directory: str, covers: set[str], known: dict[str, bool]) -> bool:
    chain = []
    while directory not in known:
        chain.append(directory)
        directory = directory.rpartition("/")[0]
    answer = known[directory]
    for one in reversed(chain):
        answer = answer or one in covers
        known[one] = answer
    return answer


def tree(record: ImageRecord, index: int) -> list[TreeEntry]:
    """The names in a layer, sorted by path. Raises InvalidArgument for an index that it does not have."""
    directories = _directory_of(record, index)
    with Roots() as roots:
        opened = roots.of(directories)
        below = Directory(opened[1:]) if len(opened) > 1 else None
        found: list[TreeEntry] = []
        left: list[_Place] = [("", below, False)]
        while left:
            _entries(opened[0], left.pop(), found, left)
    found.sort(key=lambda entry: entry.path.split("/"))
    return found


def _directory_of(record: ImageRecord, index: int) -> tuple[str, ...]:
    """The layer's directory and those below it."""
    if not 0 <= index < len(record.layers):
        raise InvalidArgument(f"the image has {len(record.layers)} layers; there is no layer {index + 1}")
    return record.lower[len(record.layers) - 1 - index :]


def _entries(root: int, place: _Place, found: list[TreeEntry], left: list[_Place]) -> None:
    path, lower, covered = place
    try:
        fd = open_below(root, path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    before = path + "/" if path else ""
    try:
        own: set[str] = set()
        covered = covered or is_opaque(fd)
        with os.scandir(fd) as entries:
            for entry in entries:
                name, status = entry.name, entry.stat(follow_symlinks=False)
                own.add(name)
                seen = lower.find(name) if lower else None
                if is_whiteout(status):
                    if seen is not None:
                        found.append(_removed(seen, before + name))
                    continue
                target = os.readlink(name, dir_fd=fd) if stat.S_ISLNK(status.st_mode) else ""
                found.append(_entry(before + name, status, _mark(status, seen), target))
                if stat.S_ISDIR(status.st_mode):
                    inner = lower.enter(name) if lower and seen and seen.directory else None
                    left.append((before + name, inner, covered))
        if lower is not None and covered:
            found += [_removed(seen, before + name) for name, seen in lower.names() if name not in own]
    finally:
        os.close(fd)


def _mark(status: os.stat_result, seen: Seen | None) -> str:
    if seen is None:
        return "A"
    if not stat.S_ISDIR(status.st_mode):
        return "C"
    known = seen.stat() if seen.directory else None
    if known is None:
        return "C"
    return "" if _looks(known) == _looks(status) else "C"


def _looks(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mode, status.st_uid, status.st_gid


def _entry(path: str, status: os.stat_result, mark: str, target: str = "") -> TreeEntry:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "file")
    size = status.st_size if kind == "file" else 0
    mode = stat.S_IMODE(status.st_mode)
    return TreeEntry(path, kind, mark, size, mode, status.st_uid, status.st_gid, target, status.st_mtime_ns)


def _removed(seen: Seen, path: str) -> TreeEntry:
    """What a layer deletes, as it was below."""
    status = seen.stat()
    return _entry(path, status, "D") if status is not None else TreeEntry(path, "file", "D")


def read_file(paths: Paths, record: ImageRecord, path: str, limit: int, index: int | None) -> bytes:
    """The beginning of a regular file: of the whole image, or as one layer has it.

    Raises NotFound, InvalidArgument for what is no file or leads out of the image.
    """
    name = path.lstrip("/")
    with Roots() as roots:
        if index is None:
            try:
                root = merged.open_layers(paths, record.lower)
            except OSError as error:
                raise refuse(error, "put the layers of the image together") from error
        else:
            root = os.dup(roots.of(_directory_of(record, index)[:1])[0])
        try:
            return _read(root, name, limit)
        except FileNotFoundError:
            raise NotFound("file", path) from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EXDEV):
                raise InvalidArgument(f"{path} leads nowhere in the image: {os.strerror(error.errno)}") from None
            raise refuse(error, f"read {path} of the image") from error
        finally:
            os.close(root)


def _read(root: int, path: str, limit: int) -> bytes:
    place = native.open_in_root(root, path or ".", native.O_PATH)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):  # opening a device or a pipe would do something
            raise InvalidArgument(f"{path} is no regular file")
        with open(f"/proc/self/fd/{place}", "rb", buffering=0) as file:
            parts = []
            while limit > 0 and (part := file.read(min(limit, 1 << 20))):
                parts.append(part)
                limit -= len(part)
            return b"".join(parts)
    finally:
        os.close(place)
