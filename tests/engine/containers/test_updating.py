"""update: limits of running and stopped containers, in the kernel and for good, and what docker refuses."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from tests.conftest import Run, request
from tests.native.monitored import eventually
from tuidock.engine import Engine
from tuidock.engine.errors import InvalidArgument, SystemFailure
from tuidock.engine.runtime.cgroup import Usage, detect

MB = 1 << 20


def usage(engine: Engine, container_id: str) -> Usage:
    found = detect(engine.instance.id).sample(container_id)
    assert found is not None
    return found


def host(engine: Engine, container_id: str) -> dict[str, Any]:
    found: dict[str, Any] = engine.inspect_container(container_id)["HostConfig"]
    return found


def written(engine: Engine, container_id: str) -> dict[str, Any]:
    with open(engine.instance.paths.container(container_id) + "/create.json") as file:
        found: dict[str, Any] = json.load(file)["HostConfig"]
    return found


def test_a_running_container_has_its_new_limits_at_once_and_after_each_kind_of_restart(
    engine: Engine, run: Run
) -> None:
    container_id = run.start(["sleep", "1000"], Memory=64 * MB, PidsLimit=50)
    engine.update(
        container_id,
        {"Memory": 200 * MB, "MemorySwap": 300 * MB, "PidsLimit": 77, "CpuQuota": 20_000, "CpuPeriod": 50_000},
        {"Name": "always", "MaximumRetryCount": 0},
    )

    def check() -> None:
        now = usage(engine, container_id)
        assert (now.memory_limit, now.pids_limit) == (200 * MB, 77)
        assert cpu(engine, container_id) == (20_000, 50_000)

    check()
    assert written(engine, container_id)["Memory"] == 200 * MB
    assert engine.container(container_id).restart_policy == "always"
    os.kill(engine.container(container_id).pid, signal.SIGKILL)  # the shim learns of the policy and of the limits
    eventually(lambda: engine.container(container_id).restarts == 1 and engine.container(container_id).pid, "a restart")
    check()
    engine.update(container_id, {"PidsLimit": -1, "Memory": 20 * MB}, {"Name": "no"})
    assert usage(engine, container_id).pids_limit == 0
    assert usage(engine, container_id).memory_limit == 20 * MB
    engine.kill(container_id)
    engine.start(container_id)
    assert usage(engine, container_id).memory_limit == 20 * MB
    assert host(engine, container_id)["MemorySwap"] == 300 * MB
    os.kill(engine.container(container_id).pid, signal.SIGKILL)
    assert engine.wait(container_id) == 137 and engine.container(container_id).status == "exited"
    assert [event.action for batch in engine.events(since=1, follow=False) for event in batch].count("update") >= 2


def cpu(engine: Engine, container_id: str) -> tuple[int, int]:
    """(quota, period) as the kernel has them."""
    cgroups = detect(engine.instance.id)
    directory = cgroups.directory("cpu", container_id)
    if cgroups.version == 2:
        with open(directory + "/cpu.max") as file:
            quota, period = file.read().split()
        return int(quota), int(period)
    numbers = []
    for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"):
        with open(f"{directory}/{name}") as file:
            numbers.append(int(file.read()))
    return numbers[0], numbers[1]


def test_a_stopped_one_gets_them_with_its_next_start(engine: Engine, run: Run) -> None:
    container_id = engine.create(request(["sleep", "1000"], name="sleepy"))
    run.made.append(container_id)
    engine.update("sleepy", {"Memory": 33 * MB}, {"Name": "on-failure", "MaximumRetryCount": 3})
    assert host(engine, "sleepy")["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    engine.start("sleepy")
    assert usage(engine, container_id).memory_limit == 33 * MB


@pytest.mark.parametrize(
    ("made", "changed", "policy", "message"),
    [
        ({"Memory": 64 * MB}, {"Memory": 500 * MB}, None, "Memory limit should be smaller than already set memoryswap"),
        ({}, {"Memory": MB}, None, "Minimum memory limit allowed is 6MB"),
        ({}, {"PidsLimit": 1 << 70}, None, "invalid value for PidsLimit: numbers go up to 9223372036854775807"),
        ({"Memory": 64 * MB}, {"MemorySwap": 32 * MB}, None, "Minimum memoryswap limit should be larger than memory"),
        (
            {"CpuPeriod": 50_000},
            {"NanoCpus": 10**9},
            None,
            "Nano CPUs cannot be updated as CPU Period has already been",
        ),
        ({"NanoCpus": 10**9}, {"CpuQuota": 9000}, None, "CPU Quota cannot be updated as NanoCPUs has already been set"),
        ({}, {"CpusetCpus": "4000"}, None, "Requested CPUs are not available - requested 4000, available:"),
        (
            {"AutoRemove": True},
            {},
            {"Name": "always"},
            "Restart policy cannot be updated because AutoRemove is enabled",
        ),
        ({}, {}, {"Name": "often"}, "unknown policy 'often'"),
    ],
)
def test_what_docker_refuses(
    engine: Engine, run: Run, made: dict[str, Any], changed: dict[str, Any], policy: dict[str, Any] | None, message: str
) -> None:
    container_id = engine.create(request(["true"], **made))
    run.made.append(container_id)
    before = host(engine, container_id)
    with pytest.raises(InvalidArgument, match=message):
        engine.update(container_id, changed, policy)
    assert host(engine, container_id) == before


def test_what_the_kernel_refuses_changes_nothing(engine: Engine, run: Run) -> None:
    if detect(engine.instance.id).version == 2:
        pytest.skip("v2 reclaims, or kills, and takes any limit")
    script = "head -c 60000000 /dev/zero > /dev/shm/x && touch /done; sleep 1000"
    container_id = run.start(["sh", "-c", script], Memory=200 * MB, PidsLimit=9)
    done = f"/proc/{engine.container(container_id).pid}/root/done"
    eventually(lambda: os.path.exists(done), "it uses memory")
    with open(detect(engine.instance.id).directory("memory", container_id) + "/memory.swappiness", "w") as file:
        file.write("0")  # else the kernel moves it to swap, where there is some
    with pytest.raises(SystemFailure, match=r"memory.limit_in_bytes: device or resource busy"):
        engine.update(container_id, {"PidsLimit": 7, "Memory": 10 * MB})
    now = usage(engine, container_id)
    assert (now.memory_limit, now.pids_limit) == (200 * MB, 9)
    assert host(engine, container_id)["PidsLimit"] == 9
