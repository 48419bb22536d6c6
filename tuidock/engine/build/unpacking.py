"""ADD of a local archive: told by its content, unpacked into the destination by the same program that unpacks layers."""

from __future__ import annotations

import os
import stat

from tuidock.engine.build.hashing import Description, read_digest, xattrs
from tuidock.engine.extents import copy_data
from tuidock.engine.store.compression import SNIFF, inflate, kind_of
from tuidock.engine.store.layers import Unpacking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuidock.engine.build.copying import Copier
    from tuidock.engine.build.trees import Tree

_HEADER = 512


class _Place:
    """What Unpacking fills: here a directory of the stage, not a layer of its own."""

    def __init__(self, path: str, root: int) -> None:
        self.path, self.root, self.size, self.diff_id = path, root, 0, ""


def open_archive(tree: Tree, path: str) -> int:
    """A descriptor of a file that is a tar, compressed or not; -1 when it is something else."""
    status = tree.status(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return -1
    fd = tree.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if is_archive(fd):
        return fd
    os.close(fd)
    return -1


def settled(tree: Tree, path: str, archive: int, directory: str) -> tuple[int, str]:
    """A copy of an archive that nobody else can change, and the digest of that source as it is now."""
    copy = os.open(directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    try:
        status = os.fstat(archive)
        copy_data(archive, copy)
        description = Description(tree.own_ids)
        description.add("", status, xattrs(f"/proc/self/fd/{archive}", follow=True), read_digest(copy))
        return copy, description.hexdigest()
    except BaseException:
        os.close(copy)
        raise


def is_archive(fd: int) -> bool:
    """Whether what an open file holds is a tar, compressed or not."""
    first = os.pread(fd, SNIFF, 0)
    if kind_of(first):
        offset = 0

        def read(size: int) -> bytes:
            nonlocal offset
            chunk = os.pread(fd, min(size, 1 << 16), offset)
            offset += len(chunk)
            return chunk

        header = b""
        try:
            for chunk in inflate(read):
                header += chunk[:_HEADER]
                if len(header) >= _HEADER:
                    break
        except Exception:  # whatever it is, it is no archive
            return False
    else:
        header = os.pread(fd, _HEADER, 0)
    return is_tar_header(header[:_HEADER])


def is_tar_header(header: bytes) -> bool:
    """Whether the checksum of a tar's first header is right; an archive of nothing is one too."""
    if len(header) < _HEADER:
        return False
    if not any(header):
        return True
    digits = header[148:156].split(b"\0")[0].strip()
    try:
        stated = int(digits, 8)
    except ValueError:
        return False
    blank = header[:148] + b" " * 8 + header[156:]
    signed = sum(byte - 256 if byte > 127 else byte for byte in blank)
    return stated in (sum(blank), signed)


def unpack(copier: Copier, archive: int, destination: str, beside: str) -> Iterator[None]:
    """The archive into the destination, which is a directory. beside: a path on the disk whose room counts."""
    root = copier.directory(destination.rstrip("/"))
    try:
        copier.keep(root)
        os.lseek(archive, 0, os.SEEK_SET)
        place = _Place(beside, root)
        work = Unpacking(archive, place, flags=0)  # type: ignore[arg-type]
        for _ in work.progress("archive", os.fstat(archive).st_size):
            yield
        copier.done += place.size
    finally:
        os.close(root)
