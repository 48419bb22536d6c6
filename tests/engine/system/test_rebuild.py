"""Losing and finding: rebuild, sweep, check, reboot, several clients at once."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import Run, leaks, request
from tests.engine.containers.test_lifecycle import eventually
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError, PortTaken, SystemFailure
from tuidock.engine.runtime.status import read_pid


def problems(engine: Engine) -> list[str]:
    return [f"{p.area} {p.subject}: {p.message}" for p in engine.check(fast=True)]


def test_rebuild_restores_images_containers_and_volumes(run: Run) -> None:
    engine = run.engine
    engine.create_volume("kept")
    container = run.start(["sleep", "100"], name="survivor", Binds=["kept:/data"], config={"Labels": {"a": "b"}})
    before = engine.container("survivor")
    images = {(image.id, image.references) for image in engine.images()}
    engine.instance.state.close()
    for suffix in ("", "-wal", "-shm"):
        Path(engine.instance.paths.database + suffix).unlink(missing_ok=True)
    with pytest.raises(SystemFailure, match="system rebuild"):
        engine.containers()
    engine.rebuild()
    after = engine.container("survivor")
    assert (after.id, after.status, after.labels, after.mounts) == (container, "running", {"a": "b"}, before.mounts)
    assert [end.address for end in after.networks] == [end.address for end in before.networks]
    assert {(image.id, image.references) for image in engine.images()} == images
    assert engine.volume("kept").users == ("survivor",)
    assert problems(engine) == []


def test_a_rebuild_keeps_what_running_containers_publish(run: Run) -> None:
    """And another client that has the database open sees the new one at once."""
    engine = run.engine
    run.start(["sleep", "100"], name="web", PortBindings={"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]})
    before = engine.ports("web")
    assert before and before[0].host_port
    other = Engine(engine.instance.paths.root)
    assert other.container("web").ports == tuple(before)
    engine.rebuild()
    assert engine.ports("web") == before
    run.start(["sleep", "100"], name="later")
    assert {row.name for row in other.containers()} >= {"web", "later"}
    with pytest.raises(PortTaken, match="container web has it"):
        port = str(before[0].host_port)
        run.start(["true"], PortBindings={"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]})
    other.close()


def test_a_database_that_is_none_is_replaced(run: Run) -> None:
    engine = run.engine
    run.start(["sleep", "100"], name="survivor")
    other = Engine(engine.instance.paths.root)
    assert other.containers()
    engine.instance.state.close()
    Path(engine.instance.paths.database).write_bytes(b"this is no database" * 1000)
    engine.rebuild()
    assert [row.name for row in engine.containers()] == ["survivor"]
    run.start(["sleep", "100"], name="later")
    assert {row.name for row in other.containers()} == {"survivor", "later"}
    other.close()


def test_a_sweep_never_takes_containers_whose_database_was_lost(run: Run) -> None:
    engine = run.engine
    container = run.engine.create(request(["true"], name="unknown"))
    run.made.append(container)
    engine.instance.state.close()
    database = Path(engine.instance.paths.database)
    kept = {
        suffix: Path(f"{database}{suffix}").read_bytes()
        for suffix in ("", "-wal")
        if Path(f"{database}{suffix}").exists()
    }
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    with pytest.raises(SystemFailure, match="system rebuild"):
        engine.sweep()
    assert os.path.isdir(engine.instance.paths.container(container))
    for suffix, content in kept.items():
        Path(f"{database}{suffix}").write_bytes(content)
    assert engine.container("unknown").id == container


@pytest.mark.parametrize("victims", [("shim",), ("recorder",), ("shim", "recorder")])
def test_killed_monitors_lose_no_container_and_leave_nothing(run: Run, victims: tuple[str, ...]) -> None:
    engine = run.engine
    container = run.start(["sh", "-c", "echo begin; while [ ! -e /stop ]; do sleep 0.02; done; echo end; exit 5"])
    eventually(lambda: "begin" in run.text(container), "it began")
    record = read_pid(engine.instance.paths, container)
    assert record is not None
    for victim in victims:
        os.kill(getattr(record, victim)[0], signal.SIGKILL)
    eventually(lambda: engine.container(container).status == "running", "it is seen to run")
    Path(f"/proc/{record.init[0]}/root/stop").touch()
    code = engine.wait(container)
    assert code == (255 if len(victims) == 2 and code == 255 else 5)
    if len(victims) == 1:
        assert run.text(container).split() == ["begin", "end"]
    eventually(lambda: engine.sweep() == [] and leaks(engine) == [] and problems(engine) == [], "nothing is left")


def test_all_monitors_and_the_container_killed_is_an_end_with_an_unknown_code(run: Run) -> None:
    engine = run.engine
    container = run.start(["sleep", "100"])
    record = read_pid(engine.instance.paths, container)
    assert record is not None
    for pid, _ in (record.shim, record.recorder, record.init):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    eventually(lambda: engine.container(container).exit_code is not None, "its end is recorded")  # each look heals
    engine.sweep()
    assert engine.container(container).exit_code in (137, 255)
    assert leaks(engine) == []
    assert problems(engine) == []


def test_after_a_reboot_what_ran_has_exited_and_policies_apply(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = run.engine
    always = engine.create(request(["sleep", "100"], name="always", RestartPolicy={"Name": "always"}))
    never = engine.create(request(["sleep", "100"], name="never"))
    run.made += [always, never]
    for container in (always, never):  # what a power cut leaves: reserved exit records, intents, an empty run directory
        directory = Path(engine.instance.paths.container(container))
        (directory / ".exit").write_bytes(b"")
        (directory / "intent").write_text("run 1\n")
    assert engine.container(never).status == "exited"
    assert engine.boot() == ["always"]
    assert engine.container(always).status == "running"
    assert (engine.container(never).status, engine.container(never).exit_code) == ("exited", 255)


def test_many_clients_at_once_create_and_remove(engine: Engine) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            client = Engine(engine.root)
            container = client.create(request(["sleep", "100"]))
            client.start(container)
            client.remove(container, force=True)
            client.close()
        except BaseException as error:
            failures.append(error)

    for _ in range(5):
        threads = [threading.Thread(target=work) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert failures == []
    assert engine.containers() == []
    assert leaks(engine) == []
    assert problems(engine) == []


CLIENT = """
import sys
from tuidock.engine import Engine
from tests.conftest import request
engine = Engine(sys.argv[1])
while True:
    container = engine.create(request(["sleep", "100"]))
    engine.start(container)
    print("started", flush=True)
    engine.remove(container, force=True)
