"""cp and update as a person types them."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Result, argv, environment
from tests.native.monitored import needs_root
from tuidock.cli.copy import split
from tuidock.engine import Engine

pytestmark = needs_root
Call = Callable[..., Result]


@pytest.fixture
def web(engine: Engine, tuidock: Call) -> Iterator[str]:
    assert tuidock("create", "--name", "web", "-m", "64m", "busybox", "sleep", "1000").code == 0
    yield "web"
    engine.remove("web", force=True)


def test_what_is_a_container_and_what_a_path() -> None:
    for argument, parts in (
        ("web:/x", ("web", "/x")), ("web:x:y", ("web", "x:y")), ("/a:b", ("", "/a:b")), ("./a:b", ("", "./a:b")),
        ("a", ("", "a")), ("-", ("", "-")), ("web:", ("web", "")),
    ):  # fmt: skip
        assert split(argument) == parts


def test_cp_both_ways_in_docker_s_words(engine: Engine, tuidock: Call, web: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    assert tuidock("cp", f"{tmp_path}/file", "web:/tmp/there")[:3] == (0, "", "")
    assert tuidock("cp", "web:/tmp/there", f"{tmp_path}/back")[:3] == (0, "", "")
    assert (tmp_path / "back").read_text() == "content"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(tmp_path / "file", "packed")
    assert tuidock("cp", "-", "web:/tmp", stdin=archive.getvalue()).code == 0
    out = subprocess.run(argv(engine, "cp", "web:/tmp/packed", "-"), capture_output=True, env=environment())
    with tarfile.open(fileobj=io.BytesIO(out.stdout)) as tar:
        assert tar.getnames() == ["packed"]
    for arguments, message in (
        (("a", "b"), "must specify at least one container source"),
        (("web:/a", "web:/b"), "copying between containers is not supported"),
        (("", "web:/b"), "source can not be empty"),
        (("web:/none", "."), "Could not find the file /none in container web"),
    ):
        result = tuidock("cp", *arguments)
        assert (result.code, result.err) == (1, f"tuidock: {message}\n")


def test_cp_tells_a_person_what_it_did_and_keeps_archives_off_terminals(
    engine: Engine, web: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("content")

    def typed(*arguments: str) -> bytes:
        ours, theirs = pty.openpty()
        subprocess.run(argv(engine, *arguments), stdout=theirs, stderr=theirs, env=environment(), check=False)
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 4096):
                said += piece
        except OSError:
            pass  # EIO: the other end is closed
        os.close(ours)
        return said

    assert b"Successfully copied 2.05kB to web:/tmp" in typed("cp", f"{tmp_path}/file", "web:/tmp")
    assert typed("cp", "-q", f"{tmp_path}/file", "web:/tmp") == b""
    assert b"cowardly refusing" in typed("cp", "web:/tmp/file", "-")


def test_update_in_docker_s_words(engine: Engine, tuidock: Call, web: str) -> None:
    assert tuidock("update", "--cpus", "0.5", "--restart", "on-failure:4", "web")[:3] == (0, "web\n", "")
    host = engine.inspect_container("web")["HostConfig"]
    assert host["NanoCpus"] == 500_000_000 and host["RestartPolicy"]["MaximumRetryCount"] == 4
    result = tuidock("update", "-m", "500m", "web", "nobody")
    assert result.code == 1 and "smaller than already set memoryswap limit" in result.err
    assert "No such container: nobody" in result.err
    assert tuidock("update", "web").err == "tuidock: you must provide one or more flags when using this command\n"


def test_the_unit_of_boot_names_the_program_and_the_root(engine: Engine, tuidock: Call) -> None:
    text = tuidock("boot", "--unit").out
    (command,) = (line for line in text.splitlines() if line.startswith("ExecStart="))
    assert command.endswith(f"--root {engine.root} boot") and command.startswith("ExecStart=/")
    assert "KillMode=process" in text and "WantedBy=multi-user.target" in text
