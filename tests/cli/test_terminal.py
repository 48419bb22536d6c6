"""The program on a real terminal: raw mode, size, detach keys, and that nothing hostile reaches the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cli.conftest import argv, environment
from tuidock.cli.logs import for_terminal
from tuidock.engine import Engine


class Terminal:
    """A pseudo terminal with the program on its other side."""

    def __init__(self, arguments: list[str], rows: int = 30, columns: int = 100) -> None:
        self.fd, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for target in (0, 1, 2):
                os.dup2(self.slave, target)
            os.execve(arguments[0], arguments, environment())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: bytes) -> None:
        os.write(self.fd, text)

    def expect(self, text: bytes, seconds: float = 15) -> None:
        """Reads until the text appears; what was read is kept and consumed."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} did not appear in {self.seen!r}"
            if select.select([self.fd], [], [], left)[0]:
                self.seen += os.read(self.fd, 65536)
        self.seen = self.seen[self.seen.index(text) + len(text) :]

    def end(self) -> int:
        """Waits for the program, reading on; its exit code."""
        code = None
        while code is None:
            if select.select([self.fd], [], [], 0.05)[0]:
                self.seen += os.read(self.fd, 65536)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
        while select.select([self.fd], [], [], 0)[0]:
            self.seen += os.read(self.fd, 65536)
        self.pid = 0
        return code

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
        os.close(self.slave)


@pytest.fixture
def terminal(engine: Engine) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_(*arguments: str) -> Terminal:
        opened.append(Terminal(argv(engine, *arguments)))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()
    engine.remove_many([container.id for container in engine.containers()], force=True, volumes=True)


def test_a_shell_has_a_terminal_that_follows_ours(terminal: Callable[..., Terminal]) -> None:
    shell = terminal("run", "-it", "--rm", "busybox", "sh")
    shell.expect(b"# ")
    shell.type(b"stty size; echo $TERM\r")
    shell.expect(b"30 100")
    shell.expect(b"xterm")
    shell.resize(50, 132)
    shell.type(b"while ! stty size | grep 132; do :; done\r")
    shell.expect(b"\n50 132")
    shell.type(b"sh -c 'echo rea''dy; exec sleep 100'\r")
    shell.expect(b"\nready")
    shell.type(b"\x03")
    shell.expect(b"# ")
    shell.type(b"exit 9\r")
    assert shell.end() == 9
    assert termios.tcgetattr(shell.slave) == shell.before


def test_detach_leaves_it_running_and_attach_comes_back(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    shell = terminal("run", "-it", "--name", "shell", "busybox", "sh")
    shell.expect(b"# ")
    shell.type(b"\x10\x11")
    assert shell.end() == 0
    assert termios.tcgetattr(shell.slave) == shell.before
    assert engine.container("shell").status == "running"
    again = terminal("attach", "--detach-keys", "ctrl-a,d", "shell")
    again.type(b"echo again\r")
    again.expect(b"\nagain")
    again.type(b"\x01d")
    assert again.end() == 0
    inside = terminal("exec", "-it", "shell", "sh")
    inside.expect(b"# ")
    inside.type(b"\x10\x11")
    assert inside.end() == 1
    last = terminal("attach", "shell")
    last.resize(33, 77)
    last.type(b"while ! stty size | grep 77; do :; done\r")
    last.expect(b"\n33 77")
    engine.top("shell", told=True)
    engine.rename("shell", "other")
    last.type(b"exit 4\r")
    assert last.end() == 4
    told = [event for batch in engine.events(since=1, follow=False) for event in batch]
    life = [event for event in told if event.id == engine.container("other").id]
    assert [event.action.partition(":")[0] for event in life] == [
        *("create", "attach", "start", "detach", "attach", "detach", "exec_create", "exec_start", "exec_detach"),
        *("attach", "resize", "top", "rename", "die"),
    ]
    assert (life[10].attributes["height"], life[10].attributes["width"]) == ("33", "77")
    assert life[-1].name == "other"


def test_a_killed_client_leaves_the_terminal_as_it_was(terminal: Callable[..., Terminal]) -> None:
    shell = terminal("run", "-it", "--sig-proxy=false", "busybox", "sh")
    shell.expect(b"# ")
    os.kill(shell.pid, signal.SIGTERM)
    assert shell.end() in (143, -signal.SIGTERM)
    assert termios.tcgetattr(shell.slave) == shell.before


def test_a_terminal_is_asked_for_where_there_is_none(tuidock: Callable[..., object]) -> None:
    assert "the input device is not a TTY" in str(tuidock("run", "-it", "busybox", "sh"))


def test_exec_on_a_terminal(engine: Engine, terminal: Callable[..., Terminal], tuidock: Callable[..., object]) -> None:
    tuidock("run", "-d", "--name", "box", "busybox", "sleep", "60")
    shell = terminal("exec", "-it", "box", "sh")
    shell.expect(b"# ")
    shell.type(b"stty size; exit 6\r")
    shell.expect(b"30 100")
    assert shell.end() == 6
    assert termios.tcgetattr(shell.slave) == shell.before


def test_hostile_logs_do_nothing_to_the_screen(
    terminal: Callable[..., Terminal], tuidock: Callable[..., object]
) -> None:
    script = r"printf '\033]0;title\007\033[2J\033[31mred\033[0m\ttab\n\033P+q\033\\\n'"
    tuidock("run", "--name", "bad", "busybox", "sh", "-c", script)
    shown = terminal("logs", "bad")
    assert shown.end() == 0
    assert b"\x07" not in shown.seen and b"\x1b]" not in shown.seen and b"\x1b[2J" not in shown.seen
    assert b"\x1b[31mred\x1b[0m\ttab" in shown.seen and b"\x1bP" not in shown.seen


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain", "plain"),
        (b"\x1b[1;32mok\x1b[0m", "\x1b[1;32mok\x1b[0m\x1b[0m"),
        (b"\x1b[38:5:1mx", "\x1b[38:5:1mx\x1b[0m"),
        (b"\x1b[5", "\u241b[5"),
        (b"\x1b[Hm", "\u241b[Hm"),
        (b"a\x1b[31\x1b[32mb", "a\u241b[31\x1b[32mb\x1b[0m"),
        (b"bell\x07 \x9b2J \xff", "bell\u2407 \ufffd2J \ufffd"),
        ("\u202ehidden".encode(), "\\u202ehidden"),
        (b"progress\rdone\r", "progress\u240ddone"),
    ],
)
def test_lines_for_a_terminal(raw: bytes, shown: str) -> None:
    assert for_terminal(raw).decode() == shown


