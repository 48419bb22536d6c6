"""Images as rows of state.db: references, configurations, layers; how a name or id finds one, and docker's views of it.

A row lives as long as a reference points to it, a person keeps it untagged, or a container stands on it. `rmi -f` of an
image that stopped containers use takes its name and hides it (loaded = 0): the containers still start, nobody sees it.
"""

from __future__ import annotations

import json
import re
import time

from tuidock.engine.errors import AmbiguousId, InvalidArgument, NotFound
from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid
from tuidock.engine.oci import reference as references
from tuidock.engine.oci.image_config import ImageConfig, format_time
from tuidock.engine.oci.reference import Reference
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store.layer import Layer as Layer
from tuidock.engine.store.snapshots import Snapshots
from tuidock.engine.types import Image

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})")


class ImageRecord(Named):
    """An image as stored. lower: its layers' directories, topmost first. container_config: Env, Cmd and so on."""

    id: str
    manifest_digest: str
    created: int
    size: int
    config: dict[str, Any]
    layers: tuple[Layer, ...]
    loaded: int
    lower: tuple[str, ...]

    @property
    def container_config(self) -> dict[str, Any]:
        return self.config.get("config") or {}

    @property
    def labels(self) -> dict[str, str]:
        return self.container_config.get("Labels") or {}

    @property
    def top_chain_id(self) -> str:
        return self.layers[-1].chain_id if self.layers else ""


_COLUMNS = "id, manifest_digest, created, size, config, layers, loaded"


def _record(row: Sequence[Any], paths: Paths) -> ImageRecord:
    layers = tuple(Layer(**layer) for layer in json.loads(row[5]))
    snapshots = Snapshots(paths)
    lower = tuple(snapshots.path(layer.chain_id) for layer in reversed(layers))
    return ImageRecord(row[0], row[1], row[2], row[3], json.loads(row[4]), layers, row[6], lower)


def insert(
    db: sqlite3.Connection,
    config: ImageConfig,
    manifest_digest: str,
    layers: Iterable[Layer],
    size: int,
    tags: Iterable[Reference] = (),
    digest: str = "",
    *,
    replace: bool = False,
) -> None:
    """Makes an image visible, with its references, inside the caller's transaction.

    digest: what the registry named by the tags, when that is not the manifest. replace: an image that is there already
    gets this manifest and these blobs, because its own are damaged.
    """
    now = time.time_ns()
    renewed = ", manifest_digest = excluded.manifest_digest, layers = excluded.layers" if replace else ""
    db.execute(
        f"INSERT INTO images({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        f" ON CONFLICT(id) DO UPDATE SET loaded = excluded.loaded{renewed}",
        (
            config.id,
            manifest_digest,
            config.created,
            size,
            config.raw.decode(),
            json.dumps([layer._asdict() for layer in layers], separators=(",", ":")),
            now,
        ),
    )
    for tag in tags:
        set_reference(db, tag, config.id, digest or manifest_digest)


def layers_of(state: State, diff_id: str) -> list[Layer]:
    """Every blob by which some image has this layer; each was unpacked and compared with the diffID once."""
    rows = state.read().execute("SELECT layers FROM images WHERE instr(layers, ?)", (diff_id,)).fetchall()
    layers = [Layer(**layer) for row in rows for layer in json.loads(row[0])]
    return [layer for layer in layers if layer.diff_id == diff_id]


def set_reference(db: sqlite3.Connection, reference: Reference, image_id: str, digest: str) -> None:
    """Points a name to an image; the image that had it before stays, perhaps without a name. digest: by which the name's
    registry knows it, a manifest's or an index's."""
    db.execute(
        "INSERT OR REPLACE INTO image_references(reference, image_id, digest, tagged) VALUES (?, ?, ?, ?)",
        (str(reference), image_id, digest, time.time_ns()),
    )


def digest_of(db: sqlite3.Connection, text: str) -> str:
    """By which a name's registry knows it, an index's or a manifest's; "" for what is no name."""
    found = find_reference(db, text)
    query = "SELECT digest FROM image_references WHERE reference = ?"
    row = None if found is None else db.execute(query, (str(found[1]),)).fetchone()
    return "" if row is None else str(row[0])


