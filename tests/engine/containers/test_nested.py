"""A data root on an overlay, as inside another container: overlay refuses to write there, so containers get a copy."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import leaks, request
from tuidock.engine import Engine


@pytest.fixture
def nested(tmp_path: Path, archive: bytes) -> Iterator[Engine]:
    lower, upper, work, merged = (tmp_path / name for name in ("lower", "upper", "work", "merged"))
    for directory in (lower, upper, work, merged):
        directory.mkdir()
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)], check=True)
    try:
        engine = Engine(str(merged / "root"))
        list(engine.load(io.BytesIO(archive)))
        yield engine
        engine.reset()
    finally:
        subprocess.run(["umount", str(merged)], check=True)


def test_a_data_root_on_an_overlay_works_by_copies_and_says_so(nested: Engine) -> None:
    container = nested.create(request(["sh", "-c", "echo run >> /count; wc -l < /count; ls -ld /tmp"]))
    nested.start(container)
    assert nested.wait(container) == 0
    (notice,) = nested.notices()
    assert "overlay" in notice and "--root" in notice
    nested.start(container)
    assert nested.wait(container) == 0
    assert nested.notices() == []
    text = [line.text.decode() for batch in nested.logs(container) for line in batch]
    assert [text[0], text[2]] == ["1", "2"] and text[1].startswith("drwxrwxrwt")
    nested.remove(container)
    assert leaks(nested) == []
    assert list(nested.check(fast=True)) == []
