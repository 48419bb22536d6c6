"""Samples of what running containers use, as `docker stats` counts it.

One sample is a handful of small reads. A percentage needs two, so a sampler remembers the last one of each container;
whoever shows live figures keeps one sampler, a single command takes two samples.
"""

from __future__ import annotations

import os
import time

from tuidock.engine.runtime.cgroup import Cgroups
from tuidock.engine.runtime.cgroup_files import read
from tuidock.engine.types import Stats


class Sampler:
    """Takes samples and works out the share of a CPU since the previous one."""

    __slots__ = ("_cgroups", "_previous")

    def __init__(self, cgroups: Cgroups) -> None:
        self._cgroups = cgroups
        self._previous: dict[str, tuple[int, int]] = {}

    def sample(self, container_id: str, pid: int = 0) -> Stats | None:
        """One sample, or None when the container does not run; cpu_percent is 0 in the first one.

        pid is the init process, 0 when the container has no network of its own.
        """
        usage = self._cgroups.sample(container_id)
        if usage is None:
            self._previous.pop(container_id, None)
            return None
        now = time.monotonic_ns()
        then, cpu_then = self._previous.get(container_id, (now, usage.cpu_ns))
        self._previous[container_id] = (now, usage.cpu_ns)
        # a container that was restarted counts from zero again
        used = max(usage.cpu_ns - cpu_then, 0)
        percent = 100.0 * used / (now - then) if now > then else 0.0
        received, sent = network_bytes(pid) if pid else (0, 0)
        return Stats(
            container_id,
            time.time_ns(),
            percent,
            usage.cpu_ns,
            usage.memory,
            usage.memory_limit,
            usage.pids,
            usage.pids_limit,
            received,
            sent,
            usage.block_read,
            usage.block_write,
            usage.throttled_ns,
        )


def network_bytes(pid: int) -> tuple[int, int]:
    """(received, sent) over all interfaces but lo, as the process's network namespace sees it."""
    received = sent = 0
    for line in read(f"/proc/{pid}/net/dev").splitlines()[2:]:
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            continue
        fields = counters.split()
        if len(fields) >= 9:
            received += int(fields[0])
            sent += int(fields[8])
    return received, sent


def host_memory(meminfo: str = "/proc/meminfo") -> int:
    """Bytes of memory of the machine: what `stats` shows as the limit of a container without one."""
    first = read(meminfo).split(None, 2)
    return int(first[1]) * 1024 if len(first) > 1 and first[0] == "MemTotal:" else os.sysconf("SC_PHYS_PAGES") * 4096
