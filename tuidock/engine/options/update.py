"""`update`: its flags, read as docker's command line reads them."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.devices import parse_blkio_weight
from tuidock.engine.options.flags import Flag, Values, number, text
from tuidock.engine.options.values import parse_cpus, parse_restart_policy, parse_size, parse_swap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UPDATE_FLAGS: tuple[Flag, ...] = (
    text("blkio-weight", "", "Block I/O weight, 10 to 1000", kind="uint16", parse=parse_blkio_weight),
    number("cpu-period", "", "Period of the CPU quota in microseconds"),
    number("cpu-quota", "", "CPU time per period in microseconds, -1 for no limit"),
    number("cpu-rt-period", "", "Real-time period in microseconds"),
    number("cpu-rt-runtime", "", "Real-time run time per period in microseconds"),
    number("cpu-shares", "c", "CPU shares (relative weight)"),
    text("cpus", "", "Number of CPUs, fractions allowed", kind="decimal", parse=parse_cpus),
    text("cpuset-cpus", "", "CPUs to run on (0-3, 0,1)"),
    text("cpuset-mems", "", "Memory nodes to use (0-3, 0,1)"),
    text("memory", "m", "Memory limit", kind="bytes", parse=parse_size, default=""),
    text("memory-reservation", "", "Memory soft limit", kind="bytes", parse=parse_size, default=""),
    text("memory-swap", "", "Limit of memory and swap together, -1 for none", kind="bytes", parse=parse_swap),
    number("pids-limit", "", "Limit of processes, -1 for none"),
    text("restart", "", "Restart policy: no, on-failure[:N], always, unless-stopped"),
)
_KEYS = (
    ("blkio-weight", "BlkioWeight"), ("cpu-period", "CpuPeriod"), ("cpu-quota", "CpuQuota"),
    ("cpu-rt-period", "CpuRealtimePeriod"), ("cpu-rt-runtime", "CpuRealtimeRuntime"), ("cpu-shares", "CpuShares"),
    ("cpus", "NanoCpus"), ("cpuset-cpus", "CpusetCpus"), ("cpuset-mems", "CpusetMems"), ("memory", "Memory"),
    ("memory-reservation", "MemoryReservation"), ("memory-swap", "MemorySwap"), ("pids-limit", "PidsLimit"),
)  # fmt: skip


def read_update(values: Values) -> tuple[dict[str, Any], dict[str, object] | None]:
    """(HostConfig keys that are to change, restart policy or None). Raises InvalidArgument when nothing was given."""
    if not any(values.given(flag.name) for flag in UPDATE_FLAGS):
        raise InvalidArgument("you must provide one or more flags when using this command")
    resources = {key: values[flag] for flag, key in _KEYS if values.given(flag) and values[flag]}
    policy = parse_restart_policy(values["restart"]) if values.given("restart") and values["restart"] else None
    return resources, policy
