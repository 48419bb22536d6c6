"""Resource limits as files and values: docker's HostConfig on one side, cgroup v1 and v2 on the other.

Pure: the launch record carries the result and the shim writes it. A setting is optional when the kernel may lack the
file and docker only warns then; everything else that a person asked for and cannot be had is an error.
"""

from __future__ import annotations

import math
import os

from tuidock.engine.errors import InvalidArgument, Unsupported
from tuidock.engine.named import Named
from tuidock.engine.runtime.defaults import DeviceRule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Final

CPU_PERIOD: Final = 100_000
_V1_MAX_SHARES: Final = 262_144

_THROTTLES: Final = (
    ("BlkioDeviceReadBps", "blkio.throttle.read_bps_device", "rbps"),
    ("BlkioDeviceWriteBps", "blkio.throttle.write_bps_device", "wbps"),
    ("BlkioDeviceReadIOps", "blkio.throttle.read_iops_device", "riops"),
    ("BlkioDeviceWriteIOps", "blkio.throttle.write_iops_device", "wiops"),
)


class Setting(Named):
    """A value to write into a file of one cgroup directory."""

    directory: str
    file: str
    value: str
    optional: bool = False


def device_number(path: str) -> str:
    """`8:0` of a block device; the limit of a device that is none is a mistake of the caller."""
    try:
        number = os.stat(path).st_rdev
    except OSError as error:
        raise InvalidArgument(f"cannot limit the I/O of {path}: {error.strerror}") from None
    return f"{os.major(number)}:{os.minor(number)}"


def cpu_weight(shares: int) -> int:
    """cpu.weight of v2 for cpu.shares of v1 by the curve of runc and crun: 2 -> 1, 1024 -> 100, 262144 -> 10000."""
    if shares <= 2:
        return 1
    if shares >= _V1_MAX_SHARES:
        return 10_000
    log = math.log2(shares)
    return math.ceil(math.pow(10, (log * log + 125 * log) / 612.0 - 7.0 / 34.0))


def io_weight(blkio_weight: int) -> int:
    """io.weight (1-10000) of v2 for blkio.weight (10-1000) of v1."""
    return 1 + (blkio_weight - 10) * 9999 // 990


def cpu_quota(resources: Mapping[str, Any]) -> tuple[int, int]:
    """(quota, period) in microseconds; quota 0 means none was asked for."""
    if nano := int(resources.get("NanoCpus") or 0):
        return nano * CPU_PERIOD // 1_000_000_000, CPU_PERIOD
    return int(resources.get("CpuQuota") or 0), int(resources.get("CpuPeriod") or 0)


def memory_and_swap(resources: Mapping[str, Any]) -> tuple[int, int]:
    """(memory, memory + swap); 0 is unset, -1 unlimited. Docker gives as much swap as memory when only that is set."""
    memory = int(resources.get("Memory") or 0)
    swap = int(resources.get("MemorySwap") or 0)
    if memory > 0 and swap == 0:
        swap = 2 * memory
    return memory, swap


def cpu_list(text: str) -> frozenset[int]:
    """The numbers in `0-2,5`."""
    numbers: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()) or len(first) > 5 or len(last) > 5:
            raise InvalidArgument(f"invalid list of CPUs or memory nodes: '{text}'")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)


def verify(resources: Mapping[str, Any], cpus: str, nodes: str) -> None:
    """Refuse what this machine has not got. cpus and nodes are the lists that the kernel gives (`0-3`)."""
    count = len(cpu_list(cpus))
    if (nano := int(resources.get("NanoCpus") or 0)) and not 0 < nano <= count * 1_000_000_000:
        raise InvalidArgument(f"Range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available")
    for key, have, what in (("CpusetCpus", cpus, "CPUs"), ("CpusetMems", nodes, "memory nodes")):
        asked = str(resources.get(key) or "")
        if asked and not cpu_list(asked) <= cpu_list(have):
            raise InvalidArgument(f"Requested {what} are not available - requested {asked}, available: {have.strip()}")


