"""The app as plain lines, over the real engine on a real terminal: no byte moves a cursor, and everything can be done."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, missing

PROGRAM = [sys.executable, "-m", "tuidock"]


class Lines:
    """The program on a pty, with what it has written so far."""

    def __init__(self, root: str, *options: str) -> None:
        self.near, far = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        command = [*PROGRAM, "--root", root, *options, "--plain"]
        self.process = subprocess.Popen(
            command, stdin=far, stdout=far, stderr=far, env=environment, start_new_session=True
        )
        os.close(far)
        self.text = ""

    def until(self, pattern: str, seconds: float = 30.0) -> str:
        """What came up to the pattern, which is taken away."""
        end = time.monotonic() + seconds
        while (match := re.search(pattern, self.text)) is None:
            if not select.select([self.near], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"never came: {pattern}; there is:\n{self.text}")
            try:
                data = os.read(self.near, 65536)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"it ended before {pattern}:\n{self.text}")
            text = data.decode()
            assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f─-╿█▌●○✖◐↻…→]", text), repr(text)
            self.text += text
        found, self.text = self.text[: match.end()], self.text[match.end() :]
        return found

    def type(self, line: str) -> None:
        os.write(self.near, line.encode() + b"\n")

    def close(self) -> int:
        try:
            return self.process.wait(20)
        finally:
            os.close(self.near)


@pytest.fixture
def lines(run: Run) -> Iterator[Any]:
    opened: list[Lines] = []

    def start(*options: str) -> Lines:
        opened.append(Lines(run.engine.instance.paths.root, *options))
        return opened[-1]

    yield start
    for each in opened:
        if each.process.poll() is None:
            each.process.kill()
            each.close()


def number(text: str, label: str) -> str:
    match = re.search(rf"^(\d+)\. {label}\b", text.replace("\r", ""), re.MULTILINE)
    assert match is not None, text
    return match[1]


def test_look_stop_start_read_run_and_remove(run: Run, lines: Any) -> None:
    script = "printf 'one\\033[2J\\033[31mred\\n'; exec sleep 1000"
    identity = run.start(["sh", "-c", script], name="web")
    plain = lines()
    text = plain.until("Number of a list, or q to quit: ")
    plain.type(number(text, "Containers"))
    text = plain.until("q quits: ")
    assert re.search(r"1\. web, up \d+s, image ", text)
    plain.type("1")
    text = plain.until("b goes back: ")
    assert "Name: web" in text and "State: up" in text and "Start" not in text
    plain.type(number(text, "Last lines of the log"))
    assert re.search(r"one.*red", plain.until("b goes back: "))
    plain.type(number(text, "Run a command in it"))
    plain.until("empty for a shell: ")
    plain.type("echo in-$((40+2))")
    text = plain.until("b goes back: ")
    assert "It ended with exit code" in text
    plain.type(number(text, "Run a command in it"))
    plain.until("empty for a shell: ")
    plain.type("echo 'open")
    text = plain.until("b goes back: ")
    assert "The command cannot be read: the quote is not closed." in text and ": done" not in text
    plain.type(number(text, "Stop"))
    plain.until("Type yes: ")
    plain.type("no")
    text = plain.until("b goes back: ")
    assert "Nothing was done." in text and run.engine.container(identity).status == "running"
    plain.type(number(text, "Kill"))
    plain.until("Type yes: ")
    plain.type("yes")
    text = plain.until("b goes back: ")
    assert "Kill: done, web" in text and number(text, "Start")
    plain.type(number(text, "Remove"))
    plain.until("Type yes: ")
    plain.type("yes")
    assert "Containers, 0" in plain.until("q quits: ")
    plain.type("nonsense")
    assert "nonsense is none of the choices." in plain.until("q quits: ")
    plain.type("q")
    assert plain.close() == 0


def test_read_only_offers_nothing_that_changes(run: Run, lines: Any) -> None:
    run.start(["sleep", "1000"], name="web")
    plain = lines("--read-only")
    plain.until("or q to quit: ")
    plain.type("1")
    plain.until("q quits: ")
    plain.type("1")
    text = plain.until("b goes back: ")
    assert re.findall(r"^\d+\. (.*)$", text.replace("\r", ""), re.MULTILINE) == [
        "Last lines of the log",
        "Follow the log",
    ]
    os.write(plain.near, b"\x04")
    assert plain.close() == 0


def test_a_damaged_data_root_is_one_sentence(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("root")
    (tmp_path / "state.db").write_bytes(b"garbage" * 2000)
    told = subprocess.run([*PROGRAM, "--root", tmp_path, "--plain"], input="", capture_output=True, text=True)
    assert told.returncode == 1
    assert told.stderr.startswith("tuidock: cannot open ") and told.stderr.count("\n") == 1
