"""An ordinary user of this machine, made for the tests: the real command line, run with that user's rights.

Nothing of the machine changes: the lines in passwd, subuid and subgid, and a way to a Python below a closed home
directory, are mounts in a mount namespace of each command's own.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.native.monitored import eventually

UID, UID_ALONE, FIRST = 7123, 7124, 500_000
REPOSITORY = Path(__file__).parents[3]


class User:
    """Runs `tuidock` as an ordinary user; has_ranges: with ids of its own in /etc/subuid and /etc/subgid."""

    def __init__(self, directory: Path, *, has_ranges: bool) -> None:
        self.uid = UID if has_ranges else UID_ALONE
        self.home, self.runtime = directory / "home", directory / "run"
        for path in (self.home, self.runtime):
            path.mkdir(mode=0o700)
            os.chown(path, self.uid, self.uid)
        directory.chmod(0o755)
        self._prepare = _mounts(directory, self.uid, has_ranges=has_ranges)
        self.group = ""  # the control group that commands run in

    @property
    def root(self) -> Path:
        return self.home / ".local/share/tuidock"

    def command(self, *words: str) -> list[str]:
        """An argument list that runs these words as the user."""
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime),
            "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        join = f"echo $$ > {self.group}/cgroup.procs" if self.group else ""
        script = f'{join}\n{self._prepare}\ncd {shlex.quote(str(self.home))}\nexec "$@"'
        become = ["setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups", "--inh-caps=-all"]
        pairs = [f"{key}={value}" for key, value in environment.items()]
        return ["unshare", "--mount", "sh", "-ec", script, "sh", *become, "env", "-i", *pairs, *words]

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        """One `tuidock` command line."""
        argv = self.command(sys.executable, "-m", "tuidock", *words)
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=60)
        return subprocess.CompletedProcess(argv, done.returncode, done.stdout.decode(), done.stderr.decode())

    def output(self, *words: str, stdin: bytes = b"") -> str:
        """What it says when all goes well."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def keeper(self) -> int:
        """The pid of the process that holds the namespaces; 0 when there was none yet."""
        try:
            return int((self.runtime / "tuidock/keeper").read_text().split()[0])
        except FileNotFoundError:
            return 0

    def processes(self) -> list[int]:
        """Everything of the user that runs."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (self._owns(entry.stat().st_uid)):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def _owns(self, uid: int) -> bool:
        return uid == self.uid or (self.uid == UID and FIRST <= uid < FIRST + 65536)

    def close(self) -> None:
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        eventually(lambda: not self.processes(), "the user's processes to end")


def _mounts(directory: Path, uid: int, *, has_ranges: bool) -> str:
    """The shell lines that show a passwd with the user, its ranges, and the way to what only root can reach."""
    lines = []
    (directory / "passwd").write_text(
        Path("/etc/passwd").read_text() + f"tuidock-test:x:{uid}:{uid}::{directory}/home:/bin/sh\n"
    )
    (directory / "ids").write_text(f"tuidock-test:{FIRST}:65536\n" if has_ranges else "")
    for source, target in (("passwd", "/etc/passwd"), ("ids", "/etc/subuid"), ("ids", "/etc/subgid")):
        if os.path.exists(target):
            lines.append(f"mount --bind {directory}/{source} {target}")
    os.mknod(directory / "tun", 0o666 | stat.S_IFCHR, os.makedev(10, 200))  # everybody's, as on most machines
    (directory / "tun").chmod(0o666)
    lines.append(f"mount --bind {directory}/tun /dev/net/tun")
    stages: dict[Path, Path] = {}
    for needed in dict.fromkeys((Path(sys.base_prefix), Path(sys.prefix), REPOSITORY)):
        closed = next((path for path in reversed(needed.parents) if not path.stat().st_mode & 0o001), None)
        if closed is None:
            continue
        stage = stages.setdefault(closed, directory / f"stage{len(stages)}")
        place = stage / needed.relative_to(closed)
        place.mkdir(parents=True)
        lines.append(f"mount --rbind {needed} {place}")
    lines += [f"mount --rbind {stage} {closed}" for closed, stage in stages.items()]
    return "\n".join(lines)


def _user(*, has_ranges: bool) -> Iterator[User]:
    if os.geteuid() != 0:
        missing("needs root, to become another user")
    for program in ("newuidmap", "setpriv", "unshare"):
        if shutil.which(program) is None:
            missing(f"{program} is not installed")
    directory = Path(tempfile.mkdtemp(prefix="tuidock-user-"))
    made = User(directory, has_ranges=has_ranges)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def user(archive: bytes) -> Iterator[User]:
    """With 65 536 ids and the image busybox."""
    for made in _user(has_ranges=True):
        made.output("load", stdin=archive)
        yield made


@pytest.fixture(scope="module")
def alone(archive: bytes) -> Iterator[User]:
    """With one id only."""
    yield from _user(has_ranges=False)


def page(port: int) -> bytes:
    """What a web server of a container answers for /page; b"" when nobody listens inside yet."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
            while part := connection.recv(4096):
                answer += part
    except (ConnectionResetError, BrokenPipeError):
        pass  # nobody listens in the container yet
    return answer.rpartition(b"\r\n\r\n")[2]
