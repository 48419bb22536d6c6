"""The lines of the overview: sections of rows whose keys say where enter leads. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tuidock.app import event_rows
from tuidock.app import format as shown
from tuidock.app.model import CONTAINERS, IMAGES, VOLUMES, HostLoad, ViewModel
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.app.widgets.status import bar
from tuidock.app.words import tr
from tuidock.engine.types import Container, Event, UsageRow

COLUMNS = (
    Column("what", "", 16, grow=2, sortable=False),
    Column("value", "", 21, sortable=False),
    Column("more", "", 14, priority=1, grow=3, sortable=False),
)
#: Lines of a section that may be long.
MOST, BUSIEST, EVENTS = 8, 5, 8
_BLOCKS = "▁▂▃▄▅▆▇█"
#: Type of a line of `system df` -> the key of what shows it.
_SPACE = {
    "Images": f"list {IMAGES}", "Containers": f"list {CONTAINERS}", "Local Volumes": f"list {VOLUMES}",
    "Build Cache": "prune", "Trash": "trash",
}  # fmt: skip


def section(title: str) -> Row:
    return Row(f"# {title}", (Cell(title, "accent"), "", ""))


def blank(title: str) -> Row:
    """Before a section that is not the first."""
    return Row(f"#- {title}", ("", "", ""))


def is_text(key: str | None) -> bool:
    """Titles and blanks lead nowhere."""
    return key is None or key.startswith("#")


def joined(sections: Iterable[Sequence[Row]]) -> list[Row]:
    rows: list[Row] = []
    for each in sections:
        if each:
            rows += [blank(each[0].key), *each] if rows else each
    return rows


def spark(values: Sequence[float], width: int = 24) -> str:
    """The last values as blocks from 0 to 100."""
    return "".join(_BLOCKS[min(7, max(0, int(value * 8 / 100)))] for value in list(values)[-width:])


def attention(model: ViewModel, ascii: bool) -> list[Row]:
    """What fails: restarts, is unhealthy, ended badly or ran out of memory."""
    now = model.clock()
    found = []
    for row in model.containers().values():
        if row.status == "restarting" or row.health == "unhealthy" or row.status == "dead":
            found.append((0, -row.started, row))
        elif shown.failed(row):
            found.append((1, -row.finished, row))
    found.sort(key=lambda each: each[:2])
    if not found:
        ok = "*" if ascii else "✓"
        return [section("Attention"), Row("list containers", (Cell(tr("{ok} nothing fails", ok=ok), "good"), "", ""))]
    rows = [
        Row(
            f"container {row.id} logs",
            (row.name or row.short_id, shown.state(row, now, ascii), Cell(why(row), "muted")),
        )
        for _, _, row in found[:MOST]
    ]
    if len(found) > MOST:
        rows.append(Row("state", (Cell(tr("and {count} more", count=len(found) - MOST), "muted"), "", "")))
    return [section(f"Attention · {len(found)}"), *rows]


def why(row: Container) -> str:
    if row.oom_killed:
        return "ran out of memory" if row.status != "exited" else row.image
    if row.status == "restarting" and row.exit_code is not None:
        return f"last exit {row.exit_code}"
    return row.error or row.image


def containers(model: ViewModel, ascii: bool) -> list[Row]:
    counts = model.counts()
    rows = []
    for status, style in (
        ("running", "good"), ("paused", "warn"), ("restarting", "warn"), ("created", "muted"), ("exited", "muted"),
        ("dead", "bad"),
    ):  # fmt: skip
        if counts.get(status):
            glyph = shown.GLYPHS[status][ascii]
            rows.append(Row(f"filter state:{status}", (Cell(f"{glyph} {status}", style), str(counts[status]), "")))
    if not rows:
        rows = [Row("list containers none", (Cell(tr("none yet"), "muted"), "", ""))]
    return [section("Containers"), *rows]


def busiest(model: ViewModel) -> list[Row]:
    """By processor, then by memory; what does not run has no sample."""
    samples = [(row, sample) for row in model.containers().values() if (sample := model.sample(row.id)) is not None]
    if not samples:
        return []
    rows = [section("Busiest")]
    for row, sample in sorted(samples, key=lambda each: -each[1].cpu_percent)[:BUSIEST]:
        memory = shown.size(sample.memory)
        rows.append(
            Row(f"container {row.id} stats cpu", (row.name, f"{sample.cpu_percent:.1f}% cpu", Cell(memory, "muted")))
        )
    rows += [blank("Most memory"), section("Most memory")]
    for row, sample in sorted(samples, key=lambda each: -each[1].memory)[:BUSIEST]:
        limit = sample.memory_limit
        share = f"{100 * sample.memory / limit:.0f}% of {shown.size(limit)}" if limit else ""
        style = "bad" if limit and sample.memory > 0.9 * limit else "muted"
        rows.append(Row(f"container {row.id} stats memory", (row.name, shown.size(sample.memory), Cell(share, style))))
    return rows


def machine(model: ViewModel, looks: Sequence[HostLoad], ascii: bool) -> list[Row]:
    host = model.host
    rows = [section(f"Machine · {model.host_name}" if model.host_name else "Machine")]
    if host.cpu_percent >= 0:
        load = f"load {host.load:.1f} of {host.processors}" if host.processors else ""
        past = "" if ascii else spark([look.cpu_percent for look in looks if look.cpu_percent >= 0])
        rows.append(
            Row("sort cpu", (tr("processor"), f"{host.cpu_percent:.0f}%  {load}".rstrip(), Cell(past, "accent")))
        )
    if host.memory_total > 0:
        share = host.memory / host.memory_total
        words = f"{shown.size(host.memory)} of {shown.size(host.memory_total)}"
        rows.append(
            Row("sort memory", (tr("memory"), words, Cell(bar(share, 16, ascii), "bad" if share > 0.9 else "accent")))
        )
    if host.disk_free >= 0:
        words = f"{shown.size(host.disk_free)} free"
        share = 1 - host.disk_free / host.disk_total if host.disk_total > 0 else 0.0
        gauge = bar(share, 16, ascii) if host.disk_total > 0 else ""
        rows.append(Row("prune", (tr("disk"), words, Cell(gauge, "bad" if share > 0.9 else "accent"))))
    if model.jobs:
        rows.append(
            Row(
                "jobs",
                (
                    tr("jobs"),
                    tr("{count} under way", count=len(model.jobs)),
                    Cell(next(iter(model.jobs.values())).title, "muted"),
                ),
            )
        )
    return rows


def space(usage: Sequence[UsageRow] | None) -> list[Row]:
    """What takes room, by kind; None while it is measured."""
    if usage is None:
        return [section("Space"), Row("#measuring", (Cell(tr("measuring …"), "muted"), "", ""))]
    rows = [section(f"Space · {shown.size(sum(each.size for each in usage))}")]
    for each in usage:
        can_go = f"{shown.size(each.reclaimable)} can go" if each.reclaimable else ""
        key = f"{_SPACE.get(each.type, 'prune')} {each.type}"
        rows.append(Row(key, (each.type.lower(), f"{shown.size(each.size):>5}  {each.total}", Cell(can_go, "muted"))))
    return rows


def last_events(events: Sequence[tuple[str, Event]], now_ns: int) -> list[Row]:
    """The newest first; the keys are those under which the screen knows them."""
    rows = [section("Last events")]
    for key, event in events[:EVENTS]:
        cell = event_rows.action(event)
        what = Cell(f"{event.type} {cell.text}", cell.style)
        rows.append(
            Row(f"event {key}", (event_rows.name(event), what, Cell(event_rows.moment(event.time, now_ns), "muted")))
        )
    rows.append(Row("events", (Cell(tr("all events"), "muted"), "", "")))
    return rows
