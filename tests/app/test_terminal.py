"""The real app on a real terminal (tmux) over the real engine: start, actions, shell, resize, quit, crash."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, missing
from tuidock.engine import Engine

PROGRAM = [sys.executable, "-m", "tuidock"]


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, socket: str, root: str) -> None:
        self.socket, self.root = socket, root

    def tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *words], capture_output=True, text=True)
        return done.stdout

    def start(self, width: int, height: int) -> None:
        shell = ["env", "-u", "COLUMNS", "-u", "LINES", "PS1=prompt$ ", "TERM=screen-256color", "sh"]
        self.tmux("new-session", "-d", "-s", "t", "-x", str(width), "-y", str(height), *shell)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-t", "t", "-l", text)

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "t", *keys)

    def text(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "t")

    def until(self, condition: Callable[[str], object], seconds: float = 20.0) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.text()
            if condition(text):
                return text
            time.sleep(0.05)
        raise AssertionError(f"never came; the screen:\n{self.text()}")

    def app(self, *options: str) -> None:
        self.type(" ".join([*PROGRAM, "--root", self.root, *options]))
        self.press("Enter")

    def process(self) -> int:
        shell = self.tmux("display-message", "-p", "-t", "t", "#{pane_pid}").strip()
        children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(children[0])


@pytest.fixture
def terminal(tmp_path: Path, engine: Engine) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        missing("tmux is not installed")
    made = Terminal(str(tmp_path / "tmux"), engine.root)
    yield made
    made.tmux("kill-server")


LOOP = ["sh", "-c", "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.2; done"]


def test_a_session(terminal: Terminal, engine: Engine, run: Run) -> None:
    """From the start to the end: rows, logs, stop, start, shell, resize; quitting leaves containers and terminal alone."""
    made = run.start(LOOP, name="looper")
    terminal.start(120, 32)
    terminal.app()
    terminal.until(lambda text: "looper" in text and "● up" in text and "line " in text)
    before = terminal.text()
    terminal.until(lambda text: text != before)

    terminal.press("s")
    terminal.until(lambda text: "Stop looper?" in text)
    terminal.press("y")
    terminal.until(lambda text: "○ stopped" in text, 30)
    assert engine.container(made).status == "exited"
    terminal.press("s")
    terminal.until(lambda text: "● up" in text)

    terminal.press("e")
    terminal.until(lambda text: "leave with exit" in text and "#" in text)
    terminal.type("echo shell in $(hostname)")
    terminal.press("Enter")
    terminal.until(lambda text: f"shell in {made[:12]}" in text)
    terminal.type("exit")
    terminal.press("Enter")
    terminal.until(lambda text: "1 Containers" in text)

    terminal.tmux("resize-window", "-t", "t", "-x", "80", "-y", "24")
    terminal.until(lambda text: "2 Images 1" in text.splitlines()[1])
    terminal.press("l")
    terminal.until(lambda text: "following" in text and "esc back" in text)
    terminal.press("Escape")
    terminal.until(lambda text: "? help" in text)
    terminal.press("q")
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))
    terminal.type("echo it is $((40+2))")
    terminal.press("Enter")
    terminal.until(lambda text: "it is 42" in text)
    assert engine.container(made).status == "running"
    assert (
        terminal.tmux("display-message", "-p", "-t", "t", "#{alternate_on}#{mouse_any_flag}#{cursor_flag}") == "001\n"
    )


def test_what_others_do_is_seen_at_once(terminal: Terminal, engine: Engine, run: Run) -> None:
    terminal.start(120, 32)
    terminal.app()
    terminal.until(lambda text: "No containers yet" in text)
    made = run.start(LOOP, name="by-another")
    terminal.until(lambda text: "by-another" in text and "● up" in text, 5)
    engine.pause(made)
    terminal.until(lambda text: "◐ paused" in text, 5)
    engine.unpause(made)
    engine.kill(made)
    terminal.until(lambda text: "○ stopped" in text, 5)
    engine.remove(made)
    terminal.until(lambda text: "No containers yet" in text, 5)


def test_killed_the_containers_go_on(terminal: Terminal, engine: Engine, run: Run) -> None:
    made = run.start(LOOP, name="survivor")
    terminal.start(100, 30)
    terminal.app()
    terminal.until(lambda text: "survivor" in text)
    os.kill(terminal.process(), signal.SIGKILL)
    terminal.until(lambda text: "Killed" in text or "prompt$" in text)
    assert engine.container(made).status == "running"
    assert not [problem for problem in engine.check(fast=True) if not problem.repaired]


def test_terminated_the_terminal_is_restored(terminal: Terminal, run: Run) -> None:
    run.start(LOOP, name="still")
    terminal.start(100, 30)
    terminal.app()
    terminal.until(lambda text: "still" in text)
    os.kill(terminal.process(), signal.SIGTERM)
    terminal.until(lambda text: "prompt$" in text)
    assert (
        terminal.tmux("display-message", "-p", "-t", "t", "#{alternate_on}#{mouse_any_flag}#{cursor_flag}") == "001\n"
    )


def test_read_only(terminal: Terminal, run: Run) -> None:
    run.start(LOOP, name="looked-at")
    terminal.start(100, 30)
    terminal.app("--read-only")
    text = terminal.until(lambda text: "looked-at" in text and "read-only" in text)
    assert "remove" not in text.splitlines()[-1]
    terminal.press("d", "D", "s", "C-k", "q")
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))


def test_without_a_terminal_there_is_one_sentence(engine: Engine) -> None:
    done = subprocess.run([*PROGRAM, "--root", engine.root], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1 and "needs a terminal" in done.stderr and done.stdout == ""
