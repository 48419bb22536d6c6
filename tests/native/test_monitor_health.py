"""Health checks in the shim: what a probe is, when it comes, what it changes, and what a kill or a freeze does to it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import Watched, alive, eventually, needs_root, watched
from tests.native.record import CGROUP
from tuidock.engine.runtime.health import Health, read

pytestmark = needs_root
MS = 1_000_000


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as box:
        yield box


def check(
    box: Watched, script: str, *, interval: int = 20, timeout: int = 10_000, retries: int = 2, **more: int
) -> None:
    """Gives the container a health check; times in ms."""
    box.extra += [("health", word) for word in ("/bin/sh", "-c", script)]
    times = {"interval": interval, "timeout": timeout, "start-period": 0, "start-interval": 5000, **more}
    box.extra += [(f"health-{key.replace('_', '-')}", str(value * MS)) for key, value in times.items()]
    box.extra.append(("health-retries", str(retries)))


def health(box: Watched) -> Health:
    found = read(str(box.container))
    assert found is not None
    return found


def becomes(box: Watched, status: str) -> Health:
    eventually(lambda: health(box).status == status, f"{status}, not {health(box)}")
    return health(box)


def changes(box: Watched) -> list[str]:
    return [action.partition(": ")[2] for action in box.events() if action.startswith("health_status")]


def told(box: Watched, *statuses: str) -> None:
    """Waits for the event of a change, which comes after the file, and looks at all of them."""
    eventually(lambda: len(changes(box)) >= len(statuses), f"events {statuses}, not {changes(box)}")
    assert changes(box) == list(statuses)


def test_it_follows_what_the_probe_says(box: Watched) -> None:
    check(box, "echo one; echo two >&2; test -e /shared/well")
    box.serve()
    assert changes(box) == []
    assert health(box).status == "starting"
    sick = becomes(box, "unhealthy")
    assert sick.streak >= 2 and {probe.code for probe in sick.probes} == {1}
    assert sick.probes[-1].output == "one\ntwo\n"
    (box.shared / "well").touch()
    well = becomes(box, "healthy")
    assert well.streak == 0 and well.probes[-1].code == 0
    eventually(lambda: {probe.code for probe in health(box).probes} == {0}, "only the last ones are kept")
    found = health(box)
    assert len(found.probes) == 5 and all(probe.start <= probe.end for probe in found.probes)
    assert [probe.start for probe in found.probes] == sorted(probe.start for probe in found.probes)
    (box.shared / "well").unlink()
    becomes(box, "unhealthy")
    told(box, "unhealthy", "healthy", "unhealthy")
    steps = [action for action in box.events() if action.startswith("exec_")]
    assert steps[0].startswith("exec_create: /bin/sh -c echo one") and steps[2] == "exec_die"


def test_the_probe_is_the_container_s_user_with_its_environment_and_directory(box: Watched) -> None:
    box.values |= {"user": "worker", "cwd": "/home/worker"}
    box.env.append("GREETING=hello")
    check(box, 'echo "$GREETING $HOME $(id -u) $(pwd) $(ls /proc/self/fd | wc -l)"; sleep 0 | cat')
    box.serve()
    assert becomes(box, "healthy").probes[-1].output == "hello /home/worker 1000 /home/worker 4\n"


def test_output_is_kept_up_to_a_limit_and_read_beyond_it(box: Watched) -> None:
    check(box, r"printf 'a\\b\000c\n'; head -c 300000 /dev/zero | tr '\0' x")
    box.serve()
    output = becomes(box, "healthy").probes[-1].output
    assert output == "a\\b\0c\n" + "x" * (4096 - 6) + "..."


def test_one_that_takes_too_long_is_killed_with_its_children(box: Watched) -> None:
    check(box, "echo begun; echo $$ >> /shared/pids; sleep 1000 & sleep 1000; true", timeout=60, retries=1)
    box.serve()
    probe = becomes(box, "unhealthy").probes[0]
    assert (probe.code, probe.output) == (-1, "Health check exceeded timeout (60ms): begun\n")
    children = Path(f"/proc/{box.process('init')}/root/proc")
    slept = [entry for entry in children.glob("[0-9]*/cmdline") if b"sleep\x001000" in entry.read_bytes()]
    assert len(slept) <= 2  # those of the probe that runs now, at most


def test_a_command_that_is_not_there_is_a_failure_with_a_reason(box: Watched) -> None:
    check(box, "true", retries=1)
    box.extra[0:3] = [("health", "nosuch")]
    box.serve()
    probe = becomes(box, "unhealthy").probes[0]
    assert probe.code == -1
    assert probe.output.endswith('exec: "nosuch": executable file not found in $PATH: unknown')


def test_failures_of_the_start_period_do_not_count(box: Watched) -> None:
    check(box, "test -e /shared/well", retries=1, interval=3_600_000, start_period=3_600_000, start_interval=20)
    box.serve()
    eventually(lambda: len(health(box).probes) >= 3, "probes at the interval of the start")
    assert (health(box).status, health(box).streak) == ("starting", 0)
    (box.shared / "well").touch()
    becomes(box, "healthy")
    count = len([action for action in box.events() if action.startswith("exec_create")])
    assert count < 3_600  # the long interval is in force


def test_a_killed_shim_leaves_no_probe_and_its_adopter_goes_on(box: Watched) -> None:
    check(
        box, "test -e /shared/hang && { echo $$ > /shared/hanging; exec sleep 1000; }; test -e /shared/well", retries=3
    )
    box.serve()
    sick = becomes(box, "unhealthy")
    (box.shared / "hang").touch()
    eventually((box.shared / "hanging").exists, "a probe hangs")
    sleeper = next(pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if is_sleeper(pid, box))
    shim = box.process("shim")
    box.kill("shim")
    eventually(lambda: not alive(sleeper), "the probe went with the shim")
    (box.shared / "well").touch()
    (box.shared / "hang").unlink()
    eventually(lambda: box.process("shim") != shim, "another shim")
    assert box.attach().state is not None
    found = becomes(box, "healthy")
    assert found.started == sick.started
    told(box, "unhealthy", "healthy")


def is_sleeper(pid: int, box: Watched) -> bool:
    """Whether it is the hanging probe of this container."""
    with contextlib.suppress(OSError):
        same = os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{box.process('init')}/ns/pid")
        return same and Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\0"
    return False


@pytest.mark.skipif(not (CGROUP / "freezer").exists(), reason="the freezer of cgroup v1")
def test_a_frozen_container_is_not_judged(box: Watched) -> None:
    freezer = CGROUP / "freezer" / f"tuidock-test-{box.id[:8]}" / box.id
    box.cgroups = [freezer]
    check(box, "test ! -e /shared/slow || { touch /shared/slowly; sleep 0.2; }; test -e /shared/well", timeout=400)
    (box.shared / "well").touch()
    box.serve()
    becomes(box, "healthy")
    (box.shared / "slow").touch()
    eventually((box.shared / "slowly").exists, "a probe is under way")
    (freezer / "freezer.state").write_text("FROZEN")
    begun = health(box).probes[-1].start
    # long enough for the probe's time to be over and several others to be due: what is awaited is that nothing happens,
    # and the loop's own clock says when: the file is written anew for a probe that means nothing
    before = (box.container / "health").stat().st_mtime_ns
    eventually(lambda: (box.container / "health").stat().st_mtime_ns != before, "the probe was given up")
    assert health(box).status == "healthy" and health(box).probes[-1].start == begun
    (box.shared / "slow").unlink()
    (freezer / "freezer.state").write_text("THAWED")
    eventually(lambda: health(box).probes[-1].start > begun and health(box).streak == 0, "the next one")
    told(box, "healthy")


def test_a_restart_begins_anew_and_keeps_the_last_results(box: Watched) -> None:
    box.values["restart-policy"] = "always"
    check(box, "true", interval=10)
    init = box.serve()
    first = becomes(box, "healthy")
    os.kill(init, signal.SIGKILL)
    eventually(lambda: health(box).started > first.started, "the next run")
    becomes(box, "healthy")
    told(box, "healthy", "healthy")
    assert health(box).probes[0].end >= first.probes[0].end
