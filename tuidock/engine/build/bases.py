"""FROM: what a stage begins with, as it lies in the store.

By two queries when the name is an ordinary one, because a build that finds everything done already should take no longer
than looking.
"""

from __future__ import annotations

from tuidock.engine import fastjson
from tuidock.engine.build.workshop import Base
from tuidock.engine.errors import EngineError, NotFound
from tuidock.engine.store import lookup
from tuidock.engine.store.layer import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tuidock.engine.build.workshop import Workshop

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = ("architecture", "os", "variant", "os.version", "author")


def scratch(platform: str) -> Base:
    """The empty image for os/architecture[/variant]."""
    system, _, rest = platform.partition("/")
    machine, _, variant = rest.partition("/")
    document: dict[str, Any] = {"architecture": machine, "os": system, "config": {"Env": [_PATH]}}
    if variant:
        document["variant"] = variant
    return Base((), (), document, ())


def local_image(workshop: Workshop, reference: str) -> Base | None:
    """An image of the store by name or id, None when it is not there. Its layers stay from now on."""
    state = workshop.instance.state
    row = None
    if "@" not in reference and not reference.startswith("sha256:"):
        query = (
            "SELECT i.config, i.layers FROM images i JOIN image_references r ON r.image_id = i.id WHERE r.reference = ?"
        )
        row = state.read().execute(query, (lookup.normalised(reference),)).fetchone()
    if row is None:
        from tuidock.engine.store import images

        try:
            image_id = images.find(state.read(), reference)
        except NotFound:
            return None
        row = state.read().execute("SELECT config, layers FROM images WHERE id = ?", (image_id,)).fetchone()
        if row is None:
            return None
    document = fastjson.loads(row[0])
    layers = tuple(Layer(**layer) for layer in fastjson.loads(row[1]))
    lower = tuple(workshop.layer_path(layer) for layer in reversed(layers))
    if not workshop.use(layers):
        raise EngineError(f"a layer of {reference} is missing; remove the image and pull or load it again")
    kept = {key: document[key] for key in _KEPT if document.get(key)}
    config = {key: value for key, value in (document.get("config") or {}).items() if value not in (None, "", [], {})}
    history = tuple(dict(entry) for entry in document.get("history") or ())
    return Base(layers, lower, {**kept, "config": config}, history)
