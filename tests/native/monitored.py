"""Containers under a real shim, and attach clients, for the tests of the monitor.

The shim is compiled from the sources with the flags of the package, so that a test never runs an old one. Waiting is for
a condition with a deadline, never for a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.native.record import Box
from tests.programs import compiled, musl

SOURCES = Path(__file__).parents[2] / "tuidock/native/src/shim"
HELLO, STDIN, STDIN_EOF, RESIZE, SIGNAL, OUT, EXIT, LOST, STATE, POSITION = 0, 1, 2, 3, 4, 16, 17, 18, 19, 20
WANT_STDIN, WANT_STDOUT, WANT_STDERR, OWNER = 1, 2, 4, 8

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="containers of these tests need root"
)


def shim() -> Path:
    """tuidock-shim of these sources; TUIDOCK_TEST_SHIM names another one (a sanitized build, say)."""
    if given := os.environ.get("TUIDOCK_TEST_SHIM"):
        return Path(given)
    flags = ("-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing", "-static")
    return compiled("tuidock-shim", (*musl(), *flags), tuple(sorted(SOURCES.glob("*.c"))))


def eventually(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.002)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Client:
    """One end of an attach stream."""

    def __init__(self, connection: socket.socket, flags: int | None = None) -> None:
        self.socket = connection
        self.socket.settimeout(30)
        self.output = {1: b"", 2: b""}
        self.status: int | None = None
        self.lost: int | None = None
        self.state: tuple[int, int] | None = None
        self.position: tuple[int, int, bytes, int, int] | None = None
        if flags is not None:
            self.send(HELLO, bytes([1, flags]))

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.socket.sendall(struct.pack("<BBHI", kind, 0, 0, len(payload)) + payload)

    def _exactly(self, count: int) -> bytes | None:
        parts = []
        while count:
            part = self.socket.recv(min(count, 1 << 18))
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def frame(self) -> bool:
        """Takes one frame in; False at the end of the stream."""
        header = self._exactly(8)
        if header is None:
            return False
        kind, stream, _, length = struct.unpack("<BBHI", header)
        payload = self._exactly(length) if length else b""
        assert payload is not None, "the stream ended inside a frame"
        if kind == OUT:
            self.output[stream] += payload
        elif kind == EXIT:
            (self.status,) = struct.unpack("<i", payload)
        elif kind == LOST:
            (self.lost,) = struct.unpack("<Q", payload)
        elif kind == POSITION:
            segment, offset, *pending = struct.unpack_from("<QQII", payload)
            self.position = (segment, offset, payload[24:], *pending)
        else:
            assert kind == STATE, kind
            self.state = (payload[0], payload[1])
        return True

    def until(self, text: bytes, stream: int = 1) -> None:
        """Reads until the output holds the text."""
        while text not in self.output[stream]:
            assert self.frame(), f"the stream ended before {text!r}; it had {self.output}"

    def to_the_end(self) -> Client:
        while self.frame():
            pass
        self.socket.close()
        return self


class Watched(Box):
    """A container of a test, with its monitor in sight."""

    def __init__(self, directory: Path, *command: str) -> None:
        super().__init__(shim(), directory, *command)
        self.cgroups = []
        self.values["cgroup-memory"] = ""
        self.values["ns-net"] = "host"
        self.owner: Client | None = None

    def pairs(self) -> list[tuple[str, str]]:
        kept, self.cgroup_memory = self.cgroups, self.values["cgroup-memory"]
        if kept:
            return super().pairs()
        self.cgroups = [Path("/sys/fs/cgroup/memory/none")]  # the base class looks for one
        pairs = super().pairs()
        self.cgroups = kept
        return [pair for pair in pairs if pair[0] != "cgroup"]

    def sh(self, script: str) -> Watched:
        self.command = ("sh", "-c", script)
        return self

    def serve(self) -> int:
        """Starts a container that stays until it is killed."""
        return self.sh("while :; do sleep 1; done").started()

    def start_owned(self) -> Client:
        """Starts it with an owner stream."""
        self.write()
        ours, theirs = socket.socketpair()
        answer, answer_end = os.pipe()
        lock = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in (answer_end, lock, theirs.fileno())]
        for fd in (answer_end, lock):
            os.close(fd)
        theirs.close()
        argv = ["tuidock-shim", "start", str(self.container), str(self.run), "--owner"]
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for fd, number in zip(high, (3, 4, 5), strict=True)]
        pid = os.posix_spawn(self.shim, argv, {}, file_actions=actions)
        for fd in high:
            os.close(fd)
        os.waitpid(pid, 0)
        with os.fdopen(answer) as stream:
            line = stream.read()
        assert line.startswith("pid "), line
        self.owner = Client(ours)
        return self.owner

    def attach(self, flags: int = WANT_STDOUT | WANT_STDERR) -> Client:
        """A client that is known to be attached: its STATE has come."""
        connection = socket.socket(socket.AF_UNIX)
        directory = os.open(self.run, os.O_PATH)
        connection.connect(f"/proc/self/fd/{directory}/attach")
        os.close(directory)
        client = Client(connection, flags)
        while client.state is None:
            assert client.frame()
        return client

    def adopt(self) -> int:
        """`tuidock-shim adopt`, as a client of the engine runs it."""
        return subprocess.run([self.shim, "adopt", self.container, self.run], env={}, timeout=20).returncode

    def process(self, name: str) -> int:
        """The pid of `shim`, `recorder` or `init`."""
        return int(self.facts(self.run / "pid")[name].split()[0])

    def kill(self, *names: str) -> None:
        """kill -9 of processes of the monitor, at once."""
        pids = [self.process(name) for name in names]
        for pid in pids:
            assert pid > 1, "0 and -1 would reach processes that are not the test's"
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            eventually(lambda pid=pid: not alive(pid), f"process {pid} is dead")

    def exit(self) -> dict[str, str]:
        return self.facts(self.container / "exit")

    def ended(self, seconds: float = 20) -> dict[str, str]:
        """The exit record, once the shim has ended everything."""
        self.wait(seconds)
        return self.exit()

    def log(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.container.glob("logs/*.log")))

    def events(self) -> list[str]:
        """The actions in the journal."""
        import json

        path = self.directory / "events"
        return [json.loads(line)["action"] for line in path.read_text().splitlines()] if path.exists() else []

    def intent(self, text: str) -> None:
        (self.container / "intent").write_text(text)

    def processes(self) -> list[int]:
        """Processes of this container's monitor."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.run).encode() in (entry / "cmdline").read_bytes() and alive(int(entry.name)):
                    found.append(int(entry.name))
        return found

    def leftovers(self) -> list[str]:
        """Names in the run directory that should not be there after the end."""
        return sorted(path.name for path in self.run.iterdir() if path.name not in ("lock", "shim.lock"))

    def close(self) -> None:
        if self.owner:
            self.owner.socket.close()
        self.intent("stop 1")
        super().close()
        with contextlib.suppress(AssertionError):
            eventually(lambda: not self.processes(), "the monitor is gone", 5)
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def watched(directory: Path) -> Iterator[Watched]:
    """A container that is ended with the test."""
    box = Watched(directory)
    try:
        yield box
    finally:
        box.close()
