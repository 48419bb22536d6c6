"""`ps`: the list of containers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine import units
from tuidock.engine.options.flags import Values, listed, number, switch, text
from tuidock.engine.types import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    #: Bytes of the own layer, and of it with the image's, by container id.
    Sizes = dict[str, tuple[int, int]]

FLAGS = (
    switch("all", "a", "Show all containers, not only running ones"),
    listed("filter", "f", "Show only what fits (status=exited, label=x, name=web ...)", kind="filter"),
    text("format", "", "'table', 'json', or a Go template, with 'table ' before it for headers"),
    number("last", "n", "Show the last created ones, in any state", default=-1),
    switch("latest", "l", "Show the last created one, in any state"),
    switch("no-trunc", "", "Show everything in full"),
    switch("quiet", "q", "Show ids only"),
    switch("size", "s", "Show sizes"),
)
ALIVE = ("running", "paused", "restarting")
HEADERS = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")


def run(context: Context, values: Values, _: list[str]) -> int:
    last = 1 if values.on("latest") and values.number("last") < 0 else values.number("last")
    containers = context.viewer.containers(all=True)
    everything = values.on("all") or last >= 0
    if values.items("filter"):
        from tuidock.cli import filters

        wanted = filters.parse(values.items("filter"), filters.CONTAINER_KEYS)
        everything = everything or "status" in wanted
        containers = filters.containers(containers, wanted, context.engine)
    if not everything:
        containers = [container for container in containers if container.status in ALIVE]
    if last >= 0:
        containers = containers[:last]
    full = values.on("no-trunc")
    template = values["format"]
    if values.on("quiet"):
        if template:
            output.note("WARNING: Ignoring custom format, because both --format and --quiet are set.")
        sys.stdout.write("".join([(c.id if full else c.short_id) + "\n" for c in containers]))
        return 0
    containers = context.viewer.with_current_images(containers)
    # a template shows sizes only when it names them: measuring walks through every container's layer
    sized = values.on("size") or ".Size" in template or "{{json .}}" in template
    sizes = context.viewer.container_sizes([c.id for c in containers]) if sized else {}
    if template and template != "table":
        from tuidock.cli import formats

        formats.write(template, containers, _columns(sizes, full), _FIELD_HEADERS)
    else:
        _table(containers, full, sizes, values.on("size"))
    return 0


def _table(containers: Sequence[Container], full: bool, sizes: Sizes, sized: bool) -> None:
    rows: list[list[str]] = [[*HEADERS, *(("SIZE",) if sized else ())]]
    for c in containers:
        row = [
            c.id if full else c.short_id,
            image_text(c, full),
            command_text(c, full),
            units.ago(c.created),
            units.status_text(c),
            units.ports_text(c.ports, c.exposed if c.status in ALIVE else ()),
            c.name,
        ]
        if sized:
            row.append(size_text(sizes, c))
        rows.append(row)
    output.table(rows)


def image_text(container: Container, full: bool = False) -> str:
    image = container.image or container.image_id
    if not full and image.startswith("sha256:"):
        return image[7:19]
    return image


def command_text(container: Container, full: bool = False) -> str:
    command = container.command if full else output.ellipsis(container.command, 20)
    if command.isascii() and command.isprintable() and '"' not in command and "\\" not in command:
        return f'"{command}"'
    from tuidock.cli.template_functions import quote

    return quote(command)


def size_text(sizes: Sizes, container: Container) -> str:
    """What the container wrote, and that with its image."""
    written, whole = sizes.get(container.id, (0, 0))
    shown = units.human_size(written)
    return f"{shown} (virtual {units.human_size(whole)})" if whole > 0 else shown


def _mounts(container: Container, full: bool) -> list[str]:
    names = [mount.name or mount.source for mount in container.mounts]
    return names if full else [output.ellipsis(name, 15) for name in names]


_FIELD_HEADERS = {
    "ID": "CONTAINER ID",
    "Names": "NAMES",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "Ports": "PORTS",
    "State": "STATE",
    "Status": "STATUS",
    "Size": "SIZE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
}


def _columns(sizes: Sizes, full: bool) -> dict[str, Callable[[Container], Any]]:
    return {
        "ID": lambda c: c.id if full else c.short_id,
        "Names": lambda c: c.name,
        "Image": lambda c: image_text(c, full),
        "Command": lambda c: command_text(c, full),
        "CreatedAt": lambda c: units.local_time(c.created),
        "RunningFor": lambda c: units.ago(c.created),
        "Ports": lambda c: units.ports_text(c.ports, c.exposed if c.status in ALIVE else ()),
        "State": lambda c: c.status,
        "Status": units.status_text,
        "Size": lambda c: size_text(sizes, c),
        "Labels": lambda c: ",".join(f"{key}={c.labels[key]}" for key in sorted(c.labels)),
        "Mounts": lambda c: ",".join(_mounts(c, full)),
        "LocalVolumes": lambda c: str(sum(mount.type == "volume" for mount in c.mounts)),
        "Networks": lambda c: ",".join(sorted(endpoint.network for endpoint in c.networks)),
        "Label": lambda c: lambda key: c.labels.get(key, ""),
    }


PS = Command("[OPTIONS]", "List containers", run, FLAGS, most=0)
