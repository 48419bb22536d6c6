"""Events of containers with docker's attributes: the image's name, which is their `from`, and the labels."""

from __future__ import annotations

from tuidock.engine.events import append
from tuidock.engine.instance import Instance
from tuidock.engine.state import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attributes_of(instance: Instance, container_id: str) -> dict[str, Any]:
    """What events tell of a container beside its name; nothing when it is gone."""
    query = "SELECT image, labels FROM containers WHERE id = ?"
    row = instance.state.read().execute(query, (container_id,)).fetchone()
    return {} if row is None else {"image": row[0], "labels": unpack(str(row[1]))}


def tell(instance: Instance, action: str, container_id: str, name: str, **more: str) -> None:
    """Writes an event of a container that is still there."""
    append(
        instance.paths.journal, "container", action, container_id, name, **attributes_of(instance, container_id), **more
    )
