"""`undo` and `trash`: what was removed comes back, or goes for good."""

from __future__ import annotations

import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.options.flags import Values, switch, text
from tuidock.engine.types import RemovedEntry
from tuidock.engine.units import ago, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def undo(context: Context, values: Values, arguments: list[str]) -> int:
    if values.on("list"):
        return ls(context, values, arguments)
    for restored in context.engine.undo(arguments):
        output.line(f"{restored.kind} {restored.name}")
        for remark in restored.remarks:
            output.note(f"{restored.kind} {restored.name}: {remark}")
    return 0


def ls(context: Context, values: Values, _: list[str]) -> int:
    known = context.engine.trash(sizes=not values.on("quiet"))
    full = values.on("no-trunc")
    if values.on("quiet"):
        sys.stdout.write("".join([(entry.id if full else entry.short_id) + "\n" for entry in known]))
        return 0
    columns = _columns(full)
    if values["format"] and values["format"] != "table":
        from tuidock.cli import formats

        formats.write(values["format"], known, columns, _HEADERS)
    else:
        output.table([list(_HEADERS.values()), *([column(entry) for column in columns.values()] for entry in known)])
    return 0


def _columns(full: bool) -> dict[str, Callable[[RemovedEntry], Any]]:
    return {
        "ID": lambda entry: entry.id if full else entry.short_id,
        "Kind": lambda entry: entry.kind,
        "Name": lambda entry: entry.name,
        "Removed": lambda entry: ago(entry.time),
        "Size": lambda entry: human_size(entry.size),
    }


_HEADERS = {"ID": "ID", "Kind": "KIND", "Name": "NAME", "Removed": "REMOVED", "Size": "SIZE"}


def empty(context: Context, values: Values, arguments: list[str]) -> int:
    engine = context.engine
    if not arguments and not values.on("force"):
        known = engine.trash(sizes=True)
        size = human_size(sum(entry.size for entry in known), 4)
        what = f"everything in the trash ({len(known)}, {size})"
        if known and not output.confirm(f"WARNING! This will remove {what}.\nAre you sure you want to continue?"):
            return 0
    _, freed = engine.empty_trash(arguments)
    output.line(f"Total reclaimed space: {human_size(freed, 4)}")
    return 0


_LIST_FLAGS = (
    text("format", "", "'table', 'json', or a Go template, with 'table ' before it for headers"),
    switch("no-trunc", "", "Show ids in full"),
    switch("quiet", "q", "Show ids only"),
)
UNDO = Command(
    "[OPTIONS] [ID|NAME...]",
    "Bring back what was removed last, or what is named",
    undo,
    (switch("list", "l", "Show what can come back"), *_LIST_FLAGS),
)
LS = Command("[OPTIONS]", "Show what was removed and can come back", ls, _LIST_FLAGS, most=0)
EMPTY = Command(
    "[OPTIONS] [ID|NAME...]",
    "Remove what is in the trash for good, or what is named of it",
    empty,
    (switch("force", "f", "Do not ask"),),
)
