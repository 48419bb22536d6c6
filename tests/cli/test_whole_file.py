"""What is written has its name when it is whole, and nothing else lies beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tuidock.cli import whole_file


@pytest.mark.parametrize("nameless", [True, False])
def test_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nameless: bool) -> None:
    if not nameless:  # as on a file system that knows no files without a name
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY | os.O_CREAT)
    path = tmp_path / "archive"
    path.write_text("old")
    with pytest.raises(KeyError), whole_file.whole_file(str(path)) as file:
        file.write(b"half")
        raise KeyError
    assert (os.listdir(tmp_path), path.read_text()) == (["archive"], "old")
    link = tmp_path / "link"
    link.symlink_to("archive")
    with whole_file.whole_file(str(link)) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["archive", "link"] and path.read_text() == "new" and link.is_symlink()
