"""Load: an image archive from a file or stream becomes images.

The archive is read once, front to end: every file in it becomes an ingest, and only at the end, when manifest.json or
index.json are known, some of these are layers and configurations and the rest is dropped.
"""

from __future__ import annotations

import os
import platform as machine
from contextlib import ExitStack

from tuidock.engine.clean import clean
from tuidock.engine.errors import BadContent
from tuidock.engine.events import append
from tuidock.engine.oci.descriptor import Platform
from tuidock.engine.oci.digest import is_digest
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import collection
from tuidock.engine.store.ahead import WORTHWHILE, Ahead, looks_like_tar
from tuidock.engine.store.archive import DOCUMENT_LIMIT, DOCUMENTS, Contents, ImagePlan, member_name, plans
from tuidock.engine.store.assembly import Assembly
from tuidock.engine.store.compression import SNIFF, InflatedStream, Peeked, Read, kind_of
from tuidock.engine.store.content import ContentStore, Ingest, Ingests
from tuidock.engine.store.snapshots import Snapshots
from tuidock.engine.store.tarstream import Member, TarStream
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MEMBER_LIMIT = 100_000
#: Of docker's first archive format; manifest.json has said the same better since docker 1.10.
_LEGACY = ("/json", "/VERSION", "repositories")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_VARIANTS = {"aarch64": "v8", "armv7l": "v7"}


def host_platform() -> Platform:
    """This machine in the words of image configurations."""
    name = machine.machine()
    return Platform("linux", _ARCHITECTURES.get(name, name), _VARIANTS.get(name, ""))


def reader_of(source: BinaryIO) -> Read:
    """Reads of what is there, not of what would fill a buffer: a slow pipe shows progress."""
    read: Read = getattr(source, "read1", source.read)
    return read


def size_of(source: BinaryIO) -> int:
    """The bytes that a file still has; 0 for a pipe."""
    try:
        fd = source.fileno()
        return max(0, os.fstat(fd).st_size - source.tell()) if os.path.isfile(f"/proc/self/fd/{fd}") else 0
    except (OSError, AttributeError, ValueError):
        return 0


def load(state: State, paths: Paths, source: BinaryIO) -> Iterator[Progress]:
    """The images of an archive; each ends with `loaded` progress that names its reference, or its id without one.

    Raises BadContent. Closing the iterator leaves nothing but the images that were reported as loaded.
    """
    collection.sweep(paths)
    with ContentStore(paths).ingests() as ingests, ExitStack() as begun:
        contents = Contents()
        ahead: dict[Ingest, Ahead] = {}
        yield from _read_archive(source, contents, ingests, Snapshots(paths), ahead, begun)
        for plan in plans(contents, host_platform()):
            yield from _store(state, paths, plan, ahead)


def _read_archive(
    source: BinaryIO,
    contents: Contents,
    ingests: Ingests,
    snapshots: Snapshots,
    ahead: dict[Ingest, Ahead],
    begun: ExitStack,
) -> Iterator[Progress]:
    total, done = size_of(source), 0
    raw_read = reader_of(source)

    def counted(size: int) -> bytes:
        nonlocal done
        chunk = raw_read(size)
        done += len(chunk)
        return chunk

    peeked = Peeked(counted)
    read: Read = InflatedStream(peeked.read).read if kind_of(peeked.peek(SNIFF)) else peeked.read
    reported = 0
    for number, member in enumerate(TarStream(read)):
        if number > MEMBER_LIMIT:
            raise BadContent(f"the archive has more than {MEMBER_LIMIT} entries")
        name = member_name(member.name)
        if not name and member.kind == "directory" and ".." not in member.name.split("/"):
            continue  # the archive's own root, which `tar -C layout .` names
        if not name:
            raise BadContent(f"entry {clean(member.name)!r} leads out of the archive")
        if member.kind == "file" and name in DOCUMENTS:
            contents.documents[name] = member.read(DOCUMENT_LIMIT)
        elif member.kind == "file" and not name.endswith(_LEGACY):
            blob = ingests.new()
            unpacking: Ahead | None = None
            for chunk in member.chunks():
                blob.write(chunk)
                if blob.size == len(chunk) and _worth_beginning(member, name, chunk, snapshots):
                    unpacking = ahead[blob] = Ahead(snapshots, blob)
                    begun.callback(unpacking.close)
                if unpacking:
                    unpacking.grown()
                if done - reported >= 4 << 20:
                    reported = done
                    yield Progress("archive", "reading", done, total)
            blob.finish()
            if unpacking:
                unpacking.complete()
            contents.blobs[name] = blob
        elif member.kind in ("symlink", "hardlink"):
            contents.links[name] = _link_target(name, member)
    yield Progress("archive", "read", done, total or done)


def _worth_beginning(member: Member, name: str, first: bytes, snapshots: Snapshots) -> bool:
    if member.size < WORTHWHILE or not looks_like_tar(first):
        return False
    named = "sha256:" + name.rpartition("/")[2]
    return not (is_digest(named) and snapshots.has(named))


def _link_target(name: str, member: Member) -> str:
    """Old archives store a layer that occurs twice as a link to ../ID/layer.tar."""
    base = name.rpartition("/")[0] if member.kind == "symlink" else ""
    parts: list[str] = []
    for part in f"{base}/{member.link}".split("/"):
        if part == ".." and not parts:
            raise BadContent(f"link {clean(name)!r} leads out of the archive")
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _store(state: State, paths: Paths, plan: ImagePlan, ahead: dict[Ingest, Ahead]) -> Iterator[Progress]:
    with Assembly(state, paths) as assembly:
        for diff_id, layer in zip(plan.config.diff_ids, plan.layers, strict=True):
            yield from assembly.add(layer, diff_id, ahead=ahead.get(layer))
        yield Progress(plan.config.id[7:19], "committing")
        assembly.commit(plan.config, plan.tags, plan.manifest)
    for warning in assembly.warnings:
        yield Progress(plan.config.id, "warning", message=warning)
    for subject in [tag.familiar for tag in plan.tags] or [plan.config.id]:
        append(paths.journal, "image", "load", plan.config.id, subject, labels=plan.config.labels)
        yield Progress(subject, "loaded")
