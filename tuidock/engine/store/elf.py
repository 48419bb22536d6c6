"""What an ELF file says that it needs: its loader and its libraries. Read from the headers, never by running anything:
`ldd` executes the file that it is asked about.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from tuidock.engine.named import Named

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 1, 5, 15, 29
_LIMIT = 1 << 20

_At = Callable[[int, int], bytes]


class Elf(Named):
    """kind is class, byte order and machine: libraries of another kind do not fit. interpreter "" = static."""

    kind: tuple[int, int, int]
    interpreter: str
    needed: tuple[str, ...]
    run_path: tuple[str, ...]


class _Segment(Named):
    type: int
    offset: int
    address: int
    size: int


def read(path: str) -> Elf | None:
    """The file's needs; None when it is no ELF file or a damaged one. Raises OSError."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF" or len(head) < 52:
            return None

        def at(offset: int, size: int) -> bytes:
            file.seek(offset)
            return file.read(min(size, _LIMIT))

        try:
            order = "<" if head[5] == 1 else ">"
            wide = head[4] == 2
            segments = _segments(head, order, wide, at)
            interpreter = ""
            needed: list[str] = []
            run_path: list[str] = []
            for segment in segments:
                if segment.type == _PT_INTERP:
                    interpreter = at(segment.offset, segment.size).rstrip(b"\0").decode()
                elif segment.type == _PT_DYNAMIC:
                    needed, run_path = _dynamic(segment, segments, order, wide, at)
            machine: int = struct.unpack_from(order + "H", head, 18)[0]
            return Elf((head[4], head[5], machine), interpreter, tuple(needed), tuple(run_path))
        except (struct.error, UnicodeDecodeError, IndexError, StopIteration, ValueError):
            return None


def _segments(head: bytes, order: str, wide: bool, at: _At) -> list[_Segment]:
    offset = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    table = at(offset, size * count)
    found = []
    for start in range(0, size * count, size):
        if wide:
            kind, _, position, address, _, length = struct.unpack_from(order + "IIQQQQ", table, start)
        else:
            kind, position, address, _, length = struct.unpack_from(order + "IIIII", table, start)
        found.append(_Segment(kind, position, address, length))
    return found


def _dynamic(
    dynamic: _Segment, segments: list[_Segment], order: str, wide: bool, at: _At
) -> tuple[list[str], list[str]]:
    table = at(dynamic.offset, dynamic.size)
    form = order + ("qQ" if wide else "iI")
    entries = []
    for tag, value in struct.iter_unpack(form, table[: len(table) - len(table) % struct.calcsize(form)]):
        if tag == 0:
            break
        entries.append((tag, value))
    address = next(value for tag, value in entries if tag == _DT_STRTAB)
    strings = next(
        segment.offset + address - segment.address
        for segment in segments
        if segment.type == _PT_LOAD and segment.address <= address < segment.address + segment.size
    )

    def text(offset: int) -> str:
        return at(strings + offset, 4096).split(b"\0", 1)[0].decode()

    needed = [text(value) for tag, value in entries if tag == _DT_NEEDED]
    paths = [part for tag, value in entries if tag in (_DT_RUNPATH, _DT_RPATH) for part in text(value).split(":")]
    return needed, [part for part in paths if part]


def library_cache(path: str = "/etc/ld.so.cache") -> dict[str, list[str]]:
    """Library name -> paths, as ldconfig wrote it; empty when there is no cache in a known format."""
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError:
        return {}
    start = raw.find(b"glibc-ld.so.cache1.1")
    found: dict[str, list[str]] = {}
    if start < 0:
        return found
    try:
        (count,) = struct.unpack_from("=I", raw, start + 20)
        for number in range(count):
            _, key, value = struct.unpack_from("=III", raw, start + 48 + 24 * number)
            name, target = (raw[start + at : raw.index(b"\0", start + at)].decode() for at in (key, value))
            found.setdefault(name, []).append(target)
    except (struct.error, ValueError):
        return {}
    return found
