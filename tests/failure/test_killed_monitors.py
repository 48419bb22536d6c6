"""kill -9 of the shim, the recorder and the init process at any step of start, end and restart.

The shim of the first tests is compiled with a failpoint at every function (failpoint.c). Whatever dies, the client gets an
answer, the container runs or has ended with its code, and nothing is left.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, request
from tests.failure import failpoint
from tests.failure.machine import clear, eventually, kill, left_over, monitors, settled
from tuidock import native
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError
from tuidock.engine.stream import STDIN, frame

PUBLISHED = {"80/tcp": [{"HostIp": "", "HostPort": ""}]}


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    binary = str(failpoint.shim())
    monkeypatch.setattr(native, "shim_path", lambda: binary)
    yield
    failpoint.disarm()


def ended(engine: Engine, container: str) -> None:
    engine.wait(container)
    eventually(lambda: engine.container(container).status == "exited", "it has ended")


@pytest.mark.usefixtures("mortal")
@pytest.mark.parametrize(("role", "stride", "least"), [("shim", 13, 7), ("recorder", 31, 5), ("init", 37, 3)])
def test_a_start_survives_the_death_of_anybody_at_any_step(engine: Engine, role: str, stride: int, least: int) -> None:
    step, deaths, died = stride // 2, 0, True
    while died:
        container = engine.create(request(["sleep", "100"], name="victim", PortBindings=PUBLISHED))
        failpoint.arm(role, step)
        try:
            engine.start(container)
            failed = False
        except EngineError as error:
            failed = True
            assert ". " not in str(error), "more than one sentence"
        died = not failpoint.disarm()
        deaths += died
        assert engine.container(container).status == ("created" if failed else "running")
        settled(engine)
        if failed:
            engine.start(container)
        assert engine.container(container).status == "running"
        clear(engine)
        step += stride
    settled(engine)
    assert deaths >= least, "the failpoints do not work"


@pytest.mark.usefixtures("mortal")
@pytest.mark.parametrize(("role", "stride", "least"), [("shim", 17, 3), ("recorder", 9, 2)])
def test_an_end_survives_the_death_of_anybody_at_any_step(engine: Engine, role: str, stride: int, least: int) -> None:
    step, deaths, died = 1, 0, True
    while died:
        container = engine.create(request(["sh", "-c", "echo said; exec sleep 100"], PortBindings=PUBLISHED))
        engine.start(container)
        eventually(lambda c=container: list(engine.logs(c)), "it has said something")  # type: ignore[misc]
        failpoint.arm(role, step)
        engine.kill(container, "TERM")  # `sleep` as PID 1 has no handler, so this does nothing; the next one does
        engine.stop(container, timeout=0)
        died = not failpoint.disarm()
        deaths += died
        ended(engine, container)
        settled(engine)
        row = engine.container(container)
        assert (row.exit_code, row.status) == (137, "exited")
        assert [line.text for batch in engine.logs(container) for line in batch] == [b"said"]
        actions = [e.action for b in engine.events(since=1, follow=False) for e in b if e.id == container]
        assert actions.count("start") == 1 and actions.count("die") >= 1
        engine.start(container)
        clear(engine)
        step += stride
    settled(engine)
    assert deaths >= least, "the failpoints do not work"


@pytest.mark.usefixtures("mortal")
@pytest.mark.parametrize(("role", "stride", "least"), [("shim", 37, 4), ("recorder", 61, 2)])
def test_a_restart_survives_the_death_of_anybody_at_any_step(
    engine: Engine, role: str, stride: int, least: int
) -> None:
    step, deaths, died = 3, 0, True
    while died:
        policy = {"Name": "on-failure", "MaximumRetryCount": 1}
        script = "if [ -e /again ]; then exit 4; fi; touch /again; until [ -e /go ]; do sleep 0.01; done; exit 3"
        container = engine.create(request(["sh", "-c", script], RestartPolicy=policy, PortBindings=PUBLISHED))
        engine.start(container)
        failpoint.arm(role, step)
        Path(f"/proc/{monitors(engine, container).init[0]}/root/go").touch()
        ended(engine, container)
        died = not failpoint.disarm()
        deaths += died
        settled(engine)
        row = engine.container(container)
        assert row.exit_code in ((3, 4, 125, 137, 255) if died else (4,)), row
        assert row.restarts <= 1
        clear(engine)
        step += stride
    settled(engine)
    assert deaths >= least, "the failpoints do not work"


def test_a_flood_of_log_lines_survives_kills_at_random_moments(run: Run) -> None:
    engine, chance = run.engine, random.Random(4)
    container = run.start(
        ["sh", "-c", "seq 1 400000; read line; seq 400001 500000; exit 6"],
        config={"OpenStdin": True},
        LogConfig={"Type": "json-file", "Config": {"max-size": "-1"}},
    )
    for _ in range(6):  # after some more, a recorder starts adopters ever more rarely
        former = monitors(engine, container).shim
        kill(former)
        eventually(lambda f=former: monitors(engine, container).shim != f, "a new shim")  # type: ignore[misc]
        time.sleep(chance.random() * 0.05)  # the moment is the point
    client = engine.attach(container)
    client.sendall(frame(STDIN, b"\n"))
    client.close()
    assert engine.wait(container) == 6
    ended(engine, container)
    settled(engine)
    numbers = [int(line.text) for batch in engine.logs(container) for line in batch]
    assert numbers == list(range(1, 500001))


@pytest.mark.parametrize(
    "victims", [("shim",), ("recorder",), ("shim", "recorder"), ("recorder", "init"), ("shim", "init")]
)
def test_whoever_of_the_monitors_dies_the_container_can_be_stopped(run: Run, victims: tuple[str, ...]) -> None:
    engine = run.engine
    container = run.start(["sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.02; done"])
    eventually(lambda: "ready" in run.text(container), "the trap stands")
    record = monitors(engine, container)
    for victim in victims:
        kill(getattr(record, victim))
    engine.stop(container, timeout=10)
    ended(engine, container)
    assert engine.container(container).exit_code in ((137, 255) if "init" in victims else (9, 255))
    if len(victims) == 1:
        assert engine.container(container).exit_code == 9
    settled(engine)
    assert left_over(engine) == []
