"""The limits that a container is made with and that `update` can change: one table for both, with docker's API keys."""

from __future__ import annotations

from tuidock.engine.options.devices import parse_blkio_weight
from tuidock.engine.options.flags import Flag, Values, number, text
from tuidock.engine.options.values import parse_cpus, parse_size, parse_swap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def size(name: str, short: str, help: str) -> Flag:
    """A flag with a number of bytes, as 512m."""
    return text(name, short, help, kind="bytes", parse=parse_size, default="")


#: Each flag with its key in HostConfig.
RESOURCES: tuple[tuple[Flag, str], ...] = (
    (text("blkio-weight", "", "Block I/O weight, 10 to 1000, or 0 for none", kind="uint16", parse=parse_blkio_weight),
     "BlkioWeight"),
    (number("cpu-period", "", "Period of the CPU quota in microseconds"), "CpuPeriod"),
    (number("cpu-quota", "", "CPU time per period in microseconds, -1 for no limit"), "CpuQuota"),
    (number("cpu-rt-period", "", "Real-time period in microseconds"), "CpuRealtimePeriod"),
    (number("cpu-rt-runtime", "", "Real-time run time per period in microseconds"), "CpuRealtimeRuntime"),
    (number("cpu-shares", "c", "CPU shares (relative weight)"), "CpuShares"),
    (text("cpus", "", "Number of CPUs, fractions allowed", kind="decimal", parse=parse_cpus), "NanoCpus"),
    (text("cpuset-cpus", "", "CPUs to run on (0-3, 0,1)"), "CpusetCpus"),
    (text("cpuset-mems", "", "Memory nodes to use (0-3, 0,1)"), "CpusetMems"),
    (size("memory", "m", "Memory limit"), "Memory"),
    (size("memory-reservation", "", "Memory soft limit"), "MemoryReservation"),
    (text("memory-swap", "", "Limit of memory and swap together, -1 for none", kind="bytes", parse=parse_swap),
     "MemorySwap"),
    (number("pids-limit", "", "Limit of processes, -1 for none"), "PidsLimit"),
)  # fmt: skip
RESOURCE_FLAGS: tuple[Flag, ...] = tuple(flag for flag, _ in RESOURCES)


def read_resources(values: Values) -> dict[str, Any]:
    """Keys of HostConfig; 0 or "" for what nobody asked for."""
    return {key: values[flag.name] or ("" if flag.kind == "string" else 0) for flag, key in RESOURCES}
