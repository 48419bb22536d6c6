"""The image of a container that is about to be made or started: the short way from a name to layer directories.

`images.resolve` knows the whole grammar of references and every way to name an image, with regular expressions that a
`run` should not wait for. What people nearly always type, a name with or without a tag, and what the engine itself asks
for, a full image id, is found here by two queries; anything else goes the long way. A name is only compared with stored
references, which were checked when they were stored, so nothing has to be checked again.
"""

from __future__ import annotations

from tuidock.engine import fastjson
from tuidock.engine.named import Named
from tuidock.engine.paths import Paths
from tuidock.engine.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Found(Named):
    """lower: layer directories, topmost first; config: the `config` object of the image's configuration."""

    id: str
    config: dict[str, Any]
    lower: tuple[str, ...]
    top_chain_id: str


def normalised(text: str) -> str:
    """The full reference that a name means: docker.io, library/ and :latest where they are silent."""
    first, slash, rest = text.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        text = "docker.io/" + (text if slash else "library/" + text)
    elif first == "index.docker.io":
        text = "docker.io/" + rest
    if ":" not in text.rpartition("/")[2]:
        text += ":latest"
    return text


def find(state: State, paths: Paths, text: str) -> Found:
    """The image. Raises NotFound, AmbiguousId, InvalidArgument as `images.resolve` does."""
    db = state.read()
    image_id = text if text.startswith("sha256:") and len(text) == 71 else ""
    if not image_id and "@" not in text:
        row = db.execute("SELECT image_id FROM image_references WHERE reference = ?", (normalised(text),)).fetchone()
        image_id = row[0] if row else ""
    row = db.execute("SELECT config, layers FROM images WHERE id = ?", (image_id,)).fetchone() if image_id else None
    if row is None:
        from tuidock.engine.store import images

        record = images.resolve(state, paths, text)
        return Found(record.id, record.container_config, record.lower, record.top_chain_id)
    config = fastjson.loads(row[0]).get("config") or {}
    chain = [layer["chain_id"] for layer in fastjson.loads(row[1])]
    lower = tuple(f"{paths.snapshots}/{chain_id.removeprefix('sha256:')}/fs" for chain_id in reversed(chain))
    return Found(image_id, config, lower, chain[-1] if chain else "")
