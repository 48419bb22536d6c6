"""The real app on a real terminal (tmux) over the real engine: start, actions, shell, resize, quit, crash."""

from __future__ import annotations

import os
import re
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
    terminal.until(lambda text: "ctrl+] keys" in text and "#" in text)
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


RESTORED = "001\n"


def modes(terminal: Terminal) -> str:
    """Other screen, mouse and cursor, as the terminal has them now."""
    return terminal.tmux("display-message", "-p", "-t", "t", "#{alternate_on}#{mouse_any_flag}#{cursor_flag}")


def keep_colours(terminal: Terminal, name: str) -> None:
    """A first session, after which the next one has a first frame."""
    terminal.app()
    terminal.until(lambda text: name in text)
    kept = Path(os.environ["XDG_CACHE_HOME"]) / "tuidock" / "first-frame.json"
    terminal.until(lambda text: kept.exists())
    terminal.press("q")
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))
    terminal.tmux("send-keys", "-t", "t", "clear", "Enter")
    terminal.until(lambda text: text.strip() == "prompt$")


def script(terminal: Terminal, tmp_path: Path, text: str) -> None:
    """Runs the app with something in it that goes wrong."""
    path = tmp_path / "broken.py"
    path.write_text(f"import os, sys, time\nimport tuidock.app.app as app\nfrom tuidock.app import run_app\n{text}\n"
                    f"sys.exit(run_app({terminal.root!r}))\n")  # fmt: skip
    terminal.type(f"PYTHONPATH={Path(__file__).parents[2]} {sys.executable} {path}")
    terminal.press("Enter")


@pytest.mark.parametrize("size", [(120, 32), (80, 24)])
def test_keys_that_come_before_the_app_are_kept(terminal: Terminal, run: Run, size: tuple[int, int]) -> None:
    """The rows are on the screen before the program can read keys; what is typed at them counts."""
    run.start(LOOP, name="older")
    run.start(LOOP, name="newer")
    terminal.start(*size)
    keep_colours(terminal, "older")
    terminal.app()
    terminal.until(lambda text: "older" in text and "newer" in text)
    terminal.press("j", "i")
    terminal.until(lambda text: "Inspect" in text and "/older" in text)
    terminal.press("q")
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))
    assert modes(terminal) == RESTORED


def test_ended_by_a_signal_at_the_first_frame(terminal: Terminal, run: Run, tmp_path: Path) -> None:
    run.start(LOOP, name="still")
    terminal.start(100, 30)
    keep_colours(terminal, "still")
    script(terminal, tmp_path, "app.TuidockApp.__init__ = lambda self, *a, **k: time.sleep(60)")
    terminal.until(lambda text: "1 Containers" in text and "still" in text)
    assert modes(terminal)[0] == "1"
    os.kill(terminal.process(), signal.SIGTERM)
    terminal.until(lambda text: text.rstrip().endswith("prompt$") and "1 Containers" not in text)
    assert modes(terminal) == RESTORED
    terminal.type("echo it is $((40+2))")
    terminal.press("Enter")
    terminal.until(lambda text: "it is 42" in text)


@pytest.mark.parametrize("where", ["__init__", "on_load", "on_mount", "get_css_variables"])
def test_a_crash_gives_the_terminal_back(terminal: Terminal, run: Run, tmp_path: Path, where: str) -> None:
    """Before Textual, in its start, and in the middle: an ordinary screen with what went wrong on it."""
    run.start(LOOP, name="still")
    terminal.start(100, 30)
    keep_colours(terminal, "still")
    script(terminal, tmp_path, f"def boom(*a, **k): raise RuntimeError('the sky fell')\napp.TuidockApp.{where} = boom")
    terminal.until(lambda text: "the sky fell" in text and text.rstrip().endswith("prompt$"))
    assert modes(terminal) == RESTORED
    terminal.type("echo it is $((40+2))")
    terminal.press("Enter")
    terminal.until(lambda text: "it is 42" in text)


@pytest.mark.parametrize("shell", [":", "trap '' HUP"])
def test_the_session_is_lost(terminal: Terminal, engine: Engine, run: Run, shell: str) -> None:
    """An SSH session that drops: the app does not stay behind, the container does; also below a shell that ignores it."""
    made = run.start(LOOP, name="survivor")
    terminal.start(100, 30)
    terminal.type(shell)
    terminal.press("Enter")
    terminal.app()
    terminal.until(lambda text: "survivor" in text and "line" in text)
    process = terminal.process()
    terminal.tmux("kill-session", "-t", "t")
    end = time.monotonic() + 10
    while Path(f"/proc/{process}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{process}").exists()
    assert engine.container(made).status == "running"


def test_logs_are_followed_and_scrolled(terminal: Terminal, run: Run) -> None:
    """Over the whole screen at 80x24: new lines come by themselves, scrolling stops that, s takes it up again."""
    run.start(LOOP, name="looper")
    terminal.start(80, 24)
    terminal.app()
    terminal.until(lambda text: "looper" in text)
    terminal.press("l")
    terminal.until(lambda text: "line 30" in text)
    terminal.press("g")
    first = terminal.until(lambda text: "line 1\n" in text or "line 1 " in text)
    time.sleep(0.6)
    assert re.findall(r"line \d+", terminal.text()) == re.findall(r"line \d+", first)
    terminal.press("s")
    terminal.until(lambda text: "line 1 " not in text and "following" in text)
    terminal.press("/")
    terminal.type("line 2$")
    terminal.press("Enter")
    terminal.until(lambda text: "1 hit" in text or "hit 1" in text or "1 of 1" in text)


def test_a_storm_of_sizes_on_a_terminal(terminal: Terminal, run: Run) -> None:
    run.start(LOOP, name="looper")
    terminal.start(120, 32)
    terminal.app()
    terminal.until(lambda text: "looper" in text)
    for width, height in ((80, 24), (10, 3), (200, 60), (99, 20), (100, 20), (20, 8)) * 4:
        terminal.tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))
    terminal.tmux("resize-window", "-t", "t", "-x", "120", "-y", "32")
    terminal.until(lambda text: "1 Containers 1" in text and "looper" in text and "? help" in text)


def test_the_data_root_goes_away_meanwhile(terminal: Terminal, engine: Engine, run: Run) -> None:
    """Another process resets it: the rows go, and a new container is seen."""
    run.start(["sleep", "1000"], name="doomed")
    terminal.start(120, 32)
    terminal.app()
    terminal.until(lambda text: "doomed" in text)
    engine.reset()
    terminal.until(lambda text: "doomed" not in text and "was removed" in text)
    again = Engine(engine.root)
    again.create_volume("by-another")
    terminal.until(lambda text: "3 Volumes 1" in text and "by-another" in text)
    terminal.press("j", "2", "1", "i", "?")
    terminal.until(lambda text: "Keys and commands" in text)
    terminal.press("Escape")
    terminal.until(lambda text: "Keys and commands" not in text)
    terminal.press("q")
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))
    assert modes(terminal) == RESTORED
