"""A foreground `run` whose shim is killed: the output goes on, nothing of it is lost and nothing comes twice."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import argv, environment
from tests.native.monitored import eventually, needs_root
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError
from tuidock.engine.runtime.status import read_pid

pytestmark = needs_root
LINES = 6000


def script(directory: str) -> str:
    """Numbered lines on both streams, the first ones without end; at certain ones it waits for the test."""
    return f"""
    printf 'no newline yet '; i=0
    while [ $i -lt {LINES} ]; do
        echo "out $i of a line that is long enough to fill segments of a log"; echo "err $i" >&2; i=$((i+1))
        case $i in 50|3000|{LINES - 1}) touch {directory}/$i; while [ -e {directory}/$i ]; do sleep 0.01; done;; esac
    done
    printf 'the end, without a newline'; exit 7
    """


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for path in tmp_path.iterdir():
        path.unlink()


def kill_shim(engine: Engine) -> None:
    container_id = engine.container("talker").id
    record = read_pid(engine.instance.paths, container_id)
    assert record is not None
    os.kill(record.shim[0], signal.SIGKILL)


@pytest.mark.parametrize("options", [(), ("--log-opt", "max-size=20k", "--log-opt", "max-file=50"), ("--rm",), ("-t",)])
def test_nothing_is_lost_or_doubled(engine: Engine, hold: Path, options: tuple[str, ...]) -> None:
    words = argv(
        engine, "run", "--name", "talker", "-v", f"{hold}:/hold", *options, "busybox", "sh", "-c", script("/hold")
    )
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=-1, stderr=-1, env=environment())
    got: dict[str, bytes] = {}
    assert process.stdout is not None and process.stderr is not None
    readers = [
        threading.Thread(target=lambda name=name, pipe=pipe: got.update({name: pipe.read()}))
        for name, pipe in (("out", process.stdout), ("err", process.stderr))
    ]
    for reader in readers:
        reader.start()
    for number in (50, 3000, LINES - 1):
        eventually((hold / str(number)).exists, f"line {number}")
        kill_shim(engine)
        (hold / str(number)).unlink()
    for reader in readers:
        reader.join(60)
    assert process.wait(30) == 7
    end = b"\r\n" if "-t" in options else b"\n"
    lines = [f"out {i} of a line that is long enough to fill segments of a log".encode() for i in range(LINES)]
    if "-t" in options:
        assert got["out"].startswith(b"no newline yet out 0 of") and got["out"].endswith(b"the end, without a newline")
        assert got["out"].count(b"err ") == LINES and sum(line + end in got["out"] for line in lines) == LINES
    else:
        assert got["out"] == b"no newline yet " + b"".join(line + end for line in lines) + b"the end, without a newline"
        assert got["err"] == b"".join(f"err {i}\n".encode() for i in range(LINES))
    if "--rm" in options:
        with pytest.raises(EngineError):
            engine.container("talker")
    else:
        engine.remove("talker", force=True)
