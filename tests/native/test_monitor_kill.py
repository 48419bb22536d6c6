"""kill -9 of the shim, of its recorder, of both: the container goes on, no line is lost or doubled, the code is right."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import STDIN, WANT_STDIN, WANT_STDOUT, Watched, alive, eventually, needs_root, watched

pytestmark = needs_root
WAITING = "while ! [ -e /shared/go ]; do sleep 0.01; done; "


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as box:
        yield box


def texts(box: Watched) -> list[bytes]:
    return re.findall(rb"Z std(?:out|err) [FP] ([^\n]*)\n", box.log())


def new_shim(box: Watched, former: int) -> int:
    """The pid of the shim that has taken over."""
    eventually(lambda: box.process("shim") != former, "a new shim")
    return box.process("shim")


@pytest.mark.parametrize("code", [0, 1, 255])
def test_the_exit_record_says_the_code(box: Watched, code: int) -> None:
    box.sh(f"exit {code}").started()
    exit_record = box.ended()
    assert (exit_record["status"], exit_record["signal"], exit_record["generation"]) == (str(code), "0", "1")
    assert int(exit_record["started"]) < int(exit_record["finished"]) <= time.time_ns()


def test_the_exit_record_says_the_signal(box: Watched) -> None:
    os.kill(box.sh("while :; do sleep 1; done").started(), signal.SIGKILL)
    exit_record = box.ended()
    assert (exit_record["status"], exit_record["signal"], exit_record["oom"]) == ("137", "9", "0")


def test_killed_shim_a_new_one_takes_over(box: Watched) -> None:
    box.sh("echo before; " + WAITING + "echo after; exit 5").started()
    eventually(lambda: texts(box) == [b"before"], "the first line")
    former = box.process("shim")
    box.kill("shim")
    new_shim(box, former)
    client = box.attach()
    (box.shared / "go").touch()
    assert client.to_the_end().output[1] == b"after\n"
    assert client.status == 5
    assert box.ended()["status"] == "5"
    assert texts(box) == [b"before", b"after"]
    assert box.events() == ["start", "die"]
    eventually(lambda: not box.processes(), "nothing is left")


def test_killed_shim_keeps_input_and_terminal(box: Watched) -> None:
    box.values |= {"tty": "1", "stdin": "1"}
    box.sh("while read line; do echo got $line; done").started()
    former = box.process("shim")
    box.kill("shim")
    new_shim(box, former)
    client = box.attach(WANT_STDIN | WANT_STDOUT)
    client.send(STDIN, b"word\n")
    client.until(b"got word\r\n")


def test_killed_shim_keeps_the_input_pipe(box: Watched) -> None:
    box.values |= {"stdin": "1"}
    box.sh("while read line; do echo got $line; done").started()
    former = box.process("shim")
    box.kill("shim")
    new_shim(box, former)
    client = box.attach(WANT_STDIN | WANT_STDOUT)
    client.send(STDIN, b"word\n")
    client.until(b"got word\n")


def killed_once(box: Watched, shim: int) -> int:
    """Kills a shim; the pid of the next, 0 when the container has ended."""
    os.kill(shim, signal.SIGKILL)
    eventually(lambda: not alive(shim), "the shim is dead")

    def next_shim() -> int:
        try:
            found = box.process("shim")
        except FileNotFoundError:
            return -1
        return 0 if found == shim else found

    eventually(next_shim, "a new shim, or the end")
    return max(next_shim(), 0)


@pytest.mark.parametrize("pauses", [(0.0, 0.001), (0.003, 0.011), (0.02, 0.007), (0.0005, 0.005)])
def test_no_line_is_lost_or_doubled_by_kills_at_any_moment(box: Watched, pauses: tuple[float, ...]) -> None:
    box.sh("seq 1 1000000; exit 6").started()
    shim = box.process("shim")
    for pause in pauses * 4:  # eight kills: then the recorder begins to take its time
        time.sleep(pause)
        shim = killed_once(box, shim)
        if not shim or not alive(shim):
            break
    assert box.ended(60)["status"] == "6"
    numbers = [int(text) for text in texts(box)]
    assert len(numbers) == 1000000
    assert numbers == list(range(1, 1000001))


def test_a_shim_that_always_dies_is_not_started_in_a_circle(box: Watched) -> None:
    box.serve()
    shim = box.process("shim")
    for _ in range(8):
        shim = killed_once(box, shim)
    began = time.monotonic()
    killed_once(box, shim)
    assert time.monotonic() - began > 0.9


def test_pieces_of_a_line_survive_a_killed_shim(box: Watched) -> None:
    box.sh("printf half; " + WAITING + "echo way").started()
    client = box.attach()
    former = box.process("shim")
    box.kill("shim")
    new_shim(box, former)
    (box.shared / "go").touch()
    box.ended()
    assert texts(box) == [b"halfway"]
    client.socket.close()


def test_a_container_that_ends_while_it_has_no_shim_gets_its_end(box: Watched) -> None:
    init = box.sh("while :; do sleep 1; done").started()
    recorder = box.process("recorder")
    os.kill(recorder, signal.SIGSTOP)
    box.kill("shim")
    os.kill(init, signal.SIGKILL)
    os.kill(recorder, signal.SIGCONT)
    assert box.ended()["status"] == "137"
    assert box.leftovers() == []
    assert box.events() == ["start", "die"]


def test_killed_recorder_the_shim_records(box: Watched) -> None:
    box.sh(WAITING + "echo on; exit 8").started()
    box.kill("recorder")
    eventually(lambda: box.process("recorder") == 0, "the pid file says so")
    (box.shared / "go").touch()
    assert box.ended()["status"] == "8"
    assert texts(box) == [b"on"]


def test_killed_recorder_and_init_at_once(box: Watched) -> None:
    box.sh("sleep 1000").started()
    box.kill("recorder", "init")
    assert box.ended()["status"] == "137"


def test_both_killed_the_container_goes_on_and_can_be_adopted(box: Watched) -> None:
    init = box.sh(WAITING + "seq 1 20000; exit 4").started()
    box.kill("recorder", "shim")
    assert alive(init)
    (box.shared / "go").touch()
    assert box.adopt() == 0
    exit_record = box.ended()
    assert [int(text) for text in texts(box)] == list(range(1, 20001))
    assert exit_record["status"] in ("4", "255")  # 255 where the kernel does not tell (before 6.15)
    assert box.leftovers() == []


def test_both_killed_and_the_container_dead_the_end_is_finished_by_adopt(box: Watched) -> None:
    init = box.sh("while :; do sleep 1; done").started()
    box.kill("recorder", "shim")
    os.kill(init, signal.SIGKILL)
    eventually(lambda: not alive(init), "init is dead")
    assert box.adopt() == 0
    exit_record = box.ended()
    assert exit_record["status"] in ("137", "255")
    assert box.leftovers() == []
    assert box.events() == ["start", "die"]


def test_adopt_leaves_a_living_shim_alone(box: Watched) -> None:
    box.sh("while :; do sleep 1; done").started()
    shim = box.process("shim")
    assert box.adopt() == 0
    assert box.process("shim") == shim


def test_adopt_of_what_does_not_run_does_nothing(box: Watched) -> None:
    box.sh("true").started()
    box.ended()
    assert box.adopt() == 0
    assert box.leftovers() == []


def test_a_pid_file_of_another_boot_is_not_trusted(box: Watched) -> None:
    box.sh("true").started()
    box.ended()
    (box.run / "pid").write_text(
        f"version 1\ngeneration 1\nshim 0 0\nrecorder 0 0\ninit {os.getpid()} 5\nstarted 1\nrestarts 0\nboot other\n"
    )
    assert box.adopt() != 0
    assert alive(os.getpid())
    (box.run / "pid").unlink()


def test_sigterm_to_the_shim_is_the_stop_signal_of_the_container(box: Watched) -> None:
    box.values["stop-signal"] = "10"
    box.sh("trap 'exit 12' USR1; echo ready; while :; do sleep 0.02; done").started()
    eventually(lambda: texts(box) == [b"ready"], "the trap is set")
    os.kill(box.process("shim"), signal.SIGTERM)
    assert box.ended()["status"] == "12"
