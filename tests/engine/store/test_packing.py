"""gzip in members: the same blob whatever cuts the stream and however many threads make it, and gzip to everybody."""

from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
from pathlib import Path

import pytest

from tuidock.engine.store.compression import inflate
from tuidock.engine.store.content import Ingest
from tuidock.engine.store.packing import MEMBER, Packer

SIZES = (0, 1, MEMBER - 1, MEMBER, MEMBER + 1, 5 * MEMBER + 77)


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size // 2) + bytes(size - size // 2)


def packed(path: Path, raw: bytes, cut: int) -> bytes:
    path.unlink(missing_ok=True)
    ingest = Ingest(str(path))
    grown: list[int] = []
    packer = Packer(ingest, lambda: grown.append(ingest.size))
    try:
        for start in range(0, len(raw), cut):
            packer.write(raw[start : start + cut])
        packer.finish()
    finally:
        packer.close()
    ingest.finish()
    assert grown == sorted(grown) and grown[-1] == path.stat().st_size
    assert len(grown) == max(1, -(-len(raw) // MEMBER))
    return path.read_bytes()


@pytest.mark.parametrize("size", SIZES)
def test_the_same_bytes_give_the_same_gzip(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, path = content(size), tmp_path / "blob"
    blob = packed(path, raw, MEMBER)
    assert gzip.decompress(blob) == raw
    assert b"".join(inflate(io.BytesIO(blob).read)) == raw
    assert subprocess.run(["gzip", "-dc"], input=blob, capture_output=True, check=True).stdout == raw
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(5))
    for cut in (100_003, 3 * MEMBER + 1):
        assert packed(path, raw, cut) == blob


def test_a_full_disk_is_told_and_leaves_no_thread(tmp_path: Path) -> None:
    class Full(Ingest):
        def write(self, chunk: bytes | memoryview) -> None:
            raise OSError(28, "No space left on device")

    packer = Packer(Full(str(tmp_path / "blob")))
    try:
        with pytest.raises(OSError, match="No space"):
            for _ in range(100):
                packer.write(bytes(MEMBER))
    finally:
        packer.close()