def references_of(db: sqlite3.Connection, image_id: str) -> list[Reference]:
    """The names of an image, in order."""
    rows = db.execute("SELECT reference FROM image_references WHERE image_id = ? ORDER BY reference", (image_id,))
    return [references.parse(row[0]) for row in rows]


def parse_reference(text: str) -> Reference:
    """`references.parse_tagged` with the engine's error. Raises InvalidArgument."""
    try:
        return references.parse_tagged(text)
    except Invalid as error:
        raise InvalidArgument(str(error)) from None


def find_reference(db: sqlite3.Connection, text: str) -> tuple[str, Reference] | None:
    """The image id and the stored reference that the text names; None when it names none."""
    try:
        reference = references.parse_tagged(text)
    except Invalid:
        return None
    row = db.execute("SELECT image_id FROM image_references WHERE reference = ?", (str(reference),)).fetchone()
    if row is not None:
        return row[0], reference
    if reference.digest:
        for image_id, stored in db.execute(
            "SELECT image_id, reference FROM image_references WHERE digest = ?", (reference.digest,)
        ):
            found = references.parse(stored)
            if found.name == reference.name:
                return image_id, found
    return None


def find_id(db: sqlite3.Connection, text: str) -> str | None:
    """The whole id that a whole id or prefix means. A hidden image has only its whole id. Raises AmbiguousId."""
    match = _ID.fullmatch(text)
    if match is None:
        return None
    prefix = "sha256:" + match[1]
    if len(match[1]) == 64:
        row = db.execute("SELECT id FROM images WHERE id = ?", (prefix,)).fetchone()
        return row[0] if row else None
    rows = db.execute(
        "SELECT id FROM images WHERE id >= ? AND id < ? AND loaded > 0 LIMIT 2", (prefix, prefix + "g")
    ).fetchall()
    if len(rows) > 1:
        raise AmbiguousId(f"{text} fits several images; type more of the id")
    return rows[0][0] if rows else None


def find(db: sqlite3.Connection, text: str) -> str:
    """The id of the image that a reference, id or prefix means; a reference wins. Raises NotFound, AmbiguousId."""
    named = find_reference(db, text)
    image_id = named[0] if named else find_id(db, text)
    if image_id is None:
        try:
            shown = references.parse_tagged(text).familiar
        except Invalid:
            shown = text
        raise NotFound("image", shown)
    return image_id


def resolve(state: State, paths: Paths, text: str) -> ImageRecord:
    """The image that a reference, id or unambiguous prefix means. Raises NotFound, AmbiguousId."""
    db = state.read()
    return get(state, paths, find(db, text))


def get(state: State, paths: Paths, image_id: str) -> ImageRecord:
    """By whole id. Raises NotFound."""
    row = state.read().execute(f"SELECT {_COLUMNS} FROM images WHERE id = ?", (image_id,)).fetchone()
    if row is None:
        raise NotFound("image", image_id)
    return _record(row, paths)


