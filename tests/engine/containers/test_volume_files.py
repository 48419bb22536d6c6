"""Looking into volumes: directories, files, copies; hostile links end at the root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tuidock.engine import Engine
from tuidock.engine.errors import EngineError, InvalidArgument, NotFound


def test_files_of_a_volume_are_listed_read_and_copied(engine: Engine, tmp_path: Path) -> None:
    data = Path(engine.create_volume("files", {}).mountpoint)
    (data / "deep").mkdir()
    (data / "deep" / "file").write_text("content")
    os.chown(data / "deep" / "file", 12, 34)
    (data / "out").symlink_to("/etc")
    (data / "up").symlink_to("../../../../etc/passwd")
    os.mkfifo(data / "pipe")
    listed = engine.volume_files("files")
    assert [(entry.path, entry.kind, entry.target) for entry in listed] == [
        ("deep", "dir", ""), ("out", "link", "/etc"), ("pipe", "fifo", ""), ("up", "link", "../../../../etc/passwd"),
    ]  # fmt: skip
    (entry,) = engine.volume_files("files", "/deep/")
    assert (entry.path, entry.size, entry.uid, entry.gid) == ("deep/file", 7, 12, 34)
    assert engine.read_volume_file("files", "deep/file", 4) == b"cont"
    for path in ("out", "out/passwd", "up", "none"):
        with pytest.raises(NotFound, match="in volume files"):
            engine.read_volume_file("files", path) if path != "out" else engine.volume_files("files", path)
    for path in ("pipe", "deep"):
        with pytest.raises(InvalidArgument, match="no regular file"):
            engine.read_volume_file("files", path)

    assert [step.action for step in engine.copy_out_of_volume("files", "/deep", str(tmp_path / "got"))][-1] == "copied"
    assert (tmp_path / "got" / "file").read_text() == "content"
    list(engine.copy_into_volume("files", str(tmp_path / "got"), "/deep"))
    assert (data / "deep" / "got" / "file").read_text() == "content"
    with pytest.raises(EngineError):
        list(engine.copy_into_volume("files", str(tmp_path / "got"), "/out/escaped"))
    assert not os.path.exists("/etc/escaped")
    with pytest.raises(NotFound):
        engine.volume_files("none")
    engine.remove_volume("files", now=True)
