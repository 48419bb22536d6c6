"""Timing commands, and judging the figures.

Machines are noisy and differ, so a ratio between two programs counts only when both ran in turns in the same run: the
rounds of all competitors are interleaved, ratios are made from medians. A limit in milliseconds is judged by the best
round, since a busy machine only ever adds to it; bytes and percentages are judged as they are.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple


class BenchFailure(Exception):
    """A measurement that could not be made; its text goes into the table."""


class Figure(NamedTuple):
    """All samples of one competitor for one piece of work."""

    samples: tuple[float, ...]
    unit: str = "ms"

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def best(self) -> float:
        return min(self.samples)

    def text(self) -> str:
        return amount(self.median, self.unit)


class Missing(NamedTuple):
    """A competitor that has no figure, and why."""

    reason: str

    def text(self) -> str:
        return self.reason


Cell = Figure | Missing


class Verdict(NamedTuple):
    measured: str
    target: str
    ok: bool | None  # None: the competitor is not here, so there is nothing to judge


def amount(value: float, unit: str) -> str:
    if unit == "ms" and value >= 1500:
        return f"{value / 1000:.1f} s"
    if unit == "kB" and value >= 10_000:
        return f"{value / 1000:.1f} MB"
    digits = 0 if value >= 100 else 1 if value >= 2 else 2
    return f"{value:.{digits}f} {unit}"


def ratio(ours: Cell, theirs: Cell, factor: float, name: str) -> Verdict:
    """Ours must take at most `factor` times theirs."""
    target = f"<= {factor:g} x {name}"
    if not (isinstance(ours, Figure) and isinstance(theirs, Figure)):
        return Verdict("-", target, False if isinstance(ours, Missing) else None)
    by_median, by_best = ours.median / theirs.median, ours.best / theirs.best
    return Verdict(f"{by_median:.2f} (best {by_best:.2f})", target, by_median <= factor)


def against_the_faster(cells: Mapping[str, Cell], factor: float) -> Verdict:
    """tuidock must take at most `factor` times what the fastest of the peers takes that are here."""
    present = {name: cell for name, cell in cells.items() if isinstance(cell, Figure) and name != "tuidock"}
    faster = min(present, key=lambda name: present[name].median, default="docker")
    return ratio(cells["tuidock"], cells.get(faster, Missing("")), factor, faster)


def limit(ours: Cell, most: float, unit: str = "ms") -> Verdict:
    """Ours must stay below a fixed figure."""
    target = f"<= {amount(most, unit)}"
    if isinstance(ours, Missing):
        return Verdict("-", target, False)
    judged = ours.best if unit == "ms" else ours.median
    text = amount(judged, unit)
    return Verdict(f"best {text}" if unit == "ms" else text, target, judged <= most)


def at_least(ours: Cell, least: float, unit: str) -> Verdict:
    """Ours must reach a fixed rate; the best round counts."""
    target = f">= {amount(least, unit)}"
    if isinstance(ours, Missing):
        return Verdict("-", target, False)
    return Verdict(f"best {amount(max(ours.samples), unit)}", target, max(ours.samples) >= least)


def elapsed(argv: Sequence[str], env: Mapping[str, str]) -> float:
    """Milliseconds from spawning a command until it has ended well; its output is thrown away."""
    return _timed(argv, env, [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)], lambda: None)


def drained(argv: Sequence[str], env: Mapping[str, str]) -> tuple[float, int]:
    """Milliseconds of a command whose output is read from a pipe until its end, and how many bytes came."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    total = 0

    def read() -> None:
        nonlocal writer, total
        os.close(writer)
        writer = -1
        buffer = bytearray(1 << 17)
        while count := os.readv(reader, [buffer]):
            total += count

    try:
        took = _timed(argv, env, [(os.POSIX_SPAWN_DUP2, writer, 1)], read)
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    return took, total


def _timed(
    argv: Sequence[str], env: Mapping[str, str], actions: list[tuple[Any, ...]], meanwhile: Callable[[], None]
) -> float:
    errors = os.memfd_create("errors")
    try:
        began = time.perf_counter_ns()
        try:
            pid = os.posix_spawnp(
                argv[0], list(argv), dict(env),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), *actions, (os.POSIX_SPAWN_DUP2, errors, 2)
                ],
            )  # fmt: skip
        except OSError as error:
            raise BenchFailure(f"cannot run {argv[0]}: {error.strerror}") from error
        meanwhile()
        _, status = os.waitpid(pid, 0)
        took = time.perf_counter_ns() - began
        if status:
            size = os.fstat(errors).st_size
            raise BenchFailure(_complaint(argv, status, os.pread(errors, 4096, max(0, size - 4096))))
    finally:
        os.close(errors)
    return took / 1e6


def captured(argv: Sequence[str], env: Mapping[str, str]) -> str:
    """Standard output of a command that must succeed."""
    try:
        done = subprocess.run(list(argv), env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise BenchFailure(f"cannot run {argv[0]}: {error.strerror}") from error
    if done.returncode:
        raise BenchFailure(_complaint(argv, done.returncode, done.stderr[-4096:]))
    return done.stdout.decode("utf-8", "replace")


def _complaint(argv: Sequence[str], status: int, errors: bytes) -> str:
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines()]
    useful = [line for line in lines if line and not line.startswith("Run '")]
    known = (
        "run", "ps", "rm", "logs", "load", "wait", "rmi", "inspect", "create", "pull", "push", "build", "commit", "save",
        "tag",
    )  # fmt: skip
    verb = next((word for word in argv[1:] if word in known), "")
    words = useful[-1] if useful else f"wait status {status}"
    return f"{os.path.basename(argv[0])} {verb}: {words}"


def interleaved(count: int, works: Mapping[str, Callable[[], float] | str], unit: str = "ms") -> dict[str, Cell]:
    """Every competitor once per round, each round begun by another one; one that fails leaves with its reason.

    A competitor that is a text is not here, for that reason.
    """
    samples: dict[str, list[float]] = {name: [] for name in works}
    gone = {name: work for name, work in works.items() if isinstance(work, str)}
    names = list(works)
    for number in range(count):
        for step in range(len(names)):
            name = names[(number + step) % len(names)]
            work = works[name]
            if name in gone or isinstance(work, str):
                continue
            try:
                samples[name].append(work())
            except BenchFailure as error:
                gone[name] = str(error)
    return {name: Missing(gone[name]) if name in gone else Figure(tuple(samples[name]), unit) for name in works}
