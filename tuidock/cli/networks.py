"""`network ls`."""

from __future__ import annotations

import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.options.flags import Values, listed, switch, text
from tuidock.engine.types import Network
from tuidock.engine.units import local_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def ls(context: Context, values: Values, _: list[str]) -> int:
    found = sorted(context.engine.networks(), key=lambda network: network.name)
    if values.items("filter"):
        from tuidock.cli import filters

        found = filters.networks(found, filters.parse(values.items("filter"), filters.NETWORK_KEYS))
    columns = _columns(values.on("no-trunc"))
    if values.on("quiet") and not values["format"]:
        sys.stdout.write("".join([columns["ID"](network) + "\n" for network in found]))
    elif values["format"] and values["format"] != "table":
        from tuidock.cli import formats

        formats.write(values["format"], found, columns, _HEADERS, quiet=values.on("quiet"))
    else:
        order = ("ID", "Name", "Driver", "Scope")
        head = [_HEADERS[name] for name in order]
        output.table([head, *([columns[name](network) for name in order] for network in found)])
    return 0


def _columns(full: bool) -> dict[str, Callable[[Network], Any]]:
    return {
        "ID": lambda n: n.id if full else n.id[:12],
        "Name": lambda n: n.name,
        "Driver": lambda n: n.driver,
        "Scope": lambda n: "local",
        "IPv4": lambda n: "true",
        "IPv6": lambda n: "false",
        "Internal": lambda n: "true" if n.internal else "false",
        "Labels": lambda n: ",".join(f"{key}={n.labels[key]}" for key in sorted(n.labels)),
        "CreatedAt": lambda n: local_time(n.created),
        "Label": lambda n: lambda key: n.labels.get(key, ""),
    }


_HEADERS = {
    "ID": "NETWORK ID",
    "Name": "NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "CreatedAt": "CREATED AT",
}

LS = Command(
    "[OPTIONS]",
    "List networks",
    ls,
    (
        listed("filter", "f", "Show only what fits (driver=bridge, name=x)", kind="filter"),
        text("format", "", "'table', 'json', or a Go template, with 'table ' before it for headers"),
        switch("no-trunc", "", "Show ids in full"),
        switch("quiet", "q", "Show ids only"),
    ),
    most=0,
)
