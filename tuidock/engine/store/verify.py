"""What may be wrong with images: missing or damaged blobs, missing layers, and what belongs to nobody."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os

from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid, image_config, manifest
from tuidock.engine.oci.digest import chain_ids
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import collection, partial
from tuidock.engine.store.content import CHUNK, ContentStore
from tuidock.engine.store.leases import collecting
from tuidock.engine.store.snapshots import Snapshots
from tuidock.engine.types import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_AGAIN = "load or pull the image again"


class Fault(Named):
    """A problem, and what is wrong with the store: a blob, or a layer's directory by its chainID. "": nothing that could
    be fetched or unpacked again."""

    problem: Problem
    blob: str = ""
    chain_id: str = ""


def problems(state: State, paths: Paths, *, hashes: bool = True) -> Iterator[Problem]:
    """The problems of `faults`."""
    for fault in faults(state, paths, hashes=hashes):
        yield fault.problem


def faults(state: State, paths: Paths, *, hashes: bool = True) -> Iterator[Fault]:
    """What is wrong, as it is found; hashes also reads every blob and compares it with its name."""
    content, snapshots = ContentStore(paths), Snapshots(paths)
    db = state.read()
    for image_id, reference in db.execute(
        "SELECT image_id, reference FROM image_references WHERE image_id NOT IN (SELECT id FROM images)"
    ):
        yield Fault(Problem("image", reference, f"it names {image_id[:19]}, which is not there; {_AGAIN}"))
    told: set[str] = set()
    for row in db.execute("SELECT id, manifest_digest, config, layers FROM images").fetchall():
        for fault in _image(content, snapshots, *row):
            told.add(fault.blob)
            yield fault
    if hashes:
        for digest in content.digests():
            if digest not in told and _hash(content.path(digest)) not in (digest, ""):
                users = _users(db, digest)
                of = f" of {', '.join(users)}" if users else ""
                yield Fault(Problem("content", digest[:19], f"the blob{of} is damaged; --repair, or {_AGAIN}"), digest)
    for problem in _leftovers(state, paths):
        yield Fault(problem)


def _users(db: sqlite3.Connection, digest: str) -> list[str]:
    """Names of images that have a blob, those without one by their ids; three at most."""
    rows = db.execute(
        "SELECT COALESCE(r.reference, substr(i.id, 8, 12)) FROM images i LEFT JOIN image_references r ON r.image_id = i.id"
        " WHERE i.loaded > 0 AND (instr(i.layers, :name) OR i.manifest_digest = :name OR i.id = :name) ORDER BY 1",
        {"name": digest},
    )
    names = [str(row[0]).removeprefix("docker.io/").removeprefix("library/") for row in rows]
    return names if len(names) < 4 else [*names[:3], f"{len(names) - 3} more"]


def _image(
    content: ContentStore, snapshots: Snapshots, image_id: str, manifest_digest: str, config: str, layers: str
) -> Iterator[Fault]:
    def of(message: str, blob: str = "", chain_id: str = "") -> Fault:
        return Fault(Problem("image", image_id[:19], message), blob, chain_id)

    try:
        parsed = image_config.parse(config.encode())
        expected = list(zip(parsed.diff_ids, chain_ids(parsed.diff_ids), strict=True))
    except Invalid as error:
        yield of(f"its row is damaged ({error}); `tuidock system rebuild` makes it anew")
        return
    found = json.loads(layers)
    if parsed.id != image_id or [(layer["diff_id"], layer["chain_id"]) for layer in found] != expected:
        yield of("its row does not fit its config; `tuidock system rebuild` makes it anew")
    if not content.has(image_id):
        yield of(f"its config {image_id[:19]} is missing; {_AGAIN}", image_id)
    if not content.has(manifest_digest):
        yield of(f"its manifest {manifest_digest[:19]} is missing; {_AGAIN}", manifest_digest)
    else:
        try:
            manifest.parse_manifest(content.read(manifest_digest, manifest.SIZE_LIMIT))
        except Exception as error:
            yield of(f"its manifest cannot be read ({error}); {_AGAIN}", manifest_digest)
    for layer in found:
        path = content.path(layer["digest"])
        size = os.stat(path).st_size if os.path.exists(path) else -1
        if size != layer["size"]:
            state = "is missing" if size < 0 else f"has {size} bytes instead of {layer['size']}"
            yield of(f"the blob {layer['digest'][:19]} of a layer {state}; {_AGAIN}", layer["digest"])
        if not snapshots.has(layer["chain_id"]):
            missing = f"the directory of layer {layer['diff_id'][:19]} is missing; {_AGAIN}"
            yield of(missing, chain_id=layer["chain_id"])


def _hash(path: str) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except FileNotFoundError:  # removed meanwhile
        return ""
    return "sha256:" + digest.hexdigest()


def _leftovers(state: State, paths: Paths) -> Iterator[Problem]:
    with collecting(paths) as held:
        blobs, chains = collection.roots(state)
        stored, layers = set(ContentStore(paths).digests()), set(Snapshots(paths).chain_ids())
    if held is None:  # somebody is at it: what has no row yet gets one
        return
    for digest in sorted(stored - blobs - held):
        yield Problem("content", digest[:19], "the blob belongs to no image; the next removal collects it")
    for chain_id in sorted(layers - chains - held):
        yield Problem("layer", chain_id[:19], "the directory belongs to no image; the next removal collects it")
    for digest in partial.stale(paths):
        yield Problem("content", digest[:19], "a download that nobody went on with for a day; the next load sweeps it")
    for name in _unlocked(paths.ingest):
        if len(name) < 64:  # the others are those of `partial`
            yield Problem(
                "content", name, "left by a load, pull, push or build that was cut off; the next one sweeps it"
            )
    for name in os.listdir(paths.trash) if os.path.isdir(paths.trash) else ():
        yield Problem("content", name, "left by a removal that was cut off; the next load sweeps it")
    for name in _unlocked(paths.snapshots, "."):
        yield Problem("layer", name, "left by a load, pull or build that was cut off; the next one sweeps it")


def _unlocked(directory: str, start: str = "") -> list[str]:
    """The directories in it, with names that start so, that no living process holds."""
    found = []
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        if not name.startswith(start):
            continue
        try:
            fd = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            found.append(name)
        except BlockingIOError:
            pass
        finally:
            os.close(fd)
    return found
