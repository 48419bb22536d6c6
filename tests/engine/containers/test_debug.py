"""A shell for a container that has none, and the shells of those that have."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.native.monitored import eventually
from tuidock.engine import Engine
from tuidock.engine.errors import NotFound, WrongState
from tuidock.engine.types import ExecRequest

SLEEP = "trap : TERM; sleep 1000 & wait"
#: The shell that does it is busybox itself, by a name that is no shell's.
NONE = ["sh", "-c", "rm -f /bin/*sh; exec /bin/sleep 1000"]


def upper(engine: Engine, made: str) -> Path:
    """Where the container writes."""
    return Path(engine.inspect_container(made)["GraphDriver"]["Data"]["UpperDir"])


def debug(engine: Engine, made: str, script: str, user: str = "") -> list[str]:
    """What a script of the debug shell prints."""
    argv, lease = engine.debug_argv(made, ExecRequest(("sh", "-c", script), interactive=True, user=user), "busybox")
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, pass_fds=[lease])
    finally:
        os.close(lease)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_shells_by_the_files_of_the_container(engine: Engine, run: Run) -> None:
    script = (
        "cp /bin/busybox /bin/zsh; cp /bin/busybox /opt-shell; mkdir -p /etc; ln -s /../../../../bin/sh /bin/ksh;"
        "printf 'root:x:0:0::/:/bin/sh\\nada:x:7:7::/:/opt-shell\\nbob:x:8:8::/:/sbin/nologin\\n' > /etc/passwd;"
        f"touch /ready; {SLEEP}"
    )
    made = run.start(["sh", "-c", script])
    eventually((upper(engine, made) / "ready").exists, "it has its shells")
    assert engine.shells(made)[0] == "/bin/zsh"  # root's is sh, which says nothing
    assert engine.shells(made, "ada")[0] == "/opt-shell" and engine.shells(made, "7:7")[0] == "/opt-shell"
    assert engine.shells(made, "bob") == engine.shells(made)
    assert "/bin/ash" in engine.shells(made) and "/bin/sh" not in engine.shells(made)  # one program counts once


def test_a_hostile_container_is_read_and_not_believed(engine: Engine, run: Run) -> None:
    """Pipes and devices with the names of files, and links that lead out, are neither waited for nor followed."""
    script = (
        "mkdir -p /etc; mkfifo /etc/passwd; rm /bin/zsh; mkfifo /bin/zsh; ln -s /proc/1/root/bin/sh /bin/fish; " + SLEEP
    )
    made = run.start(["sh", "-c", script])
    eventually((upper(engine, made) / "bin/fish").is_symlink, "it has its traps")
    assert not {"/bin/zsh", "/bin/fish"} & set(engine.shells(made, "root"))


def test_debug_of_a_container_without_a_shell(engine: Engine, run: Run) -> None:
    """Its namespaces, limits and rights, another root; and nothing is written to it, or left."""
    made = run.start(NONE, Memory=64 << 20, CapDrop=["ALL"], CapAdd=["NET_BIND_SERVICE"], config={"Hostname": "bare"})
    eventually(lambda: not engine.shells(made), "it has no shell")
    written = upper(engine, made)
    before = sorted(str(path) for path in written.rglob("*"))
    mounts = Path("/proc/self/mountinfo").read_text()
    pid = engine.inspect_container(made)["State"]["Pid"]
    script = (
        "hostname; pwd; ls -d /container/bin/busybox; ls /container/bin/sh 2>/dev/null || echo none;"
        "cat /proc/1/comm; grep -c . /container/etc/hosts; touch /mine /tmp/too && echo written;"
        "for n in pid net ipc uts mnt; do readlink /proc/self/ns/$n; done; grep CapBnd /proc/self/status;"
        "grep -o '[^:]*$' /proc/self/cgroup | head -1"
    )
    lines = debug(engine, made, script)
    assert lines[:5] == ["bare", "/container", "/container/bin/busybox", "none", "sleep"] and lines[6] == "written"
    assert lines[7:11] == [os.readlink(f"/proc/{pid}/ns/{name}") for name in ("pid", "net", "ipc", "uts")]
    assert lines[11] not in (os.readlink(f"/proc/{pid}/ns/mnt"), os.readlink("/proc/self/ns/mnt"))
    assert lines[12].split()[1] == f"{1 << 10:016x}"
    own = [line.rpartition(":")[2] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    assert lines[13] in own
    assert sorted(str(path) for path in written.rglob("*")) == before
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert debug(engine, made, "id -u", user="7") == ["7"]


def test_read_only_and_hidden_paths_stay_so(engine: Engine, run: Run) -> None:
    made = run.start(["sleep", "1000"], ReadonlyRootfs=True)
    script = (
        "touch /container/x 2>/dev/null && echo written; cat /proc/keys /container/proc/keys | wc -c;"
        "echo 1 2>/dev/null > /proc/sys/kernel/panic && echo set; ls /sys/firmware | wc -l"
    )
    assert debug(engine, made, script) == ["0", "0"]


def test_the_image_stays_while_it_is_used(engine: Engine, run: Run) -> None:
    made = run.start(["sleep", "1000"])
    argv, lease = engine.debug_argv(
        made, ExecRequest(("sh", "-c", "echo on; read line; ls /bin/busybox"), interactive=True), "busybox"
    )
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[lease])
    os.close(lease)
    assert child.stdin is not None and child.stdout is not None
    assert child.stdout.readline() == "on\n"
    held = [
        Path(engine.root, "content/leases", name).read_text() for name in os.listdir(engine.root + "/content/leases")
    ]
    assert any("sha256:" in each for each in held)
    child.stdin.write("\n")
    child.stdin.close()
    assert child.stdout.readline() == "/bin/busybox\n" and child.wait() == 0
    child.stdout.close()


def test_debug_says_what_is_wrong(engine: Engine, run: Run) -> None:
    made = run.start(["sleep", "1000"])
    with pytest.raises(NotFound, match="nothing-like-it"):
        engine.debug_argv(made, ExecRequest(()), "nothing-like-it")
    engine.pause(made)
    with pytest.raises(WrongState, match="paused"):
        engine.debug_argv(made, ExecRequest(()), "busybox")
    engine.unpause(made)
    engine.kill(made)
    engine.wait(made)
    with pytest.raises(WrongState):
        engine.shells(made)
