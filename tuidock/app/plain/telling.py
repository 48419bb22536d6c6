"""Rows as sentences: what a screen reader should read, the most important first. Pure."""

from __future__ import annotations

import time

from tuidock.app import format as shown
from tuidock.app.model import Row, row_id, row_name
from tuidock.app.words import tr, trn
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, Image, Network, PortBinding, Volume


def state(row: Container) -> str:
    """The state in words, without its sign."""
    return shown.state(row, time.time_ns()).text.partition(" ")[2]


def port(binding: PortBinding) -> str:
    return tr("port {outside} to {inside}", outside=binding.host_port or "?", inside=binding.container_port)


def line(row: Row) -> str:
    """The row in one line."""
    parts = [row_name(row)]
    if isinstance(row, Container):
        parts += [state(row), tr("image {name}", name=row.image), *dict.fromkeys(port(each) for each in row.ports)]
    elif isinstance(row, Image):
        parts += [shown.size(row.size), trn("used by 1 container", "used by {count} containers", row.containers)]
    elif isinstance(row, Volume):
        parts.append(tr("used by {names}", names=" ".join(row.users)) if row.users else tr("used by nobody"))
    else:
        parts += [row.driver, row.subnet, trn("1 member", "{count} members", len(row.members))]
    return clean(", ".join(each for each in parts if each))


def details(row: Row) -> list[str]:
    """Everything about the row, a line for each thing."""
    found = [(tr("Name"), row_name(row)), (tr("Id"), row_id(row))]
    if isinstance(row, Container):
        found += [
            (tr("State"), state(row)), (tr("Image"), row.image), (tr("Command"), row.command),
            (tr("Health"), row.health), (tr("Ports"), ", ".join(dict.fromkeys(port(each) for each in row.ports))),
            *((tr("Address in {network}", network=each.network), each.address) for each in row.networks),
            *((tr("Mount {path}", path=each.destination), each.name or each.source) for each in row.mounts),
        ]  # fmt: skip
    elif isinstance(row, Image):
        found += [(tr("Names"), ", ".join(row.references)), (tr("Size"), shown.size(row.size))]
        found.append((tr("Containers"), str(row.containers)))
    elif isinstance(row, Volume):
        found += [(tr("Mountpoint"), row.mountpoint), (tr("Driver"), row.driver), (tr("Used by"), ", ".join(row.users))]
    elif isinstance(row, Network):
        found += [(tr("Driver"), row.driver), (tr("Subnet"), row.subnet), (tr("Gateway"), row.gateway)]
        found.append((tr("Members"), ", ".join(name for name, _ in row.members)))
    found += [(tr("Label {name}", name=name), value) for name, value in row.labels.items()]
    return [clean(f"{name}: {value}") for name, value in found if value]
