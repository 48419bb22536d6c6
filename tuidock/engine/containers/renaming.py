"""rename: a new name in the database and in create.json; a running shim's next event bears it from its next start."""

from __future__ import annotations

from tuidock.engine import fastjson
from tuidock.engine.containers import placing
from tuidock.engine.containers.moves import move_lock
from tuidock.engine.containers.names import claim_name
from tuidock.engine.containers.rows import one_container
from tuidock.engine.events import append
from tuidock.engine.files import read_text, write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.types import Container


def rename(instance: Instance, container: Container, new_name: str) -> None:
    """Raises NameTaken or InvalidArgument."""
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
    append(
        instance.paths.journal,
        "container",
        "rename",
        container.id,
        name,
        image=container.image,
        oldName="/" + container.name,
    )
