"""What a container's processes may do, started by run and by exec alike: capabilities, system calls, devices, cgroups.

CVE-2022-24769 (inheritable capabilities), CVE-2022-0492 (release_agent), the 32 bit doors of a 64 bit kernel.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, missing
from tests.native.monitored import eventually, needs_root
from tuidock.engine import Engine
from tuidock.engine.types import ExecRequest

pytestmark = needs_root

DEFAULT = 0xA80425FB
SERVE = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"]


def execute(engine: Engine, container: str, *command: str, **options: Any) -> str:
    """An exec's output on both streams."""
    request = ExecRequest(command, **options)
    argv = engine.exec_argv(container, request)
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={}).stdout


def capabilities(status: str) -> dict[str, int]:
    return {line[3:6]: int(line.split()[1], 16) for line in status.splitlines() if line.startswith("Cap")}


STATUS = ["grep", "-E", "^(Cap|NoNewPrivs|Seccomp:)", "/proc/self/status"]


@pytest.mark.parametrize(("user", "effective"), [("", DEFAULT), ("1000", 0)])
def test_capabilities_of_run_and_exec(engine: Engine, run: Run, user: str, effective: int) -> None:
    container = run.start(
        ["sh", "-c", " ".join(STATUS).replace("(", "'(").replace(")", ")'") + "; sleep 100"], config={"User": user}
    )
    texts = [execute(engine, container, *STATUS), execute(engine, container, *STATUS, user=user or "0")]
    engine.kill(container, "KILL")
    engine.wait(container)
    for text in (run.text(container), *texts):
        assert capabilities(text) == {"Inh": 0, "Prm": effective, "Eff": effective, "Bnd": DEFAULT, "Amb": 0}, text
        assert "Seccomp:\t2" in text


def test_no_new_privileges_of_run_and_exec(engine: Engine, run: Run) -> None:
    container = run.start(SERVE, SecurityOpt=["no-new-privileges"])
    assert "NoNewPrivs:\t1" in execute(engine, container, *STATUS)
    assert "NoNewPrivs:\t1" in execute(engine, container, "cat", "/proc/1/status")


@pytest.mark.parametrize("by", ["run", "exec"])
def test_system_calls_are_denied_by_every_door(engine: Engine, run: Run, probe: Path, by: str) -> None:
    bind = [f"{probe}:/probe:ro"]
    if by == "run":
        text = run.output(["/probe", "calls"], Binds=bind)
    else:
        text = execute(engine, run.start(SERVE, Binds=bind), "/probe", "calls")
    told = [line.split() for line in text.splitlines()]
    assert len(told) in (14, 42), text
    assert [words for words in told if words[2] not in ("1", "38")] == []  # EPERM, ENOSYS


def test_sockets_reach_neither_the_kernels_ciphers_nor_the_hypervisor(run: Run, probe: Path) -> None:
    """AF_ALG and AF_VSOCK are doors to code that no network namespace holds apart."""
    told = dict(
        line.split()[1:] for line in run.output(["/probe", "sockets"], Binds=[f"{probe}:/probe:ro"]).splitlines()
    )
    assert told == {"unix": "0", "inet": "0", "alg": "1", "vsock": "1"}


def test_new_namespaces_and_mounts_are_refused_to_root(engine: Engine, run: Run) -> None:
    container = run.start(SERVE)
    for command in (
        ["mount", "-t", "tmpfs", "x", "/tmp"], ["mount", "-o", "remount,rw", "/proc/sys"], ["umount", "/proc/kcore"],
        ["umount", "-l", "/proc/sys"], ["unshare", "-U", "true"], ["unshare", "-m", "true"], ["hostname", "evil"],
        ["mount", "-t", "cgroup", "-o", "rdma", "x", "/tmp"], ["chroot", "/proc/1/root", "mount", "-t", "proc", "x", "/tmp"],
    ):  # fmt: skip
        said = execute(engine, container, *command)
        assert "not permitted" in said or "denied" in said, (command, said)


def test_a_disk_cannot_be_read_by_a_node_of_its_number(engine: Engine, run: Run) -> None:
    known = os.stat("/")
    script = (
        f"mknod /disk b {os.major(known.st_dev)} {os.minor(known.st_dev)} && mknod /mem c 1 1 && mknod /kmsg c 1 11; "
        "for f in /disk /mem /kmsg; do dd if=$f of=/dev/null bs=512 count=1; dd if=/dev/zero of=$f count=0 conv=notrunc; done"
    )
    container = run.start(SERVE)
    for text in (run.output(["sh", "-c", script]), execute(engine, container, "sh", "-c", script)):
        assert text.count("Operation not permitted") == 6, text


