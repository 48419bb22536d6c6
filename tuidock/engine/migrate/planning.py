"""What would be done, item by item, before anything is: pure but for looking at directories."""

from __future__ import annotations

import os

from tuidock.engine.migrate.inventory import understood
from tuidock.engine.migrate.translating import translate
from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid
from tuidock.engine.oci.reference import parse_tagged
from tuidock.engine.types import MigrationItem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tuidock.engine.migrate.inventory import Inventory, TheirContainer, TheirImage, TheirNetwork, TheirVolume
    from tuidock.engine.types import Network

#: In the order in which they are taken: each needs those before it.
KINDS = ("image", "network", "volume", "container")


class Here(Named):
    """What this data root has. references: image id by full reference; empty: whether a volume of ours has nothing in it
    and no users, as one that was killed while it was filled."""

    image_ids: frozenset[str]
    references: Mapping[str, str]
    volumes: frozenset[str]
    networks: Mapping[str, Network]
    containers: frozenset[str]
    empty: Callable[[str], bool]


def plan(inventory: Inventory, here: Here) -> list[MigrationItem]:
    """Every item, in the order in which it would be taken. Raises SystemFailure for what is not understood."""
    with understood(inventory.kind):
        items = [_image(image, here) for image in inventory.images]
        items += [_network(network, here) for network in inventory.networks]
        items += [_volume(volume, here) for volume in inventory.volumes]
        items += [_container(container, inventory, here) for container in _ordered(inventory)]
    return items


def _image(image: TheirImage, here: Here) -> MigrationItem:
    name = image.references[0] if image.references else image.id[:19]
    notes: list[str] = []
    wanted: list[str] = []
    missing = image.id not in here.image_ids
    for reference in image.references:
        try:
            full = str(parse_tagged(reference))
        except Invalid:
            notes.append(f"its name {reference} is left out, it is no reference")
            continue
        owner = here.references.get(full)
        if owner in (None, image.id):
            wanted.append(reference)
            missing = missing or owner is None
        else:
            notes.append(f"{reference} is another image here and stays that")
    notes += [f"also {reference}" for reference in image.references[1:]]
    return MigrationItem(
        "image", name, image.id, "take" if missing else "present", image.size, tuple(notes), tuple(wanted)
    )


def _network(network: TheirNetwork, here: Here) -> MigrationItem:
    if network.name in here.networks:
        return MigrationItem("network", network.name, network.name, "present")
    if network.driver != "bridge":
        return MigrationItem(
            "network", network.name, network.name, "skip", 0, (f"its driver is {network.driver}, not bridge",)
        )
    return MigrationItem("network", network.name, network.name, "take", 0, tuple(_subnets(network)))


def _subnets(network: TheirNetwork) -> Iterator[str]:
    for entry in (network.document.get("IPAM") or {}).get("Config") or ():
        if entry.get("Subnet"):
            yield f"subnet {entry['Subnet']}"


def _volume(volume: TheirVolume, here: Here) -> MigrationItem:
    if volume.name in here.volumes and not here.empty(volume.name):
        return MigrationItem("volume", volume.name, volume.name, "present")
    if volume.driver != "local":
        reason = f"its driver is {volume.driver}, not local"
        return MigrationItem("volume", volume.name, volume.name, "skip", 0, (reason,))
    if not volume.options and not os.path.isdir(volume.mountpoint):
        reason = f"its directory {volume.mountpoint or 'is unknown and'} cannot be read here"
        return MigrationItem("volume", volume.name, volume.name, "skip", 0, (reason,))
    notes = []
    if volume.options:
        notes.append("only its options, what it mounts stays where it is")
    elif volume.users:
        notes.append(f"{', '.join(volume.users)} may write to it meanwhile; stop it there for an exact copy")
    size = 0 if volume.options else _size(volume.mountpoint)
    return MigrationItem("volume", volume.name, volume.name, "take", size, tuple(notes))


def _size(directory: str) -> int:
    total = 0
    for place, _, files in os.walk(directory):
        for name in files:
            try:
                total += os.lstat(f"{place}/{name}").st_size
            except OSError:
                continue
    return total


def _ordered(inventory: Inventory) -> list[TheirContainer]:
    """Those that others link to or take volumes and namespaces from come first."""
    by_name = {one.name: one for one in inventory.containers}
    needs = {one.name: translate(one, inventory).needs for one in inventory.containers}
    done: dict[str, TheirContainer] = {}
    under_way: set[str] = set()

    def visit(name: str) -> None:
        if name in done or name in under_way or name not in by_name:
            return
        under_way.add(name)
        for other in needs[name]:
            visit(other)
        done[name] = by_name[name]

    for name in by_name:
        visit(name)
    return list(done.values())


def _container(container: TheirContainer, inventory: Inventory, here: Here) -> MigrationItem:
    if container.name in here.containers:
        return MigrationItem("container", container.name, container.name, "present")
    if container.auto_remove:
        return MigrationItem(
            "container", container.name, container.name, "skip", 0, ("it goes at its end by itself (--rm)",)
        )
    notes = translate(container, inventory).notes
    if container.status in ("running", "paused", "restarting"):
        notes = ("it runs there; stop it there before you start it here", *notes)
    return MigrationItem("container", container.name, container.name, "take", 0, notes)
