"""A directory of log segments to write to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.logs.log_samples import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write (append) bytes to a segment; returns the directory."""

    def append(number: int, content: bytes) -> Path:
        with open(tmp_path / f"{number:010}.log", "ab") as file:
            file.write(content)
        return tmp_path

    return append