DEAF = ["sh", "-c", "trap '' INT QUIT TERM; while :; do echo tick; sleep 0.1; done"]


def test_the_keys_detach_from_a_container_without_a_terminal(
    engine: Engine, terminal: Callable[..., Terminal], tuidock: Callable[..., object]
) -> None:
    """The terminal stays in its mode, where ctrl-p would wait for the end of a line and ctrl-q would be XON."""
    tuidock("run", "-d", "--name", "deaf", "busybox", *DEAF)
    client = terminal("attach", "deaf")
    client.expect(b"tick")
    client.type(b"\x03\x04half a line")
    client.expect(b"tick")
    client.type(b"\x10\x11")
    assert client.end() == 0
    assert termios.tcgetattr(client.slave) == client.before
    assert engine.container("deaf").status == "running"
    other = terminal("attach", "--detach-keys", "ctrl-c,x", "deaf")
    other.expect(b"tick")
    other.type(b"\x03x")
    assert other.end() == 0
    assert termios.tcgetattr(other.slave) == other.before


def test_the_keys_detach_from_a_run_that_reads_no_terminal(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    """Only once an interrupt did not help; before, what is typed ahead is for the next program."""
    client = terminal("run", "--name", "deaf-run", "busybox", *DEAF)
    client.expect(b"tick")
    client.type(b"\x03")
    client.expect(b"tick")
    client.type(b"\x03")
    client.expect(b"ctrl+p ctrl+q leaves the container, which goes on")
    client.type(b"\x10\x11")
    assert client.end() == 0
    assert termios.tcgetattr(client.slave) == client.before
    assert engine.container("deaf-run").status == "running"


def test_what_is_typed_ahead_stays_for_the_next_program(terminal: Callable[..., Terminal]) -> None:
    client = terminal("run", "--rm", "busybox", "sh", "-c", "echo up; sleep 0.5")
    client.expect(b"up")
    client.type(b"ls -l\n")
    assert client.end() == 0
    assert os.read(client.slave, 100) == b"ls -l\n"


def test_the_keys_detach_from_a_run_with_lines(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    """With -i and no -t: lines go in, ctrl-d ends the input, and the keys are found before and after that."""
    client = terminal("run", "-i", "--name", "lines", "busybox", "sh", "-c", "cat; echo at its end; sleep 60")
    client.type(b"one line\n")
    client.expect(b"one line\r\none line")
    client.type(b"\x04")
    client.expect(b"at its end")
    client.type(b"\x10\x11")
    assert client.end() == 0
    assert termios.tcgetattr(client.slave) == client.before
    assert engine.container("lines").status == "running"
