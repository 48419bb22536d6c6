"""`system df`: docker's table of what takes how much room, and with -v its lists of every image, container, volume and
result of a build."""

from __future__ import annotations

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.options.flags import Values, switch, text
from tuidock.engine.types import UsageRow
from tuidock.engine.units import ago, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Kinds of build results in docker's words; what is not here is "regular".
_CACHE_TYPES = {"cache-mount": "exec.cachemount"}


def df(context: Context, values: Values, _: list[str]) -> int:
    given = values["format"]
    if values.on("verbose") and given in ("", "table"):
        _verbose(context)
        return 0
    rows, columns = context.engine.disk_usage(), _columns()
    headers = dict(zip(columns, ("TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"), strict=True))
    if given and given != "table":
        from tuidock.cli import formats

        formats.write(given, rows, columns, headers)
        return 0
    output.table([list(headers.values()), *([str(column(row)) for column in columns.values()] for row in rows)])
    return 0


def _columns() -> dict[str, Callable[[UsageRow], Any]]:
    return {
        "Type": lambda row: row.type,
        "TotalCount": lambda row: str(row.total),
        "Active": lambda row: str(row.active),
        "Size": lambda row: human_size(row.size, 4),
        "Reclaimable": _reclaimable,
    }


def _reclaimable(row: UsageRow) -> str:
    shown = human_size(row.reclaimable, 4)
    return f"{shown} ({row.reclaimable * 100 // row.size}%)" if row.size else shown


def _verbose(context: Context) -> None:
    _images(context)
    _containers(context)
    output.line("\nLocal Volumes space usage:\n")
    engine = context.engine
    volumes = [
        [volume.name, str(len(volume.users)), human_size(engine.volume_size(volume.name), 4)]
        for volume in engine.volumes()
    ]
    output.table([["VOLUME NAME", "LINKS", "SIZE"], *volumes])
    _build_cache(context)
    _trash(context)


def _images(context: Context) -> None:
    engine = context.engine
    output.line("Images space usage:\n")
    rows = [["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"]]
    sizes = engine.image_sizes()
    for image in engine.images():
        repository, _, tag = image.references[0].rpartition(":") if image.references else ("<none>", "", "<none>")
        shared, own = sizes.get(image.id, (0, image.size))
        numbers = [human_size(size, 4) for size in (image.size, shared, own)]
        created = ago(image.created) if image.created else "N/A"
        rows.append([repository, tag, image.short_id, created, *numbers, str(image.containers)])
    output.table(rows)


def _containers(context: Context) -> None:
    from tuidock.cli.ps import command_text, image_text
    from tuidock.engine.units import status_text

    output.line("\nContainers space usage:\n")
    rows = [["CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"]]
    for container in context.engine.with_current_images(context.engine.containers()):
        size = context.engine.inspect_container(container.id, size=True).get("SizeRw") or 0
        mounted = sum(mount.type == "volume" for mount in container.mounts)
        rows.append(
            [
                container.short_id, image_text(container), command_text(container), str(mounted), human_size(size),
                ago(container.created), status_text(container), container.name,
            ]
        )  # fmt: skip
    output.table(rows)


def _build_cache(context: Context) -> None:
    """docker's columns but USAGE: how often something was used is not counted."""
    entries = context.engine.build_cache()
    total = sum(entry.size for entry in entries if not entry.in_use)
    output.line(f"\nBuild cache usage: {human_size(total, 4)}\n")
    rows = [["CACHE ID", "CACHE TYPE", "SIZE", "CREATED", "LAST USED", "SHARED"]]
    for entry in entries:
        kind = _CACHE_TYPES.get(entry.kind, "regular")
        times = [ago(moment) if moment else "" for moment in (entry.created, entry.used)]
        rows.append([entry.id[:12], kind, human_size(entry.size, 4), *times, str(entry.in_use).lower()])
    output.table(rows)


def _trash(context: Context) -> None:
    found = [row for row in context.engine.disk_usage() if row.type == "Trash"]
    if found:
        output.line(f"\nTrash usage: {human_size(found[0].size, 4)}, see `tuidock trash ls`")


DF = Command(
    "[OPTIONS]",
    "Show disk usage",
    df,
    (
        text("format", "", "'table', 'json', or a Go template, with 'table ' before it for headers"),
        switch("verbose", "v", "Show detailed information on space usage"),
    ),
    most=0,
)
