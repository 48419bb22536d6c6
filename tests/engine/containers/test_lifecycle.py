"""A container from create to rm, through the engine's door, with the real kernel."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest

from tests.conftest import Run, leaks, request
from tuidock.engine import Engine
from tuidock.engine.errors import (
    AmbiguousId,
    Conflict,
    InvalidArgument,
    NameTaken,
    NotFound,
    PortTaken,
    StartFailed,
    SystemFailure,
    WrongState,
)
from tuidock.engine.runtime.cgroup import Cgroups, cgroups_of
from tuidock.engine.watch import Stop


def eventually(condition, what: str, seconds: float = 20):  # type: ignore[no-untyped-def]
    """Waits for something that another process does; fails with its name."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)
    return result


def test_a_container_runs_logs_and_ends_with_its_exit_code(run: Run) -> None:
    assert run.output(["sh", "-c", "echo out; echo err >&2; exit 42"]).split() in (["out", "err"], ["err", "out"])
    assert run.code == 42
    row = run.engine.container(run.made[0])
    assert (row.status, row.exit_code, row.pid) == ("exited", 42, 0)
    assert row.created < row.started < row.finished


def test_death_by_signal_is_128_and_the_signal(run: Run) -> None:
    container = run.start(["sleep", "100"])
    run.engine.kill(container, "KILL")
    assert run.engine.wait(container) == 137


def test_one_process_of_a_container_is_killed_and_no_other(run: Run) -> None:
    container = run.start(["sh", "-c", "sleep 100 & wait; echo it went; sleep 100"])
    other = run.start(["sleep", "100"])

    def sleeps() -> int:
        rows = run.engine.top(container, ("-eo", "pid,args")).rows
        return next((int(pid) for pid, command in rows if command == "sleep 100"), 0)

    pid = eventually(sleeps, "the child runs")
    for stranger in (os.getpid(), run.engine.container(other).pid, 1, 2**31 - 1, 2**70, -1):
        with pytest.raises(NotFound, match=f"{stranger} in container"):
            run.engine.kill_process(container, stranger, "KILL")
    with pytest.raises(InvalidArgument, match="invalid signal: NONE"):
        run.engine.kill_process(container, pid, "NONE")
    run.engine.kill_process(container, pid, "TERM")
    eventually(lambda: "it went" in run.text(container), "the shell goes on")
    assert run.engine.container(other).status == run.engine.container(container).status == "running"


def test_stop_sends_the_stop_signal_and_then_kills(run: Run) -> None:
    polite = run.start(
        ["sh", "-c", "trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done"], config={"StopSignal": "USR1"}
    )
    eventually(lambda: "ready" in run.text(polite), "the trap stands")
    run.engine.stop(polite)
    assert run.engine.container(polite).exit_code == 7
    stubborn = run.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"])
    eventually(lambda: "ready" in run.text(stubborn), "the trap stands")
    run.engine.stop(stubborn, timeout=1)
    assert run.engine.container(stubborn).exit_code == 137
    run.engine.stop(stubborn)  # stopping a stopped one is no error


def test_restart_runs_the_same_container_again(run: Run) -> None:
    container = run.start(["sh", "-c", "echo run >> /count; wc -l < /count; sleep 100"])
    eventually(lambda: "1" in run.text(container), "first run")
    run.engine.restart(container, timeout=0)
    eventually(lambda: "2" in run.text(container), "second run sees the first one's file")
    assert run.engine.container(container).status == "running"


def test_pause_freezes_and_unpause_goes_on(run: Run) -> None:
    container = run.start(["sh", "-c", "while :; do echo tick; sleep 0.02; done"])
    eventually(lambda: "tick" in run.text(container), "it ticks")
    run.engine.pause(container)
    assert run.engine.container(container).status == "paused"
    before = run.text(container)
    time.sleep(0.3)  # nothing may happen, and that can only be seen by waiting
    assert len(run.text(container)) - len(before) <= len("tick\n") * 2
    with pytest.raises(WrongState, match="already paused"):
        run.engine.pause(container)
    frozen = run.text(container)
    run.engine.unpause(container)
    eventually(lambda: len(run.text(container)) > len(frozen), "it goes on")


def test_a_paused_container_can_be_stopped_and_removed(run: Run) -> None:
    container = run.start(["sleep", "100"])
    run.engine.pause(container)
    run.engine.stop(container, timeout=1)
    assert run.engine.container(container).status == "exited"
    other = run.start(["sleep", "100"])
    run.engine.pause(other)
    run.engine.remove(other, force=True)
    with pytest.raises(NotFound):
        run.engine.container(other)


def test_what_somebody_else_froze_can_be_ended_too(run: Run) -> None:
    cgroups = cgroups_of(run.engine.instance)
    ends: list[Callable[[str], object]] = [
        lambda id_: run.engine.stop(id_, timeout=5), run.engine.kill, lambda id_: run.engine.remove(id_, force=True)
    ]  # fmt: skip
    for end in ends:
        container = run.start(["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"])
        cgroups.freeze(container)
        assert run.engine.container(container).status == "running"
        end(container)
        assert container not in [one.id for one in run.engine.containers(all=False)]


