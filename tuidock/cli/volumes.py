"""`volume create`, `ls` and `rm`."""

from __future__ import annotations

import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context, each
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.flags import Values, listed, switch, text
from tuidock.engine.options.values import check_label, to_mapping
from tuidock.engine.options.volumes import check_volume_name
from tuidock.engine.types import Volume
from tuidock.engine.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def create(context: Context, values: Values, arguments: list[str]) -> int:
    if values["driver"] not in ("", "local"):
        raise InvalidArgument(f"volume driver '{values['driver']}' does not exist here; there is only local")
    name = arguments[0] if arguments else values["name"]
    if name:
        check_volume_name(name)
    labels, options = to_mapping(values.items("label")), to_mapping(values.items("opt"))
    output.line(context.engine.create_volume(name, labels, options).name)
    return 0


def remove(context: Context, values: Values, arguments: list[str]) -> int:
    engine = context.engine
    batch = engine.new_batch()
    return each(
        arguments,
        lambda name: engine.remove_volume(name, force=values.on("force"), now=values.on("now"), batch=batch),
    )


def ls(context: Context, values: Values, _: list[str]) -> int:
    found = context.engine.volumes()
    if values.items("filter"):
        from tuidock.cli import filters

        found = filters.volumes(found, filters.parse(values.items("filter"), filters.VOLUME_KEYS))
    if values.on("quiet") and not values["format"]:
        sys.stdout.write("".join([volume.name + "\n" for volume in found]))
    elif values["format"] and values["format"] != "table":
        from tuidock.cli import formats

        formats.write(values["format"], found, _columns(context), _HEADERS, quiet=values.on("quiet"))
    elif values.on("size"):
        measured = [(volume, context.engine.volume_size(volume.name)) for volume in found]
        rows = [
            (volume.driver, volume.name, human_size(size) if size >= 0 else "N/A", ", ".join(volume.users))
            for volume, size in measured
        ]
        output.table([("DRIVER", "VOLUME NAME", "SIZE", "USED BY"), *rows])
    else:
        output.table([("DRIVER", "VOLUME NAME"), *((volume.driver, volume.name) for volume in found)])
    return 0


def _columns(context: Context) -> dict[str, Callable[[Volume], Any]]:
    return {
        "Name": lambda v: v.name,
        "Driver": lambda v: v.driver,
        "Mountpoint": lambda v: v.mountpoint,
        "Scope": lambda v: "local",
        "Labels": lambda v: ",".join(f"{key}={v.labels[key]}" for key in sorted(v.labels)),
        "Links": lambda v: str(len(v.users)),
        "Size": lambda v: human_size(context.engine.volume_size(v.name)),
        "Availability": lambda v: "N/A",
        "Group": lambda v: "N/A",
        "Status": lambda v: "N/A",
        "Label": lambda v: lambda key: v.labels.get(key, ""),
    }


_HEADERS = {
    "Name": "VOLUME NAME",
    "Driver": "DRIVER",
    "Mountpoint": "MOUNTPOINT",
    "Scope": "SCOPE",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Size": "SIZE",
    "Availability": "AVAILABILITY",
    "Group": "GROUP",
    "Status": "STATUS",
}

CREATE = Command(
    "[OPTIONS] [VOLUME]",
    "Create a volume",
    create,
    (
        text("driver", "d", "Volume driver", default="local"),
        listed("label", "", "Set labels (key=value)", parse=check_label),
        text("name", "", "Name of the volume", hidden=True),
        listed("opt", "o", "Set options of the driver: type, device, o, size (key=value)", kind="map"),
    ),
    most=1,
)
LS = Command(
    "[OPTIONS]",
    "List volumes",
    ls,
    (
        listed("filter", "f", "Show only what fits (dangling=true, label=x, name=y)", kind="filter"),
        text("format", "", "'table', 'json', or a Go template, with 'table ' before it for headers"),
        switch("quiet", "q", "Show names only"),
        switch("size", "s", "Show sizes and users"),
    ),
    most=0,
)
RM = Command(
    "[OPTIONS] VOLUME [VOLUME...]",
    "Remove one or more volumes that no container uses",
    remove,
    (
        switch("force", "f", "Do not complain about volumes that do not exist"),
        switch("now", "", "Remove for good, without the trash"),
    ),
    least=1,
)
