"""Import: the tar of a root file system becomes an image of one layer.

It may be compressed in any known way, and rooted at `./` with device nodes and numeric owners, as OpenVZ templates are.
The config holds only the changes that were asked for, so an image imported without CMD needs a command to run.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from tuidock.engine.errors import BadContent, InvalidArgument
from tuidock.engine.events import append
from tuidock.engine.oci import image_config
from tuidock.engine.oci.descriptor import Platform
from tuidock.engine.oci.reference import Reference
from tuidock.engine.options.platforms import parse_platform
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import collection, images
from tuidock.engine.store.ahead import HEADER, Ahead, looks_like_tar
from tuidock.engine.store.assembly import Assembly
from tuidock.engine.store.changes import apply
from tuidock.engine.store.compression import SNIFF, Peeked, inflate, kind_of
from tuidock.engine.store.content import CHUNK, ContentStore, Ingest
from tuidock.engine.store.loading import host_platform, reader_of, size_of
from tuidock.engine.store.snapshots import Snapshots
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from typing import Any, BinaryIO


def import_image(
    state: State, paths: Paths, source: BinaryIO, reference: str = "", message: str = "", changes: Sequence[str] = (),
    *, platform: str = "",
) -> Iterator[Progress]:  # fmt: skip
    """Makes the image; the last progress is `imported` with its id. platform "": this machine's.

    Raises InvalidArgument for the reference, the platform or a change, BadContent for the tar.
    """
    tags = [images.parse_reference(reference)] if reference else []
    if tags and tags[0].digest:
        raise InvalidArgument(f"cannot import to {reference}: a digest cannot be chosen, give name:tag")
    config = apply({}, changes)
    meant = _platform(platform)
    return _import(state, paths, source, tags, message or "Imported from -", config, meant)


def _platform(text: str) -> Platform:
    here = host_platform()
    if not text:
        return here
    asked = parse_platform(text, here.architecture)
    if asked.os != "linux":
        raise InvalidArgument(f"platform {text} has no images here: containers are Linux")
    variant = asked.variant or (here.variant if asked.architecture == here.architecture else "")
    return Platform(asked.os, asked.architecture, variant)


def _import(
    state: State, paths: Paths, source: BinaryIO, tags: list[Reference], message: str, config: dict[str, Any],
    platform: Platform,
) -> Iterator[Progress]:  # fmt: skip
    collection.sweep(paths)
    with ContentStore(paths).ingests() as ingests, ExitStack() as begun, Assembly(state, paths) as assembly:
        blob = ingests.new()
        ahead = yield from _receive(source, blob, Snapshots(paths), begun)
        try:
            yield from assembly.add(blob, ahead=ahead)
        except BadContent as error:  # who imports knows an archive, and of no layer
            raise BadContent("the archive" + str(error).removeprefix(f"layer {blob.digest[7:19]}")) from error
        made = single_layer_config(assembly.diff_ids, config, message, time.time_ns(), platform)
        yield Progress(made.id[7:19], "committing")
        assembly.commit(made, tags)
    for warning in assembly.warnings:
        yield Progress(made.id, "warning", message=warning)
    append(paths.journal, "image", "import", made.id, tags[0].familiar if tags else "", labels=made.labels)
    yield Progress(made.id, "imported")


def _receive(
    source: BinaryIO, blob: Ingest, snapshots: Snapshots, begun: ExitStack
) -> Generator[Progress, None, Ahead | None]:
    total, done, reported = size_of(source), 0, 0
    peeked = Peeked(reader_of(source))
    kind = kind_of(peeked.peek(SNIFF))
    if kind in ("bzip2", "xz"):  # layers may be gzip or zstd only, these are stored inflated
        chunks = inflate(peeked.read)
        total = 0
    else:
        chunks = iter(lambda: peeked.read(CHUNK), b"")
    ahead: Ahead | None = None
    if looks_like_tar(peeked.peek(HEADER)):
        ahead = Ahead(snapshots, blob)
        begun.callback(ahead.close)
    for chunk in chunks:
        blob.write(chunk)
        if ahead:
            ahead.grown()
        done += len(chunk)
        if done - reported >= 4 << 20:
            reported = done
            yield Progress("archive", "reading", done, total)
    blob.finish()
    if not kind and 0 < done < HEADER:
        raise BadContent("this is no tar archive")
    if ahead:
        ahead.complete()
    return ahead


def single_layer_config(
    diff_ids: Sequence[str], config: dict[str, Any], message: str, created: int, platform: Platform | None = None
) -> image_config.ImageConfig:
    """The configuration of an image that was not built but taken from somewhere. platform None: this machine's."""
    platform = platform or host_platform()
    moment = image_config.format_time(created)
    document: dict[str, Any] = {
        "architecture": platform.architecture,
        "config": config,
        "created": moment,
        "history": [{"created": moment, "comment": message}],
        "os": platform.os,
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
    }
    if platform.variant:
        document["variant"] = platform.variant
    return image_config.make(document)