def test_a_pause_that_fails_leaves_it_running(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    container = run.start(["sleep", "100"])
    monkeypatch.setattr(Cgroups, "_processes", lambda self, id_: "/proc")  # where nothing can be made to stand still
    with pytest.raises(SystemFailure, match="cannot pause"):
        run.engine.pause(container)
    monkeypatch.undo()
    assert run.engine.container(container).status == "running"
    run.engine.pause(container)
    run.engine.unpause(container)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["no-such-program"], 127, "executable file not found"),
        (["/etc/passwd"], 126, "permission denied"),
        (["/bin"], 126, ""),
    ],
)
def test_a_command_that_cannot_run_is_told_with_dockers_exit_code(
    run: Run, command: list[str], code: int, words: str
) -> None:
    container = run.engine.create(request(command))
    run.made.append(container)
    with pytest.raises(StartFailed, match=words) as caught:
        run.engine.start(container)
    assert caught.value.exit_code == code
    row = run.engine.container(container)
    assert (row.status, row.exit_code) == ("created", code)
    assert not [leak for leak in leaks(run.engine) if container[:8] in leak]


def test_names_are_unique_and_prefixes_must_be_unambiguous(run: Run) -> None:
    first = run.start(["true"], name="one-name")
    with pytest.raises(NameTaken, match="one-name"):
        run.engine.create(request(["true"], name="one-name"))
    assert run.engine.container("one-name").id == first
    assert run.engine.container(first[:12]).id == first
    with pytest.raises(InvalidArgument):
        run.engine.create(request(["true"], name="../evil"))
    with pytest.raises(NotFound):
        run.engine.container("nobody")
    many = [run.engine.create(request(["true"])) for _ in range(17)]
    run.made += many
    letters = [container[0] for container in many]
    twice = next(letter for letter in letters if letters.count(letter) > 1)
    with pytest.raises(AmbiguousId):
        run.engine.container(twice)


def test_rename_frees_the_old_name(run: Run) -> None:
    container = run.start(["sleep", "100"], name="before")
    run.engine.rename("before", "after")
    assert run.engine.container("after").id == container
    with pytest.raises(NotFound):
        run.engine.container("before")


def test_rm_refuses_a_running_one_and_force_leaves_nothing(run: Run) -> None:
    container = run.start(["sleep", "100"])
    with pytest.raises(WrongState, match="stop the container"):
        run.engine.remove(container)
    run.engine.remove(container, force=True)
    with pytest.raises(NotFound):
        run.engine.container(container)
    assert not os.path.exists(run.engine.instance.paths.container(container))
    assert leaks(run.engine) == []


def test_a_published_port_answers_on_every_loopback_address(run: Run) -> None:
    serve = ["sh", "-c", "mkdir /www; echo hello-from-inside > /www/index.html; exec httpd -f -p 80 -h /www"]
    container = run.start(serve, PortBindings={"80/tcp": [{"HostIp": "", "HostPort": ""}]})
    (binding,) = run.engine.ports(container)
    assert 49000 <= binding.host_port <= 49900
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        assert b"hello-from-inside" in eventually(
            lambda f=family, a=address: fetch(f, a, binding.host_port), f"answer on {address}"
        )


def fetch(family: int, address: str, port: int) -> bytes:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect((address, port))
            client.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            answer = b""
            while part := client.recv(4096):
                answer += part
            return answer
    except OSError:
        return b""


def test_a_taken_port_names_its_owner_and_is_free_again_after_stop(run: Run) -> None:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    publish = {"80/tcp": [{"HostIp": "", "HostPort": str(port)}]}
    first = run.start(["sleep", "100"], name="port-owner", PortBindings=publish)
    second = run.engine.create(request(["sleep", "100"], PortBindings=publish))
    run.made.append(second)
    with pytest.raises(PortTaken, match="port-owner"):
        run.engine.start(second)
    run.engine.stop(first, timeout=0)
    run.engine.start(second)
    assert run.engine.container(second).status == "running"


def test_containers_reach_each_other_by_address(run: Run) -> None:
    server = run.start(["sh", "-c", "while :; do echo pong | nc -l -p 7; done"])
    (endpoint,) = run.engine.container(server).networks
    eventually(lambda: "pong" in run.output(["nc", "-w", "2", endpoint.address, "7"]), "the neighbour answers")


def test_limits_arrive_in_the_container(run: Run) -> None:
    container = run.start(["sleep", "100"], Memory=64 << 20, PidsLimit=17, NanoCpus=500_000_000)
    (stats,) = run.engine.stats([container])
    assert (stats.memory_limit, stats.pids_limit) == (64 << 20, 17)
    assert stats.pids >= 1 and stats.memory > 0


