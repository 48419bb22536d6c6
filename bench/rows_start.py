"""Starting one container: the shim alone, the engine's call, the whole command."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from bench import images
from bench.context import Bench, Line, Row
from bench.measure import Cell, Figure, interleaved, limit, ratio
from bench.peers import Crun, Peer

#: A container as people run one: limits and a published port on the default bridge.
_USUAL = ("-m", "256m", "--cpus", "1", "--pids-limit", "200", "-p", "127.0.0.1::80")


def warm_start(bench: Bench) -> list[Line]:
    """The shim's share and the whole of Engine.start, in turns with crun and a bare bundle."""
    worker = bench.worker()
    crun = bench.peer("crun")
    ref = worker.ask("create", *_USUAL, images.SMALL, "true")
    shim: list[float] = []

    def ours() -> float:
        times = worker.ask("start", ref)
        worker.ask("wait", ref)
        shim.append(times["shim"])
        return float(times["start"])

    numbers = itertools.count()

    def theirs() -> float:
        assert isinstance(crun, Crun)
        return crun.run(f"bench{next(numbers)}")

    ours()  # the first start makes the bridge, the table and the seccomp filter
    shim.clear()
    works: dict[str, Callable[[], float] | str] = {"tuidock": ours, "crun": crun.reason or theirs}
    cells = interleaved(bench.rounds(60, 15), works)
    shim_cell: Cell = Figure(tuple(shim)) if shim else cells["tuidock"]
    steps = ""
    if isinstance(cells["tuidock"], Figure):
        steps = "last timeline in ms: " + ", ".join(
            f"{name} {took:.1f}" for name, took in worker.ask("timeline", ref).items()
        )
    bench.tuidock().remove([ref])
    beside = f"crun {cells['crun'].text()}"
    work, whole = "warm start: shim call until exec", "Engine.start, transaction and fsync"
    return [
        Line(work, {"tuidock": shim_cell}, beside, ratio(shim_cell, cells["crun"], 0.8, "crun")),
        Line(work, {"tuidock": shim_cell}, "", limit(shim_cell, 7)),
        Line(whole, {"tuidock": cells["tuidock"]}, "", limit(cells["tuidock"], 10), steps),
    ]


def run_true(bench: Bench) -> list[Line]:
    """`run --rm IMAGE true` with the default network and with none; then with a published port."""
    ours = bench.tuidock()
    peers, missing = bench.usable("docker", "podman")

    def one(peer: Peer, *flags: str) -> Callable[[], float]:
        return lambda: peer.timed("run", "--rm", *flags, images.SMALL, "true")

    by_name = {peer.name: peer for peer in peers}
    port = ("-p", "127.0.0.1::80")
    works: dict[str, Callable[[], float] | str] = {"tuidock": one(ours), "tuidock port": one(ours, *port)}
    for name in ("docker", "podman"):
        works[name] = one(by_name[name]) if name in by_name else bench.peer(name).reason
        works[f"{name} port"] = one(by_name[name], *port) if name in by_name else bench.peer(name).reason
    works["podman none"] = (
        one(by_name["podman"], "--net", "none") if "podman" in by_name else bench.peer("podman").reason
    )
    for work in works.values():
        if not isinstance(work, str):
            _once(work)
    cells = interleaved(bench.rounds(20, 5), works)
    cells |= missing
    whole, none = "`run --rm IMAGE true`", cells["podman none"]
    ported = {name: cells[f"{name} port"] for name in ("tuidock", "docker", "podman")}
    plain = {name: cells[name] for name in ("tuidock", "docker", "podman")}
    return [
        Line(whole, plain, "", ratio(plain["tuidock"], plain["docker"], 0.2, "docker")),
        Line(f"{whole}, podman --net none", {"tuidock": plain["tuidock"], "podman": none}, "",
             ratio(plain["tuidock"], none, 0.4, "podman")),
        Line(f"{whole} with -p", ported, "", ratio(ported["tuidock"], ported["docker"], 0.2, "docker")),
    ]  # fmt: skip


def _once(work: Callable[[], float]) -> None:
    """Caches and first-time set-up; a failure shows in the rounds."""
    interleaved(1, {"": work})


ROWS = [
    Row("start", "warm start in the shim and Engine.start", warm_start),
    Row("run", "run --rm IMAGE true, the whole command", run_true),
]
