"""Restart policies: how often, after which delay, and what ends them."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import Watched, alive, eventually, needs_root, watched

pytestmark = needs_root


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as box:
        yield box


def times(box: Watched, action: str) -> list[int]:
    """When something happened, in ns."""
    lines = (box.directory / "events").read_text().splitlines()
    return [event["t"] for event in map(json.loads, lines) if event["action"] == action]


def test_on_failure_restarts_as_often_as_said_with_growing_delays(box: Watched) -> None:
    box.values |= {"restart-policy": "on-failure", "restart-max": "3"}
    box.sh("echo run; exit 7").started()
    exit_record = box.ended()
    assert (exit_record["status"], exit_record["restarts"]) == ("7", "3")
    assert (box.container / "restarts").read_text() == "3\n"
    assert box.events() == ["start", "die"] * 4
    assert box.log().count(b" run\n") == 4
    starts, ends = times(box, "start"), times(box, "die")
    delays = [(start - end) / 1e6 for end, start in zip(ends, starts[1:], strict=False)]
    assert all(wanted <= delay < 2 * wanted for wanted, delay in zip((100, 200, 400), delays, strict=True)), delays
    assert box.leftovers() == []


def test_on_failure_does_not_restart_a_success(box: Watched) -> None:
    box.values["restart-policy"] = "on-failure"
    box.sh("exit 0").started()
    assert box.ended()["restarts"] == "0"
    assert box.events() == ["start", "die"]


def test_the_delay_is_told_while_it_runs(box: Watched) -> None:
    box.values["restart-policy"] = "always"
    box.sh("exit 1").started()
    eventually((box.run / "restarting").exists, "the file that tells of it")
    words = (box.run / "restarting").read_text().split()
    assert words[0] == "until" and words[2] == "attempt" and int(words[3]) >= 1
    assert (box.run / "pid").exists()


def test_clients_stay_attached_over_a_restart(box: Watched) -> None:
    box.values |= {"restart-policy": "on-failure", "restart-max": "2"}
    box.sh("echo run; sleep 0.1; exit 2")
    owner = box.start_owned().to_the_end()
    assert (owner.output[1], owner.status) == (b"run\n" * 3, 2)


def test_an_intent_to_stop_ends_it(box: Watched) -> None:
    box.values["restart-policy"] = "always"
    init = box.sh("while :; do sleep 1; done").started()
    box.intent("stop 1")
    os.kill(init, signal.SIGKILL)
    exit_record = box.ended()
    assert (exit_record["status"], exit_record["restarts"]) == ("137", "0")


def test_an_intent_to_stop_during_the_delay_ends_it(box: Watched) -> None:
    box.values["restart-policy"] = "always"
    box.sh("exit 1").started()
    eventually((box.run / "restarting").exists, "the delay")
    box.intent("stop 1")
    os.kill(box.process("shim"), signal.SIGTERM)
    assert box.ended(3)["status"] == "1"
    assert box.leftovers() == []


def test_a_restart_waits_for_the_move_lock_without_blocking_the_loop(box: Watched) -> None:
    box.values["restart-policy"] = "always"
    box.sh("while ! [ -e /shared/go ]; do sleep 0.01; done; rm /shared/go; exit 1").started()
    lock = os.open(box.run / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (box.shared / "go").touch()
    eventually((box.run / "restarting").exists, "the delay")
    deadline = int((box.run / "restarting").read_text().split()[1])
    import time

    eventually(lambda: time.time_ns() > deadline + 200_000_000, "the delay is long over")
    assert box.attach().state is not None  # the loop answers
    assert box.events() == ["start", "die"]
    os.close(lock)
    eventually(lambda: box.events() == ["start", "die", "start"], "the restart")


def test_a_restarted_container_has_a_new_init_and_recorder(box: Watched) -> None:
    box.values["restart-policy"] = "unless-stopped"
    init = box.sh("while :; do sleep 1; done").started()
    shim, recorder = box.process("shim"), box.process("recorder")
    os.kill(init, signal.SIGKILL)
    eventually(lambda: box.events() == ["start", "die", "start"], "the restart")
    assert box.process("shim") == shim
    assert box.process("recorder") != recorder
    eventually(lambda: not alive(recorder), "the former recorder is gone")
    assert box.facts(box.run / "pid")["restarts"] == "1"


def test_a_shim_killed_during_the_delay_restarts_all_the_same(box: Watched) -> None:
    box.values["restart-policy"] = "always"
    init = box.sh("while :; do sleep 1; done").started()
    os.kill(init, signal.SIGKILL)
    eventually((box.run / "restarting").exists, "the delay")
    box.kill("shim")
    eventually(lambda: box.events()[-1] == "start" and len(box.events()) > 2, "the restart")
    eventually(lambda: alive(box.process("init")), "it runs")


def test_a_restart_that_cannot_launch_ends_with_its_code(box: Watched) -> None:
    box.values |= {"restart-policy": "always", "rootfs": "overlay"}
    box.command = ("/shared/program",)
    (box.shared / "program").write_text("#!/bin/sh\nrm /shared/program\nexit 1\n")
    (box.shared / "program").chmod(0o755)
    box.started()
    exit_record = box.ended()
    assert exit_record["status"] == "127"
    assert "/shared/program" in exit_record["error"]
    assert box.leftovers() == []
