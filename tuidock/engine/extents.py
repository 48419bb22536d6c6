"""Contents of files with their holes: what is empty is neither read nor written, filled it could be more than the disk."""

from __future__ import annotations

import errno
import os

from tuidock.engine.files import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes that the kernel is asked to copy at once, and that are read where it cannot.
_CHUNK, _PIECE = 1 << 24, 1 << 20
_CANNOT_COPY = (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EPERM)


def extents(fd: int) -> Iterator[tuple[int, int]]:
    """Where a file has data, from the start on; between them are holes."""
    position = 0
    while True:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
            position = os.lseek(fd, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        yield start, position


def copy_data(reader: int, writer: int) -> int:
    """All of a file, its holes as holes; answers the bytes between them."""
    total = 0
    for start, end in extents(reader):
        os.lseek(reader, start, os.SEEK_SET)
        os.lseek(writer, start, os.SEEK_SET)
        while start < end and (count := copy_piece(reader, writer, min(end - start, _CHUNK))):
            start += count
            total += count
    os.ftruncate(writer, os.fstat(reader).st_size)
    os.lseek(writer, 0, os.SEEK_END)
    return total


def copy_piece(reader: int, writer: int, most: int) -> int:
    """Some bytes from where both stand, by the kernel where it can; 0 at the end of a file that has become shorter."""
    try:
        return os.copy_file_range(reader, writer, most)
    except OSError as error:
        if error.errno not in _CANNOT_COPY:
            raise
    piece = os.read(reader, min(most, _PIECE))
    write_all(writer, piece)
    return len(piece)
