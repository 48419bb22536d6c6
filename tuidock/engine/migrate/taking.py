"""Does what was planned, item by item. One that fails is told and the rest goes on: it can be repeated as it is."""

from __future__ import annotations

import os

from tuidock.engine.errors import EngineError, NotFound
from tuidock.engine.files import refuse
from tuidock.engine.migrate.inventory import understood
from tuidock.engine.migrate.planning import moved_networks
from tuidock.engine.migrate.translating import translate, without_addresses
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, BinaryIO, Protocol

    from tuidock.engine.migrate.inventory import Inventory, TheirNetwork, TheirVolume
    from tuidock.engine.migrate.source import Source
    from tuidock.engine.types import CreateRequest, MigrationItem, Network

    class House(Protocol):
        """What is needed of our own engine."""

        def load(self, source: BinaryIO) -> Iterator[Progress]: ...

        def create(self, request: CreateRequest) -> str: ...

        def networks(self) -> list[Network]: ...

        def take_volume(self, name: str, source: int, labels: Mapping[str, str], options: Mapping[str, str]) -> None:
            """A volume with a copy of the directory behind the descriptor; -1: only its options."""

        def take_network(self, document: Mapping[str, Any]) -> str:
            """A network like that of docker's JSON; a sentence when it could not be quite the same."""


def take(house: House, source: Source, inventory: Inventory, items: Sequence[MigrationItem]) -> Iterator[Progress]:
    """Takes the items whose action is `take`. The last progress of each is `taken` or `failed` with the reason."""
    for item in items:
        if item.action != "take":
            continue
        subject = f"{item.kind} {item.name}"
        yield Progress(subject, "taking", 0, item.size)
        try:
            message = ""
            if item.kind == "image":
                yield from _image(house, source, item, subject)
            elif item.kind == "volume":
                with understood(inventory.kind):
                    _volume(house, next(one for one in inventory.volumes if one.name == item.name))
            elif item.kind == "network":
                with understood(inventory.kind):
                    message = _network(house, next(one for one in inventory.networks if one.name == item.name))
            else:
                with understood(inventory.kind):
                    container = next(one for one in inventory.containers if one.name == item.name)
                    moved = moved_networks(inventory, {network.name: network for network in house.networks()})
                    request, notes = without_addresses(translate(container, inventory).request, moved)
                    house.create(request)
                    message = "; ".join(notes)
        except EngineError as error:
            yield Progress(subject, "failed", 0, item.size, str(error))
        else:
            yield Progress(subject, "taken", item.size, item.size, message)


def _image(house: House, source: Source, item: MigrationItem, subject: str) -> Iterator[Progress]:
    with source.archive(item.references or (item.subject,)) as archive:
        steps = house.load(archive)  # type: ignore[arg-type]
        try:
            for step in steps:
                yield Progress(subject, "taking", min(step.done, item.size), item.size, step.action)
        except OSError as error:
            raise refuse(error, f"load image {item.name}") from error
        finally:
            steps.close()  # type: ignore[attr-defined]


def _volume(house: House, volume: TheirVolume) -> None:
    if volume.options:
        house.take_volume(volume.name, -1, volume.labels, volume.options)
        return
    try:
        directory = os.open(volume.mountpoint, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise NotFound("volume", f"{volume.name}: {volume.mountpoint} has gone meanwhile") from None
    except OSError as error:
        raise refuse(error, f"read volume {volume.name}") from error
    try:
        house.take_volume(volume.name, directory, volume.labels, {})
    finally:
        os.close(directory)


def _network(house: House, network: TheirNetwork) -> str:
    return house.take_network(network.document)
