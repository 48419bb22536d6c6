"""Control groups: real v1 hierarchies of this machine, and v2 on a made-up tree."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuidock.engine.errors import InvalidArgument, SystemFailure, Unsupported
from tuidock.engine.runtime import cgroup, cgroup_settings, defaults
from tuidock.engine.runtime.cgroup import Cgroups, Setting
from tuidock.engine.runtime.stats import Sampler, host_memory, network_bytes

ID = "c0ffee" + "0" * 58
NUMBER = {"/dev/sda": "8:0"}.__getitem__
LIMITS = {
    "Memory": 64 << 20, "MemoryReservation": 32 << 20, "NanoCpus": 1_500_000_000, "CpuShares": 512, "PidsLimit": 20,
    "CpusetCpus": "0", "CpusetMems": "0", "BlkioWeight": 500,
    "BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 1000}],
    "BlkioDeviceWriteIOps": [{"Path": "/dev/sda", "Rate": 7}],
}  # fmt: skip


def v1_settings(resources: dict[str, object], rules: tuple[defaults.DeviceRule, ...] = ()) -> list[tuple[str, str]]:
    names = ("cpu", "cpuset", "memory", "pids", "blkio", "devices")
    return [(s.file, s.value) for s in cgroup_settings.v1({n: f"/{n}" for n in names}, resources, rules, NUMBER)]


def v2_settings(resources: dict[str, object]) -> list[tuple[str, str]]:
    return [
        (s.file, s.value)
        for s in cgroup_settings.v2("/x", ("cpu", "cpuset", "memory", "pids", "io"), resources, NUMBER)
    ]


def test_limits_become_files_of_v1() -> None:
    assert v1_settings(LIMITS) == [
        ("memory.limit_in_bytes", "67108864"), ("memory.memsw.limit_in_bytes", "134217728"),
        ("memory.soft_limit_in_bytes", "33554432"), ("cpu.shares", "512"), ("cpu.cfs_period_us", "100000"),
        ("cpu.cfs_quota_us", "150000"), ("cpuset.cpus", "0"), ("cpuset.mems", "0"), ("pids.max", "20"),
        ("blkio.weight", "500"), ("blkio.bfq.weight", "500"), ("blkio.throttle.read_bps_device", "8:0 1000"),
        ("blkio.throttle.write_iops_device", "8:0 7"),
    ]  # fmt: skip


def test_limits_become_files_of_v2() -> None:
    assert v2_settings(LIMITS) == [
        ("memory.max", "67108864"), ("memory.swap.max", "67108864"), ("memory.low", "33554432"), ("cpu.weight", "59"),
        ("cpu.max", "150000 100000"), ("cpuset.cpus", "0"), ("cpuset.mems", "0"), ("pids.max", "20"),
        ("io.bfq.weight", "500"), ("io.weight", "4950"), ("io.max", "8:0 rbps=1000"), ("io.max", "8:0 wiops=7"),
    ]  # fmt: skip


def test_nothing_asked_for_sets_nothing() -> None:
    empty = {"Memory": 0, "MemorySwap": 0, "PidsLimit": 0, "CpuShares": 0, "MemorySwappiness": -1, "CpusetCpus": ""}
    assert v1_settings(empty) == v2_settings(empty) == []
    assert v1_settings({"PidsLimit": -1}) == v2_settings({"PidsLimit": -1}) == [("pids.max", "max")]


def test_unlimited_swap_is_said_in_both_languages() -> None:
    resources: dict[str, object] = {"Memory": 1 << 20, "MemorySwap": -1}
    assert v1_settings(resources)[1] == ("memory.memsw.limit_in_bytes", "-1")
    assert v2_settings(resources)[1] == ("memory.swap.max", "max")
    assert v2_settings({"CpuPeriod": 50_000}) == [("cpu.max", "max 50000")]
    assert v1_settings({"MemorySwappiness": 0, "OomKillDisable": True}) == [
        ("memory.swappiness", "0"), ("memory.oom_control", "1"),
    ]  # fmt: skip


def test_shares_follow_the_curve_of_runc() -> None:
    assert [cgroup_settings.cpu_weight(n) for n in (0, 2, 512, 1024, 2048, 262144)] == [1, 1, 59, 100, 174, 10000]


def test_device_rules_are_written_in_order() -> None:
    assert v1_settings({}, defaults.device_rules())[:3] == [
        ("devices.deny", "a"), ("devices.allow", "c *:* m"), ("devices.allow", "b *:* m"),
    ]  # fmt: skip
    assert v1_settings({}, defaults.device_rules(privileged=True)) == [("devices.allow", "a")]


def test_a_limit_without_its_controller_is_refused_and_an_optional_one_left_out() -> None:
    with pytest.raises(Unsupported, match="pids"):
        cgroup_settings.v2("/x", ("memory",), {"PidsLimit": 5})
    assert cgroup_settings.v1({}, {"BlkioWeight": 300}) == []


def test_what_the_machine_has_not_got_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="as there are only 2 CPUs available"):
        cgroup_settings.verify({"NanoCpus": 3_000_000_000}, "0-1", "0")
    with pytest.raises(InvalidArgument, match="requested 0,5, available: 0-1"):
        cgroup_settings.verify({"CpusetCpus": "0,5"}, "0-1\n", "0")
    with pytest.raises(InvalidArgument, match="invalid list"):
        cgroup_settings.verify({"CpusetMems": "a-b"}, "0-1", "0")
    with pytest.raises(InvalidArgument, match="/absent"):
        cgroup_settings.device_number("/absent")


def test_the_record_puts_settings_under_their_directory() -> None:
    pairs = cgroup.as_record(["/a", "/b"], [Setting("/b", "f", "1"), Setting("/a", "g", "2", True)])
    assert pairs == [
        ("cgroup", "/a"), ("set-optional", "g"), ("value", "2"), ("cgroup", "/b"), ("set", "f"), ("value", "1"),
    ]  # fmt: skip


def test_comounted_controllers_share_a_directory(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "cgroup /c/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\n"
        "cgroup /c/systemd cgroup rw,xattr,name=systemd 0 0\n"
    )
    groups = cgroup.detect("0a0a0a0a", root=str(tmp_path), mounts=str(mounts))
    assert groups.version == 1
    assert groups.directories(ID) == (f"/c/cpu,cpuacct/tuidock-0a0a0a0a/{ID}", f"/c/systemd/tuidock-0a0a0a0a/{ID}")
    assert [name for name, _ in groups.binds(ID)] == ["cpu,cpuacct", "cpu", "cpuacct", "systemd"]
    mounts.write_text("")
    with pytest.raises(SystemFailure, match="no cgroups are mounted"):
        cgroup.detect("0a0a0a0a", root=str(tmp_path), mounts=str(mounts))


class TestUnified:
    """cgroup v2 as a tree of plain files."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        parent = tmp_path / "tuidock-0a0a0a0a"
        for directory in (tmp_path, parent, parent / ID):
            directory.mkdir(exist_ok=True)
            (directory / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
            (directory / "cgroup.subtree_control").write_text("")
            (directory / "cgroup.procs").write_text("")
        return tmp_path

    @pytest.fixture
    def groups(self, root: Path) -> Cgroups:
        return cgroup.detect("0a0a0a0a", root=str(root))

    def test_controllers_are_handed_down_once(self, root: Path, groups: Cgroups) -> None:
        assert groups.version == 2
        groups.prepare()
        assert (root / "cgroup.subtree_control").read_text().startswith("+")
        assert (root / "tuidock-0a0a0a0a" / "cgroup.subtree_control").read_text().startswith("+")
        settings = groups.settings(ID, {"PidsLimit": 9})
        assert settings == [Setting(f"{root}/tuidock-0a0a0a0a/{ID}", "pids.max", "9", False)]
        assert groups.binds(ID) == []

    def test_a_sample_reads_what_docker_shows(self, root: Path, groups: Cgroups) -> None:
        directory = root / "tuidock-0a0a0a0a" / ID
        assert groups.sample(ID) is None
        (directory / "cpu.stat").write_text("usage_usec 5\nuser_usec 3\nthrottled_usec 2\n")
        (directory / "memory.current").write_text("1000\n")
        (directory / "memory.stat").write_text("anon 5\ninactive_file 300\nactive_file 1\n")
        (directory / "memory.max").write_text("max\n")
        (directory / "pids.current").write_text("3\n")
        (directory / "pids.max").write_text("7\n")
        (directory / "io.stat").write_text("8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2\n")
        (directory / "memory.events").write_text("oom 3\noom_kill 2\n")
        assert groups.sample(ID) == cgroup.Usage(5000, 700, 0, 3, 7, 11, 22, 2000)
        assert groups.oom_kills(ID) == 2
        assert groups.containers() == {ID}

    def test_freezing_waits_for_the_kernels_word(self, root: Path, groups: Cgroups) -> None:
        directory = root / "tuidock-0a0a0a0a" / ID
        (directory / "cgroup.freeze").write_text("0")
        (directory / "cgroup.events").write_text("populated 1\nfrozen 1\n")
        groups.freeze(ID)
        assert groups.frozen(ID)
        groups.thaw(ID)
        assert not groups.frozen(ID)


@pytest.fixture
def groups() -> Iterator[Cgroups]:
    groups = cgroup.detect(f"{os.getpid():08x}")
    groups.prepare()
    yield groups
    if os.path.isdir(groups.directories(ID)[0]):
        groups.kill_all(ID)
        groups.remove(ID)
    groups.remove_parent()


def start(groups: Cgroups, script: str, resources: dict[str, object] | None = None) -> subprocess.Popen[bytes]:
    """A process in the container's groups, joined as the shim does it."""
    for directory in groups.directories(ID):
        os.makedirs(directory, exist_ok=True)
    for setting in groups.settings(ID, resources or {}, defaults.device_rules()):
        try:
            Path(setting.directory, setting.file).write_text(setting.value)
        except OSError:
            if not setting.optional:
                raise
    file = "tasks" if groups.version == 1 else "cgroup.procs"
    join = f'for d in "$@"; do echo 0 > "$d/{file}"; done; echo ready; {script}'
    process = subprocess.Popen(["sh", "-c", join, "sh", *groups.directories(ID)], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"ready\n"
    return process


def test_limits_reach_the_kernel_and_a_sample_shows_them(groups: Cgroups) -> None:
    process = start(groups, "sleep 100 & while :; do :; done", {"Memory": 64 << 20, "PidsLimit": 20, "CpusetCpus": "0"})
    sampler = Sampler(groups)
    first = sampler.sample(ID, process.pid)
    assert first and first.memory_limit == 64 << 20 and first.pids_limit == 20 and first.cpu_percent == 0
    deadline = time.monotonic() + 10
    while (second := sampler.sample(ID, process.pid)) and second.cpu_ns <= first.cpu_ns and time.monotonic() < deadline:
        time.sleep(0.01)
    assert second and second.cpu_percent > 0
    assert second.pids == 2 == len(groups.pids(ID))
    assert groups.kill_all(ID)
    process.wait()
    assert groups.pids(ID) == []
    groups.remove(ID)
    assert sampler.sample(ID) is None
    assert groups.containers() == set()


def test_a_frozen_container_stands_still_and_can_be_killed(groups: Cgroups) -> None:
    process = start(groups, "while :; do :; done")
    groups.freeze(ID)
    assert groups.frozen(ID)
    used = groups.sample(ID)
    time.sleep(0.05)
    later = groups.sample(ID)
    assert used and later and used.cpu_ns == later.cpu_ns
    groups.thaw(ID)
    assert not groups.frozen(ID)
    groups.freeze(ID)
    assert groups.kill_all(ID)
    assert process.wait() == -signal.SIGKILL


def test_a_fork_bomb_is_killed_to_the_last(groups: Cgroups) -> None:
    process = start(groups, "f() { f & f & }; f; while :; do f; done 2>/dev/null", {"PidsLimit": 40})
    assert groups.kill_all(ID)
    process.wait()
    assert groups.pids(ID) == []


def test_the_kernels_killing_for_memory_is_counted(groups: Cgroups) -> None:
    hog = "python3 -c 'b = bytearray(1 << 28)' 2>/dev/null"
    process = start(groups, f"{hog}; echo $?; sleep 100", {"Memory": 16 << 20, "MemorySwap": 16 << 20})
    assert process.stdout and process.stdout.readline() == b"137\n"
    assert groups.oom_kills(ID) == 1


def test_groups_with_processes_are_not_removed_and_say_who_lives_there(groups: Cgroups) -> None:
    process = start(groups, "exec sleep 100")
    with pytest.raises(SystemFailure, match=str(process.pid)):
        groups.remove(ID, timeout=0.05)
    groups.kill_all(ID)
    process.wait()


def test_preparing_again_costs_a_read(groups: Cgroups) -> None:
    fastest = 1.0
    for _ in range(20):
        again = cgroup.detect(groups.parent.removeprefix("tuidock-"))
        begin = time.perf_counter()
        again.prepare()
        fastest = min(fastest, time.perf_counter() - begin)
    assert fastest < 0.001


def test_traffic_is_counted_without_lo() -> None:
    received, sent = network_bytes(os.getpid())
    assert received >= 0 and sent >= 0
    assert network_bytes(1 << 22) == (0, 0)
    assert host_memory() > 1 << 20
