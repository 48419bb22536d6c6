"""A watch says when there is news, also of directories that are not there yet or no more."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuidock.app.logs.watch import DirectoryWatch


def news(watch: DirectoryWatch) -> bool:
    """Whether the kernel has news by now: events are there when the call that caused them returns."""
    return bool(select.select([watch.fd], [], [], 0)[0]) and watch.drain()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[DirectoryWatch]:
    one = DirectoryWatch([str(tmp_path / "a/b/logs")])
    yield one
    one.close()


def test_a_directory_that_appears_is_watched(watch: DirectoryWatch, tmp_path: Path) -> None:
    assert not news(watch)
    (tmp_path / "a").mkdir()
    assert news(watch)
    (tmp_path / "a/b/logs").mkdir(parents=True)
    assert news(watch)
    (tmp_path / "a/b/logs/1.log").write_bytes(b"x")
    assert news(watch)
    (tmp_path / "other").mkdir()
    (tmp_path / "a/b/other").mkdir()
    assert not news(watch)


def test_a_whole_path_at_once_and_a_directory_moved_there(watch: DirectoryWatch, tmp_path: Path) -> None:
    (tmp_path / "made/b/logs").mkdir(parents=True)
    assert news(watch)
    os.rename(tmp_path / "made", tmp_path / "a")
    assert news(watch)
    (tmp_path / "a/b/logs/1.log").write_bytes(b"x")
    assert news(watch)


def test_a_directory_that_is_made_again_is_watched_again(watch: DirectoryWatch, tmp_path: Path) -> None:
    for _ in range(3):
        (tmp_path / "a/b/logs").mkdir(parents=True)
        assert news(watch)
        (tmp_path / "a/b/logs/1.log").write_bytes(b"x")
        assert news(watch)
        (tmp_path / "a/b/logs/1.log").unlink()
        for one in ("a/b/logs", "a/b", "a"):
            (tmp_path / one).rmdir()
        assert news(watch)


def test_a_missing_directory_below_one_that_is_watched(tmp_path: Path) -> None:
    watch = DirectoryWatch([str(tmp_path), str(tmp_path / "x/logs")])
    try:
        (tmp_path / "1.log").write_bytes(b"x")
        assert news(watch)
        (tmp_path / "x/logs").mkdir(parents=True)
        assert news(watch)
        (tmp_path / "x/logs/1.log").write_bytes(b"x")
        assert news(watch)
        with open(tmp_path / "1.log", "ab") as file:
            file.write(b"y")
        assert news(watch)
    finally:
        watch.close()
