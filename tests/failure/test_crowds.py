"""Many command lines at once, each a process of its own: one winner, a clear sentence for the others, nothing left."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, request
from tests.failure.machine import REPOSITORY, argv, cli, empty, eventually, settled
from tuidock.engine import Engine

Outcome = tuple[int, str, str]


def together(root: str, *commands: list[str]) -> list[Outcome]:
    """Runs all at once; exit code, output and errors of each."""
    started = [
        subprocess.Popen(argv(root, *words), cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=-1, stderr=-1, text=True)
        for words in commands
    ]
    found = []
    for process in started:
        output, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors, errors
        found.append((process.returncode, output, errors.strip()))
    return found


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("", 0))
        found = probe.getsockname()[1]
    yield found


def test_fifty_creates_and_fifty_removes_by_fifty_processes(engine: Engine) -> None:
    names = [f"crowd-{number}" for number in range(50)]
    created = [out for half in (names[:25], names[25:]) for out in together(
        engine.root, *(["create", "--name", name, "-v", "shared:/data", "busybox", "true"] for name in half)
    )]  # fmt: skip
    assert [outcome for outcome in created if outcome[0]] == []
    assert len({output for _, output, _ in created}) == 50
    addresses = {c.networks[0].address for c in engine.containers()}
    assert len(addresses) == 50, "two containers have one address"
    assert [volume.name for volume in engine.volumes()] == ["shared"]
    removed = [out for half in (names[:25], names[25:]) for out in together(
        engine.root, *(["rm", name] for name in half)
    )]  # fmt: skip
    assert [outcome for outcome in removed if outcome[0]] == []
    assert engine.containers() == []
    engine.remove_volume("shared")
    settled(engine)


def test_of_twenty_that_want_one_name_one_gets_it(engine: Engine) -> None:
    outcomes = together(engine.root, *(["create", "--name", "wanted", "busybox", "true"] for _ in range(20)))
    assert sorted(code for code, _, _ in outcomes) == [0, *[1] * 19]
    assert all("already in use by container" in errors for code, _, errors in outcomes if code)
    assert len(engine.containers()) == 1
    empty(engine)


def test_of_twenty_that_want_one_port_one_gets_it(engine: Engine, port: int) -> None:
    run = ["run", "-d", "-p", f"{port}:80", "busybox", "sleep", "100"]
    outcomes = together(engine.root, *(run for _ in range(20)))
    winners = [output.strip() for code, output, _ in outcomes if code == 0]
    assert len(winners) == 1
    (owner,) = [c.name for c in engine.containers() if c.status == "running"]
    losers = [errors for code, _, errors in outcomes if code == 125]
    assert len(losers) == 19
    assert all(f"{port} failed: port is already allocated" in errors for errors in losers), losers
    named = [errors for errors in losers if "container " in errors]
    assert named and sum(owner in errors for errors in losers) >= 1, losers
    empty(engine)


def test_automatic_ports_of_a_crowd_are_all_different(engine: Engine) -> None:
    outcomes = together(
        engine.root, *(["run", "-d", "-p", "80", "-p", "81", "busybox", "sleep", "100"] for _ in range(10))
    )
    assert [outcome for outcome in outcomes if outcome[0]] == []
    ports = [port.host_port for c in engine.containers() for port in c.ports]
    assert len(ports) == len(set(ports)) == 20
    empty(engine)


def test_two_loads_of_one_image_at_once_both_succeed(archive: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="tuidock-test-") as root:
        Path(root, "image.tar").write_bytes(archive)
        engine = Engine(root + "/root")
        outcomes = together(engine.root, *(["load", "-q", "-i", f"{root}/image.tar"] for _ in range(3)))
        assert [code for code, _, _ in outcomes] == [0, 0, 0], outcomes
        assert [image.references for image in engine.images()] == [("busybox:latest",)]
        assert [problem for problem in engine.check()] == []
        assert cli(engine.root, "run", "--rm", "busybox", "echo", "usable").stdout == "usable\n"
        engine.reset()


def test_first_commands_on_a_new_data_root_agree_on_what_it_is() -> None:
    with tempfile.TemporaryDirectory(prefix="tuidock-test-") as root:
        outcomes = together(root + "/new", *(["volume", "create", f"volume-{number}"] for number in range(8)))
        assert [code for code, _, _ in outcomes] == [0] * 8, outcomes
        engine = Engine(root + "/new")
        assert len(engine.volumes()) == 8
        engine.reset()


def test_two_starts_of_one_container_give_one_process(run: Run) -> None:
    for _ in range(5):
        container = run.engine.create(request(["sleep", "100"]))
        run.made.append(container)
        outcomes = together(run.engine.root, *(["start", container] for _ in range(3)))
        assert [code for code, _, _ in outcomes] == [0, 0, 0], outcomes
        starts = [
            e for b in run.engine.events(since=1, follow=False) for e in b if e.id == container and e.action == "start"
        ]
        assert len(starts) == 1
        assert run.engine.container(container).status == "running"
    settled(run.engine)


def test_start_against_remove_ends_with_no_container(engine: Engine) -> None:
    for _ in range(8):
        container = engine.create(request(["sleep", "100"], name="torn"))
        outcomes = together(engine.root, ["start", "torn"], ["rm", "-f", "torn"], ["start", "torn"])
        assert outcomes[1][0] == 0, outcomes
        for code, _, errors in (outcomes[0], outcomes[2]):
            words = ("No such container", "marked for removal", "was killed")
            assert code == 0 or any(word in errors for word in words), errors
            assert errors.count("\n") == 0
        assert all(c.id != container for c in engine.containers())
    settled(engine)


def test_stop_against_start_ends_in_one_of_the_two_states(run: Run) -> None:
    container = run.start(["sleep", "100"], name="torn", PortBindings={"80/tcp": [{}]})
    for _ in range(6):
        outcomes = together(
            run.engine.root, ["stop", "-t", "0", "torn"], ["start", "torn"], ["restart", "-t", "0", "torn"]
        )
        assert [code for code, _, _ in outcomes] == [0, 0, 0], outcomes
        assert run.engine.container(container).status in ("running", "exited")
        settled(run.engine)
    run.engine.start(container)
    assert run.engine.container(container).status == "running"


def test_two_removals_of_one_container_leave_none(engine: Engine) -> None:
    for _ in range(5):
        engine.start(engine.create(request(["sleep", "100"], name="twice")))
        outcomes = together(engine.root, *(["rm", "-f", "twice"] for _ in range(3)))
        assert any(code == 0 for code, _, _ in outcomes)
        assert all(code == 0 or "No such container" in errors for code, _, errors in outcomes), outcomes
        assert engine.containers() == []
    settled(engine)


def test_a_sweep_leaves_alone_what_others_are_making(engine: Engine) -> None:
    repairs = [["system", "check", "--fast", "--repair"]] * 6
    for _ in range(3):
        runs = [["run", "-d", "-p", "80", "-v", "/anonymous", "busybox", "sleep", "100"] for _ in range(6)]
        outcomes = together(engine.root, *(words for pair in zip(runs, repairs, strict=True) for words in pair))
        assert [outcome for outcome in outcomes[::2] if outcome[0]] == [], "a sweep took something away"
        assert [c.status for c in engine.containers()] == ["running"] * 6
        empty(engine)
    eventually(lambda: engine.volumes() == [], "the anonymous volumes have gone with their containers")
