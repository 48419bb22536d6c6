"""undo, trash and volumes as a person types them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tuidock.engine import Engine

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_what_was_removed_comes_back(tuidock: Call) -> None:
    tuidock("trash", "empty", "-f")
    refused = tuidock("undo")
    assert refused.code == 1 and "there is nothing to undo: the trash is empty" in refused.err
    tuidock("create", "--name", "one", "-v", "data:/d", "busybox", "true")
    tuidock("create", "--name", "two", "busybox", "true")
    assert tuidock("rm", "one", "two").out == "one\ntwo\n"
    assert tuidock("volume", "rm", "data").out == "data\n"
    listed = tuidock("trash", "ls").out.splitlines()
    assert listed[0].split() == ["ID", "KIND", "NAME", "REMOVED", "SIZE"]
    assert listed[1].split()[1:3] == ["volume", "data"]
    assert tuidock("undo", "--list", "-q").out.split() == [line.split()[0] for line in listed[1:]]
    assert "Trash" in tuidock("system", "df").out
    tuidock("create", "--name", "one", "busybox", "true")
    back = tuidock("undo", "one")
    assert back.out == "container one-1\n"
    assert "container one-1: the name one is taken, so it is one-1 now\n" in back.err
    assert "container one-1: its volume data came back with it\n" in back.err
    assert tuidock("undo").out == "container two\n"
    assert tuidock("rm", "--now", "one", "one-1").code == 0
    assert tuidock("trash", "ls", "-q").out == ""
    tuidock("rm", "two")
    pruned = tuidock("system", "prune", "-f")
    assert pruned.code == 0 and tuidock("trash", "ls", "-q").out == "" and "Trash" not in tuidock("system", "df").out
    assert tuidock("volume", "rm", "--now", "data").code == 0


def test_a_volume_goes_out_and_in(tuidock: Call, tmp_path: Path, engine: Engine) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("f")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"12345"))
    made = tuidock("volume", "import", "--label", "a=b", "brought", stdin=out.getvalue())
    assert (made.code, made.out) == (0, "brought\n")
    (shown,) = json.loads(tuidock("volume", "inspect", "--size", "brought").out)
    assert shown["UsageData"] == {"RefCount": 0, "Size": 5} and shown["Labels"] == {"a": "b"}
    assert tuidock("volume", "ls", "--size").out.splitlines()[1].split() == ["local", "brought", "5B"]
    place = tmp_path / "tar"
    assert tuidock("volume", "export", "-o", str(place), "brought").out == ""
    with tarfile.open(place) as tar:
        assert {member.name.strip("./") for member in tar} == {"", "f"}
    assert tuidock("volume", "export", "brought").out.startswith("./")
    again = tuidock("volume", "import", "brought", str(place))
    assert again.code == 1 and "volume brought is not empty" in again.err
    assert tuidock("volume", "import", "--replace", "brought", str(place)).code == 0
    assert tuidock("undo").out == "volume brought-1\n"
    place.write_bytes(b"no tar at all" * 100)
    broken = tuidock("volume", "import", "broken", str(place))
    assert broken.code == 1 and f"cannot import {place}" in broken.err
    missing = tuidock("volume", "export", "-o", str(tmp_path / "none"), "none")
    assert missing.code == 1 and "No such volume: none" in missing.err and not (tmp_path / "none").exists()
    assert [volume.name for volume in engine.volumes()] == ["brought", "brought-1"]
    assert tuidock("volume", "rm", "--now", "brought", "brought-1").code == 0


def test_volumes_with_options(tuidock: Call) -> None:
    assert tuidock("volume", "create", "-o", "type=tmpfs", "-o", "size=2m", "memory").code == 0
    assert " 2048 " in tuidock("run", "--rm", "-v", "memory:/m", "busybox", "df", "-k", "/m").out
    wrong = tuidock("volume", "create", "-o", "kind=x", "wrong")
    assert wrong.code and 'invalid option: "kind"' in wrong.err
    tuidock("volume", "create", "-o", "type=nfs", "-o", "o=addr=127.0.0.1", "-o", "device=:/x", "shared")
    refused = tuidock("run", "--rm", "-v", "shared:/m:nocopy", "busybox", "true")
    assert refused.code == 125 and ("no file system nfs" in refused.err or "cannot mount volume shared" in refused.err)
    assert tuidock("volume", "rm", "--now", "memory", "shared").code == 0