def test_an_out_of_memory_kill_is_noticed(run: Run) -> None:
    hog = ["sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"]
    container = run.start(hog, Memory=16 << 20, MemorySwap=16 << 20)
    assert run.engine.wait(container) == 137
    assert run.engine.container(container).oom_killed


def test_the_timeline_has_the_steps_of_a_start(run: Run) -> None:
    container = run.start(["true"])
    run.engine.wait(container)
    names = [step.name for step in run.engine.timeline(container)]
    assert names == ["image", "container", "layer", "bridge", "address", "process"]
    assert run.engine.inspect_container(container)["Timeline"][-1]["DurationNs"] > 0


def test_on_failure_restarts_until_its_limit(run: Run) -> None:
    container = run.start(
        ["sh", "-c", "echo try; exit 3"], RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 2}
    )
    assert run.engine.wait(container) == 3
    assert run.text(container).count("try") == 3
    assert run.engine.container(container).restarts == 2


def test_stop_ends_a_restart_loop(run: Run) -> None:
    container = run.start(["sh", "-c", "exit 1"], RestartPolicy={"Name": "always"})
    eventually(lambda: run.engine.container(container).restarts >= 2, "it restarts")
    run.engine.stop(container, timeout=1)
    row = run.engine.container(container)
    assert row.status == "exited"
    restarts = row.restarts
    time.sleep(0.5)  # the next restart would come within this time
    assert run.engine.container(container).restarts == restarts


def test_wait_sees_the_end_from_another_thread(run: Run) -> None:
    container = run.start(["sh", "-c", "sleep 0.3; exit 9"])
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(Engine(run.engine.root).wait(container)))
    thread.start()
    thread.join(30)
    assert codes == [9]


def test_events_tell_the_life_of_a_container(run: Run) -> None:
    since = time.time_ns()
    container = run.start(["true"])
    run.engine.wait(container)
    run.engine.remove(container)
    actions = [e.action for batch in run.engine.events(since=since, follow=False) for e in batch if e.id == container]
    assert actions == ["create", "start", "die", "destroy"]


def test_following_events_and_logs_ends_when_asked(run: Run) -> None:
    container = run.start(["sh", "-c", "echo one; sleep 100"])
    stop = Stop()
    seen: list[str] = []

    def follow() -> None:
        for batch in Engine(run.engine.root).logs(container, follow=True, stop=stop):
            seen.extend(line.text.decode() for line in batch)

    thread = threading.Thread(target=follow)
    thread.start()
    eventually(lambda: seen == ["one"], "the line arrives")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_following_reader_ends_with_the_container(run: Run) -> None:
    container = run.start(["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.05; done"])
    lines = [line.text for batch in run.engine.logs(container, follow=True) for line in batch]
    assert lines == [b"1", b"2", b"3"]


def test_read_only_refuses_every_change(engine: Engine) -> None:
    looking = Engine(engine.root, read_only=True)
    looking.containers()
    for change in (
        lambda: looking.create(request(["true"])), lambda: looking.remove("x"), lambda: looking.tag("busybox", "y"),
        lambda: looking.create_volume("v"), lambda: looking.sweep(),
    ):  # fmt: skip
        with pytest.raises(Conflict, match="read-only"):
            change()


def test_who_only_looks_leaves_no_event(run: Run) -> None:
    container = run.start(["sleep", "100"])
    looking = Engine(run.engine.root, read_only=True)
    for engine in (looking, run.engine):
        engine.attach(container).close()
        engine.top(container, told=True)
        engine.detached(container)
    told = [event.action for batch in looking.events(since=1, follow=False) for event in batch if event.id == container]
    assert told == ["create", "start", "attach", "top", "detach"]
    run.engine.remove(container, force=True)
    run.engine.detached(container)


def test_the_hosts_environment_never_passes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    text = run.output(["env"], config={"Env": ["GIVEN=yes"]})
    assert "GIVEN=yes" in text and "SECRET" not in text and "HOSTNAME=" in text


def test_signals_reach_the_init_process(run: Run) -> None:
    container = run.start(["sh", "-c", "trap 'echo got-hup' HUP; echo ready; while :; do sleep 0.05; done"])
    eventually(lambda: "ready" in run.text(container), "ready")
    run.engine.kill(container, str(int(signal.SIGHUP)))
    eventually(lambda: "got-hup" in run.text(container), "the signal")


def test_the_end_of_a_removed_container_is_told_once(engine: Engine, run: Run) -> None:
    """rm -f of a --rm container: its shim asks for the removal at the same moment."""
    made = [run.start(["sleep", "1000"], AutoRemove=True) for _ in range(4)]
    for container_id in made:
        try:
            engine.remove(container_id, force=True)
        except NotFound:
            pass  # the shim's own removal was faster
    eventually(lambda: not engine.containers(), "all are gone")
    told = [event for batch in engine.events(since=1, follow=False) for event in batch]
    for container_id in made:
        assert [event.action for event in told if event.id == container_id].count("destroy") == 1
