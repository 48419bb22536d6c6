"""The app, measured from outside in a pty: first rows, idle cost, keys, a log of one gigabyte."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import images
from bench.context import Bench, Line, Row
from bench.measure import BenchFailure, Cell, Figure, Verdict, at_least, interleaved, limit, ratio
from bench.peers import NOT_INSTALLED, REPOSITORY
from bench.terminal import Screen, cpu_ms, resident_mb

_PREFIX = "screen"
_SETTLE = 4.0
_LOG_LINE = "0123456789" * 7
_LOG_LINES = 9_000_000  # with 41 bytes before each line: one gigabyte
_LOG_END = "end-of-the-big-log"
#: Lines a second that a container has to write at least, how many come in one burst, and what stands before each.
_FLOOD, _BURST, _HEADER = 50_000, 7_000, 41
_EXPRESSION = r"end-[a-z]+-the-(big|large)-log$"


@contextmanager
def _containers(bench: Bench, count: int, *, running: bool = False) -> Iterator[None]:
    worker = bench.worker()
    command = ("sleep", "100000")
    try:
        worker.ask("create_many", _PREFIX, str(count), "--net", "none", images.SMALL, *command)
        if running:
            worker.ask("start_many", _PREFIX, str(count))
        yield
    finally:
        if not worker.ended:
            worker.ask("remove_many", _PREFIX, str(count))


@contextmanager
def _lazydocker(bench: Bench) -> Iterator[tuple[list[str], dict[str, str]] | str]:
    """lazydocker over 20 running containers of docker, or why not."""
    program = shutil.which("lazydocker")
    docker = bench.peer("docker") if program else None
    if program is None or docker is None or docker.reason:
        yield NOT_INSTALLED if program is None or docker is None else f"docker: {docker.reason}"
        return
    names = [f"{_PREFIX}{number:04}" for number in range(20)]
    try:
        for name in names:
            docker.output("run", "-d", "--net", "none", "--name", name, images.SMALL, "sleep", "100000")
        yield [program], {**docker.environ, "DOCKER_HOST": docker.base[-1]}
    finally:
        docker.remove(names)


def first_rows(bench: Bench) -> list[Line]:
    """A start after an earlier session, which left the colours for the first frame; and the very first, without them."""
    ours = bench.tuidock()
    colours = f"{ours.environ['HOME']}/.cache/tuidock/first-frame.json"

    def shown(argv: list[str], environ: dict[str, str], text: str) -> Callable[[], float]:
        def work() -> float:
            with Screen(argv, environ) as screen:
                return screen.wait_for(text)

        return work

    bare = [bench.python, f"{REPOSITORY}/bench/bare_app.py"]
    with _containers(bench, 20), _lazydocker(bench) as lazy:
        works: dict[str, Callable[[], float] | str] = {
            "tuidock": shown(ours.base, ours.environ, f"{_PREFIX}0019"),
            "bare": shown(bare, bench.environ, "bare-app-ready"),
            "lazydocker": lazy if isinstance(lazy, str) else shown(*lazy, f"{_PREFIX}0019"),
        }

        def first_ever() -> float:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(colours)
            with Screen(ours.base, ours.environ) as screen:
                return screen.wait_for(f"{_PREFIX}0019")

        cold = interleaved(bench.rounds(7, 3), {"tuidock": first_ever, "bare": works["bare"]})
        with Screen(ours.base, ours.environ) as screen:
            screen.wait_for(f"{_PREFIX}0019")
            screen.read_for(_SETTLE)  # a session of somebody who reads what is there
        cells = interleaved(bench.rounds(15, 5), works)
    work, mine = "TUI: first rows on the screen", {"tuidock": cells["tuidock"]}
    ever = {"tuidock": cold["tuidock"]}
    return [
        Line(work, mine, f"bare Textual {cells['bare'].text()}", ratio(mine["tuidock"], cells["bare"], 1.2, "bare Textual")),
        Line(f"{work}, very first start", ever, f"bare Textual {cold['bare'].text()}",
             ratio(ever["tuidock"], cold["bare"], 1.2, "bare Textual")),
        Line(f"{work} (stretch)", mine, f"lazydocker {cells['lazydocker'].text()}",
             _wish(ratio(mine["tuidock"], cells["lazydocker"], 2, "lazydocker"))),
    ]  # fmt: skip


def _wish(verdict: Verdict) -> Verdict:
    """A stretch target is shown and not judged."""
    return verdict._replace(ok=True if verdict.ok else None)


def idle(bench: Bench) -> list[Line]:
    count, seconds = bench.rounds(100, 30), bench.rounds(20, 8)
    ours = bench.tuidock()

    def rest(argv: list[str], environ: dict[str, str], text: str) -> tuple[Cell, Cell]:
        with Screen(argv, environ) as screen:
            screen.wait_for(text)
            screen.read_for(_SETTLE)
            before = cpu_ms(screen.pid)
            sent = screen.read_for(seconds)
            used = cpu_ms(screen.pid) - before
        return Figure((used / 10 / seconds,), "%"), Figure((sent / 1000 / seconds,), "kB/s")

    beside = ("", "")
    with _containers(bench, count, running=True):
        cpu, sent = rest(ours.base, ours.environ, f"{_PREFIX}{count - 1:04}")
    with _lazydocker(bench) as lazy:
        if isinstance(lazy, str):
            beside = (f"lazydocker {lazy}", "")
        else:
            theirs = rest(*lazy, f"{_PREFIX}0019")
            beside = (f"lazydocker (20) {theirs[0].text()}", f"lazydocker (20) {theirs[1].text()}")
    work = f"TUI: {count} running, no key pressed"
    return [
        Line(f"{work}, CPU", {"tuidock": cpu}, beside[0], limit(cpu, 1, "%")),
        Line(f"{work}, to the terminal", {"tuidock": sent}, beside[1], limit(sent, 2, "kB/s")),
    ]


def keys(bench: Bench) -> list[Line]:
    count, presses = 1000, bench.rounds(100, 40)
    ours = bench.tuidock()
    waits: list[float] = []
    with _containers(bench, count), Screen(ours.base, ours.environ) as screen:
        screen.wait_for(f"{_PREFIX}{count - 1:04}", 60)
        screen.read_for(_SETTLE)
        before = cpu_ms(screen.pid)
        for number in range(presses):
            screen.press("jjjjk"[number % 5])
            waits.append(screen.first_output())
            screen.read_for(0.1)
        used = (cpu_ms(screen.pid) - before) / presses
    waits.sort()
    p95: Cell = Figure((waits[int(len(waits) * 0.95)],))
    median: Cell = Figure((waits[len(waits) // 2],))
    return [
        Line(f"TUI: a key, p95, {count} containers", {"tuidock": p95},
             f"p50 {median.text()}, {used:.1f} ms CPU a key", limit(p95, 30))
    ]  # fmt: skip


def big_log(bench: Bench) -> list[Line]:
    """One container wrote a gigabyte; the cursor moves onto it, and its last line has to appear."""
    ours, worker = bench.tuidock(), bench.worker()
    names = ["biglog", "quiet"]
    command = f"yes {_LOG_LINE} | head -n {_LOG_LINES}; echo {_LOG_END}"
    opened: list[float] = []
    resident: list[float] = []
    try:
        ours.output("run", "-d", "--name", names[0], *ours.log_words, images.SMALL, "sh", "-c", command)
        ours.output("wait", names[0])
        ours.output("run", "--name", names[1], images.SMALL, "echo", "nothing-much")
        for _ in range(bench.rounds(3, 1)):
            with Screen(ours.base, ours.environ) as screen:
                screen.wait_for("nothing-much")
                screen.read_for(1)
                screen.press("j")
                opened.append(screen.wait_for(_LOG_END))
                screen.read_for(1)
                resident.append(resident_mb(screen.pid))
        rates = [float(worker.ask("search_rate", names[0], _EXPRESSION)) for _ in range(bench.rounds(3, 1))]
    finally:
        ours.remove(names)
    opening, memory, rate = Figure(tuple(opened)), Figure(tuple(resident), "MB"), Figure(tuple(rates), "MB/s")
    work = "TUI: 1 GB log"
    return [
        Line(f"{work}, opens at its end", {"tuidock": opening}, "", limit(opening, 300)),
        Line(f"{work}, regex over all of it", {"tuidock": rate}, "", at_least(rate, 300, "MB/s")),
        Line(f"{work}, RSS of the app", {"tuidock": memory}, "", limit(memory, 150, "MB")),
    ]


def flood(bench: Bench) -> list[Line]:
    """A container writes 50 000 lines a second and more, and somebody follows them over the whole screen and sets
    marks, each of which has to appear."""
    ours, seconds, presses = bench.tuidock(), bench.rounds(10, 5), bench.rounds(20, 10)
    name, line = "flood", "0123456789" * 6
    command = f"while :; do yes {line} | head -n {_BURST}; sleep 0.1; done"
    waits: list[float] = []
    try:
        ours.output("run", "-d", "--name", name, "--net", "none", *ours.log_words, images.SMALL, "sh", "-c", command)
        with Screen(ours.base, ours.environ) as screen:
            screen.wait_for(name)
            screen.read_for(1)
            screen.press("l")
            screen.wait_for("lines skipped")
            screen.read_for(1)
            before, began = cpu_ms(screen.pid), _bytes_written(bench, name)
            sent = screen.read_for(seconds) / 1000 / seconds
            used = (cpu_ms(screen.pid) - before) / 10 / seconds
            rate = (_bytes_written(bench, name) - began) / (len(line) + _HEADER) / seconds
            for number in range(presses):
                screen.press("m")
                waits.append(screen.wait_for(f"mark {number + 1} "))
                screen.read_for(0.3)
    finally:
        ours.remove([name])
    if rate < _FLOOD:
        raise BenchFailure(f"the container wrote {rate:.0f} lines a second only; {_FLOOD} are wanted")
    waits.sort()
    cpu, p95 = Figure((used,), "%"), Figure((waits[int(len(waits) * 0.95)],))
    work = f"TUI: following {rate:.0f} lines/s"
    return [
        Line(f"{work}, a key, p95", {"tuidock": p95}, f"p50 {waits[len(waits) // 2]:.0f} ms", limit(p95, 100)),
        Line(f"{work}, CPU of the app", {"tuidock": cpu}, f"{sent:.0f} kB/s to the terminal", limit(cpu, 60, "%")),
    ]


def _bytes_written(bench: Bench, name: str) -> int:
    """All of its log, of which nothing is rotated away."""
    return int(bench.worker().ask("written", name))


ROWS = [
    Row("tui-first", "TUI: first rows on the screen", first_rows),
    Row("tui-idle", "TUI: idle cost", idle),
    Row("tui-keys", "TUI: keys with 1 000 containers", keys),
    Row("tui-log", "TUI: a log of 1 GB", big_log),
    Row("tui-flood", "TUI: 50 000 lines a second", flood),
]
