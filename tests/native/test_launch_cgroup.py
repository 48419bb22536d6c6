"""Limits of a container: settings in its cgroups, membership, the OOM counter, and that nothing is left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import alive, eventually, needs_root, shim
from tests.native.record import CGROUP, Box, opened

pytestmark = [
    needs_root,
    pytest.mark.skipif(not (CGROUP / "memory").is_dir(), reason="these tests speak of cgroup v1 hierarchies"),
]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with opened(Box(shim(), tmp_path)) as made:
        yield made


def group(box: Box, controller: str) -> Path:
    return next(path for path in box.cgroups if path.parents[1].name == controller)


def test_the_init_process_is_in_every_hierarchy_and_sees_itself_at_the_root(box: Box) -> None:
    pid = box.serve()
    for path in box.cgroups:
        assert str(pid) in (path / "cgroup.procs").read_text().split(), path
    inside = box.exec("--", "cat", "/proc/1/cgroup").stdout
    assert {line.split(":")[2] for line in inside.splitlines()} == {"/"}


def test_settings_are_written_in_order(box: Box) -> None:
    box.settings = {
        "memory": [
            ("set", "memory.limit_in_bytes"),
            ("value", "33554432"),
            ("set", "memory.swappiness"),
            ("value", "7"),
        ],
        "pids": [("set", "pids.max"), ("value", "17")],
        "cpu": [("set", "cpu.cfs_quota_us"), ("value", "50000")],
        "cpuset": [("set", "cpuset.cpus"), ("value", "0")],
    }
    box.serve()
    assert (group(box, "memory") / "memory.limit_in_bytes").read_text() == "33554432\n"
    assert (group(box, "memory") / "memory.swappiness").read_text() == "7\n"
    assert (group(box, "pids") / "pids.max").read_text() == "17\n"
    assert (group(box, "cpu") / "cpu.cfs_quota_us").read_text() == "50000\n"
    assert (group(box, "cpuset") / "cpuset.cpus").read_text() == "0\n"


def test_a_setting_that_fails_is_named_and_an_optional_one_is_not_missed(box: Box) -> None:
    box.settings = {"pids": [("set-optional", "pids.nonsense"), ("value", "1"), ("set", "pids.max"), ("value", "many")]}
    answer = box.start()
    assert answer.startswith("error cgroup 22 ") and "pids.max" in answer and "many" in answer
    assert not [path for path in box.cgroups if path.exists()]


def test_a_setting_is_a_file_of_the_cgroup_and_nothing_else(box: Box) -> None:
    box.settings = {"pids": [("set", "../pids.max"), ("value", "1")]}
    assert box.start().startswith("error record ")


def test_too_many_processes_are_refused(box: Box) -> None:
    box.settings = {"pids": [("set", "pids.max"), ("value", "5")]}
    box.shell("for i in 1 2 3 4 5 6 7 8; do sleep 5 & done 2>/dev/null; true", expect=2)


def test_devices_are_denied_by_rules(box: Box) -> None:
    box.values["caps"] = f"{0xA80425FB | 1 << 27:x}"
    box.settings = {
        "devices": [
            ("set", "devices.deny"), ("value", "a"),
            ("set", "devices.allow"), ("value", "c 1:3 rwm"),
            ("set", "devices.allow"), ("value", "c *:* m"),
        ]
    }  # fmt: skip
    script = "mknod /tmp/full c 1 7 && cat /tmp/full 2>&1 | grep -o 'not permitted'; echo x > /dev/null && echo written"
    box.extra = [pair for pair in box.extra if pair[0] != "device"]
    assert box.shell(script) == "not permitted\nwritten\n"


def test_an_oom_kill_is_seen(box: Box) -> None:
    box.settings = {"memory": [("set", "memory.limit_in_bytes"), ("value", "12582912")]}
    box.command = ("sh", "-c", "dd if=/dev/zero of=/dev/null bs=64M count=1")
    box.started()
    box.wait()
    assert box.facts(box.container / "exit")["oom"] == "1"
    assert '"action":"oom"' in (box.directory / "events").read_text()


def test_cgroups_made_inside_go_with_the_container(box: Box) -> None:
    box.serve()
    nested = group(box, "pids") / "made" / "inside"
    nested.mkdir(parents=True)
    with subprocess.Popen(["sleep", "1000"]) as stray:
        (nested / "tasks").write_text(str(stray.pid))
        box.close()
        assert stray.wait(5) == -9, "what was put in is killed with it"
    assert not [path for path in box.cgroups if path.exists()]


def test_a_container_in_the_hosts_pid_namespace_leaves_no_process(box: Box) -> None:
    box.values["ns-pid"] = "host"
    box.shell("sleep 1000 & echo $!")
    eventually(lambda: not alive(int(box.output())), "what was left is killed")
    assert not [path for path in box.cgroups if path.exists()]
