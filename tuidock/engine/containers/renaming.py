"""rename: a new name in the database, in create.json, and in the launch record, from which a running shim takes it."""

from __future__ import annotations

from tuidock.engine import fastjson
from tuidock.engine.containers import placing
from tuidock.engine.containers.moves import move_lock
from tuidock.engine.containers.names import claim_name
from tuidock.engine.containers.rows import one_container
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.events import append
from tuidock.engine.files import read_text, write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.runtime import record, spec
from tuidock.engine.types import Container


def rename(instance: Instance, container: Container, new_name: str) -> None:
    """Raises NameTaken or InvalidArgument."""
    if new_name.removeprefix("/") == container.name:
        raise InvalidArgument("Renaming a container with the same name as its current name")
    with move_lock(instance, container.id):
        with instance.state.write() as db:
            name = claim_name(db, new_name)
            db.execute("UPDATE containers SET name = ? WHERE id = ?", (name, container.id))
        path = instance.paths.container(container.id) + "/create.json"
        document = fastjson.loads(read_text(path) or "{}")
        document["Name"] = name
        write_atomic(path, fastjson.dumps(document), 0o600)
        row = one_container(instance, container.id)
        if row.status in ("running", "paused", "restarting"):
            placing.reannounce(instance, row)  # its neighbours ask for the new name at once
            _rename_record(instance, row)
    append(
        instance.paths.journal,
        "container",
        "rename",
        container.id,
        name,
        image=container.image,
        oldName="/" + container.name,
    )


def _rename_record(instance: Instance, row: Container) -> None:
    """The end of this run is told under the new name."""
    path = instance.paths.container(row.id) + "/record"
    with open(path, "rb") as file:
        pairs = record.decode(file.read())
    fresh = {"name": row.name, "actor": spec.actor(row.name, row.image, row.labels)}
    changed = [(key, fresh.pop(key, value)) for key, value in pairs]
    write_atomic(path, record.encode(changed), 0o600, durable=False)
