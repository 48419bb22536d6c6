"""The app lends its terminal to a shell or an attached container, and what happens when it dies meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.test_terminal import LOOP, Terminal, modes, terminal  # noqa: F401
from tests.conftest import Run
from tuidock.engine import Engine


@pytest.fixture(autouse=True)
def _full(_own_home: None) -> None:
    """The person has chosen that the whole terminal is given away."""
    directory = Path(os.environ["XDG_CONFIG_HOME"]) / "tuidock"
    directory.mkdir(parents=True)
    (directory / "config.yaml").write_text("terminal: {exec: full}\n")


def lives(process: str | int) -> bool:
    """Whether it has not ended; what has may wait long for whoever reaps it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def eventually(condition: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "never came"
        time.sleep(0.05)


def commands(engine: Engine, made: str) -> list[str]:
    return [" ".join(row) for row in engine.top(made).rows]


@pytest.mark.parametrize("deaf", ["", "trap '' HUP"])
def test_a_shell_ends_with_the_app(
    terminal: Terminal,  # noqa: F811
    engine: Engine,
    run: Run,
    deaf: str,
) -> None:
    """kill -9 leaves no shell in the container, and the terminal to the shell outside."""
    made = run.start(LOOP, name="entered")
    terminal.start(120, 32)
    terminal.app()
    terminal.until(lambda text: "entered" in text and "● up" in text)
    app = terminal.process()
    terminal.press("e")
    terminal.until(lambda text: "leave with exit" in text and "#" in text)
    terminal.type(f"{deaf or ':'}; sleep 1234 & echo it is $((40+1))")
    terminal.press("Enter")
    terminal.until(lambda text: "it is 41" in text)
    assert any("sleep 1234" in line for line in commands(engine, made))
    children = Path(f"/proc/{app}/task/{app}/children").read_text().split()
    assert children
    os.kill(app, signal.SIGKILL)
    eventually(lambda: not any(lives(child) for child in children))
    eventually(lambda: not any(line.split()[-1] in ("sh", "bash", "ash") for line in commands(engine, made)))
    terminal.press("Enter")
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))
    terminal.type("echo it is $((40+2))")
    terminal.press("Enter")
    terminal.until(lambda text: "it is 42" in text)
    assert modes(terminal) == "001\n"
    assert engine.container(made).status == "running"


@pytest.mark.parametrize(
    ("key", "command"), [("e", LOOP), ("a", LOOP), ("a", ["sh", "-c", "trap '' HUP; echo line; sleep 1000"])]
)
def test_the_session_is_lost_meanwhile(
    terminal: Terminal,  # noqa: F811
    engine: Engine,
    run: Run,
    key: str,
    command: list[str],
) -> None:
    """An SSH session that drops while the terminal is lent leaves neither the app nor the other program behind."""
    made = run.start(command, name="survivor")
    terminal.start(120, 32)
    terminal.app()
    terminal.until(lambda text: "survivor" in text and "● up" in text)
    app = terminal.process()
    terminal.press(key)
    terminal.until(lambda text: "── survivor: " in text and ("#" in text or key == "a"))
    children = Path(f"/proc/{app}/task/{app}/children").read_text().split()
    terminal.tmux("kill-session", "-t", "t")
    eventually(lambda: not any(lives(process) for process in (*children, app)))
    assert engine.container(made).status == "running"


@pytest.mark.parametrize("attempt", range(3))
def test_the_session_is_lost_while_much_is_drawn(
    terminal: Terminal,  # noqa: F811
    run: Run,
    attempt: int,
) -> None:
    """What is on its way to a terminal that has gone holds nobody up."""
    run.start(["sh", "-c", "while :; do echo $((n=n+1)) much; done"], name="busy")
    terminal.start(160, 48)
    terminal.app()
    terminal.until(lambda text: "busy" in text and "much" in text)
    app = terminal.process()
    terminal.press("j", "k", "2", "1", "l")
    terminal.tmux("kill-server")
    eventually(lambda: not lives(app))


def test_attach_from_the_app(terminal: Terminal, engine: Engine, run: Run) -> None:  # noqa: F811
    """A container without a terminal: ctrl+p ctrl+q comes back; and when the app dies, nobody stays on the terminal."""
    made = run.start(["sh", "-c", f"trap '' INT QUIT TERM; {LOOP[2]}"], name="attached")
    terminal.start(120, 32)
    terminal.app()
    terminal.until(lambda text: "attached" in text and "● up" in text)
    app = terminal.process()
    terminal.press("a")
    terminal.until(lambda text: "detach with ctrl+p ctrl+q" in text and "line " in text)
    terminal.press("C-c", "C-d", "C-p", "C-q")
    terminal.until(lambda text: "1 Containers" in text and "detach with" not in text)
    terminal.press("a")
    terminal.until(lambda text: "detach with ctrl+p ctrl+q" in text and "line " in text)
    os.kill(app, signal.SIGKILL)
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))
    terminal.type("echo it is $((40+2))")
    terminal.press("Enter")
    terminal.until(lambda text: "it is 42" in text)
    assert engine.container(made).status == "running"


def test_a_program_that_is_not_there(terminal: Terminal, run: Run, tmp_path: Path) -> None:  # noqa: F811
    """The app takes its terminal back and says so."""
    run.start(LOOP, name="looper")
    terminal.start(120, 32)
    path = tmp_path / "broken.py"
    path.write_text(
        "import sys\nfrom tuidock.engine.runtime import shim\n"
        "shim.exec_argv = lambda *words: ['/nowhere/tuidock-shim']\n"
        f"from tuidock.app import run_app\nsys.exit(run_app({terminal.root!r}))\n"
    )
    terminal.type(f"PYTHONPATH={Path(__file__).parents[2]} {sys.executable} {path}")
    terminal.press("Enter")
    terminal.until(lambda text: "looper" in text and "● up" in text)
    terminal.press("e")
    terminal.until(lambda text: "No such file" in text and "1 Containers" in text)
    terminal.press("2", "1", "?")
    terminal.until(lambda text: "Keys and commands" in text)


def test_nothing_of_the_app_is_left_on_the_ordinary_screen(
    terminal: Terminal,  # noqa: F811
    run: Run,
) -> None:
    """tmux leaves rows of the other screen there when the size has changed meanwhile - unless they are empty."""
    run.start(LOOP, name="looper")
    terminal.start(120, 32)
    terminal.app()
    terminal.until(lambda text: "looper" in text and "● up" in text)
    for sizes in ([(80, 24), (160, 40)], [(100, 24), (120, 40)], [(160, 24), (80, 40)]):
        for width, height in sizes:
            terminal.tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))
            terminal.until(lambda text: "? help" in text.splitlines()[-1])
        terminal.press("e")
        text = terminal.until(lambda text: "leave with exit" in text and "/ #" in text)
        assert "looper  " not in text and "│" not in text and "1 Containers" not in text
        terminal.type("exit")
        terminal.press("Enter")
        terminal.until(lambda text: "1 Containers" in text)