def test_cgroups_are_read_only_and_have_no_release_agent(engine: Engine, run: Run) -> None:
    script = (
        "grep ' /sys/fs/cgroup' /proc/self/mountinfo | grep -v ' ro,' ; "
        "find /sys/fs/cgroup -name release_agent; "
        "for d in $(find /sys/fs/cgroup -type d); do mkdir $d/x && echo made $d; "
        "echo 1 > $d/notify_on_release && echo wrote $d; "
        "echo $$ > $d/cgroup.procs && echo moved $d; done 2>/dev/null; true"
    )
    container = run.start(SERVE)
    assert run.output(["sh", "-c", script]) == ""
    assert execute(engine, container, "sh", "-c", script) == ""


MASKED = ("kcore", "keys", "timer_list", "interrupts")


def test_masked_and_read_only_paths_hold_for_run_and_exec(engine: Engine, run: Run) -> None:
    script = (
        f"for f in {' '.join(MASKED)}; do [ -e /proc/$f ] && head -c 9 /proc/$f | wc -c; done; "
        "ls -A /sys/firmware /proc/acpi 2>/dev/null | grep -v : | grep . ; "
        "for f in sys/kernel/core_pattern sysrq-trigger sys/vm/drop_caches sys/kernel/hostname sys/kernel/modprobe; "
        "do echo h > /proc/$f && echo wrote $f; done 2>/dev/null; true"
    )
    container = run.start(SERVE)
    for text in (run.output(["sh", "-c", script]), execute(engine, container, "sh", "-c", script)):
        assert set(text.split()) == {"0"}, text


def test_processes_of_the_host_are_not_there(engine: Engine, run: Run) -> None:
    container = run.start(SERVE)
    pids = execute(engine, container, "sh", "-c", "ls -d /proc/[0-9]*").split()
    assert len(pids) < 8
    assert "not permitted" in execute(engine, container, "sh", "-c", "kill -0 -1; nsenter -t 1 -m true 2>&1")


@pytest.mark.parametrize(
    "name",
    [
        "kernel.core_pattern",
        "net/../kernel/core_pattern",
        "net.../../sysrq-trigger",
        "kernel/../sysrq-trigger",
        "net./../../sysrq-trigger",
    ],
)
def test_sysctls_of_the_machine_are_refused(run: Run, name: str) -> None:
    from tuidock.engine.errors import EngineError

    before = Path("/proc/sys/kernel/core_pattern").read_text()
    with pytest.raises(EngineError):
        run.start(["true"], Sysctls={name: "h"})
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_top_runs_no_program_of_the_container(engine: Engine, run: Run) -> None:
    """CVE-2022-1227: a container's own ps, run with the rights of whoever asked."""
    container = run.start(
        ["sh", "-c", "rm /bin/ps; printf '#!/bin/sh\\necho evil\\n' > /bin/ps; chmod +x /bin/ps; exec sleep 99"]
    )
    eventually(lambda: "sleep 99" in str(engine.top(container)), "the program")
    table = engine.top(container, ["-o", "pid,args"])
    assert [row[1] for row in table.rows] == ["sleep 99"]


def test_no_word_of_the_callers_environment_comes_in(engine: Engine, run: Run) -> None:
    os.environ["TUIDOCK_TEST_SECRET"] = "hush"
    try:
        container = run.start(SERVE)
        texts = [
            execute(engine, container, "cat", "/proc/1/environ"),
            execute(engine, container, "env"),
            run.output(["env"]),
        ]
    finally:
        del os.environ["TUIDOCK_TEST_SECRET"]
    assert not [text for text in texts if "hush" in text]


def test_the_files_of_the_engine_are_only_roots(engine: Engine, run: Run) -> None:
    container = run.start(SERVE, name="modes")
    root = Path(engine.root)
    paths = engine.instance.paths
    assert root.stat().st_mode & 0o007 == 0 and Path(paths.run).stat().st_mode & 0o007 == 0
    for directory in (paths.containers, paths.volumes, paths.snapshots, paths.container(container)):
        assert Path(directory).stat().st_mode & 0o077 == 0, directory
    for file in ("record", "create.json"):
        assert Path(paths.container(container), file).stat().st_mode & 0o777 == 0o600
    assert Path(paths.container_run(container), "attach").stat().st_mode & 0o077 == 0
    assert Path(paths.database).stat().st_mode & 0o077 == 0
    if os.geteuid() != 0:
        missing("needs root")
    # as somebody else: nothing of it can be reached
    reach = f"cat {root}/state.db {paths.container(container)}/record; ls {root} {paths.run} {paths.volumes}"
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", reach],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "" and done.stderr.count("denied") == 5, done


def test_a_data_root_of_another_user_is_refused(tmp_path: Path) -> None:
    from tuidock.engine.errors import SystemFailure

    theirs = tmp_path / "root"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    with pytest.raises(SystemFailure, match="another user"):
        Engine(str(theirs))
    assert not list(theirs.iterdir())
