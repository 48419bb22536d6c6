"""The machine that the app runs on: its name, and how its processors, memory and disk are used."""

from __future__ import annotations

import os

from tuidock.app.model import HostLoad


def host_name() -> str:
    return os.uname().nodename


def host_load(before: tuple[int, int] | None, root: str = "/") -> tuple[HostLoad, tuple[int, int] | None]:
    """How the machine and the disk under root are used, and the processor times to compare with the next time."""
    cpu, times = -1.0, None
    try:
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
        times = (sum(fields), fields[3] + fields[4])
        if before is not None and times[0] > before[0]:
            cpu = max(0.0, 100.0 * (1 - (times[1] - before[1]) / (times[0] - before[0])))
        memory: dict[str, int] = {}
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name in ("MemTotal", "MemAvailable"):
                    memory[name] = int(value.split()[0]) * 1024
                if len(memory) == 2:
                    break
        disk = os.statvfs(root)
        total = memory.get("MemTotal", -1)
        used = total - memory["MemAvailable"] if "MemAvailable" in memory else -1
        free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        return HostLoad(cpu, used, total, free, whole, os.getloadavg()[0], os.cpu_count() or 1), times
    except (OSError, ValueError, IndexError):
        return HostLoad(), times