"""


def test_a_client_killed_at_any_moment_leaves_nothing_half_made(engine: Engine) -> None:
    repository = Path(__file__).resolve().parents[3]
    chance = random.Random(7)
    for _ in range(12):
        client = subprocess.Popen([sys.executable, "-c", CLIENT, engine.root], cwd=repository, stdout=subprocess.PIPE)
        assert client.stdout is not None
        client.stdout.readline()
        time.sleep(chance.random() * 0.2)
        client.kill()
        client.wait()
        client.stdout.close()
    eventually(lambda: not _busy(engine), "starts that were under way have ended")
    engine.sweep()
    running = [container.id for container in engine.containers()]
    assert problems(engine) == []
    engine.remove_many(running, force=True)
    assert engine.containers() == []
    assert leaks(engine) == []


def _busy(engine: Engine) -> bool:
    from tuidock.engine.files import is_locked

    directory = engine.instance.paths.run + "/c"
    return any(is_locked(f"{directory}/{name}/lock") for name in os.listdir(directory))


def test_a_newer_database_is_only_read(engine: Engine, tmp_path: Path) -> None:
    other = Engine(str(tmp_path))
    other.containers()
    other.close()
    with sqlite3.connect(other.instance.paths.database) as database:
        database.execute("PRAGMA user_version=99")
    newer = Engine(str(tmp_path))
    assert newer.containers() == []
    with pytest.raises(EngineError, match="newer tuidock"):
        newer.create_volume("later")


def test_reset_leaves_an_empty_machine(archive: bytes, tmp_path: Path) -> None:
    import io

    engine = Engine(str(tmp_path / "root"))
    list(engine.load(io.BytesIO(archive)))
    container = engine.create(request(["sleep", "100"]))
    engine.start(container)
    bridge = engine.instance.bridge
    assert os.path.exists(f"/sys/class/net/{bridge}")
    engine.reset()
    assert not os.path.exists(f"/sys/class/net/{bridge}")
    assert not (tmp_path / "root").exists()
    assert leaks(engine) == []


def test_reset_takes_bridges_that_a_restored_database_does_not_know(tmp_path: Path) -> None:
    engine = Engine(str(tmp_path / "root"))
    own = "tdk" + engine.instance.id[:4] + "deadbeef"
    for name in (engine.instance.bridge, own):
        subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    engine.reset()
    assert not os.path.exists(f"/sys/class/net/{engine.instance.bridge}")
    assert not os.path.exists(f"/sys/class/net/{own}")
