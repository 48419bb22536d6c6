"""`stats`: what containers use, once or as a screen that follows."""

from __future__ import annotations

import os
import sys
import time

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import NotFound
from tuidock.engine.named import Named
from tuidock.engine.options.flags import Values, switch, text
from tuidock.engine.types import Container, Stats
from tuidock.engine.units import human_memory, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

FLAGS = (
    switch("all", "a", "Show all containers, not only running ones"),
    text("format", "", "'table', 'json', or a Go template, with 'table ' before it for headers"),
    switch("no-stream", "", "Show one result and end"),
    switch("no-trunc", "", "Show ids in full"),
)
_FIELD_HEADERS = {
    "Container": "CONTAINER",
    "ID": "CONTAINER ID",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
}
#: Between the two samples whose difference is the CPU share, and between two pictures (seconds).
_FIRST, _EVERY = 0.5, 1.0


class Use(Named):
    """A row: a container and its sample, None when it does not run. cpu is percent of one core."""

    container: Container
    stats: Stats | None
    cpu: float


def run(context: Context, values: Values, arguments: list[str]) -> int:
    follow = not values.on("no-stream")
    lines = _liner(values["format"], values.on("no-trunc"))
    live = follow and output.is_terminal()
    screen = Screen()
    before = {stats.id: stats for stats in _sample(context, values, arguments)[1]}
    time.sleep(_FIRST)
    try:
        while True:
            containers, samples = _sample(context, values, arguments)
            now = {stats.id: stats for stats in samples}
            uses = [Use(c, now.get(c.id), _cpu(before.get(c.id), now.get(c.id))) for c in containers]
            found = lines(uses)
            sys.stdout.write(screen.update(found) if live else "".join([line + "\n" for line in found]))
            sys.stdout.flush()
            if not follow:
                return 0
            before = now
            time.sleep(_EVERY)
    except KeyboardInterrupt:
        if live:
            sys.stdout.write(screen.leave())
        return 0 if live else 130


class Screen:
    """A picture on the terminal of which only the lines that changed are written again; over SSH every byte counts."""

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._size: tuple[int, int] | None = None

    def update(self, lines: Sequence[str]) -> str:
        """What to write to have these lines on the screen."""
        try:
            size = tuple(os.get_terminal_size(1))
        except OSError:
            size = (80, 24)
        parts: list[str] = []
        if size != self._size:
            self._size, self._shown = (size[0], size[1]), []
            parts.append("\x1b[H\x1b[J")
        # one row stays for the cursor, and a line that wrapped would move the others
        rows = [row for line in lines for row in line.split("\n")]
        lines = [row[: size[0]] for row in rows[: max(1, size[1] - 1)]]
        for row, line in enumerate(lines):
            if row >= len(self._shown) or self._shown[row] != line:
                parts.append(f"\x1b[{row + 1}H{line}\x1b[K")
        if len(lines) < len(self._shown):
            parts.append(f"\x1b[{len(lines) + 1}H\x1b[J")
        self._shown = lines
        return "".join(parts) + (f"\x1b[{len(lines) + 1}H" if parts else "")

    def leave(self) -> str:
        """The cursor below the picture."""
        return f"\x1b[{len(self._shown) + 1}H"


def _sample(context: Context, values: Values, names: Sequence[str]) -> tuple[list[Container], list[Stats]]:
    engine = context.engine
    if names:
        containers = [engine.container(name) for name in names]
    else:
        containers = [c for c in engine.containers() if values.on("all") or c.status in ("running", "paused")]
    try:
        return containers, engine.stats([c.id for c in containers])
    except NotFound:
        # one was removed between the two looks
        alive = {c.id for c in engine.containers()}
        containers = [c for c in containers if c.id in alive]
        return containers, engine.stats([c.id for c in containers])


def _cpu(before: Stats | None, now: Stats | None) -> float:
    if before is None or now is None or now.time <= before.time:
        return 0.0
    return max(0.0, (now.cpu_ns - before.cpu_ns) / (now.time - before.time) * 100)


def _liner(template: str, full: bool) -> Callable[[list[Use]], list[str]]:
    columns = _columns(full)
    if template and template != "table":
        from tuidock.cli import formats

        return lambda uses: formats.lines(template, uses, columns, _FIELD_HEADERS)
    order = list(_FIELD_HEADERS)[1:]
    head = [_FIELD_HEADERS[name] for name in order]
    return lambda uses: output.table_lines([head, *([str(columns[name](use)) for name in order] for use in uses)])


def _memory_limit(stats: Stats) -> int:
    if stats.memory_limit:
        return stats.memory_limit
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _columns(full: bool) -> dict[str, Callable[[Use], Any]]:
    def shown(make: Callable[[Stats], str], otherwise: str) -> Callable[[Use], str]:
        return lambda use: make(use.stats) if use.stats else otherwise

    return {
        "Container": lambda use: use.container.name,
        "ID": lambda use: use.container.id if full else use.container.short_id,
        "Name": lambda use: use.container.name,
        "CPUPerc": lambda use: f"{use.cpu:.2f}%",
        "MemUsage": shown(lambda s: f"{human_memory(s.memory)} / {human_memory(_memory_limit(s))}", "0B / 0B"),
        "MemPerc": shown(lambda s: f"{s.memory / _memory_limit(s) * 100:.2f}%", "0.00%"),
        "NetIO": shown(lambda s: f"{human_size(s.net_rx)} / {human_size(s.net_tx)}", "0B / 0B"),
        "BlockIO": shown(lambda s: f"{human_size(s.block_read)} / {human_size(s.block_write)}", "0B / 0B"),
        "PIDs": shown(lambda s: str(s.pids), "0"),
    }


STATS = Command(
    "[OPTIONS] [CONTAINER...]",
    "Display a live stream of container(s) resource usage statistics",
    run,
    FLAGS,
)
