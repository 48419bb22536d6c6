"""`builder prune`: takes away what builds have left for the next ones."""

from __future__ import annotations

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.options.flags import Values, listed, switch, text
from tuidock.engine.options.values import parse_size
from tuidock.engine.units import ago, human_size

_ALL = "all build cache"
_DANGLING = "all dangling build cache"


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
