"""Archives as one end of `cp`: `-` on the command line. What docker writes and reads: plain entries with numeric owners.

An archive that comes in is hostile: names that lead out are refused here, and links within it cannot lead out because of
how `copy_entries` opens names.
"""

from __future__ import annotations

import os
import stat
import tarfile

from tuidock.engine.containers.copy_entries import PIECE, Entry
from tuidock.engine.errors import BadContent
from tuidock.engine.store.compression import InflatedStream
from tuidock.engine.store.loading import reader_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, BinaryIO

BLOCK = 512
#: Linux: PATH_MAX with the NUL at its end.
_PATH_MOST = 4095
_ATTRIBUTE = "SCHILY.xattr.security.capability"
_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE, stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE, stat.S_IFBLK: tarfile.BLKTYPE, stat.S_IFIFO: tarfile.FIFOTYPE, 0: tarfile.LNKTYPE,
}  # fmt: skip
_KINDS = {type_: kind for kind, type_ in _TYPES.items()} | {tarfile.AREGTYPE: stat.S_IFREG}


def tar_size(entry: Entry) -> int:
    """Bytes that an entry takes in an archive: what docker counts as copied."""
    return BLOCK + (entry.size + BLOCK - 1) // BLOCK * BLOCK


class TarTarget:
    """A stream that entries are written to as a tar; of the content of a directory they begin with ./, as docker's do."""

    def __init__(self, stream: BinaryIO, *, content: bool) -> None:
        self._stream, self._content = stream, content

    def close(self) -> None:
        """The stream is the caller's."""

    def _name(self, path: str) -> str:
        return f"./{path}" if self._content and path != "." else path

    def finish(self) -> None:
        self._stream.write(bytes(2 * BLOCK))
        self._stream.flush()

    def add(self, entry: Entry) -> Iterator[int]:
        """Writes one entry; yields the bytes of its content piece by piece."""
        info = tarfile.TarInfo(self._name(entry.path))
        info.type = _TYPES[entry.kind]
        info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
        info.mtime, info.size = entry.mtime_ns // 1_000_000_000, entry.size
        info.linkname = entry.link if entry.kind else self._name(entry.link)
        info.devmajor, info.devminor = os.major(entry.device), os.minor(entry.device)
        if entry.capability:
            self._stream.write(_extended(entry.capability))
        self._stream.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
        left = entry.size
        while left:
            piece = os.read(entry.content, min(left, PIECE)) if isinstance(entry.content, int) else b""
            piece = piece or bytes(min(left, PIECE))  # it shrinks while it is read: zeros up to the size that was said
            self._stream.write(piece)
            left -= len(piece)
            yield len(piece)
        self._stream.write(bytes(-entry.size % BLOCK))


def _extended(capability: bytes) -> bytes:
    """A PAX header with the capabilities of the file that follows."""
    record = f" {_ATTRIBUTE}=".encode() + capability + b"\n"
    size = len(record)
    while len(str(size)) + len(record) != size:
        size = len(str(size)) + len(record)
    body = str(size).encode() + record
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, len(body)
    return info.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % BLOCK)


def tar_entries(stream: BinaryIO) -> Iterator[Entry]:
    """What is in an archive, plain or compressed by gzip, zstd, bzip2 or xz. Raises BadContent."""
    inflated: Any = InflatedStream(reader_of(stream))
    try:
        with tarfile.open(fileobj=inflated, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            for info in archive:
                setattr(archive, "members", [])  # noqa: B010  a stream is never gone back in, and typeshed does not know it
                kind = _KINDS.get(info.type, stat.S_IFREG if info.issparse() else -1)
                if kind < 0:
                    continue
                path = _inside(info.name)
                yield Entry(
                    path, kind, info.mode & 0o7777, info.uid, info.gid, int(info.mtime * 1_000_000_000), info.size,
                    _inside(info.linkname) if kind == 0 else _whole(info.linkname),
                    os.makedev(info.devmajor, info.devminor) if kind in (stat.S_IFCHR, stat.S_IFBLK) else 0,
                    info.pax_headers.get(_ATTRIBUTE, "").encode("utf-8", "surrogateescape"),
                    archive.extractfile(info) if kind == stat.S_IFREG else None,  # type: ignore[arg-type]
                    _pieces(info) if info.issparse() else None,
                )  # fmt: skip
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise BadContent(f"the archive on the standard input is damaged: {error}") from None


def _pieces(info: tarfile.TarInfo) -> tuple[tuple[int, int], ...]:
    """The map of a sparse file. Raises BadContent for one that is not in order, or longer than the file."""
    held: Iterable[tuple[int, int]] = info.sparse or ()  # type: ignore[assignment]  # typeshed says bytes
    pieces, end = tuple(piece for piece in held if piece[1]), 0
    for begin, count in pieces:
        if begin < end or count < 0 or begin + count > info.size:
            raise BadContent(f'the sparse map of the archive\'s entry "{info.name}" contradicts itself')
        end = begin + count
    return pieces


def _inside(name: str) -> str:
    """A clean relative name. Raises BadContent for one that leads out."""
    path = os.path.normpath(_whole(name).lstrip("/") or ".")
    if path == ".." or path.startswith("../"):
        raise BadContent(f'the archive has an entry outside of its root: "{name}"')
    return path


def _whole(name: str) -> str:
    """A name or target of a link, which PAX lets have any length and bytes. Raises BadContent for what no system has."""
    if "\0" in name or len(name) > _PATH_MOST:
        raise BadContent(f"the archive has a name of {len(name)} characters that no file can have: {name!r:.60}")
    return name
