"""A container that writes 142 MB to its log, and reading them back."""

from __future__ import annotations

from collections.abc import Callable

from bench import images
from bench.context import Bench, Line, Row
from bench.measure import BenchFailure, Cell, Figure, Missing, drained, interleaved, ratio
from bench.peers import NOT_INSTALLED, Peer

_LINE = "0123456789" * 7
_NAME = "benchlog"


def _load(bench: Bench) -> tuple[str, int, str]:
    """The command, how many bytes it writes, and both in words."""
    lines = bench.rounds(2_000_000, 500_000)
    size = lines * (len(_LINE) + 1)
    return f"yes {_LINE} | head -n {lines}", size, f"{lines / 1e6:g} M lines ({size / 1e6:.0f} MB)"


def write(bench: Bench) -> list[Line]:
    """`run -d` and `wait`, the log kept without a limit; the baseline writes to a file inside a tuidock container."""
    command, _, words = _load(bench)
    ours = bench.tuidock()
    peers, missing = bench.usable("docker", "podman")

    def one(peer: Peer, command: str) -> Callable[[], float]:
        def work() -> float:
            peer.remove([_NAME])
            started = peer.timed("run", "-d", "--name", _NAME, *peer.log_words, images.SMALL, "sh", "-c", command)
            return started + peer.timed("wait", _NAME)

        return work

    works: dict[str, Callable[[], float] | str] = {"file": one(ours, f"{{ {command}; }} > /out")}
    works |= {peer.name: one(peer, command) for peer in (ours, *peers)}
    cells = interleaved(bench.rounds(5, 2), works)
    for peer in (ours, *peers):
        peer.remove([_NAME])
    cells |= missing
    file = cells.pop("file")
    podman = cells.get("podman", Missing(NOT_INSTALLED))
    work = f"{words} to the log"
    return [
        Line(work, cells, f"to a file {file.text()}", ratio(cells["tuidock"], file, 2, "file")),
        Line(work, cells, "", ratio(cells["tuidock"], podman, 0.5, "podman")),
    ]


def read(bench: Bench) -> list[Line]:
    """`logs` into a pipe, every byte counted; `--tail 100`."""
    command, size, _ = _load(bench)
    ours = bench.tuidock()
    peers, missing = bench.usable("docker", "podman")
    for peer in (ours, *peers):
        peer.remove([_NAME])
        try:
            peer.output("run", "-d", "--name", _NAME, *peer.log_words, images.SMALL, "sh", "-c", command)
            peer.output("wait", _NAME)
        except BenchFailure as failure:
            missing[peer.name] = Missing(str(failure))
    able = [peer for peer in (ours, *peers) if peer.name not in missing]

    def whole(peer: Peer) -> Callable[[], float]:
        def work() -> float:
            took, got = drained(peer.argv("logs", _NAME), peer.environ)
            if got != size:
                raise BenchFailure(f"{peer.name} logs gave {got} bytes of {size}")
            return took

        return work

    def tail(peer: Peer) -> Callable[[], float]:
        return lambda: peer.timed("logs", "--tail", "100", _NAME)

    everything = {**missing, **interleaved(bench.rounds(3, 1), {peer.name: whole(peer) for peer in able})}
    works: dict[str, Callable[[], float] | str] = {peer.name: tail(peer) for peer in able}
    works["python"] = bench.python_pass
    interleaved(1, works)
    tails = {**missing, **interleaved(bench.rounds(15, 5), works)}
    for peer in able:
        peer.remove([_NAME])
    bare = tails.pop("python")
    return [
        Line("reading them back: `logs`", everything, _rate(everything["tuidock"], size),
             ratio(everything["tuidock"], everything.get("podman", Missing(NOT_INSTALLED)), 0.1, "podman")),
        Line("`logs --tail 100`", tails, f"python -c pass {bare.text()}", ratio(tails["tuidock"], bare, 3, "python")),
    ]  # fmt: skip


def _rate(cell: Cell, size: int) -> str:
    return f"{size / 1e3 / cell.median:.0f} MB/s" if isinstance(cell, Figure) else ""


ROWS = [
    Row("log-write", "2 M lines (142 MB) to the log", write),
    Row("log-read", "reading 2 M lines back, and the last 100", read),
]
