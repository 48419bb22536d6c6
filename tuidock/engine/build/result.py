"""The image of a finished stage: configuration, manifest, names; and everything else that goes to disk with it.

The same layers and instructions give the same bytes, so a build that found everything done makes no new image, and an
image that is there already is only named.
"""

from __future__ import annotations

import time

from tuidock.engine import fastjson
from tuidock.engine.build import cache
from tuidock.engine.build.digests import sha256
from tuidock.engine.errors import InvalidArgument, NotFound
from tuidock.engine.store import lookup
from tuidock.engine.store.layer import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from tuidock.engine.build.workshop import StageState, Workshop
    from tuidock.engine.instance import Instance
    from tuidock.engine.store.content import Ingest

_BEGINNING = "1970-01-01T00:00:00Z"


def moment(nanoseconds: int) -> str:
    """RFC 3339 in UTC with docker's trimmed fraction."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{fraction:09}".rstrip("0").rstrip(".") + "Z"


def document_of(
    document: Mapping[str, Any],
    history: Iterable[Mapping[str, Any]],
    layers: Sequence[Layer],
    labels: Mapping[str, str],
) -> dict[str, Any]:
    """The image's configuration. History lines without a layer get the time of a layer of this build, else the last."""
    entries = [dict(entry) for entry in history]
    _date(entries)
    config = dict(document.get("config") or {})
    if labels:
        config["Labels"] = {**(config.get("Labels") or {}), **labels}
    return {
        **{key: document[key] for key in sorted(document) if key != "config"},
        "config": config,
        "created": entries[-1]["created"] if entries else _BEGINNING,
        "history": entries,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }


def _date(entries: list[dict[str, Any]]) -> None:
    """BuildKit's rule: the first new layer's time, or where there is none the last known one."""
    moment_now, undated = _BEGINNING, False
    for entry in entries:
        if entry.get("created"):
            moment_now = entry["created"]
            if undated:
                break
        else:
            undated = True
    undated = False
    for entry in entries:
        if entry.get("created"):
            moment_now = entry["created"] if undated else moment_now
        else:
            undated = True
            entry["created"] = moment_now


class Image:
    """The image of a stage's end, to be published with the rest."""

    def __init__(
        self, instance: Instance, document: Mapping[str, Any], layers: Sequence[Layer], tags: Sequence[str]
    ) -> None:
        self._instance, self._layers, self._tags = instance, tuple(layers), tuple(tags)
        self.raw = fastjson.dumps(document).encode()
        self.id = "sha256:" + sha256(self.raw).hexdigest()
        self.labels: Mapping[str, str] = (document.get("config") or {}).get("Labels") or {}
        self._manifest_digest = ""

    def is_there(self) -> bool:
        """Whether the store has it already, with all its names."""
        db = self._instance.state.read()
        row = db.execute("SELECT manifest_digest FROM images WHERE id = ? AND loaded > 0", (self.id,)).fetchone()
        if row is None:
            return False
        for tag in self._tags:
            if not db.execute(
                "SELECT 1 FROM image_references WHERE reference = ? AND image_id = ?", (tag, self.id)
            ).fetchone():
                return False
        return True

    def documents(self, put: Callable[[bytes], Ingest]) -> list[Ingest]:
        """Configuration and manifest as blobs."""
        from tuidock.engine.oci.descriptor import OCI_CONFIG, Descriptor
        from tuidock.engine.oci.digest import of_bytes
        from tuidock.engine.oci.manifest import make_manifest

        described = Descriptor(OCI_CONFIG, self.id, len(self.raw))
        manifest = make_manifest(
            described, [Descriptor(layer.media_type, layer.digest, layer.size) for layer in self._layers]
        )
        self._manifest_digest = of_bytes(manifest)
        return [put(self.raw), put(manifest)]

    def insert(self, db: sqlite3.Connection) -> None:
        """Makes it visible, inside the caller's transaction."""
        from tuidock.engine.oci import image_config
        from tuidock.engine.store import images
        from tuidock.engine.store.snapshots import Snapshots

        snapshots = Snapshots(self._instance.paths)
        size = sum(snapshots.size(layer.chain_id) for layer in self._layers)
        tags = [images.parse_reference(tag) for tag in self._tags]
        images.insert(db, image_config.parse(self.raw), self._manifest_digest, self._layers, size, tags)


def of_stage(workshop: Workshop, state: StageState, tags: Sequence[str]) -> Image:
    """The image of a stage. One without any layer gets an empty one, because readers of manifests want some."""
    if not state.layers:
        draft = workshop.draft(state)
        key = cache.key_of(state.digest(), "empty")
        row = workshop.find(key)
        if row is not None and row.layers:
            draft.close()
            state.layers += row.layers
        else:
            for _ in workshop.keep_layer(state, draft, key, "FROM", "an empty layer"):
                pass
        if state.history:
            last = dict(state.history[-1])
            last.pop("empty_layer", None)
            state.history[-1] = last
        else:
            state.history.append({"created_by": "FROM scratch"})
    document = document_of(state.document, state.history, state.layers, workshop.request.labels)
    if workshop.build_args:
        from tuidock.engine.build import inline

        if inline.is_wanted(workshop.build_args):
            document |= inline.member(state)
    return Image(workshop.instance, document, state.layers, tags)


def familiar(name: str) -> str:
    """A full name as people write it: without docker.io and its library. As `Reference.familiar`, whose room takes
    longer to load than all that a build does that finds every step done."""
    path = name.removeprefix("docker.io/")
    short = path.removeprefix("library/")
    return path if path == name or "/" in short else short


def full_names(instance: Instance, tags: Sequence[str]) -> list[str]:
    """The references that the image is to get. Raises InvalidArgument; what was stored before is known to be right."""
    found = []
    db = instance.state.read()
    for text in tags:
        name = lookup.normalised(text)
        if "@" in text or not db.execute("SELECT 1 FROM image_references WHERE reference = ?", (name,)).fetchone():
            from tuidock.engine.store import images

            reference = images.parse_reference(text)
            if reference.digest:
                raise InvalidArgument(f"cannot tag with {text:.200}: a digest cannot be chosen, give name:tag")
            name = str(reference)
        found.append(name)
    return found


def keep(instance: Instance, key: str) -> str:
    """An untagged image of the last good state of a failed build; its id. Raises NotFound when it was pruned."""
    from tuidock.engine.store.content import ContentStore
    from tuidock.engine.store.leases import Lease
    from tuidock.engine.store.snapshots import Snapshots

    row = cache.find(instance.state, key)
    if row is None or row.kind != cache.KEPT or not row.layers:
        raise NotFound("build step", key)
    content, snapshots = ContentStore(instance.paths), Snapshots(instance.paths)
    with Lease(instance.paths) as lease, content.ingests() as ingests:
        lease.add(*(name for layer in row.layers for name in (layer.chain_id, layer.digest)))
        if not all(snapshots.has(layer.chain_id) and content.has(layer.digest) for layer in row.layers):
            raise NotFound("build step", key)
        state = fastjson.loads(row.config)
        image = Image(instance, document_of(state["document"], state["history"], row.layers, {}), row.layers, ())
        for blob in image.documents(ingests.put):
            content.publish(blob)
        with instance.state.write() as db:
            image.insert(db)
    return image.id
