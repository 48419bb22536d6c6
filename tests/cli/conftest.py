"""The program as a person runs it: a process of its own over the tests' engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tuidock.engine import Engine

REPOSITORY = Path(__file__).resolve().parents[2]


class Result(NamedTuple):
    code: int
    out: str
    err: str


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def argv(engine: Engine, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tuidock", "--root", engine.root, *arguments]


@pytest.fixture
def tuidock(engine: Engine) -> Callable[..., Result]:
    """Runs one command line to its end."""

    def call(*arguments: str, stdin: bytes | None = None) -> Result:
        done = subprocess.run(
            argv(engine, *arguments),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=environment(),
            timeout=60,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call
