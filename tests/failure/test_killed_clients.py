"""kill -9 of the command line, at every system call that changes something and at random moments.

What it had begun is complete or gone; a second command line does its work beside the ruins; no name stays taken.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, missing, request
from tests.failure.machine import clear, cli, empty, eventually, kill, kills, known, monitors, running, settled, spawn
from tuidock.engine import Engine
from tuidock.engine.runtime.cgroup import cgroups_of

#: The calls by which a client changes the disk or starts and awaits a shim. Writes of the database are one transaction,
#: of which the commit (fdatasync) counts.
CALLS = ("mkdir", "fdatasync", "rename", "vfork", "wait4")


@pytest.fixture(autouse=True)
def strace() -> None:
    if shutil.which("strace") is None:
        missing("strace is not installed")


def serve(name: str) -> list[str]:
    return ["run", "-d", "--name", name, "-p", "80", "-v", "/anonymous", "busybox", "sleep", "100"]


def test_a_run_that_is_killed_at_any_step_leaves_all_or_nothing(engine: Engine) -> None:
    count = 0
    for killed in kills(engine.root, CALLS, *serve("victim")):
        count += killed
        settled(engine)
        if known(engine, "victim"):
            row = engine.container("victim")
            assert row.status in ("created", "running"), row
            assert killed or row.status == "running"
            if row.status == "created":
                engine.start(row.id)  # what is there can be used
            assert engine.container("victim").status == "running"
            assert engine.inspect_container("victim")["Config"]["Cmd"] == ["sleep", "100"]
        clear(engine)
        assert engine.volumes() == []
    assert count > 8, "the injection does not work: the command was not killed"


def test_a_removal_that_is_killed_at_any_step_can_be_finished(engine: Engine) -> None:
    count = 0

    def doomed() -> None:
        engine.start(engine.create(request(["sleep", "100"], name="victim", PortBindings={"80/tcp": [{}]})))

    doomed()
    for killed in kills(engine.root, ("rename", "rmdir", "fdatasync", "unlinkat"), "rm", "-f", "--now", "victim"):
        count += killed
        settled(engine)
        if known(engine, "victim"):
            assert killed, "rm said that it is gone"
            assert engine.container("victim").status in ("running", "exited")
            engine.remove("victim", force=True)
        clear(engine)
        doomed()
    empty(engine)
    assert count > 6, "the injection does not work: the command was not killed"


def test_a_stop_and_a_start_that_are_killed_leave_a_container_that_can_be_stopped_and_started(run: Run) -> None:
    engine = run.engine
    container = run.start(["sleep", "100"], name="victim", PortBindings={"80/tcp": [{}]})
    for verb in (["stop", "-t", "0", "victim"], ["start", "victim"], ["restart", "-t", "0", "victim"]):
        count = 0
        for killed in kills(engine.root, ("fdatasync", "rename", "vfork", "wait4"), *verb):
            count += killed
            settled(engine)
            assert engine.container(container).status in ("running", "exited")
            if verb[0] == "start":
                engine.stop(container, timeout=0)
            else:
                engine.start(container)
            assert engine.container(container).status == ("exited" if verb[0] == "start" else "running")
            assert engine.container(container).exit_code in (None, 137)
        assert count > 0, "the injection does not work: the command was not killed"
    settled(engine)


def test_a_foreground_run_that_is_killed_leaves_no_container_that_was_to_be_removed(engine: Engine) -> None:
    count = 0
    for killed in kills(engine.root, CALLS, "run", "--rm", "--name", "victim", "busybox", "true"):
        count += killed
        eventually(lambda: not running(engine, "victim"), "it has ended")
        settled(engine)
        if known(engine, "victim"):
            assert engine.container("victim").status == "created", "it ran and was not removed"
        clear(engine)
    settled(engine)
    assert count > 8, "the injection does not work: the command was not killed"


def test_a_container_that_is_bound_to_its_run_goes_with_it(engine: Engine) -> None:
    done = cli(engine.root, "run", "--rm", "--bound", "busybox", "sh", "-c", "exit 5")
    assert done.returncode == 5, done.stderr
    client = spawn(engine.root, "run", "--rm", "--bound", "--name", "victim", "busybox", "sleep", "1000")
    eventually(lambda: running(engine, "victim"), "it runs")
    client.kill()
    client.wait()
    eventually(lambda: not known(engine, "victim"), "it is gone")
    settled(engine)


def test_a_load_that_is_killed_at_any_step_can_be_repeated(archive: bytes) -> None:
    root = tempfile.mkdtemp(prefix="tuidock-test-")
    fresh = Engine(root)
    try:
        path = Path(root).with_suffix(".tar")
        path.write_bytes(archive)
        count = 0
        for killed in kills(root, ("fdatasync", "rename", "syncfs"), "load", "-q", "-i", str(path), step=3):
            count += killed
            settled(fresh)
            assert [problem for problem in fresh.check() if not problem.repaired] == []
            done = cli(root, "load", "-q", "-i", str(path))
            assert done.returncode == 0, done.stderr
            assert cli(root, "run", "--rm", "busybox", "echo", "usable").stdout == "usable\n"
            cli(root, "rmi", "-f", "--now", "busybox")
            assert fresh.images() == []
            settled(fresh)
        assert count > 3, "the injection does not work: the command was not killed"
    finally:
        fresh.reset()
        path.unlink()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def chance() -> Iterator[random.Random]:
    yield random.Random(20)


def test_clients_that_are_killed_at_random_moments_leave_nothing_wrong(engine: Engine, chance: random.Random) -> None:
    verbs = [serve("victim"), ["run", "--rm", "--name", "other", "busybox", "sleep", "0.05"], ["rm", "-f", "victim"],
             ["start", "victim"], ["stop", "-t", "0", "victim"], ["restart", "-t", "0", "victim"]]  # fmt: skip
    for _ in range(30):
        client = spawn(engine.root, *chance.choice(verbs))
        time.sleep(0.02 + chance.random() * 0.15)  # the moment is the point
        client.send_signal(signal.SIGKILL)
        client.wait()
        if chance.random() < 0.3:
            settled(engine)
    eventually(lambda: not running(engine, "other"), "it has ended")
    settled(engine)
    if known(engine, "victim"):
        engine.remove("victim", force=True)
    assert cli(engine.root, *serve("victim")).returncode == 0
    empty(engine)


@pytest.mark.parametrize("shim", ["lives", "was killed before", "is killed with it"])
def test_a_container_that_a_killed_client_has_frozen_goes_on_at_once(run: Run, shim: str) -> None:
    """Without anybody who looks."""
    engine = run.engine
    container = run.start(["sh", "-c", "head -c 1000000 /dev/zero >/big; touch /ready; exec sleep 1000"])
    eventually(lambda: Path(f"/proc/{monitors(engine, container).init[0]}/root/ready").exists(), "it has its files")
    mark, groups = Path(engine.instance.paths.container_run(container), "paused"), cgroups_of(engine.instance)
    client = spawn(engine.root, "cp", f"{container}:/big", "-", stdout=subprocess.PIPE)  # which nobody reads
    eventually(lambda: mark.exists() and groups.frozen(container), "it stands still")
    monitor = monitors(engine, container).shim
    if shim == "was killed before":
        kill(monitor)
        eventually(lambda: monitors(engine, container).shim != monitor, "its shim has a successor")
        assert groups.frozen(container)
    client.kill()
    if shim == "is killed with it":
        kill(monitor)
    eventually(lambda: not mark.exists() and not groups.frozen(container), "it goes on")
    client.communicate()
