"""Launch records and small root file systems for tests of tuidock-shim.

The records are written here by hand, after the contract and not by the engine's own writer, so that a mistake there does
not hide one in the shim. Everything lies below a directory of the test, runs in cgroups of its own, and is taken away by
`Box.close`.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.leftovers import until_exit

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC = 1, 2, 4, 8, 4096, 16384
MS_PRIVATE, MS_SLAVE, MS_STRICTATIME = 1 << 18, 1 << 19, 1 << 24
STRICT = MS_NOSUID | MS_NODEV | MS_NOEXEC
DEFAULT_CAPS = 0xA80425FB
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CGROUP = Path("/sys/fs/cgroup")
#: A machine of cgroup v2 alone; where both are, these tests take v1 (test_launch_cgroup_v2.py takes the other).
ONLY_V2 = (CGROUP / "cgroup.controllers").exists()
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")
MASKED = (
    *(f"/proc/{name}" for name in ("acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug")),
    *(f"/proc/{name}" for name in ("scsi", "timer_list", "timer_stats")),
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY = tuple(f"/proc/{name}" for name in ("bus", "fs", "irq", "sys", "sysrq-trigger"))
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
Pair = tuple[str, str]


def make_base(path: Path) -> Path:
    """A layer of busybox alone."""
    busybox = Path("/bin/busybox")
    if not busybox.exists():
        raise RuntimeError("tests of tuidock-shim need /bin/busybox (package busybox-static)")
    (path / "bin").mkdir(parents=True)
    shutil.copy2(busybox, path / "bin/busybox")
    for applet in subprocess.check_output([busybox, "--list"], text=True).split():
        with contextlib.suppress(FileExistsError):
            (path / "bin" / applet).symlink_to("busybox")
    return path


@functools.cache
def shared_base() -> Path:
    """The busybox layer that all containers of a test run stand on."""
    directory = until_exit("tuidock-base-")
    directory.chmod(0o755)
    return make_base(directory / "layer")


def make_layer(path: Path) -> Path:
    """A layer of a test's own, with users and groups to look up."""
    for name in ("etc", "tmp", "root", "home/worker"):
        (path / name).mkdir(parents=True, exist_ok=True)
    (path / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1001:a worker:/home/worker:/bin/sh\nbroken\n"
    )
    (path / "etc/group").write_text("root:x:0:root\nworkers:x:1001:\nwheel:x:10:worker,other\naudio:x:29:\n")
    return path


def mount(kind: str, source: str, target: str, flags: int, data: str = "", *, file: bool = False) -> list[Pair]:
    """One mount object of a record."""
    return [
        ("mount", kind),
        ("source", source),
        ("target", target),
        ("flags", str(flags)),
        ("propagation", str(MS_PRIVATE | MS_REC)),
        ("data", data),
        ("kind", "file" if file else "dir"),
    ]


def bind(source: str | Path, target: str, flags: int = 0, *, file: bool = False) -> list[Pair]:
    """A bind mount, recursive as docker's."""
    return mount("bind", str(source), target, MS_BIND | MS_REC | flags, file=file)


