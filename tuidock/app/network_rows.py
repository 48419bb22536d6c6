"""The map of networks as lines of a table: each bridge with the containers behind it, their addresses, traffic and ports.

Pure. Traffic is the difference of two looks at the counters that the kernel keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tuidock.app import format as shown
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.engine.types import Container, Member, NetworkMap, PortBinding

COLUMNS = (
    Column("place", "NETWORK", 20, grow=2, sortable=False),
    Column("address", "ADDRESS", 16, sortable=False),
    Column("down", "IN", 6, "right", sortable=False),
    Column("up", "OUT", 6, "right", sortable=False),
    Column("traffic", "", 8, priority=2, sortable=False),
    Column("ports", "PORTS", 14, priority=1, grow=3, sortable=False),
)
#: Bytes per second that fill the bar; each cell before is a tenth of the next.
_FULL = 10_000_000
_BARS = 8


class Counters(NamedTuple):
    """Bytes that a member of a network has got and sent, and when that was read, in seconds."""

    time: float
    received: int
    sent: int


class Rate(NamedTuple):
    """Bytes per second; negative when not known."""

    received: float = -1.0
    sent: float = -1.0


def key_of(network: NetworkMap, member: Member | None = None) -> str:
    return f"{network.network.id} {member.container_id if member is not None else ''}"


def counters(maps: Sequence[NetworkMap], now: float) -> dict[str, Counters]:
    """What to compare the next look with."""
    return {
        key_of(each, member): Counters(now, member.rx_bytes, member.tx_bytes)
        for each in maps
        for member in each.members
        if member.running
    }


def rates(maps: Sequence[NetworkMap], before: Mapping[str, Counters], now: float) -> dict[str, Rate]:
    """Traffic of each member that was there the last time, and of each network together. A counter that went back
    belongs to another start of the container."""
    found: dict[str, Rate] = {}
    for each in maps:
        received = sent = 0.0
        known = False
        for member in each.members:
            last = before.get(key_of(each, member))
            if last is None or not member.running or now <= last.time:
                continue
            got, gave = member.rx_bytes - last.received, member.tx_bytes - last.sent
            if got < 0 or gave < 0:
                continue
            rate = Rate(got / (now - last.time), gave / (now - last.time))
            found[key_of(each, member)] = rate
            received, sent, known = received + rate.received, sent + rate.sent, True
        if known:
            found[key_of(each)] = Rate(received, sent)
    return found


def rows_of(
    maps: Sequence[NetworkMap], rate: Mapping[str, Rate], containers: Mapping[str, Container], ascii: bool = False
) -> list[Row]:
    """Networks with members first, by name; what nobody is in stands at the end."""
    lines: list[Row] = []
    for each in sorted(maps, key=lambda found: (not found.members, found.network.name)):
        lines.append(_network(each, rate.get(key_of(each), Rate()), ascii))
        for at, member in enumerate(each.members):
            last = at == len(each.members) - 1
            lines.append(
                _member(
                    each,
                    member,
                    last,
                    rate.get(key_of(each, member), Rate()),
                    containers.get(member.container_id),
                    ascii,
                )
            )
    return lines


def _network(each: NetworkMap, rate: Rate, ascii: bool) -> Row:
    network = each.network
    sign = ("#" if each.up else "-") if ascii else ("▣" if each.up else "▢")
    style = "accent" if each.members else "muted"
    about = [network.bridge or network.driver] if each.members else ["no container"]
    if network.gateway and each.members:
        about.append(f"gateway {network.gateway}")
    if network.internal:
        about.append("internal")
    if network.subnet6:
        about.append(network.subnet6)
    return Row(
        key_of(each),
        (
            Cell(f"{sign} {network.name}", style), Cell(network.subnet, "muted"), *_traffic(rate, ascii),
            Cell(" · ".join(about), "muted"),
        ),
    )  # fmt: skip


def _member(each: NetworkMap, member: Member, last: bool, rate: Rate, container: Container | None, ascii: bool) -> Row:
    branch = ("`-" if last else "|-") if ascii else ("└─" if last else "├─")
    state = shown.state(container, 0, ascii) if container is not None else Cell("", "muted")
    sign = state.text.partition(" ")[0]
    style = state.style if member.running else "muted"
    return Row(
        key_of(each, member),
        (
            Cell(f" {branch}{sign} {member.name}", style), Cell(member.address or member.address6),
            *_traffic(rate, ascii), Cell(port_words(member.ports, ascii), "" if member.running else "muted"),
        ),
    )  # fmt: skip


def _traffic(rate: Rate, ascii: bool) -> tuple[Cell, Cell, Cell]:
    if rate.received < 0:
        return Cell("", "muted"), Cell("", "muted"), Cell("")
    busy = rate.received + rate.sent
    return (
        Cell(shown.rate(rate.received), "" if rate.received >= 1 else "muted"),
        Cell(shown.rate(rate.sent), "" if rate.sent >= 1 else "muted"),
        Cell(bar(busy, ascii), "good"),
    )


def bar(per_second: float, ascii: bool = False) -> str:
    """How busy it is, by powers of ten: a byte a second is one cell, ten megabytes are all eight."""
    if per_second < 1:
        return ""
    length, left = _BARS, float(_FULL)
    while length > 1 and per_second < left:
        length, left = length - 1, left / 10
    return ("=" if ascii else "▬") * length


def port_words(ports: Sequence[PortBinding], ascii: bool = False) -> str:
    arrow = ">" if ascii else "→"
    words = []
    for port in ports:
        host = f"{port.host_ip}:" if port.host_ip not in ("", "0.0.0.0", "::") else ""
        protocol = "" if port.protocol == "tcp" else f"/{port.protocol}"
        words.append(f"{host}{port.host_port}{arrow}{port.container_port}{protocol}")
    return " ".join(dict.fromkeys(words))
