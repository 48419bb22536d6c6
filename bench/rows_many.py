"""A thousand running containers on one bridge; only with --full, because it needs minutes and memory."""

from __future__ import annotations

import os

from bench import images
from bench.context import Bench, Line, Row
from bench.measure import Figure, Verdict, amount, interleaved, limit
from bench.rows_fifty import keepers, memory

_COUNT = 1000
_PREFIX = "many"


def thousand(bench: Bench) -> list[Line]:
    ours, worker = bench.tuidock(), bench.worker()
    kernel_before = _kernel_memory_mb()
    try:
        worker.ask("create_many", _PREFIX, str(_COUNT), images.SMALL, "sleep", "100000")
        seconds = float(worker.ask("start_many", _PREFIX, str(_COUNT)))
        pids = ours.output(
            "inspect", "--format", "{{.State.Pid}}", *(f"{_PREFIX}{n:04}" for n in range(_COUNT))
        ).split()
        proportional = sum(memory(keeper)[1] for pid in pids for keeper in keepers(int(pid))) / 1000
        kernel = _kernel_memory_mb() - kernel_before
        listed = interleaved(bench.rounds(20, 5), {"tuidock": lambda: ours.timed("ps")})["tuidock"]
    finally:
        worker.ask("remove_many", _PREFIX, str(_COUNT))
    started, pss = Figure((seconds,), "s"), Figure((proportional,), "MB")
    work = f"{_COUNT} running containers"
    return [
        Line(f"{work}, started", {"tuidock": started}, "", Verdict(amount(seconds, "s"), "<= 30 s", seconds <= 30)),
        Line(f"{work}, PSS of what keeps them", {"tuidock": pss}, f"kernel {kernel:.0f} MB", limit(pss, 200, "MB")),
        Line(f"{work}, `ps`", {"tuidock": listed}, "", limit(listed, 100)),
    ]


def _kernel_memory_mb() -> float:
    """Slabs, page tables and stacks; of the whole machine, so only a difference means something."""
    total = 0
    with open("/proc/meminfo") as stream:
        for line in stream:
            name, _, rest = line.partition(":")
            if name in ("Slab", "PageTables", "KernelStack", "Percpu"):
                total += int(rest.split()[0])
    return total / 1000


ROWS = [Row("thousand", f"{_COUNT} running containers (with --full; {os.cpu_count()} CPUs here)", thousand)]
