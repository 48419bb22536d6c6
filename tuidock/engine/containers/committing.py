"""commit: a container's own layer on top of its image's becomes a new image.

The own layer is written as a tar while its processes stand still; the same tar is hashed and unpacked into a snapshot on
the way, so the image is what its blob says whatever happens to the container. It is not compressed: that would take twice
as long as all the rest, and a push does it on the way. Volumes and other mounts are
not in the own layer, and the empty places that they are mounted on are left out.

A container that has a copy of its image, where overlay cannot be used, has no layer of its own: all of it becomes one.
"""

from __future__ import annotations

import copy
import os
import time

from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.layers import Place, place_of, stubs_of
from tuidock.engine.containers.standstill import standstill
from tuidock.engine.containers.telling import tell
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.events import append
from tuidock.engine.files import refuse
from tuidock.engine.instance import Instance
from tuidock.engine.oci import descriptor, image_config
from tuidock.engine.oci.digest import chain_ids
from tuidock.engine.store import collection, images, merged
from tuidock.engine.store.assembly import Assembly
from tuidock.engine.store.content import ContentStore, Stored
from tuidock.engine.store.layer_writing import LayerWriting
from tuidock.engine.store.snapshots import Snapshots
from tuidock.engine.types import Container, Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from typing import Any

    from tuidock.engine.oci.image_config import ImageConfig
    from tuidock.engine.oci.reference import Reference
    from tuidock.engine.store.content import Ingest
    from tuidock.engine.store.snapshots import Draft

#: The tar of nothing: docker gives it no layer.
EMPTY_DIFF_ID = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
#: What of a container's Config is an image's; the rest (host name, terminal, ...) is of this container only.
_KEPT = (
    "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Healthcheck", "Volumes", "WorkingDir", "Labels", "StopSignal",
    "StopTimeout", "OnBuild", "Shell", "ArgsEscaped",
)  # fmt: skip


def commit(
    instance: Instance, container: Container, reference: str = "", *, author: str = "", message: str = "",
    changes: Sequence[str] = (), pause: bool = True,
) -> Iterator[Progress]:  # fmt: skip
    """Makes the image; the last progress is `committed` with its id.

    Raises InvalidArgument for the reference or a change, Conflict when the container went on meanwhile.
    """
    tags: list[Reference] = []
    if reference:
        tags = [images.parse_reference(reference)]
        if tags[0].digest:
            raise InvalidArgument(f"cannot commit to {reference}: a digest cannot be chosen, give name:tag")
    config = image_settings(request_of(instance, container.id)[0])
    if changes:
        from tuidock.engine.store.changes import apply

        config = apply(config, changes)
    return _told(_commit(instance, container, tags, config, author, message, pause), container)


def _told(work: Iterator[Progress], container: Container) -> Iterator[Progress]:
    """The work, with a refusal of the system (a full disk) as a sentence."""
    try:
        yield from work
    except OSError as error:
        raise refuse(error, f"commit container {container.name}") from error


def image_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The `config` of an image made from a container with this Config."""
    return {key: copy.deepcopy(config[key]) for key in _KEPT if config.get(key)}


def _commit(
    instance: Instance, container: Container, tags: list[Reference], config: dict[str, Any], author: str, message: str,
    pause: bool,
) -> Iterator[Progress]:  # fmt: skip
    paths = instance.paths
    place = place_of(instance, container)
    collection.sweep(paths)
    command = " ".join(str(word) for word in request_of(instance, container.id)[0].get("Cmd") or ())
    with ContentStore(paths).ingests() as ingests, Assembly(instance.state, paths) as assembly:
        for layer in () if place.plain else place.image.layers:
            assembly.adopt(None, Stored(layer.digest, layer.size), layer.diff_id, layer.media_type)
        blob = ingests.new()
        notes = yield from _write(instance, container, place, assembly, blob, pause)
        made = new_config(place.image.config, assembly.diff_ids, config, author, message, command)
        yield Progress(made.id[7:19], "committing")
        assembly.commit(made, tags)
    for note in notes:
        yield Progress(made.id, "warning", message=note)
    name = tags[0].familiar if tags else ""
    tell(instance, "commit", container.id, container.name, comment=message, imageID=made.id, imageRef=name)
    if tags:
        append(paths.journal, "image", "tag", made.id, name, labels=made.labels)
    yield Progress(made.id, "committed")


def _write(
    instance: Instance, container: Container, place: Place, assembly: Assembly, blob: Ingest, pause: bool
) -> Generator[Progress, None, list[str]]:
    """The own layer into the blob and a snapshot, and that into the assembly. Answers with remarks."""
    draft = Snapshots(instance.paths).draft()
    below = assembly.roots[0] if assembly.roots else -1
    try:
        if below >= 0:
            draft.dress_like(below)
        with standstill(instance, container, pause=pause) as still:
            root = merged.sealed(place.plain or place.upper)
            try:
                omit = stubs_of(instance, container, place)
                writing = LayerWriting(root, blob, compress=False, below=below, draft=draft, omit=omit)
                yield from writing.progress(container.id[:12])
            finally:
                os.close(root)
            still.check()
        written = writing.written
        assert written is not None
        if written.diff_id != EMPTY_DIFF_ID:
            _adopt(instance, assembly, draft, blob, written.diff_id)
    except BaseException:
        draft.close()
        raise
    if written.diff_id == EMPTY_DIFF_ID:
        draft.close()
    return written.remarks()


def _adopt(instance: Instance, assembly: Assembly, draft: Draft, blob: Ingest, diff_id: str) -> None:
    """The layer goes into the assembly; one that is there already is dropped while the disk knows nothing of it yet."""
    chain_id = chain_ids([*assembly.diff_ids, diff_id])[-1]
    assembly.lease.add(chain_id)
    if Snapshots(instance.paths).has(chain_id):
        draft.close()
        assembly.adopt(None, blob, diff_id, descriptor.OCI_LAYER)
    else:
        assembly.adopt(draft, blob, diff_id, descriptor.OCI_LAYER)


def new_config(
    base: dict[str, Any], diff_ids: Sequence[str], config: dict[str, Any], author: str, message: str, command: str
) -> ImageConfig:
    """The configuration of an image that adds one step to another; without a layer when nothing was changed."""
    moment = image_config.format_time(time.time_ns())
    known = list((base.get("rootfs") or {}).get("diff_ids") or ())
    history = list(base.get("history") or ())
    if list(diff_ids)[: len(known)] != known:  # all of it is one layer, which the last step made
        history = [{**one, "empty_layer": True} for one in history]
    step: dict[str, Any] = {"created": moment, "created_by": command}
    if author:
        step["author"] = author
    if message:
        step["comment"] = message
    if list(diff_ids) == known:
        step["empty_layer"] = True
    document: dict[str, Any] = {"architecture": base["architecture"]}
    if author:
        document["author"] = author
    document |= {
        "config": config,
        "created": moment,
        "history": [*history, step],
        "os": base["os"],
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
    }
    for key in ("variant", "os.version", "os.features"):
        if base.get(key):
            document[key] = base[key]
    return image_config.make(document)
