"""Completion: what may follow is read off the tables, and the script of each shell asks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY, Result
from tuidock.cli.command import Context
from tuidock.cli.completion import FILES, candidates
from tuidock.engine import Engine

Call = Callable[..., Result]


def words(engine: Engine, *typed: str) -> list[str]:
    return [word for word, _ in candidates(Context(engine.root), typed[:-1], typed[-1])]


def test_verbs_groups_and_flags(engine: Engine) -> None:
    assert words(engine, "st") == ["start", "stats", "stop"]
    assert "system" in words(engine, "") and "_reap" not in words(engine, "")
    assert words(engine, "--r") == ["--root", "--read-only"]
    assert words(engine, "volume", "") == ["create", "export", "import", "inspect", "ls", "prune", "rm"]
    assert words(engine, "run", "--net") == ["--network", "--network-alias"]
    assert words(engine, "--root", engine.root, "rm", "--f") == ["--force"]
    assert words(engine, "nosuch", "") == []
    assert words(engine, "completion", "") == ["bash", "zsh", "fish"]


def test_values(engine: Engine) -> None:
    assert words(engine, "run", "--pull", "") == ["always", "missing", "never"]
    assert words(engine, "run", "--pull=n") == ["--pull=never"]
    assert words(engine, "run", "-it", "--network", "br") == ["bridge"]
    assert words(engine, "run", "--env-file", "") == [FILES]
    assert words(engine, "run", "--name", "") == []
    assert words(engine, "load", "-i", "") == words(engine, "save", "-o", "") == words(engine, "build", "") == [FILES]
    assert words(engine, "build", "--progress", "r") == ["rawjson"]
    assert words(engine, "build", "-o", "type=t") == ["type=tar,dest=", FILES]


def test_names_of_this_data_root(engine: Engine, tuidock: Call) -> None:
    tuidock("run", "-d", "--name", "awake", "busybox", "sleep", "60")
    tuidock("create", "--name", "asleep", "busybox")
    assert words(engine, "stop", "") == ["awake"]
    assert sorted(words(engine, "rm", "a")) == ["asleep", "awake"]
    assert sorted(words(engine, "container", "start", "a")) == ["asleep", "awake"]
    assert words(engine, "run", "--rm", "busy") == ["busybox:latest"]
    assert words(engine, "run", "busybox", "") == [FILES]
    assert words(engine, "exec", "awake", "") == [FILES]
    assert "awake" in words(engine, "inspect", "a")
    tuidock("rm", "-f", "awake", "asleep")


def test_a_data_root_that_cannot_be_opened_has_no_names(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert candidates(Context(str(tmp_path / "file")), ["rm"], "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_valid(shell: str, tuidock: Call) -> None:
    script = tuidock("completion", shell)
    assert script.code == 0 and f"tuidock _complete {shell}" in script.out.replace(
        '"${COMP_WORDS[0]}"', "tuidock"
    ).replace('"${words[1]}"', "tuidock")
    program = shutil.which(shell)
    if program is not None:
        assert subprocess.run([program, "-n"], input=script.out, text=True, check=False).returncode == 0
    assert tuidock("completion", "tcsh").code == 1


@pytest.fixture
def program(engine: Engine, tmp_path: Path) -> Path:
    """The program under its name, for this data root."""
    path = tmp_path / "tuidock"
    path.write_text(
        f'#!/bin/sh\ncd {REPOSITORY} && exec {shutil.which("python3")} -m tuidock --root {engine.root} "$@"\n'
    )
    path.chmod(0o755)
    return path


def test_fish_asks(tuidock: Call, program: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    script = (
        tuidock("completion", "fish").out + 'complete -C "tuidock st"; complete -C "tuidock run --pull=n busybox:l"'
    )
    environ = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(program.parent)}
    done = subprocess.run(["fish", "-c", script], capture_output=True, text=True, timeout=30, check=False, env=environ)
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == [
        *("start", "stats", "stop"),
        "busybox:latest",
    ]


def test_bash_asks_and_gets_what_stands_behind_a_colon(tuidock: Call, program: Path) -> None:
    line = f"{program} run --rm busybox:la"
    script = (
        tuidock("completion", "bash").out
        + f'COMP_WORDS=({program} run --rm busybox : la); COMP_CWORD=5; COMP_LINE="{line}"; COMP_POINT={len(line)}\n'
        + '_tuidock; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "latest\n", done
