"""Circumstances that nobody plans for: a stopped shim, a storm of hang-ups, a clock that jumps, a data root that moves,
a lost or damaged database, paths longer than a socket's name, and the machine that was down."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, leaks, request
from tests.failure.machine import cli, eventually, kill, left_over, monitors, send, settled, spawn
from tuidock.engine import Engine
from tuidock.engine.errors import SystemFailure
from tuidock.engine.runtime.status import read_pid

PUBLISHED = {"80/tcp": [{"HostIp": "", "HostPort": ""}]}


@pytest.fixture
def place() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="tuidock-odd-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def fresh(place: Path, archive: bytes) -> Iterator[Engine]:
    """An engine that a test may ruin."""
    engine = Engine(str(place / "root"))
    list(engine.load(io.BytesIO(archive)))
    yield engine
    engine.close()
    if place.joinpath("root/instance").exists():
        engine = Engine(str(place / "root"))
        try:
            engine.containers()
        except SystemFailure:
            engine.rebuild()
        engine.remove_many([c.id for c in engine.containers()], force=True)
        left = leaks(engine)
        engine.reset()
        assert not left, left


def test_a_stopped_shim_keeps_nobody_from_looking_and_goes_on_when_it_is_continued(run: Run) -> None:
    engine = run.engine
    container = run.start(["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.05; done; exec sleep 100"], name="frozen")
    shim = monitors(engine, container).shim
    assert send(shim, signal.SIGSTOP)
    try:
        began = time.monotonic()
        for verb in (["ps"], ["inspect", "frozen"], ["logs", "frozen"], ["top", "frozen"], ["stats", "--no-stream"]):
            assert cli(engine.root, *verb).returncode == 0, verb
        assert cli(engine.root, "exec", "frozen", "echo", "inside").stdout == "inside\n"
        assert time.monotonic() - began < 30
        stopping = spawn(engine.root, "stop", "-t", "1", "frozen")
        eventually(lambda: engine.container(container).exit_code is not None, "the recorder has recorded the end")
    finally:
        send(shim, signal.SIGCONT)
    assert stopping.wait(30) == 0
    assert engine.container(container).exit_code == 137
    assert run.text(container).split() == ["1", "2", "3"]
    settled(engine)


def test_a_stopped_shim_can_be_killed_and_the_container_removed(engine: Engine) -> None:
    container = engine.create(request(["sleep", "100"], PortBindings=PUBLISHED))
    engine.start(container)
    shim = monitors(engine, container).shim
    send(shim, signal.SIGSTOP)
    removing = threading.Thread(target=lambda: Engine(engine.root).remove(container, force=True))
    removing.start()
    kill(shim)
    removing.join(60)
    assert not removing.is_alive()
    assert engine.containers() == []
    settled(engine)


def test_a_storm_of_hangups_ends_no_container_but_its_own(run: Run) -> None:
    engine = run.engine
    script = "trap : HUP; n=0; while [ $n -lt 40 ]; do sleep 0.02; n=$((n+1)); done; exit 11"
    containers = [run.start(["sh", "-c", script], config={"Tty": True, "OpenStdin": True}) for _ in range(3)]
    for _ in range(15):
        for container in containers:
            record = read_pid(engine.instance.paths, container)
            if record is not None:
                for process in (record.shim, record.recorder):
                    send(process, signal.SIGHUP)
                send(record.init, signal.SIGHUP)
    assert [engine.wait(container) for container in containers] == [11, 11, 11]
    settled(engine)


def test_the_client_of_a_detached_container_may_lose_its_terminal(run: Run) -> None:
    import pty

    ours, theirs = pty.openpty()
    client = spawn(run.engine.root, "run", "-it", "--name", "kept", "busybox", "sh", "-c", "trap : HUP; sleep 0.6; exit 5",
                   stdin=theirs, start_new_session=True)  # fmt: skip
    os.close(theirs)
    eventually(lambda: any(c.name == "kept" and c.status == "running" for c in run.engine.containers()), "it runs")
    os.close(ours)
    client.send_signal(signal.SIGHUP)
    client.wait(20)
    run.made.append(run.engine.container("kept").id)
    assert run.engine.wait("kept") == 5
    settled(run.engine)


def test_lines_from_before_and_after_a_jump_of_the_clock_are_shown(run: Run) -> None:
    container = run.start(["sh", "-c", "echo one; echo two; echo three; echo four"], name="jumping")
    run.engine.wait(container)
    (segment,) = Path(run.engine.log_directory(container)).glob("*.log")
    now = time.time()

    def stamp(moment: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + ".000000000Z"

    hour = 3600
    moments = (now - hour, now - 10 * hour, now + 10 * hour, now - 60)  # the clock was wrong in both directions
    words = ("one", "two", "three", "four")
    segment.write_text("".join(f"{stamp(m)} stdout F {w}\n" for m, w in zip(moments, words, strict=True)))
    assert cli(run.engine.root, "logs", "jumping").stdout.split() == list(words)
    assert cli(run.engine.root, "logs", "--tail", "2", "jumping").stdout.split() == ["three", "four"]
    assert "four" in cli(run.engine.root, "logs", "--since", "10m", "jumping").stdout.split()
    assert "two" not in cli(run.engine.root, "logs", "--since", "10m", "jumping").stdout.split()
    assert "one" in cli(run.engine.root, "logs", "--until", "30m", "jumping").stdout.split()


def test_a_data_root_that_was_moved_works_at_its_new_place(fresh: Engine, place: Path) -> None:
    container = fresh.create(request(["sh", "-c", "cat /data/kept; echo moved > /own; exec sleep 100"], name="moved",
                                     Binds=["kept:/data"], PortBindings=PUBLISHED))  # fmt: skip
    Path(fresh.volume("kept").mountpoint, "kept").write_text("kept\n")
    fresh.start(container)
    fresh.stop(container, timeout=0)
    fresh.close()
    os.rename(place / "root", place / "elsewhere")
    try:
        engine = Engine(str(place / "elsewhere"))
        assert engine.container("moved").exit_code == 137
        engine.start("moved")
        eventually(lambda: sum(len(b) for b in engine.logs("moved")) >= 1, "it has read its volume again")
        assert not (place / "root").exists(), "something still uses the old place"
        mounts = engine.inspect_container("moved")["Mounts"]
        assert mounts[0]["Source"] == f"{place}/elsewhere/volumes/kept/_data"
        settled(engine)
        engine.remove("moved", force=True)
        engine.close()
    finally:
        os.rename(place / "elsewhere", place / "root")


@pytest.mark.parametrize("ruin", ["deleted", "emptied", "garbage", "torn"])
def test_a_ruined_database_is_refused_in_one_sentence_and_rebuilt(fresh: Engine, ruin: str) -> None:
    kept = fresh.create(request(["sleep", "100"], name="kept", Binds=["data:/data"], PortBindings=PUBLISHED))
    other = fresh.create(request(["true"], name="other", config={"Labels": {"a": "b"}}))
    fresh.start(kept)
    fresh.tag("busybox", "second:1")
    images = sorted(reference for image in fresh.images() for reference in image.references)
    fresh.close()
    database = Path(fresh.instance.paths.database)
    if ruin == "torn":
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    content = database.read_bytes()
    for suffix in ("-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    if ruin == "deleted":
        database.unlink()
    else:
        database.write_bytes({"emptied": b"", "garbage": os.urandom(8192), "torn": content[: len(content) // 3]}[ruin])
    done = cli(fresh.root, "ps", "-a")
    assert done.returncode == 1 and "system rebuild" in done.stderr, done
    assert done.stderr.count("\n") == 1
    rebuilt = cli(fresh.root, "system", "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert {c.name: (c.id, c.status) for c in fresh.containers()} == {
        "kept": (kept, "running"),
        "other": (other, "created"),
    }
    assert fresh.container("other").labels == {"a": "b"}
    assert sorted(reference for image in fresh.images() for reference in image.references) == images
    assert fresh.volume("data").users == ("kept",)
    assert cli(fresh.root, "run", "--rm", "busybox", "echo", "usable").stdout == "usable\n"
    fresh.stop(kept, timeout=0)
    fresh.start(kept)
    assert fresh.container("kept").ports[0].host_port
    settled(fresh)


def test_a_data_root_with_a_path_longer_than_a_sockets_name_works(place: Path, archive: bytes) -> None:
    root = place / ("long" * 30) / ("path with blanks and \u00e9" * 5) / "root"
    assert len(str(root)) > 240
    engine = Engine(str(root))
    list(engine.load(io.BytesIO(archive)))
    assert cli(engine.root, "run", "--rm", "-v", "data:/data", "busybox", "echo", "attached").stdout == "attached\n"
    container = engine.create(request(["sh", "-c", "echo waiting; read line; echo got $line"], name="far",
                                      config={"OpenStdin": True}))  # fmt: skip
    engine.start(container)
    done = cli(engine.root, "attach", "--sig-proxy=false", "far", stdin=b"word\n")
    assert "got word" in done.stdout, done
    assert cli(engine.root, "run", "-d", "--name", "on", "-p", "80", "busybox", "sleep", "100").returncode == 0
    assert cli(engine.root, "exec", "on", "echo", "inside").stdout == "inside\n"
    settled(engine)
    engine.remove_many(["far", "on"], force=True)
    assert leaks(engine) == []
    engine.reset()


def reboot(engine: Engine) -> None:
    """What a power cut leaves: every process of the containers is gone, the run directory is of another boot or empty."""
    for container in engine.containers():
        record = read_pid(engine.instance.paths, container.id)
        if record is None:
            continue
        for process in (record.recorder, record.shim, record.init):
            kill(process)
        path = Path(engine.instance.paths.container_run(container.id), "pid")
        if path.exists():
            lines = path.read_text().splitlines()
            path.write_text(
                "\n".join("boot of-yesterday" if line.startswith("boot ") else line for line in lines) + "\n"
            )


POLICIES = {"never": "", "always": "always", "unless": "unless-stopped", "failing": "on-failure"}


def test_after_the_machine_was_down_restart_policies_apply(fresh: Engine) -> None:
    for name, policy in POLICIES.items():
        for suffix in ("ran", "stopped"):
            restart = {"RestartPolicy": {"Name": policy}} if policy else {}
            container = fresh.create(
                request(["sleep", "100"], name=f"{name}-{suffix}", PortBindings=PUBLISHED, **restart)
            )
            fresh.start(container)
            if suffix == "stopped":
                fresh.stop(container, timeout=0)
    temporary = fresh.create(request(["sleep", "100"], name="temporary", AutoRemove=True))
    fresh.start(temporary)
    before = {c.name: c.networks[0].address for c in fresh.containers()}
    reboot(fresh)
    shown = {c.name: (c.status, c.exit_code) for c in fresh.containers() if c.name != "temporary"}
    assert shown == {
        f"{name}-{suffix}": ("exited", 255 if suffix == "ran" else 137)
        for name in POLICIES
        for suffix in ("ran", "stopped")
    }
    done = cli(fresh.root, "boot")
    assert done.returncode == 0, done.stderr
    started = set(done.stdout.split())
    assert {"always-ran", "always-stopped", "unless-ran", "failing-ran"} == started
    assert {c.name for c in fresh.containers() if c.status == "running"} == started
    assert "temporary" not in {c.name for c in fresh.containers()}, "--rm means it goes with the machine, too"
    assert all(c.networks[0].address == before[c.name] for c in fresh.containers())
    settled(fresh)
    assert cli(fresh.root, "boot").stdout == "", "a second boot has nothing to do"


def test_one_container_that_cannot_start_at_boot_does_not_keep_the_others_from_it(fresh: Engine, place: Path) -> None:
    source = place / "mounted-later"
    source.mkdir()
    policy = {"RestartPolicy": {"Name": "always"}}
    for name, binds in (("first", []), ("broken", [f"{source}:/data"]), ("last", [])):
        fresh.start(fresh.create(request(["sleep", "100"], name=name, Binds=binds, **policy)))
    reboot(fresh)
    source.rmdir()
    done = cli(fresh.root, "boot")
    assert done.returncode == 1
    assert done.stdout.split() == ["first", "last"]
    assert "broken" in done.stderr and "bind source path does not exist" in done.stderr
    assert {c.name: c.status for c in fresh.containers()} == {"first": "running", "broken": "exited", "last": "running"}


def test_an_empty_run_directory_after_a_reboot_is_made_anew(fresh: Engine) -> None:
    container = fresh.create(request(["sleep", "100"], name="kept", PortBindings=PUBLISHED))
    fresh.start(container)
    reboot(fresh)
    fresh.sweep()
    shutil.rmtree(fresh.instance.paths.run)
    for verb in (["ps", "-a"], ["start", "kept"], ["logs", "kept"], ["system", "check", "--fast"]):
        done = cli(fresh.root, *verb)
        assert done.returncode == 0, (verb, done)
    assert fresh.container("kept").status == "running"
    assert left_over(fresh) == []
