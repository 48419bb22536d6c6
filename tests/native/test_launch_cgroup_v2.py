"""Cgroup v2: birth in the cgroup, the device program, freezing and removal, on whatever cgroup2 mount there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import needs_root, shim
from tests.native.record import CGROUP, Box, opened

TOP = next((path for path in (CGROUP, CGROUP / "unified") if (path / "cgroup.controllers").exists()), None)
pytestmark = [needs_root, pytest.mark.skipif(TOP is None, reason="there is no cgroup2 mount here")]
RULES = ("deny a *:* rwm", "allow c 1:3 rwm", "allow c 1:5 r", "allow c *:* m", "allow c 1:8 rwm", "deny c 1:8 w")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    assert TOP is not None
    made = Box(shim(), tmp_path)
    made.cgroups = [TOP / f"tuidock-test-{made.id[:8]}" / made.id]
    made.values |= {"cgroup-mode": "v2", "cgroup-memory": ""}
    with opened(made):
        yield made


def test_the_init_process_and_an_exec_are_born_in_the_cgroup(box: Box) -> None:
    pid = box.serve()
    assert str(pid) in (box.cgroups[0] / "cgroup.procs").read_text().split()
    inside = box.exec("--", "cat", "/proc/self/cgroup", "/proc/1/cgroup").stdout.splitlines()
    assert inside.count("0::/") == 2
    box.close()
    assert not box.cgroups[0].exists()


def test_the_device_program_follows_the_rules_and_the_last_one_wins(box: Box) -> None:
    box.extra = [("device-rule", " ".join(rule.replace(":", " ").split())) for rule in RULES]
    tries = {
        "null": ("echo x > /dev/null", True),
        "zero read": ("head -c 1 /dev/zero > /tmp/x", True),
        "zero write": ("echo x > /dev/zero", False),
        "full": ("head -c 1 /dev/full > /tmp/x", False),
        "random read": ("head -c 1 /dev/random > /tmp/x", True),
        "random write": ("echo x > /dev/random", False),
        "mknod": ("mknod /tmp/node c 10 229", True),
        "mknod block": ("mknod /tmp/block b 7 0", False),
    }
    script = "\n".join(f"({line}) 2>/dev/null && echo '{name}'" for name, (line, _) in tries.items())
    assert box.shell(script + "\ntrue").splitlines() == [name for name, (_, allowed) in tries.items() if allowed]


def test_a_paused_container_is_refused_to_an_exec(box: Box) -> None:
    box.serve()
    (box.cgroups[0] / "cgroup.freeze").write_text("1")
    try:
        assert "is paused" in box.exec("--", "true").stderr
    finally:
        (box.cgroups[0] / "cgroup.freeze").write_text("0")


def test_what_is_left_is_killed_with_the_cgroup(box: Box) -> None:
    box.values["ns-pid"] = "host"
    box.shell("mkdir -p /tmp/x; sleep 1000 & true")
    assert not box.cgroups[0].exists()
