"""`network create`, `ls`, `rm`, `connect` and `disconnect`."""

from __future__ import annotations

import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context, each
from tuidock.engine.errors import InvalidArgument, NotFound, Unsupported
from tuidock.engine.options.flags import Values, listed, number, switch, text
from tuidock.engine.options.values import check_label, check_link, parse_address, to_mapping
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


def create(context: Context, values: Values, arguments: list[str]) -> int:
    ignored = [flag for flag in ("aux-address", "ipam-opt") if values.items(flag)]
    if ignored or values["ipam-driver"] not in ("", "default"):
        what = f"--{ignored[0]}" if ignored else f"--ipam-driver {values['ipam-driver']}"
        raise Unsupported(f"{what} is not supported: addresses are given out by the engine itself")
    if (
        values.on("config-only")
        or values["config-from"]
        or values.on("ingress")
        or values["scope"] not in ("", "local")
    ):
        raise Unsupported("networks of swarms are not supported: there is one machine")
    if values.given("ipv4") and not values.on("ipv4"):
        raise Unsupported("networks without IPv4 are not supported; --ipv6 gives one both")
    made = context.engine.create_network(
        arguments[0], driver=values["driver"], subnets=values.items("subnet"), gateways=values.items("gateway"),
        ranges=values.items("ip-range"), internal=values.on("internal"), ipv6=values.on("ipv6"),
        labels=to_mapping(values.items("label")), options=to_mapping(values.items("opt")),
    )  # fmt: skip
    output.line(made.id)
    return 0


def remove(context: Context, values: Values, arguments: list[str]) -> int:
    def one(reference: str) -> None:
        try:
            context.engine.remove_network(reference)
        except NotFound:
            if not values.on("force"):
                raise

    return each(arguments, one)


def connect(context: Context, values: Values, arguments: list[str]) -> int:
    for address, six in ((values["ip"], False), (values["ip6"], True)):
        if address and (":" in address) != six:
            raise InvalidArgument(f"invalid IPv{'6' if six else '4'} address: {address}")
    context.engine.connect_network(
        *arguments, ip=values["ip"], ip6=values["ip6"], aliases=values.items("alias"), links=values.items("link"),
        driver_options=to_mapping(values.items("driver-opt")), gateway_priority=values.number("gw-priority"),
    )  # fmt: skip
    return 0


def disconnect(context: Context, values: Values, arguments: list[str]) -> int:
    context.engine.disconnect_network(*arguments, force=values.on("force"))
    return 0


def rules(context: Context, _: Values, __: list[str]) -> int:
    """What a shim runs when somebody has flushed our nftables table."""
    context.engine.restore_network_rules()
    return 0


def _columns(full: bool) -> dict[str, Callable[[Network], Any]]:
    return {
        "ID": lambda n: n.id if full else n.id[:12],
        "Name": lambda n: n.name,
        "Driver": lambda n: n.driver,
        "Scope": lambda n: "local",
        "IPv4": lambda n: "true",
        "IPv6": lambda n: "true" if n.subnet6 else "false",
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

CREATE = Command(
    "[OPTIONS] NETWORK",
    "Create a network",
    create,
    (
        switch("attachable", "", "Accepted for scripts: every network here can be connected to"),
        listed("aux-address", "", "Addresses to leave out", kind="map"),
        text("config-from", "", "Network to copy the configuration from", hidden=True),
        switch("config-only", "", "Create a configuration only network", hidden=True),
        text("driver", "d", "Driver: bridge, macvlan or ipvlan", default="bridge"),
        listed("gateway", "", "Gateway of the subnet", kind="strings"),
        switch("ingress", "", "Create a routing-mesh network", hidden=True),
        switch("internal", "", "Keep what is in it away from the outside"),
        listed("ip-range", "", "Give out addresses of this part of the subnet only", kind="strings"),
        text("ipam-driver", "", "Driver of address management", default="default", hidden=True),
        listed("ipam-opt", "", "Options of that driver", kind="map"),
        switch("ipv4", "", "Give it IPv4 addresses", on=True),
        switch("ipv6", "", "Give it IPv6 addresses too"),
        listed("label", "", "Set labels (key=value)", parse=check_label),
        listed("opt", "o", "Set options of the driver (key=value)", kind="map"),
        text("scope", "", "Scope of the network", hidden=True),
        listed("subnet", "", "Subnet as ADDRESS/BITS", kind="strings"),
    ),
    least=1,
    most=1,
)
RM = Command(
    "[OPTIONS] NETWORK [NETWORK...]",
    "Remove one or more networks in which nothing runs",
    remove,
    (switch("force", "f", "Do not complain about networks that do not exist"),),
    least=1,
)
CONNECT = Command(
    "[OPTIONS] NETWORK CONTAINER",
    "Connect a container to a network, also while it runs",
    connect,
    (
        listed("alias", "", "Add a name inside the network", kind="strings"),
        listed("driver-opt", "", "Options of the driver for this place", kind="strings"),
        number("gw-priority", "", "The network with the highest gives the default gateway"),
        text("ip", "", "IPv4 address (such as 172.30.100.104)", parse=parse_address),
        text("ip6", "", "IPv6 address (such as 2001:db8::33)", parse=parse_address),
        listed("link", "", "Link to another container (name:alias)", parse=check_link),
        listed("link-local-ip", "", "Accepted for scripts", kind="strings"),
    ),
    least=2,
    most=2,
)
DISCONNECT = Command(
    "[OPTIONS] NETWORK CONTAINER",
    "Disconnect a container from a network, also while it runs",
    disconnect,
    (switch("force", "f", "Also when its published ports lead there"),),
    least=2,
    most=2,
)
RULES = Command("", "Make a flushed nftables table anew", rules, most=0)
