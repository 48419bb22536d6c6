"""`builder du` and `builder prune`: what builds have left for the next ones, and how to take it away."""

from __future__ import annotations

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.options.flags import Values, listed, switch, text
from tuidock.engine.options.values import parse_size
from tuidock.engine.units import ago, human_size

_ALL = "all build cache"
_DANGLING = "all dangling build cache"


def du(context: Context, _: Values, __: list[str]) -> int:
    entries = context.engine.build_cache()
    rows = [("ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED")]
    for entry in entries:
        free = str(not entry.in_use).lower()
        rows.append((entry.id[:25], free, human_size(entry.size, 4), ago(entry.used) if entry.used else ""))
    output.table(rows)
    reclaimable = sum(entry.size for entry in entries if not entry.in_use)
    output.line(f"Reclaimable:\t{human_size(reclaimable, 4)}")
    output.line(f"Total:\t\t{human_size(sum(entry.size for entry in entries), 4)}")
    return 0


def prune(context: Context, values: Values, _: list[str]) -> int:
    every = values.on("all")
    what = _ALL if every else _DANGLING
    question = f"WARNING! This will remove {what}. Are you sure you want to continue?"
    if not values.on("force") and not output.confirm(question):
        return 0
    kept = values["keep-storage"] or values["reserved-space"] or 0
    before = {entry.id: entry for entry in context.engine.build_cache()}
    ids, freed = context.engine.prune_builds(all=every, keep_bytes=kept, filters=values.items("filter"))
    if ids:
        rows = [("ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED")]
        for identity in ids:
            entry = before.get(identity)
            size = human_size(entry.size, 4) if entry else ""
            rows.append((identity[:25], "true", size, ago(entry.used) if entry else ""))
        output.table(rows)
    output.line(f"Total:\t{human_size(freed, 4)}")
    return 0


DU = Command("", "Show what builds have kept, and its size", du, most=0)
PRUNE = Command(
    "[OPTIONS]",
    "Remove build cache",
    prune,
    (
        switch("all", "a", "Remove all unused build cache, not just dangling ones"),
        listed("filter", "", "Only what fits (until=24h, type=exec.cachemount, id=...)", kind="filter"),
        switch("force", "f", "Do not ask"),
        text("keep-storage", "", "Amount of disk space to keep", kind="bytes", parse=parse_size, default=""),
        text("reserved-space", "", "Amount of disk space to keep", kind="bytes", parse=parse_size, default=""),
    ),
    most=0,
)
