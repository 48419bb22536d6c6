"""undo: what was removed comes back from the trash, with everything that it had and that nobody has taken meanwhile.

All of one removal comes back in one transaction each: volumes first, then images, then the containers that stand on them.
What is taken (a name, an address, a tag) is answered with a sentence, and the rest comes back without it.
"""

from __future__ import annotations

import os

from tuidock.engine import fastjson
from tuidock.engine.containers import names, rows
from tuidock.engine.containers.moves import move_lock, write_intent
from tuidock.engine.errors import Conflict, NotFound
from tuidock.engine.events import append
from tuidock.engine.files import Undo, read_text, refuse, remove_tree, write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.network import addresses, networks
from tuidock.engine.network.ipv4 import dotted
from tuidock.engine.store import removal, removed, volumes
from tuidock.engine.types import MountPoint, RemovedEntry, Restored

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from typing import Any

_ORDER = (removed.VOLUME, removed.IMAGE, removed.CONTAINER)


def undo(instance: Instance, references: Sequence[str] = ()) -> list[Restored]:
    """Brings back the removals that are named, or all of the last one. Raises NotFound, AmbiguousId, Conflict."""
    done: list[Restored] = []
    chosen = removed.find(instance.state, references)
    for entry in sorted(chosen, key=lambda entry: _ORDER.index(entry.kind)):
        done.append((_container if entry.kind == removed.CONTAINER else _other)(instance, entry))
    return done


def _other(instance: Instance, entry: RemovedEntry) -> Restored:
    """A volume or an image."""
    with instance.state.write() as db:
        document = _document(db, entry)
        if entry.kind == removed.VOLUME:
            name = volumes.restore(db, instance.paths, entry, document)
            remarks = [] if name == entry.name else [f"the name {entry.name} is taken, so it is {name} now"]
        else:
            name, remarks = removal.restore(db, entry, document)
    append(instance.paths.journal, entry.kind, "undo", entry.subject if entry.kind == removed.IMAGE else name, name)
    return Restored(entry.kind, entry.subject, name, tuple(remarks))


def _document(db: sqlite3.Connection, entry: RemovedEntry) -> dict[str, Any]:
    document = removed.document_of(db, entry.id)
    if document is None:
        raise NotFound("removal in the trash", entry.short_id)
    return document


def _container(instance: Instance, entry: RemovedEntry) -> Restored:
    paths, container_id = instance.paths, entry.id
    remarks: list[str] = []
    with move_lock(instance, container_id, gone=True), Undo() as taken:
        taken.add(_leave, instance, container_id)
        with instance.state.write() as db:
            document = _document(db, entry)
            place = removed.place_of(paths, removed.CONTAINER, entry.id, entry.name)
            if not document.get("containers"):
                document = _from_file(place)
            row = document["containers"][0]
            if not db.execute("SELECT 1 FROM images WHERE id = ?", (row["image_id"],)).fetchone():
                raise Conflict(
                    f"container {entry.name} cannot come back: its image {row['image'][:100]} has gone; pull it"
                )
            name = _free_name(db, str(row["name"]))
            if name != row["name"]:
                remarks.append(f"the name {row['name']} is taken, so it is {name} now")
            removed.put_back(db, "containers", [{**row, "name": name, "removing": 0}])
            removed.put_back(db, "volume_uses", document["volume_uses"])
            remarks += _addresses(db, container_id, document["addresses"])
            more, with_it = _volumes(instance, db, rows.unpack_mounts(str(row["mounts"])))
            remarks += more
            removed.forget(db, entry.id)
            try:
                os.rename(place, paths.container(container_id))
            except OSError as error:
                raise refuse(error, f"bring container {entry.name} back") from error
            taken.add(os.rename, paths.container(container_id), place)
            write_intent(instance, container_id, "stop 0")  # what stands there is `remove`
            if name != row["name"]:
                _write_name(paths.container(container_id), name)
        taken.keep()
    for volume in with_it:
        append(paths.journal, "volume", "undo", volume, volume)
    append(paths.journal, "container", "undo", container_id, name, image=str(row["image"]))
    return Restored(entry.kind, container_id, name, tuple(remarks))


def _leave(instance: Instance, container_id: str) -> None:
    """The lock's directory goes again, unless somebody else has brought the container back."""
    if not os.path.isdir(instance.paths.container(container_id)):
        remove_tree(instance.paths.container_run(container_id))


def _free_name(db: sqlite3.Connection, name: str) -> str:
    candidate, number = name, 0
    while db.execute("SELECT 1 FROM containers WHERE name = ?", (candidate,)).fetchone():
        number += 1
        candidate = f"{name}-{number}"
    return names.valid_name(candidate)


def _write_name(directory: str, name: str) -> None:
    document = fastjson.loads(read_text(directory + "/create.json") or "{}")
    write_atomic(directory + "/create.json", fastjson.dumps({**document, "Name": name}), 0o600)


def _addresses(db: sqlite3.Connection, container_id: str, places: Sequence[Mapping[str, Any]]) -> list[str]:
    """Its places in networks, with the same addresses as far as they are free."""
    remarks = []
    for place in places:
        try:
            network = networks.find(db, str(place["network_id"]))
        except NotFound:
            remarks.append(f"its network {str(place['network_id'])[:12]} has gone, so it is not in it any more")
            continue
        if removed.put_back(db, "addresses", [place]):
            continue
        settings = fastjson.loads(str(place.get("settings") or "{}"))
        new = addresses.allocate(db, network, container_id, mac=str(place.get("mac") or ""), settings=settings)
        remarks.append(f"its address {dotted(int(place['address']))} in {network.name} is taken, so it has {new} now")
    return remarks


def _volumes(instance: Instance, db: sqlite3.Connection, points: tuple[MountPoint, ...]) -> tuple[list[str], list[str]]:
    """Its volumes: those in the trash come back with it; one that has gone for good is there again, empty.

    Sentences, and the names of those that came back.
    """
    remarks: list[str] = []
    found_again: list[str] = []
    for point in points:
        if point.type != "volume" or db.execute("SELECT 1 FROM volumes WHERE name = ?", (point.name,)).fetchone():
            continue
        found = [e for e in removed.entries(instance.state) if e.kind == removed.VOLUME and e.name == point.name]
        if found:
            document = removed.document_of(db, found[0].id)
            assert document is not None
            volumes.restore(db, instance.paths, found[0], document)
            remarks.append(f"its volume {point.name[:64]} came back with it")
            found_again.append(point.name)
        else:
            volumes.keep(db, instance.paths, point.name)
            remarks.append(f"its volume {point.name[:64]} has gone for good, so it is empty now")
    return remarks, found_again


def _from_file(place: str) -> dict[str, Any]:
    """The rows of a container of which only create.json is left, after a lost database."""
    document = fastjson.loads(read_text(place + "/create.json") or "{}")
    scratch = _scratch()
    points = tuple(MountPoint(*point) for point in document["Mounts"])
    rows.insert(
        scratch, document["Id"], document["Name"], document["Image"], document["ImageId"], document["Created"],
        document["Config"], document["HostConfig"], points,
    )  # fmt: skip
    for found in document.get("Addresses") or ():
        addresses.restore(scratch, document["Id"], found)
    tables = (("containers", "id"), ("addresses", "container_id"), ("volume_uses", "container_id"))
    return {table: removed.rows_of(scratch, table, column, document["Id"]) for table, column in tables}


def _scratch() -> sqlite3.Connection:
    import sqlite3

    from tuidock.engine.state import STEPS

    db = sqlite3.connect(":memory:")
    for step in STEPS.values():
        db.executescript(step)
    return db
