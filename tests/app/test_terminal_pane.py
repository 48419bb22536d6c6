"""Terminals in the app on a real terminal (tmux, screen, a console of 16 colours), over the real engine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.app.test_lending import commands, eventually, lives
from tests.app.test_terminal import LOOP, PROGRAM, RESTORED, Terminal, modes, terminal  # noqa: F401
from tests.conftest import Run, missing
from tuidock.engine import Engine


def enter(terminal: Terminal, name: str, width: int = 100, height: int = 30) -> None:  # noqa: F811
    """The app, and a shell in the container of that name."""
    terminal.start(width, height)
    terminal.app()
    terminal.until(lambda text: name in text and "● up" in text)
    terminal.press("e")
    terminal.until(lambda text: "ctrl+] keys" in text and "#" in text)


def test_full_screen_programs(terminal: Terminal, run: Run) -> None:  # noqa: F811
    """vi, top and less draw, scroll, follow the size and give the screen back as it was."""
    run.start(LOOP, name="tools")
    enter(terminal, "tools")
    terminal.type("seq 300 > /tmp/numbers; echo before; vi /tmp/numbers")
    terminal.press("Enter")
    terminal.until(lambda text: text.startswith("1\n2\n3\n") and "before" not in text)
    terminal.press("G")
    terminal.until(lambda text: "\n300\n" in text and "\n290\n" in text)
    terminal.type("ohello there")
    terminal.press("Escape")
    terminal.until(lambda text: "\nhello there\n" in text and "\n- /tmp/numbers [Modified]" in text)
    terminal.tmux("resize-window", "-t", "t", "-x", "80", "-y", "20")
    terminal.until(lambda text: "hello there" in text and "ctrl+] keys" in text.splitlines()[-1])
    terminal.type(":wq")
    terminal.press("Enter")
    terminal.until(lambda text: "#" in text)
    terminal.type("less /tmp/numbers")
    terminal.press("Enter")
    terminal.until(lambda text: text.startswith("1\n2\n3\n"))
    terminal.press("Space")
    terminal.until(lambda text: "\n30\n" in text and not text.startswith("1\n"))
    terminal.press("q")
    terminal.type("top")
    terminal.press("Enter")
    terminal.until(lambda text: "PID" in text and "COMMAND" in text)
    terminal.press("q")
    terminal.until(lambda text: "COMMAND" not in text.splitlines()[-2])
    terminal.type("exit")
    terminal.press("Enter")
    terminal.until(lambda text: "? help" in text or ": command" in text)


def test_a_killed_app_leaves_neither_shell_nor_odd_terminal(
    terminal: Terminal,  # noqa: F811
    engine: Engine,
    run: Run,
) -> None:
    """kill -9 while a flood is drawn: the guard restores the terminal, the flood ends, the container goes on."""
    made = run.start(LOOP, name="flooded")
    enter(terminal, "flooded")
    terminal.type("yes flood")
    terminal.press("Enter")
    terminal.until(lambda text: text.count("flood\n") > 10)
    app = terminal.process()
    children = Path(f"/proc/{app}/task/{app}/children").read_text().split()
    os.kill(app, signal.SIGKILL)
    terminal.until(lambda text: "tuidock was killed; containers go on." in text)
    terminal.press("Enter")  # a shell that was faster than the guard has its prompt on the screen that has gone
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))
    assert modes(terminal) == RESTORED
    terminal.type("stty -a; echo it is $((40+2))")
    terminal.press("Enter")
    text = terminal.until(lambda text: "it is 42" in text)
    assert {"icanon", "echo", "isig", "icrnl"} <= set(text.split())
    eventually(lambda: not any(lives(child) for child in children))
    eventually(lambda: not any("yes" in line for line in commands(engine, made)))
    assert engine.container(made).status == "running"


def test_attached_and_detached(terminal: Terminal, engine: Engine, run: Run) -> None:  # noqa: F811
    """Input goes in, output comes out, the shim is killed meanwhile, and the detach keys leave it alone."""
    made = run.start(
        ["sh", "-c", "while read line; do echo got $line; done"], name="reader", config={"OpenStdin": True}
    )
    terminal.start(100, 30)
    terminal.app()
    terminal.until(lambda text: "reader" in text and "● up" in text)
    terminal.press("a")
    terminal.until(lambda text: "ctrl+] keys" in text)
    terminal.type("one")
    terminal.press("BSpace")
    terminal.type("ce")
    terminal.press("Enter")
    terminal.until(lambda text: "\ngot once\n" in text)
    terminal.press("C-p", "C-q")
    terminal.until(lambda text: "1 Containers" in text and "got once" in text)
    assert engine.container(made).status == "running"


@pytest.mark.parametrize("environment", ["COLORTERM= TERM=linux", "NO_COLOR=1 TERM=xterm-256color"])
def test_few_colours_and_none(terminal: Terminal, run: Run, environment: str) -> None:  # noqa: F811
    """The Linux console has 16; NO_COLOR none. Programs in a pane are shown with those, and everything can be read."""
    run.start(LOOP, name="plain")
    terminal.start(80, 24)
    terminal.type(f"{environment} {' '.join(PROGRAM)} --root {terminal.root}")
    terminal.press("Enter")
    terminal.until(lambda text: "plain" in text and "● up" in text)
    terminal.press("e")
    terminal.until(lambda text: "ctrl+] keys" in text and "#" in text)
    terminal.type(r"printf '\033[38;5;196mred \033[48;2;1;2;3mdeep\033[0m\n'")
    terminal.press("Enter")
    terminal.until(lambda text: "\nred deep\n" in text)
    painted = terminal.tmux("capture-pane", "-e", "-p", "-t", "t")
    colours = re.findall(r"\x1b\[([0-9;]*)m", painted)
    assert not any(re.search(r"(^|;)[34]8;", each) for each in colours)
    if "NO_COLOR" in environment:
        assert not any(re.search(r"(^|;)(3[0-7]|4[0-7]|9[0-7]|10[0-7])(;|$)", each) for each in colours)
    terminal.type("exit")
    terminal.press("Enter")
    terminal.until(lambda text: "1 Containers" in text)
    terminal.press("q")
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))
    assert modes(terminal) == RESTORED


def test_in_screen(terminal: Terminal, run: Run, tmp_path: Path) -> None:  # noqa: F811
    if shutil.which("screen") is None:
        missing("screen is not installed")
    run.start(LOOP, name="inner")
    terminal.start(100, 30)
    sockets = tmp_path / "screens"
    sockets.mkdir(mode=0o700)
    terminal.type(f"SCREENDIR={sockets} screen -c /dev/null -U env PS1='inner$ ' sh")
    terminal.press("Enter")
    terminal.until(lambda text: "inner$" in text)
    terminal.app()
    terminal.until(lambda text: "inner" in text and "● up" in text)
    terminal.press("e")
    terminal.until(lambda text: "ctrl+] keys" in text and "#" in text)
    terminal.type("echo it is $((40+2)); exit")
    terminal.press("Enter")
    terminal.until(lambda text: "1 Containers" in text)
    terminal.press("q")
    terminal.until(lambda text: text.rstrip().endswith("inner$"))
    terminal.type("exit")
    terminal.press("Enter")
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))


def test_suspended_and_brought_back(terminal: Terminal, run: Run) -> None:  # noqa: F811
    run.start(LOOP, name="looper")
    terminal.start(100, 30)
    terminal.app()
    terminal.until(lambda text: "looper" in text and "● up" in text)
    terminal.press("C-z")
    terminal.until(lambda text: "prompt$" in text and "1 Containers" not in text)
    assert modes(terminal) == RESTORED
    terminal.type("echo it is $((40+2))")
    terminal.press("Enter")
    terminal.until(lambda text: "it is 42" in text)
    terminal.type("fg")
    terminal.press("Enter")
    terminal.until(lambda text: "looper" in text and "● up" in text)
    terminal.press("j", "k", "?")
    terminal.until(lambda text: "Keys and commands" in text)


def test_no_byte_of_a_hostile_program_reaches_the_terminal(engine: Engine, run: Run) -> None:
    """Raw bytes, as the terminal would get them: its title, its clipboard, its answers and its screen are not theirs."""
    import pty
    import select
    import time

    evil = r"\033]0;OWN%sED\007\033]52;c;T1d%sORUQ=\007\033P+q544e\033\\\033[8;1;1t\033]8;;http://OWN%sED\007\033[?1003h\302\23331m"
    run.start(LOOP, name="hostile")
    child, master = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color")
        os.execv(PROGRAM[0], [*PROGRAM, "--root", engine.root])
    seen = bytearray()

    def until(*needles: bytes) -> None:
        end = time.monotonic() + 30
        start = len(seen)
        while not all(needle in seen[start:] for needle in needles):
            assert time.monotonic() < end, bytes(seen[-2000:])
            if select.select([master], [], [], 0.1)[0]:
                seen.extend(os.read(master, 65536))

    until(b"hostile", b"up ")
    os.write(master, b"e")
    until(b"ctrl+]", b"#")
    begin = len(seen)
    os.write(master, f"printf '{evil}' '' '' ''; echo the $((1+1))nd end\r".encode())
    until(b"the 2nd end")
    got = bytes(seen[begin:])
    assert b"OWNED" not in got and b"T1dORUQ" not in got and b"\x1b]" not in got and b"\x1bP" not in got
    assert b"\x1b[8;1;1t" not in got and b"\x1b[?1003h" not in got and b"\xc2\x9b" not in got
    os.kill(child, signal.SIGTERM)
    until(b"?1049l")
    os.waitpid(child, 0)
    os.close(master)


def test_debug_in_the_app_and_on_the_command_line(
    terminal: Terminal,  # noqa: F811
    engine: Engine,
    run: Run,
) -> None:
    run.start(LOOP, name="helped")
    image = engine.container("helped").image
    done = subprocess.run(
        [*PROGRAM, "--root", engine.root, "debug", "--image", image, "helped", "sh", "-c", "ls -d /container/bin; echo $$"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.splitlines()[0] == "/container/bin", done.stderr
    terminal.start(100, 30)
    terminal.app()
    terminal.until(lambda text: "helped" in text and "● up" in text)
    terminal.type(f":debug helped {image}")
    terminal.press("Enter")
    terminal.until(lambda text: "debug helped" in text and "helped:debug" in text)
    terminal.type("pwd; exit")
    terminal.press("Enter")
    terminal.until(lambda text: "1 Containers" in text)