def v1(
    directories: Mapping[str, str],
    resources: Mapping[str, Any],
    rules: Iterable[DeviceRule] = (),
    number: Callable[[str], str] = device_number,
) -> list[Setting]:
    """Settings for cgroup v1. directories maps a controller to the container's directory in its hierarchy."""

    def lines() -> Iterator[tuple[str, str, object, bool]]:
        memory, swap = memory_and_swap(resources)
        # memory first: the kernel refuses a limit of memory + swap below that of memory
        if memory:
            yield "memory", "memory.limit_in_bytes", memory, False
        if swap:
            yield "memory", "memory.memsw.limit_in_bytes", swap, True
        if reservation := int(resources.get("MemoryReservation") or 0):
            yield "memory", "memory.soft_limit_in_bytes", reservation, False
        swappiness = resources.get("MemorySwappiness")
        if swappiness is not None and 0 <= int(swappiness) <= 100:
            yield "memory", "memory.swappiness", swappiness, False
        if resources.get("OomKillDisable"):
            yield "memory", "memory.oom_control", 1, False
        if shares := int(resources.get("CpuShares") or 0):
            yield "cpu", "cpu.shares", shares, False
        quota, period = cpu_quota(resources)
        if period:
            yield "cpu", "cpu.cfs_period_us", period, False
        if quota:
            yield "cpu", "cpu.cfs_quota_us", quota, False
        if realtime := int(resources.get("CpuRealtimePeriod") or 0):
            yield "cpu", "cpu.rt_period_us", realtime, False
        if realtime := int(resources.get("CpuRealtimeRuntime") or 0):
            yield "cpu", "cpu.rt_runtime_us", realtime, False
        if cpus := resources.get("CpusetCpus"):
            yield "cpuset", "cpuset.cpus", cpus, False
        if nodes := resources.get("CpusetMems"):
            yield "cpuset", "cpuset.mems", nodes, False
        if pids := int(resources.get("PidsLimit") or 0):
            yield "pids", "pids.max", _or_max(pids), pids < 0
        if weight := int(resources.get("BlkioWeight") or 0):
            # which of the two files exists depends on the I/O scheduler
            yield "blkio", "blkio.weight", weight, True
            yield "blkio", "blkio.bfq.weight", weight, True
        for entry in resources.get("BlkioWeightDevice") or ():
            yield "blkio", "blkio.weight_device", f"{number(entry['Path'])} {entry['Weight']}", True
            yield "blkio", "blkio.bfq.weight_device", f"{number(entry['Path'])} {entry['Weight']}", True
        for key, file, _ in _THROTTLES:
            for entry in resources.get(key) or ():
                yield "blkio", file, f"{number(entry['Path'])} {entry['Rate']}", False
        if "devices" in directories:
            for rule in rules:
                words = rule.type if rule.type == "a" else rule.numbers()
                yield "devices", "devices.allow" if rule.allow else "devices.deny", words, False

    return _placed(directories, lines())


def v2(
    directory: str,
    controllers: Iterable[str],
    resources: Mapping[str, Any],
    number: Callable[[str], str] = device_number,
) -> list[Setting]:
    """Settings for cgroup v2, where device rules are no file but a program that the shim attaches."""

    def lines() -> Iterator[tuple[str, str, object, bool]]:
        memory, swap = memory_and_swap(resources)
        if memory:
            yield "memory", "memory.max", _or_max(memory), False
        if swap:
            yield "memory", "memory.swap.max", "max" if swap < 0 else max(swap - max(memory, 0), 0), True
        if reservation := int(resources.get("MemoryReservation") or 0):
            yield "memory", "memory.low", reservation, False
        if shares := int(resources.get("CpuShares") or 0):
            yield "cpu", "cpu.weight", cpu_weight(shares), False
        quota, period = cpu_quota(resources)
        if quota or period:
            yield "cpu", "cpu.max", f"{_or_max(quota or -1)} {period or CPU_PERIOD}", False
        if cpus := resources.get("CpusetCpus"):
            yield "cpuset", "cpuset.cpus", cpus, False
        if nodes := resources.get("CpusetMems"):
            yield "cpuset", "cpuset.mems", nodes, False
        if pids := int(resources.get("PidsLimit") or 0):
            yield "pids", "pids.max", _or_max(pids), pids < 0
        if weight := int(resources.get("BlkioWeight") or 0):
            yield "io", "io.bfq.weight", weight, True
            yield "io", "io.weight", io_weight(weight), True
        for entry in resources.get("BlkioWeightDevice") or ():
            yield "io", "io.bfq.weight", f"{number(entry['Path'])} {entry['Weight']}", True
            yield "io", "io.weight", f"{number(entry['Path'])} {io_weight(int(entry['Weight']))}", True
        for key, _, word in _THROTTLES:
            for entry in resources.get(key) or ():
                yield "io", "io.max", f"{number(entry['Path'])} {word}={entry['Rate']}", False

    return _placed(dict.fromkeys(controllers, directory), lines())


def _or_max(value: int) -> str:
    return "max" if value < 0 else str(value)


def _placed(directories: Mapping[str, str], lines: Iterable[tuple[str, str, object, bool]]) -> list[Setting]:
    settings = []
    for controller, file, value, optional in lines:
        if controller in directories:
            settings.append(Setting(directories[controller], file, str(value), optional))
        elif not optional:
            raise Unsupported(
                f"cannot set {file} to {value}: this machine has no usable cgroup controller '{controller}'; "
                "leave the limit out or enable the controller"
            )
    return settings


def as_record(directories: Sequence[str], settings: Iterable[Setting]) -> list[tuple[str, str]]:
    """The launch record's pairs: each directory, followed by what is written into it."""
    by_directory: dict[str, list[tuple[str, str]]] = {directory: [] for directory in directories}
    for setting in settings:
        key = "set-optional" if setting.optional else "set"
        by_directory[setting.directory] += [(key, setting.file), ("value", setting.value)]
    return [pair for directory, pairs in by_directory.items() for pair in (("cgroup", directory), *pairs)]
