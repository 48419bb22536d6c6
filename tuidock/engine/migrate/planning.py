"""What would be done, item by item, before anything is: pure but for looking at directories."""

from __future__ import annotations

import os

from tuidock.engine.migrate.inventory import understood
from tuidock.engine.migrate.translating import subnets_of, translate, without_addresses
from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid
from tuidock.engine.oci.reference import parse_tagged
from tuidock.engine.types import MigrationItem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from tuidock.engine.migrate.inventory import Inventory, TheirContainer, TheirImage, TheirNetwork, TheirVolume
    from tuidock.engine.types import Network


class Here(Named):
    """What this data root has. references: image id by full reference; empty: whether a volume of ours has nothing in it
    and no users, as one that was killed while it was filled; holder: who has a subnet already, "" for nobody; volumes: where
    they lie, by name; inspect: docker's JSON of a container of ours."""

    image_ids: frozenset[str]
    references: Mapping[str, str]
    volumes: Mapping[str, str]
    networks: Mapping[str, Network]
    containers: frozenset[str]
    empty: Callable[[str], bool]
    holder: Callable[[str], str]
    inspect: Callable[[str], Mapping[str, Any]]


def plan(inventory: Inventory, here: Here) -> list[MigrationItem]:
    """Every item, in the order in which it would be taken, since each needs those before it.

    Raises SystemFailure for what is not understood.
    """
    with understood(inventory.kind):
        items = [_image(image, here) for image in inventory.images]
        items += [_network(network, here) for network in inventory.networks]
        items += [_volume(volume, here) for volume in inventory.volumes]
        moved = moved_networks(inventory, here.networks)
        moved |= {one.name for one in inventory.networks if one.name not in here.networks and any(_holders(one, here))}
        items += [_container(container, inventory, here, moved) for container in _ordered(inventory)]
    return items


def moved_networks(inventory: Inventory, networks: Mapping[str, Network]) -> frozenset[str]:
    """Their networks that are here, but with other subnets: addresses in them are not the same."""
    return frozenset(
        one.name
        for one in inventory.networks
        if (ours := networks.get(one.name)) is not None and set(subnets_of(one)) - {ours.subnet, ours.subnet6}
    )


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
    ours = here.networks.get(network.name)
    wanted = subnets_of(network)
    if ours is not None:
        notes = []
        if ours.driver != network.driver:
            notes.append(f"it is a {ours.driver} network here, and a {network.driver} network there")
        elif set(wanted) - {ours.subnet, ours.subnet6}:
            notes.append(f"it has the subnet {ours.subnet} here, and {', '.join(wanted)} there")
        return MigrationItem("network", network.name, network.name, "present", 0, tuple(notes))
    if network.driver != "bridge":
        return MigrationItem(
            "network", network.name, network.name, "skip", 0, (f"its driver is {network.driver}, not bridge",)
        )
    return MigrationItem(
        "network",
        network.name,
        network.name,
        "take",
        0,
        tuple(
            f"subnet {subnet}" + (f" is taken ({owner}), so it gets another" if owner else "")
            for subnet, owner in zip(wanted, _holders(network, here), strict=True)
        ),
    )


def _holders(network: TheirNetwork, here: Here) -> tuple[str, ...]:
    return tuple(here.holder(subnet) for subnet in subnets_of(network))


def _volume(volume: TheirVolume, here: Here) -> MigrationItem:
    if volume.name in here.volumes and not here.empty(volume.name):
        return MigrationItem("volume", volume.name, volume.name, "present", 0, _changed(volume, here))
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
    size = 0 if volume.options else _files(volume.mountpoint)[1]
    return MigrationItem("volume", volume.name, volume.name, "take", size, tuple(notes))


def _changed(volume: TheirVolume, here: Here) -> tuple[str, ...]:
    """Whether the volumes of one name hold the same, as far as sizes and times of their files say; a copy keeps both."""
    if volume.options or not os.path.isdir(volume.mountpoint):
        return ()
    theirs, ours = _files(volume.mountpoint), _files(here.volumes[volume.name])
    if theirs == ours:
        return ()
    return (f"its files are not those of there; `tuidock volume rm {volume.name}` first to take them anew",)


def _files(directory: str) -> tuple[int, int, int]:
    """How many files there are, their bytes together, and when one was changed last (ns)."""
    count = total = newest = 0
    for place, _, files in os.walk(directory):
        for name in files:
            try:
                found = os.lstat(f"{place}/{name}")
            except OSError:
                continue
            count, total, newest = count + 1, total + found.st_size, max(newest, found.st_mtime_ns)
    return count, total, newest


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


def _container(container: TheirContainer, inventory: Inventory, here: Here, moved: frozenset[str]) -> MigrationItem:
    if container.name in here.containers:
        other = _difference(container, inventory, here.inspect(container.name))
        if not other:
            return MigrationItem("container", container.name, container.name, "present")
        note = f"another {container.name} is here, with {other}; rename or remove one of them"
        return MigrationItem("container", container.name, container.name, "skip", 0, (note,))
    if container.auto_remove:
        return MigrationItem(
            "container", container.name, container.name, "skip", 0, ("it goes at its end by itself (--rm)",)
        )
    translated = translate(container, inventory)
    notes = (*translated.notes, *without_addresses(translated.request, moved)[1])
    if container.status in ("running", "paused", "restarting"):
        notes = ("it runs there; stop it there before you start it here", *notes)
    return MigrationItem("container", container.name, container.name, "take", 0, notes)


def _difference(container: TheirContainer, inventory: Inventory, ours: Mapping[str, Any]) -> str:
    """What tells apart two containers of one name, "" when they are the same one, as far as can be said."""
    if container.image_id != ours.get("Image"):
        return "another image"
    config = translate(container, inventory).request.config
    for key, word in (("Entrypoint", "entry point"), ("Cmd", "command")):
        if (config.get(key) or []) != ((ours.get("Config") or {}).get(key) or []):
            return f"another {word}"
    return ""
