"""Nothing of what a container wrote reaches the terminal as a control: looked at on a real pty."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from pathlib import Path

#: What Textual itself sends: CSI of its own kinds, and nothing of OSC, DCS or single control bytes.
ALLOWED = re.compile(rb"\x1b\[[?>=<]?[0-9;:]*\$?[A-Za-z@`]|\x1b[=>78M]|\r\n|\r")
OPENING = re.compile(
    rb"\x1b\]22;[a-z-]+\x07|\x1b\][0-9]+;\?(?:\x07|\x1b\\)|\x1bP\+q[0-9a-f]*\x1b\\|\x1b_G[^\x1b]*\x1b\\"
)


def run_on_a_pty(directory: Path) -> bytes:
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", PYTHONPATH=os.pathsep.join(sys.path))
            script = str(Path(__file__).with_name("hostile_app.py"))
            os.execv(sys.executable, [sys.executable, script, str(directory)])
        finally:
            os._exit(127)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
    sent, end = b"", time.monotonic() + 30
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                piece = os.read(terminal, 65_536)
            except OSError:
                break
            if not piece:
                break
            sent += piece
    os.waitpid(child, 0)
    os.close(terminal)
    return sent


def test_no_foreign_control_reaches_the_terminal(tmp_path: Path) -> None:
    sent = run_on_a_pty(tmp_path)
    assert b"EVIL" in sent and "␛".encode() in sent
    for attack in (b"\x1b]52", b"\x1b]0", b"OWNED\x07", b"\x1bP1$r", "\u202e".encode(), "\u2066".encode()):
        assert attack not in sent
    rest = ALLOWED.sub(b"", OPENING.sub(b"", sent))
    left = re.findall(rb"[\x00-\x1f\x7f]", rest)
    assert not left, left
    text = rest.decode("utf-8")
    assert not re.search("[\x80-\x9f\u202a-\u202e\u2066-\u2069]", text)