class Box:
    """One container of a test: its directories, the pairs of its record, and what it did."""

    def __init__(self, shim: Path, directory: Path, *command: str) -> None:
        self.shim = shim
        self.id = secrets.token_hex(32)
        self.directory = directory
        self.container, self.run = directory / "c", directory / "r"
        self.shared = directory / "shared"
        self.rootfs, self.upper, self.work = directory / "rootfs", directory / "upper", directory / "work"
        for path in (self.container / "logs", self.run, self.shared, self.upper, self.work):
            path.mkdir(parents=True)
        make_layer(self.rootfs)
        self.command: Sequence[str] = command or ("true",)
        self.values: dict[str, str] = {}
        self.extra: list[Pair] = []
        self.env = [f"PATH={PATH}", "HOSTNAME=box"]
        self.mounts: list[Pair] = self.default_mounts()
        self.interfaces: list[Pair] = []
        self.settings: dict[str, list[Pair]] = {}
        tops = [CGROUP] if ONLY_V2 else [CGROUP / name for name in CONTROLLERS]
        self.cgroups = [top / f"tuidock-test-{self.id[:8]}" / self.id for top in tops]
        self.lowers = [self.rootfs, shared_base()]

    # -- the record ---------------------------------------------------------------------------------------------

    def default_mounts(self) -> list[Pair]:
        """Docker's, and a directory that is shared with the test."""
        return [
            *mount("proc", "proc", "/proc", STRICT),
            *mount("tmpfs", "tmpfs", "/dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"),
            *mount("devpts", "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"),
            *mount("sysfs", "sysfs", "/sys", STRICT | MS_RDONLY),
            *mount("mqueue", "mqueue", "/dev/mqueue", STRICT),
            *mount("tmpfs", "shm", "/dev/shm", STRICT, "mode=1777,size=67108864"),
            *bind(self.shared, "/shared"),
        ]

    def add_cgroup_mount(self) -> None:
        """/sys/fs/cgroup as docker shows it on cgroup v1."""
        self.mounts += mount("cgroup", "cgroup", "/sys/fs/cgroup", STRICT | MS_RDONLY)
        self.mounts += [("cgroup-bind", f"{path.parents[1].name}={path}") for path in self.cgroups]

    def pairs(self) -> list[Pair]:
        """The whole record."""
        values = {
            "id": self.id,
            "name": "box",
            "instance": "0badcafe",
            "generation": "1",
            "container-dir": str(self.container),
            "run-dir": str(self.run),
            "events": str(self.directory / "events"),
            "actor": '"name":"box"',
            "hostname": "box",
            "rootfs": "overlay",
            "upper": str(self.upper),
            "work": str(self.work),
            "cgroup-mode": "v2" if ONLY_V2 else "v1",
            "cgroup-memory": str(next((path for path in self.cgroups if "/memory/" in str(path)), "")),
            "ns-cgroup": "private",
            "cwd": "/",
            "umask": "22",
            "caps": f"{DEFAULT_CAPS:x}",
            "no-new-privs": "0",
            "log-driver": "file",
            "log-max-size": "-1",
            "log-max-file": "1",
            "stop-signal": "15",
            "restart-policy": "no",
            **self.values,
        }
        pairs: list[Pair] = [*values.items(), *(("lower", str(path)) for path in self.lowers), *self.mounts]
        pairs += [("device", f"c {major} {minor} 666 0 0 /dev/{name}") for name, major, minor in DEVICES]
        pairs += [("masked", path) for path in MASKED] + [("readonly-path", path) for path in READONLY]
        for path in self.cgroups:
            pairs += [("cgroup", str(path)), *self.settings.get(path.parents[1].name, [])]
        pairs += self.interfaces
        pairs += [("arg", word) for word in self.command] + [("env", word) for word in self.env]
        return pairs + self.extra

    def write(self) -> None:
        """Writes the record file."""
        words = ["tuidock-record", "1", *(word for pair in self.pairs() for word in pair)]
        (self.container / "record").write_bytes("".join(f"{word}\0" for word in words).encode())
        (self.container / "record").chmod(0o600)

    # -- running ------------------------------------------------------------------------------------------------

    def start(self) -> str:
        """The answer line of `tuidock-shim start`."""
        self.write()
        answer, answer_end = os.pipe()
        lock = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        low = (answer, answer_end, lock)
        # out of the way, so that none is overwritten before it is used
        answer, answer_end, lock = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in low)
        for fd in low:
            os.close(fd)
        actions = [(os.POSIX_SPAWN_DUP2, answer_end, 3), (os.POSIX_SPAWN_DUP2, lock, 4)]
        pid = os.posix_spawn(
            self.shim, ["tuidock-shim", "start", str(self.container), str(self.run)], {}, file_actions=actions
        )
        os.close(answer_end)
        os.close(lock)
        os.waitpid(pid, 0)
        with os.fdopen(answer) as stream:
            return stream.read().rstrip("\n")

    def started(self) -> int:
        """Starts it; the pid of its init process. Fails with the shim's answer."""
        answer = self.start()
        assert answer.startswith("pid "), answer
        return int(answer.split()[1])

    def wait(self, seconds: float = 20) -> int:
        """The exit code, once the shim has ended everything."""
        deadline = time.monotonic() + seconds
        while (self.run / "pid").exists() or not (self.container / "exit").exists():
            assert time.monotonic() < deadline, "the container did not end"
            time.sleep(0.005)
        return int(self.facts(self.container / "exit")["status"])

    @staticmethod
    def facts(path: Path) -> dict[str, str]:
        """A status file's `key value` lines."""
        return dict(line.split(" ", 1) for line in path.read_text().splitlines() if " " in line)

    def output(self, stream: str = "stdout") -> str:
        """What the container wrote."""
        text = ""
        for segment in sorted(self.container.glob("logs/*.log")):
            for line in segment.read_text(errors="surrogateescape").splitlines():
                _, of, kind, rest = line.split(" ", 3)
                if of == stream:
                    text += rest + ("\n" if kind == "F" else "")
        return text

    def shell(self, script: str, *, expect: int = 0) -> str:
        """Runs a shell script to its end in the container; its standard output."""
        self.command = ("sh", "-c", script)
        self.started()
        code = self.wait()
        assert code == expect, (code, self.output(), self.output("stderr"))
        return self.output()

    def serve(self) -> int:
        """Starts a container that stays until it is told to end; its init process."""
        self.command = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done")
        return self.started()

    def exec(self, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
        """`tuidock-shim exec` with its output."""
        argv = [str(self.shim), "exec", str(self.container), str(self.run), *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, env={}, **options)  # type: ignore[call-overload, no-any-return]

    def close(self) -> None:
        """Ends what runs and takes the cgroups away."""
        with contextlib.suppress(OSError, KeyError, ValueError):
            init = int(self.facts(self.run / "pid")["init"].split()[0])
            os.kill(init, signal.SIGKILL)
            self.wait()
        for path in self.cgroups:
            for directory in (path, path.parent):
                with contextlib.suppress(OSError):
                    directory.rmdir()


@contextlib.contextmanager
def opened(box: Box) -> Iterator[Box]:
    """The box, closed at the end."""
    try:
        yield box
    finally:
        box.close()
