"""A data root on an overlay, as inside another container: overlay refuses to write there, so containers get a copy."""

from __future__ import annotations

import io
import subprocess
import tarfile
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


def test_a_copy_is_committed_compared_and_exported_as_a_whole(nested: Engine) -> None:
    script = "echo new >/new; rm /etc/group; echo more >>/etc/passwd; [ -e /count ] && cat /count; echo run >>/count"
    container = nested.create(request(["sh", "-c", script], Binds=["data:/srv/vol"]))
    nested.start(container)
    nested.wait(container)
    told = [f"{change.kind} {change.path}" for change in nested.diff(container)]
    assert told == ["A /count", "C /etc", "D /etc/group", "C /etc/passwd", "A /new"]
    for step in nested.commit(container, "whole:1", message="why"):
        image = step.subject
    assert len(nested.inspect_image(image)["RootFS"]["Layers"]) == 1
    history = nested.history(image)
    assert [step["Comment"] for step in history] == ["why", ""] and history[1]["Size"] == 0
    paths = {entry.path for entry in nested.layer_tree("whole:1", 0)}
    assert "bin/busybox" in paths and not paths & {"etc/group", "etc/hosts", "srv/vol", "srv"}
    assert nested.diff_images("whole:1", container) == []
    out = io.BytesIO()
    nested.export(container, out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        assert tar.extractfile("new") is not None and "etc/group" not in tar.getnames()
    again = nested.create(request(["cat", "/new", "/count"], config={"Image": "whole:1"}))
    nested.start(again)
    assert nested.wait(again) == 0
    nested.remove_many([container, again], volumes=True)
