"""kill -9 of rm, undo, volume rm and volume import at every call that changes something: what was to go is there or in the
trash, and comes back whole."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, missing, request
from tests.failure.machine import clear, cli, kills, known, settled
from tuidock.engine import Engine

#: Every rename and every commit, and some of the writes between them.
STEPS = {"rename": 1, "fdatasync": 1, "pwrite64": 5}


@pytest.fixture(autouse=True)
def strace() -> None:
    if shutil.which("strace") is None:
        missing("strace is not installed")


def killed_runs(engine: Engine, *words: str) -> Iterator[bool]:
    for call, step in STEPS.items():
        yield from kills(engine.root, (call,), *words, step=step)


def in_trash(engine: Engine, name: str) -> bool:
    return any(entry.name == name for entry in engine.trash())


def whole(engine: Engine, name: str) -> bool:
    """The container with its file, its exit code and its log."""
    row = engine.container(name)
    log = "".join(line.text.decode() for batch in engine.logs(name) for line in batch)
    kept = Path(engine.instance.paths.container(row.id), "upper", "kept").read_text()
    return (row.exit_code, log, kept) == (7, "said", "1\n")


def test_a_removal_that_is_killed_at_any_step_can_be_undone(engine: Engine, run: Run) -> None:
    engine.wait(run.start(["sh", "-c", "echo said; echo 1 > /kept; exit 7"], name="victim"))
    count = 0
    for killed in killed_runs(engine, "rm", "victim"):
        count += killed
        settled(engine)
        assert known(engine, "victim") != in_trash(engine, "victim")
        if not known(engine, "victim"):
            engine.undo(["victim"])
        assert whole(engine, "victim") and engine.trash() == []
        settled(engine)
    assert count > 2, "the injection does not work: the command was not killed"
    engine.remove("victim", now=True)


def test_an_undo_that_is_killed_at_any_step_leaves_it_here_or_in_the_trash(engine: Engine, run: Run) -> None:
    engine.wait(run.start(["sh", "-c", "echo said; echo 1 > /kept; exit 7"], name="victim", Binds=["with:/with"]))
    Path(engine.volume("with").mountpoint, "f").write_text("content")

    def remove() -> None:
        engine.remove("victim")
        engine.remove_volume("with")

    remove()
    count = 0
    for killed in killed_runs(engine, "undo", "victim"):
        count += killed
        settled(engine)
        assert known(engine, "victim") != in_trash(engine, "victim")
        if in_trash(engine, "victim"):
            assert killed, "undo said that it is back"
            engine.undo(["victim"])
        assert whole(engine, "victim")
        assert Path(engine.volume("with").mountpoint, "f").read_text() == "content" and engine.trash() == []
        remove()
    assert count > 2, "the injection does not work: the command was not killed"
    engine.empty_trash()
    settled(engine)


def test_a_killed_removal_of_a_volume_loses_no_byte(engine: Engine) -> None:
    Path(engine.create_volume("victim", {"a": "b"}).mountpoint, "f").write_text("content")
    count = 0
    for killed in killed_runs(engine, "volume", "rm", "victim"):
        count += killed
        settled(engine)
        if not any(volume.name == "victim" for volume in engine.volumes()):
            engine.undo(["victim"])
        assert engine.trash() == []
        assert Path(engine.volume("victim").mountpoint, "f").read_text() == "content"
        assert engine.volume("victim").labels == {"a": "b"}
    assert count > 2, "the injection does not work: the command was not killed"
    engine.remove_volume("victim", now=True)
    settled(engine)


def test_a_killed_import_leaves_all_or_nothing(engine: Engine, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("f")
        entry.size = 7
        tar.addfile(entry, io.BytesIO(b"content"))
    archive = tmp_path / "tar"
    archive.write_bytes(out.getvalue())
    count = 0
    for killed in killed_runs(engine, "volume", "import", "victim", str(archive)):
        count += killed
        settled(engine)
        there = [volume.name for volume in engine.volumes()]
        if there:
            assert Path(engine.volume("victim").mountpoint, "f").read_text() == "content"
            engine.remove_volume("victim", now=True)
        assert os.listdir(engine.instance.paths.volumes) == []
        assert there or killed
    assert count > 2, "the injection does not work: the command was not killed"


def test_emptying_the_trash_that_is_killed_can_be_repeated(engine: Engine) -> None:
    count = 0

    def fill() -> None:
        engine.remove(engine.create(request(["true"], name="victim")))
        engine.remove_volume(engine.create_volume("data").name)

    fill()
    for killed in kills(engine.root, ("rename", "unlinkat"), "trash", "empty", "-f", step=3):
        count += killed
        settled(engine)
        if not killed:
            assert engine.trash() == []
        assert cli(engine.root, "trash", "empty", "-f").returncode == 0
        assert engine.trash() == [] and os.listdir(engine.instance.paths.removed) == []
        fill()
    assert count > 2, "the injection does not work: the command was not killed"
    engine.empty_trash()
    clear(engine)
