"""Cache that travels with an image: --cache-from, and BUILDKIT_INLINE_CACHE=1 which writes it.

The image's configuration then says of each of its own layers the key of the step that made it. A key is believed only of
images that were named with --cache-from; a pulled image by itself is never a hit.
"""

from __future__ import annotations

from tuidock.engine import fastjson
from tuidock.engine.build.cache import Row
from tuidock.engine.store.layer import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tuidock.engine.build.workshop import StageState, Workshop

#: A member of the image's configuration beside those that the specification knows.
MEMBER = "org.tuidock.build.cache.v1"
_KEY_LENGTH = 64


def is_wanted(build_args: Mapping[str, str]) -> bool:
    """Whether the image is to carry its keys."""
    return build_args.get("BUILDKIT_INLINE_CACHE", "") in ("1", "true")


def member(state: StageState) -> dict[str, Any]:
    """The keys by the number of the layer, as text because JSON has it so."""
    return {MEMBER: {str(index): key for index, key in sorted(state.keys.items())}}


def rows(workshop: Workshop, reference: str) -> list[Row]:
    """What an image of the store says of its layers; nothing when it does not carry keys."""
    from tuidock.engine.errors import NotFound
    from tuidock.engine.store import images

    state = workshop.instance.state
    try:
        image_id = images.find(state.read(), reference)
    except NotFound:
        return []
    row = state.read().execute("SELECT config, layers FROM images WHERE id = ?", (image_id,)).fetchone()
    if row is None:
        return []
    document = fastjson.loads(row[0])
    keys = document.get(MEMBER)
    layers = [Layer(**layer) for layer in fastjson.loads(row[1])]
    if not isinstance(keys, dict) or not workshop.use(layers):
        return []
    steps = [entry for entry in document.get("history") or () if not entry.get("empty_layer")]
    found = []
    for index, layer in enumerate(layers):
        key = keys.get(str(index))
        if not isinstance(key, str) or len(key) != _KEY_LENGTH or key.strip("0123456789abcdef"):
            continue
        step: Mapping[str, Any] = steps[index] if index < len(steps) else {}
        text = str(step.get("created_by") or "")
        found.append(Row(key, text.partition(" ")[0] or "RUN", text, (layer,), 0, _moment(step.get("created"))))
    return found


def _moment(value: object) -> int:
    from tuidock.engine.oci import Invalid
    from tuidock.engine.oci.image_config import parse_time

    try:
        return parse_time(str(value or ""))
    except Invalid:
        return 0