def _split(db: sqlite3.Connection) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Familiar tags and digests by image id."""
    tags: dict[str, list[str]] = {}
    digests: dict[str, list[str]] = {}
    for image_id, text, digest in db.execute("SELECT image_id, reference, digest FROM image_references ORDER BY 2"):
        reference = references.parse(text)
        if reference.digest:
            digests.setdefault(image_id, []).append(reference.familiar)
            continue
        tags.setdefault(image_id, []).append(reference.familiar)
        by_digest = f"{reference.familiar_name}@{digest}"
        if digest and by_digest not in digests.setdefault(image_id, []):
            digests[image_id].append(by_digest)
    return tags, digests


def list_images(state: State, used: Mapping[str, int]) -> list[Image]:
    """Newest first, untagged ones included; used: containers by image id."""
    db = state.read()
    tags, digests = _split(db)
    result = []
    for image_id, created, size, config in db.execute(
        "SELECT id, created, size, config FROM images WHERE loaded > 0 ORDER BY created DESC, id"
    ):
        labels = (json.loads(config).get("config") or {}).get("Labels") or {}
        result.append(
            Image(
                image_id,
                tuple(tags.get(image_id, ())),
                tuple(digests.get(image_id, ())),
                created,
                size,
                labels,
                used.get(image_id, 0),
            )
        )
    return result


def inspect(state: State, paths: Paths, text: str) -> dict[str, Any]:
    """docker's JSON of an image. Raises NotFound, AmbiguousId."""
    record = resolve(state, paths, text)
    config = record.config
    tags, digests = _split(state.read())
    lower = list(record.lower)
    driver: dict[str, str] = {}
    if lower:
        driver = {"UpperDir": lower[0]} | ({"LowerDir": ":".join(lower[1:])} if lower[1:] else {})
    document = {
        "Id": record.id,
        "RepoTags": tags.get(record.id, []),
        "RepoDigests": digests.get(record.id, []),
        "Parent": "",
        "Comment": next((h.get("comment", "") for h in reversed(config.get("history") or []) if h.get("comment")), ""),
        "Created": config.get("created") or format_time(record.created),
        "DockerVersion": config.get("docker_version", ""),
        "Author": config.get("author", ""),
        "Config": record.container_config or None,
        "Architecture": config["architecture"],
        "Variant": config.get("variant", ""),
        "Os": config["os"],
        "Size": record.size,
        "GraphDriver": {"Data": driver, "Name": "overlay"},
        "RootFS": {"Type": "layers", "Layers": [layer.diff_id for layer in record.layers]},
        "Metadata": {"LastTagTime": _last_tagged(state.read(), record.id)},
        "Descriptor": {"mediaType": "", "digest": record.manifest_digest, "size": 0},
    }
    if not document["Variant"]:
        del document["Variant"]
    if not record.manifest_digest:
        del document["Descriptor"]
    else:
        document["Descriptor"] = _descriptor(paths, record.manifest_digest)
    return document


def _descriptor(paths: Paths, digest: str) -> dict[str, Any]:
    from tuidock.engine.oci.manifest import SIZE_LIMIT, parse_manifest
    from tuidock.engine.store.content import ContentStore

    raw = ContentStore(paths).read(digest, SIZE_LIMIT)
    return {"mediaType": parse_manifest(raw).media_type, "digest": digest, "size": len(raw)}


def _last_tagged(db: sqlite3.Connection, image_id: str) -> str:
    row = db.execute("SELECT max(tagged) FROM image_references WHERE image_id = ?", (image_id,)).fetchone()
    return format_time(row[0]) if row and row[0] else "0001-01-01T00:00:00Z"


def history(state: State, paths: Paths, text: str) -> list[dict[str, Any]]:
    """The steps that made an image, newest first, docker's keys. Raises NotFound, AmbiguousId."""
    from tuidock.engine.oci.image_config import parse_time

    record = resolve(state, paths, text)
    snapshots = Snapshots(paths)
    remaining = list(record.layers)
    steps: list[dict[str, Any]] = []
    for entry in record.config.get("history") or []:
        size = 0
        if not entry.get("empty_layer") and remaining:
            size = snapshots.size(remaining.pop(0).chain_id)
        try:
            created = parse_time(entry.get("created") or "") // 1_000_000_000
        except (Invalid, TypeError, AttributeError):
            created = 0
        steps.append(
            {
                "Id": "<missing>",
                "Created": created,
                "CreatedBy": str(entry.get("created_by") or ""),
                "Tags": None,
                "Size": size,
                "Comment": str(entry.get("comment") or ""),
            }
        )
    for layer in remaining:  # an image without history still has its layers to show
        size = snapshots.size(layer.chain_id)
        steps.append({"Id": "<missing>", "Created": 0, "CreatedBy": "", "Tags": None, "Size": size, "Comment": ""})
    steps.reverse()
    if steps:
        tags = _split(state.read())[0].get(record.id)
        steps[0] |= {"Id": record.id, "Tags": tags or None}
    return steps
