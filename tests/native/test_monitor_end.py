"""The start that fails and the end: whatever was made is taken back, and who asked is told."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import Watched, alive, eventually, needs_root, watched

pytestmark = needs_root


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as box:
        yield box


def with_memory_cgroup(box: Watched, limit: str) -> Path:
    """A cgroup with a memory limit; its directory."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    base = Path("/sys/fs/cgroup") if unified else Path("/sys/fs/cgroup/memory")
    directory = base / f"tuidock-test-{secrets.token_hex(4)}" / box.id
    box.cgroups = [directory]
    box.values |= {"cgroup-memory": str(directory), "cgroup-mode": "v2" if unified else "v1"}
    files = ("memory.max", "memory.swap.max") if unified else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    pairs = [("set", files[0]), ("value", limit), ("set-optional", files[1]), ("value", "0" if unified else limit)]
    box.settings = {directory.parents[1].name: pairs}
    return directory


def test_nothing_is_left_after_the_end(box: Watched) -> None:
    directory = with_memory_cgroup(box, "64m")
    box.sh("sleep 1000 & exit 3").started()
    assert box.ended()["status"] == "3"
    assert box.leftovers() == []
    assert not directory.exists()
    eventually(lambda: not box.processes(), "shim and recorder are gone")


def test_a_start_that_fails_leaves_nothing(box: Watched) -> None:
    directory = with_memory_cgroup(box, "64m")
    box.command = ("/no/such/program",)
    answer = box.start()
    assert answer.startswith(f"error exec-notfound {errno.ENOENT} "), answer
    assert box.leftovers() == []
    assert not directory.exists() and not (box.container / "exit").exists()
    eventually(lambda: not box.processes(), "shim and recorder are gone")


def test_a_second_start_of_a_running_container_is_refused_and_harmless(box: Watched) -> None:
    init = box.sh("while :; do sleep 1; done").started()
    assert box.start().startswith("error record ")
    assert alive(init) and (box.run / "pid").exists()


def test_processes_beside_init_are_killed_and_their_last_words_logged(box: Watched) -> None:
    with_memory_cgroup(box, "64m")
    box.values["ns-pid"] = "host"
    box.sh("(while :; do sleep 0.01; done) & echo $! > /shared/child; exit 0").started()
    box.ended()
    child = int((box.shared / "child").read_text())
    eventually(lambda: not alive(child), "the child is killed")


def test_an_oom_kill_is_told_and_recorded(box: Watched) -> None:
    with_memory_cgroup(box, "8m")
    box.command = ("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")
    box.started()
    exit_record = box.ended()
    assert (exit_record["status"], exit_record["oom"]) == ("137", "1")
    assert box.events() == ["start", "oom", "die"]


def test_an_oom_kill_of_a_child_is_told_while_the_container_lives(box: Watched) -> None:
    with_memory_cgroup(box, "8m")
    box.sh("dd if=/dev/zero of=/dev/null bs=64M count=1; while :; do sleep 0.1; done").started()
    eventually(lambda: "oom" in box.events(), "the event")
    assert box.events() == ["start", "oom"]


def test_auto_remove_spawns_the_reaper_once_all_is_over(box: Watched) -> None:
    told = box.shared / "told"
    box.values["auto-remove"] = "1"
    script = f"test -e {box.run}/pid || flock -n {box.run}/shim.lock touch {told}"
    box.extra = [("reap", "/bin/sh"), ("reap", "-c"), ("reap", script)]
    box.sh("exit 0").started()
    eventually(told.exists, "the reaper ran, and the lock was free")


def test_auto_remove_leaves_the_work_to_an_owner(box: Watched) -> None:
    told = box.shared / "told"
    box.values["auto-remove"] = "1"
    box.extra = [("reap", "/bin/touch"), ("reap", str(told))]
    owner = box.sh("exit 0").start_owned().to_the_end()
    assert owner.status == 0
    eventually(lambda: not box.processes(), "the shim is gone")
    assert not told.exists()


def test_the_lock_tells_whether_there_is_a_shim(box: Watched) -> None:
    import fcntl

    box.sh("while :; do sleep 1; done").started()
    lock = os.open(box.run / "shim.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.kill(box.process("init"), signal.SIGKILL)
    box.ended()
    eventually(lambda: flocked(lock), "the lock is free")
    os.close(lock)


def flocked(lock: int) -> bool:
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def memory(pid: int) -> tuple[int, int]:
    """RSS and PSS in kB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return sizes["Rss"], sizes["Pss"]


def quiet(box: Watched) -> bool:
    """Whether shim and recorder have given back what they do not need to wait; a second after the last event."""
    sizes = [memory(box.process(name)) for name in ("shim", "recorder")]
    return sum(rss for rss, _ in sizes) <= 1024 and sum(pss for _, pss in sizes) <= 150


sized = pytest.mark.skipif("TUIDOCK_TEST_SHIM" in os.environ, reason="another build has other sizes")


@sized
def test_idle_shim_and_recorder_stay_small(box: Watched) -> None:
    box.sh("seq 1 200000; while :; do sleep 1; done").started()
    eventually(lambda: box.log().endswith(b" 200000\n"), "a burst is over")
    eventually(lambda: quiet(box), "1 MB RSS and 150 kB PSS together", 10)


@sized
def test_an_idle_shim_does_not_wake_up(box: Watched) -> None:
    box.sh("sleep 1000").started()
    eventually(lambda: quiet(box), "it sleeps", 10)
    pids = [box.process(name) for name in ("shim", "recorder")]
    before = [switches(pid) for pid in pids]
    time.sleep(1.5)
    assert [switches(pid) for pid in pids] == before


def switches(pid: int) -> int:
    """How often a process was given the processor."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
