"""Fifty running containers: starting them, listing them, what watches over each, removing them.

The four rows share the same fifty, so they are measured together once, in rounds: everybody starts fifty, one peer
after the other; then `ps` in turns; then everybody removes them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from bench import images
from bench.context import Bench, Line, Row
from bench.measure import BenchFailure, Cell, Figure, Missing, interleaved, limit, ratio
from bench.peers import Peer

COUNT = 50
_NAMES = [f"bench{number:02}" for number in range(COUNT)]


class Fifty:
    """All samples of the fifty."""

    def __init__(self, bench: Bench) -> None:
        ours = bench.tuidock()
        # nothing is judged by podman here, and its fifty take longest
        peers, self.missing = bench.usable("docker") if bench.quick else bench.usable("docker", "podman")
        names = [ours, *peers]
        self.created: dict[str, list[float]] = {peer.name: [] for peer in names}
        self.removed: dict[str, list[float]] = {peer.name: [] for peer in names}
        self.resident: dict[str, Cell] = {}
        self.proportional: dict[str, Cell] = {}
        self.listed: dict[str, Cell] = {}
        rounds = bench.rounds(3, 1)
        for number in range(rounds):
            order = names[number % len(names) :] + names[: number % len(names)]
            for peer in order:
                if peer.name not in self.missing:
                    self._guard(peer, self._create)
            if number == 0:
                self._measure_running(bench, [peer for peer in order if peer.name not in self.missing])
            for peer in order:
                if peer.name not in self.missing:
                    self._guard(peer, self._remove)

    def _guard(self, peer: Peer, step: Callable[[Peer], None]) -> None:
        try:
            step(peer)
        except BenchFailure as failure:
            self.missing[peer.name] = Missing(str(failure))
            peer.remove(_NAMES)

    def _create(self, peer: Peer) -> None:
        took = [peer.timed("run", "-d", "--name", name, images.SMALL, "sleep", "100000") for name in _NAMES]
        self.created[peer.name].append(sum(took))

    def _remove(self, peer: Peer) -> None:
        self.removed[peer.name].append(peer.timed("rm", *peer.force_words, *_NAMES))

    def _measure_running(self, bench: Bench, peers: Sequence[Peer]) -> None:
        def lister(peer: Peer) -> Callable[[], float]:
            return lambda: peer.timed("ps")

        works: dict[str, Callable[[], float] | str] = {peer.name: lister(peer) for peer in peers}
        works["python"] = bench.python_pass
        for work in works.values():
            if not isinstance(work, str):
                interleaved(2, {"": work})
        self.listed = interleaved(bench.rounds(40, 15), works)
        for peer in peers:
            try:
                self._measure_memory(peer)
            except (BenchFailure, OSError) as failure:
                self.resident[peer.name] = self.proportional[peer.name] = Missing(str(failure))

    def _measure_memory(self, peer: Peer) -> None:
        pids = peer.output("inspect", "--format", "{{.State.Pid}}", *_NAMES).split()
        resident, proportional = [], []
        for pid in pids:
            rss = pss = 0
            for keeper in keepers(int(pid)):
                one = memory(keeper)
                rss, pss = rss + one[0], pss + one[1]
            resident.append(float(rss))
            proportional.append(float(pss))
        self.resident[peer.name] = Figure(tuple(resident), "kB")
        self.proportional[peer.name] = Figure(tuple(proportional), "kB")

    def cells(self, samples: dict[str, list[float]]) -> dict[str, Cell]:
        found: dict[str, Cell] = {name: Figure(tuple(values)) for name, values in samples.items() if values}
        return {**found, **self.missing}


def keepers(pid: int) -> list[int]:
    """The processes above a container's first one that exist for this container only: those below process 1."""
    found = []
    while (pid := _parent(pid)) > 1:
        found.append(pid)
    return found


def _parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as stream:
        return int(stream.read().rpartition(")")[2].split()[1])


def memory(pid: int) -> tuple[int, int]:
    """Resident and proportional kB of a process."""
    values = {}
    with open(f"/proc/{pid}/smaps_rollup") as stream:
        for line in stream:
            name, _, rest = line.partition(":")
            if rest.endswith(" kB\n"):
                values[name] = int(rest.split()[0])
    return values["Rss"], values["Pss"]


_MEASURED: dict[int, Fifty] = {}


def _fifty(bench: Bench) -> Fifty:
    key = id(bench)
    if key not in _MEASURED:
        _MEASURED[key] = Fifty(bench)
    return _MEASURED[key]


def run_fifty(bench: Bench) -> list[Line]:
    fifty = _fifty(bench)
    cells = fifty.cells(fifty.created)
    return [Line(f"{COUNT} x `run -d`, one after the other", cells, "",
                 ratio(_ours(cells), _docker(cells), 0.2, "docker"))]  # fmt: skip


def remove_fifty(bench: Bench) -> list[Line]:
    fifty = _fifty(bench)
    cells = fifty.cells(fifty.removed)
    return [Line(f"`rm -f` of {COUNT} running, one command", cells, "",
                 ratio(_ours(cells), _docker(cells), 0.15, "docker"))]  # fmt: skip


def list_fifty(bench: Bench) -> list[Line]:
    fifty = _fifty(bench)
    bare = fifty.listed.get("python", Missing("not measured"))
    cells = {**fifty.missing, **{name: cell for name, cell in fifty.listed.items() if name != "python"}}
    return [Line(f"`ps` with {COUNT} running", cells, f"python -c pass {bare.text()}",
                 ratio(_ours(cells), bare, 2.5, "python"))]  # fmt: skip


def memory_of_fifty(bench: Bench) -> list[Line]:
    fifty = _fifty(bench)
    resident, proportional = {**fifty.missing, **fifty.resident}, {**fifty.missing, **fifty.proportional}
    musl = "" if os.path.exists("/usr/bin/musl-gcc") else "built without musl"
    return [
        Line("idle shim + recorder, RSS", resident, musl, limit(_ours(resident), 1000, "kB")),
        Line("idle shim + recorder, PSS", proportional, musl, limit(_ours(proportional), 150, "kB")),
    ]


def _ours(cells: dict[str, Cell]) -> Cell:
    return cells.get("tuidock", Missing("not measured"))


def _docker(cells: dict[str, Cell]) -> Cell:
    return cells.get("docker", Missing("not measured"))


ROWS = [
    Row("run-d", f"{COUNT} x run -d", run_fifty),
    Row("rm", f"rm -f of {COUNT} running", remove_fifty),
    Row("ps", f"ps with {COUNT} running", list_fifty),
    Row("memory", "memory of an idle shim and recorder", memory_of_fifty),
]
