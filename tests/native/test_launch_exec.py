"""`tuidock-shim exec`: everything is joined, nothing is laxer than at the start, streams and signals pass."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import eventually, needs_root, shim
from tests.native.record import DEFAULT_CAPS, ONLY_V2, Box, opened
from tuidock.engine.runtime import seccomp

pytestmark = needs_root


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with opened(Box(shim(), tmp_path)) as made:
        yield made


def argv(box: Box, *words: str) -> list[str]:
    return [str(box.shim), "exec", str(box.container), str(box.run), *words]


def test_every_namespace_cgroup_and_the_root_are_the_containers(box: Box) -> None:
    pid = box.serve()
    kinds = ("mnt", "pid", "uts", "ipc", "net", "cgroup")
    links = f"for n in {' '.join(kinds)}; do readlink /proc/self/ns/$n; done"
    lines = box.exec(
        "--", "sh", "-c", f"{links}; pwd; hostname; cut -d: -f3 /proc/self/cgroup | sort -u"
    ).stdout.splitlines()
    assert lines[:6] == [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in kinds]
    assert lines[6:] == ["/", "box", "/"]


def test_it_has_the_containers_rights_and_no_more(box: Box, tmp_path: Path) -> None:
    box.values |= {"seccomp": seccomp.filter_path(str(tmp_path / "cache"), DEFAULT_CAPS), "no-new-privs": "1"}
    box.extra.append(("rlimit", "nofile 512 1024 user"))
    box.serve()
    text = box.exec("--", "sh", "-c", "grep -E '^(Cap|Seccomp:|NoNew)' /proc/self/status; ulimit -n; ulimit -Hn").stdout
    found = dict(line.split() for line in text.splitlines()[:-2])
    assert {int(found[f"Cap{name}:"], 16) for name in ("Prm", "Eff", "Bnd")} == {DEFAULT_CAPS}
    assert int(found["CapInh:"], 16) == int(found["CapAmb:"], 16) == 0
    assert found["Seccomp:"] == "2" and found["NoNewPrivs:"] == "1"
    assert text.split()[-2:] == ["512", "1024"]


def test_privileged_gives_all_capabilities_but_none_that_is_inheritable(box: Box) -> None:
    box.serve()
    text = box.exec("--privileged", "--", "grep", "Cap", "/proc/self/status").stdout
    found = {line.split()[0]: int(line.split()[1], 16) for line in text.splitlines()}
    assert found["CapEff:"] >> 21 & 1 and found["CapEff:"] & ~DEFAULT_CAPS
    assert found["CapInh:"] == found["CapAmb:"] == 0


def test_user_directory_and_environment(box: Box) -> None:
    box.serve()
    options = ["-u", "worker", "-w", "/tmp", "-e", "A=1", "-e", "HOSTNAME=mine"]
    done = box.exec(*options, "--", "sh", "-c", "id -u; pwd; echo $HOME $A $HOSTNAME; exit 7")
    assert done.stdout == "1000\n/tmp\n/home/worker 1 mine\n" and done.returncode == 7


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["nosuch"], 127, 'unable to start container process: exec: "nosuch": executable file not found in $PATH'),
        (["/etc/passwd"], 126, 'exec: "/etc/passwd": permission denied'),
        (["/etc"], 126, 'exec: "/etc": is a directory'),
    ],
)
def test_what_cannot_be_executed(box: Box, words: list[str], code: int, text: str) -> None:
    box.serve()
    done = box.exec("--", *words)
    assert done.returncode == code and text in done.stderr and done.stdout == ""


def test_wrong_users_and_directories(box: Box) -> None:
    box.serve()
    unknown = box.exec("-u", "foo", "--", "true")
    assert unknown.returncode == 126 and "unable to find user foo: no matching entries in passwd file" in unknown.stderr
    missing = box.exec("-w", "/nope", "--", "true")
    assert missing.returncode == 127 and 'chdir to cwd ("/nope")' in missing.stderr
    assert "nope" not in os.listdir(box.upper), "an exec makes no directory"


@pytest.mark.parametrize("number", range(3, 12))
def test_no_descriptor_of_the_host_can_become_the_working_directory(box: Box, number: int) -> None:
    box.serve()
    done = box.exec("-w", f"/proc/self/fd/{number}", "--", "ls", "-a", ".")
    if done.returncode == 0:
        assert "shared" in done.stdout, "only a directory of the container itself"


def test_a_death_by_signal_is_128_and_more(box: Box) -> None:
    box.serve()
    assert box.exec("--", "sh", "-c", "kill -9 $$").returncode == 137


def test_streams_are_inherited_and_stay_apart(box: Box) -> None:
    box.serve()
    done = box.exec("-i", "--", "sh", "-c", "cat; echo wrong >&2", input="line\n" * 10_000)
    assert done.stdout == "line\n" * 10_000 and done.stderr == "wrong\n"
    assert box.exec("--", "cat", input="ignored").stdout == ""


def test_a_container_that_does_not_run_is_named(box: Box) -> None:
    box.command = ("true",)
    box.started()
    box.wait()
    done = box.exec("--", "true")
    assert done.returncode == 1 and "is not running" in done.stderr


def test_a_pid_of_another_process_is_not_trusted(box: Box) -> None:
    box.serve()
    text = (box.run / "pid").read_text()
    init = next(line for line in text.splitlines() if line.startswith("init "))
    pid = init.split()[1]
    (box.run / "pid").write_text(text.replace(init, f"init {pid} 12345"))
    try:
        assert "is not running" in box.exec("--", "true").stderr
    finally:
        (box.run / "pid").write_text(text)


def test_a_paused_container_is_refused(box: Box) -> None:
    box.serve()
    if ONLY_V2:
        state, frozen, thawed = box.cgroups[0] / "cgroup.freeze", "1", "0"
    else:
        group = next(path for path in box.cgroups if path.parents[1].name == "freezer")
        state, frozen, thawed = group / "freezer.state", "FROZEN", "THAWED"
    state.write_text(frozen)
    try:
        done = box.exec("--", "true")
        assert done.returncode == 1 and "is paused, unpause the container before exec" in done.stderr
    finally:
        state.write_text(thawed)


def test_signals_are_passed_on(box: Box) -> None:
    box.serve()
    script = "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 1000 > /dev/null & wait; done"
    with subprocess.Popen(argv(box, "--", "sh", "-c", script), stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout and client.stdout.readline() == "ready\n"
        client.send_signal(signal.SIGTERM)
        assert client.wait(10) == 3 and client.stdout.read() == "got\n"


@pytest.mark.parametrize("words", [[], ["-i"]])
def test_a_killed_client_leaves_no_process(box: Box, words: list[str]) -> None:
    box.serve()
    with subprocess.Popen(argv(box, *words, "--", "sleep", "4321"), stdin=subprocess.PIPE) as client:
        eventually(lambda: "sleep 4321" in box.exec("--", "ps").stdout, "the command runs")
        client.kill()
    eventually(lambda: "sleep 4321" not in box.exec("--", "ps").stdout, "it ends with its client")


def test_detached_it_goes_on_by_itself_and_its_end_is_told(box: Box) -> None:
    box.serve()
    began = time.monotonic()
    script = "while [ ! -e /shared/end ]; do sleep 0.02; done; echo x > /shared/ended; exit 5"
    done = box.exec("-d", "--", "sh", "-c", script)
    assert done.returncode == 0 and done.stdout == done.stderr == "" and time.monotonic() - began < 5
    assert not (box.shared / "ended").exists()
    (box.shared / "end").write_text("")
    eventually((box.shared / "ended").exists, "it went on")
    eventually(lambda: '"exitCode":"5"' in (box.directory / "events").read_text(), "its end is in the journal")
    assert box.exec("-d", "--", "nosuch").returncode == 127


def test_the_journal_has_its_three_steps(box: Box) -> None:
    box.serve()
    box.exec("--", "sh", "-c", 'exit 9 # "\u00e9"\n\udcff')
    lines = [json.loads(line) for line in (box.directory / "events").read_text().splitlines()]
    steps = [line for line in lines if line["action"].startswith("exec_")]
    told = 'sh -c exit 9 # "\u00e9"\n?'
    assert [line["action"] for line in steps] == [f"exec_create: {told}", f"exec_start: {told}", "exec_die"]
    assert len({line["attr"]["execID"] for line in steps}) == 1 and steps[-1]["attr"]["exitCode"] == "9"


class Terminal:
    """An exec -it behind a pty of the test, as a terminal program sees it."""

    def __init__(self, box: Box, *words: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(argv(box, *words), stdin=slave, stdout=slave, stderr=slave)
        self.seen = b""

    def send(self, text: bytes) -> None:
        os.write(self.master, text)

    def expect(self, text: bytes, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, (text, self.seen)
            self.seen += os.read(self.master, 65536)
        self.seen = self.seen.partition(text)[2]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(box: Box) -> Iterator[Terminal]:
    box.serve()
    made = Terminal(box, "-i", "-t", "--", "sh", "-c", "stty size; tty; echo TERM=$TERM; exec sh")
    yield made
    made.close()


def test_a_terminal_has_the_callers_size_and_follows_it(terminal: Terminal) -> None:
    terminal.expect(b"31 97")
    terminal.expect(b"/dev/pts/")
    terminal.expect(b"TERM=xterm")
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 132, 0, 0))
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.send(b"stty size\n")
    terminal.expect(b"50 132")
    terminal.send(b"exit 6\n")
    assert terminal.process.wait(10) == 6
    assert termios.tcgetattr(terminal.slave) == terminal.before, "the caller's modes are restored"


def test_control_c_interrupts_inside(terminal: Terminal) -> None:
    terminal.expect(b"TERM=xterm")
    terminal.send(b"sleep 1000; echo code $?\n")
    terminal.expect(b"echo code")
    time.sleep(0.3)
    terminal.send(b"\x03")
    terminal.send(b"echo still $((40 + 2))\n")
    terminal.expect(b"still 42")


def test_detach_keys_leave_the_command_running(box: Box, terminal: Terminal) -> None:
    terminal.expect(b"TERM=xterm")
    terminal.send(b"sleep 4322\n")
    eventually(lambda: "sleep 4322" in box.exec("--", "ps").stdout, "the command runs")
    terminal.send(b"\x10\x11")
    terminal.expect(b"read escape sequence")
    terminal.process.wait(10)
    assert "sleep 4322" in box.exec("--", "ps").stdout


def test_a_hung_up_terminal_ends_its_command(box: Box, terminal: Terminal) -> None:
    terminal.expect(b"TERM=xterm")
    terminal.send(b"sleep 4323\n")
    eventually(lambda: "sleep 4323" in box.exec("--", "ps").stdout, "the command runs")
    terminal.process.kill()
    terminal.process.wait()
    eventually(lambda: "sleep 4323" not in box.exec("--", "ps").stdout, "it got SIGHUP")


def test_the_callers_own_terminal_is_never_handed_in(box: Box) -> None:
    box.serve()
    without = Terminal(box, "-i", "--", "sh", "-c", "for n in 0 1 2; do test -t $n && echo terminal; done; echo end")
    try:
        without.expect(b"end")
        assert b"terminal" not in without.seen
    finally:
        without.close()


def test_wrong_detach_keys_are_told(box: Box) -> None:
    box.serve()
    assert "invalid detach keys" in box.exec("--detach-keys", "ctrl-1", "--", "true").stderr
