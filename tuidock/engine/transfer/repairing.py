"""Repair: what is missing or damaged in the store is fetched again from where its image came from, or unpacked again.

Blobs are named by their digests, so any repository that an image is known by can give them back, and it does not matter
what its tags mean today. A configuration stands in the database as well, a manifest that was made here can be made
again, and a layer's directory only needs its blob.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from tuidock.engine.errors import EngineError, RegistryRefused
from tuidock.engine.files import refuse
from tuidock.engine.oci import descriptor, manifest
from tuidock.engine.oci.descriptor import Descriptor
from tuidock.engine.oci.digest import of_bytes
from tuidock.engine.oci.reference import Reference
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import images
from tuidock.engine.store.assembly import sync_root
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.images import Layer
from tuidock.engine.store.layers import Unpacking
from tuidock.engine.store.leases import Lease
from tuidock.engine.store.snapshots import Snapshots
from tuidock.engine.transfer.fetching import Fetch, Source
from tuidock.engine.types import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tuidock.engine.registry.client import Registry
    from tuidock.engine.store.verify import Fault

    Connect = Callable[[str], Registry]


def repair(state: State, paths: Paths, faults: Sequence[Fault], connect: Connect | None = None) -> Iterator[Problem]:
    """Puts the faults right, blobs before layers; each comes back as a problem that is repaired or says why not."""
    if connect is None:
        from tuidock.engine.registry.client import Registry

        connect = Registry
    mending = _Mending(state, paths, connect)
    with Lease(paths) as lease:
        for fault in sorted(faults, key=lambda fault: bool(fault.chain_id)):
            lease.add(fault.blob, fault.chain_id)
            problem = fault.problem
            try:
                how = mending.blob(fault.blob) if fault.blob else mending.layer(fault.chain_id)
            except OSError as error:
                yield problem._replace(message=f"{problem.message} ({refuse(error, 'repair it')})")
            except EngineError as error:
                yield problem._replace(message=f"{problem.message} (not repaired: {error})")
            else:
                said = problem.message.partition(";")[0]
                yield problem._replace(message=f"{said}; {how}", repaired=True)


class _Mending:
    def __init__(self, state: State, paths: Paths, connect: Connect) -> None:
        self._state, self._paths, self._connect = state, paths, connect
        self._content, self._snapshots = ContentStore(paths), Snapshots(paths)
        self._done: dict[str, str] = {}

    def _images(self, name: str) -> list[images.ImageRecord]:
        """Those whose row mentions a blob or layer, or that are known by that digest."""
        rows = self._state.read().execute(
            "SELECT id FROM images WHERE id = :name OR manifest_digest = :name OR instr(layers, :name)"
            " UNION SELECT image_id FROM image_references WHERE digest = :name AND image_id IN (SELECT id FROM images)",
            {"name": name},
        )
        return [images.get(self._state, self._paths, row[0]) for row in rows.fetchall()]

    # --- blobs

    def blob(self, digest: str) -> str:
        """How it was put right. Raises EngineError, OSError."""
        if digest not in self._done:
            self._done[digest] = self._mend_blob(digest)
        return self._done[digest]

    def _mend_blob(self, digest: str) -> str:
        users = self._images(digest)
        if not users:
            raise RegistryRefused("no image needs it")
        for record in users:
            made = self._made_here(record, digest)
            if made is not None:
                self._store(made)
                return "written again from the database"
        failures: list[str] = []
        for record in users:
            for reference in self._origins(record):
                try:
                    return self._fetch(record, reference, digest)
                except EngineError as error:
                    failures.append(str(error))
        raise RegistryRefused(
            "; ".join(dict.fromkeys(failures)) or "the image has no name that says where it came from"
        )

    def _made_here(self, record: images.ImageRecord, digest: str) -> bytes | None:
        """A document that needs no registry."""
        row = self._state.read().execute("SELECT config FROM images WHERE id = ?", (record.id,)).fetchone()
        config: bytes = row[0].encode()
        if digest == record.id:
            return config if of_bytes(config) == digest else None
        if digest != record.manifest_digest:
            return None
        layers = [Descriptor(layer.media_type, layer.digest, layer.size) for layer in record.layers]
        made = manifest.make_manifest(Descriptor(descriptor.OCI_CONFIG, record.id, len(config)), layers)
        return made if of_bytes(made) == digest else None

    def _origins(self, record: images.ImageRecord) -> list[Reference]:
        """One reference for each repository that it is known by."""
        found: dict[str, Reference] = {}
        for reference in images.references_of(self._state.read(), record.id):
            found.setdefault(reference.name, reference)
        return list(found.values())

    def _store(self, raw: bytes) -> None:
        with self._content.ingests() as ingests:
            self._content.publish(ingests.put(raw), replace=True)

    def _collect(self, digest: str) -> str:
        """host/base comes from no registry: it is made of this machine's programs again."""
        from tuidock.engine.store import host_base

        with self._content.ingests() as ingests:
            blob = ingests.new()
            host_base.write_layer(blob)
            if blob.digest != digest:
                raise RegistryRefused(
                    f"this machine's programs have changed; `tuidock pull {host_base.NAME}` makes it anew"
                )
            self._content.publish(blob, replace=True)
        return "made of this machine's programs again"

    def _fetch(self, record: images.ImageRecord, reference: Reference, digest: str) -> str:
        from tuidock.engine.store.host_base import NAME

        if reference.familiar_name == NAME:
            return self._collect(digest)
        layer = next((one for one in record.layers if one.digest == digest), None)
        with self._connect(reference.domain) as registry:
            if layer is None:
                self._store(registry.manifest(reference.path, digest).raw)
                return f"fetched again from {reference.name}"
            source = Source(
                lambda one, offset, retrying: registry.blob(reference.path, one, offset, retrying=retrying),
                registry.host,
            )
            described = Descriptor(layer.media_type, layer.digest, layer.size)
            fetch = Fetch(self._paths, source, described, lambda action, message: None, anew=True)
            try:
                fetch.run()
                fetch.publish(replace=True)
            finally:
                fetch.close()
        return f"fetched again from {reference.name}"

    # --- layers

    def layer(self, chain_id: str) -> str:
        """How its directory was put right. Raises EngineError, OSError."""
        if self._snapshots.has(chain_id):  # several images have told of it
            return "unpacked again"
        for record in self._images(chain_id):
            chain = [layer.chain_id for layer in record.layers]
            number = chain.index(chain_id)
            self._unpack(record.layers[number], chain[:number])
            return "unpacked again"
        raise RegistryRefused("no image needs it")

    def _unpack(self, layer: Layer, below: Sequence[str]) -> None:
        lower = [os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for path in self._lower(below)]
        blob = self._content.open(layer.digest)
        try:
            with self._snapshots.draft() as draft:
                if lower:
                    draft.dress_like(lower[0])
                Unpacking(lambda size: os.read(blob, size), draft, lower=lower).run(layer.digest[7:19])
                if draft.diff_id != layer.diff_id:
                    raise RegistryRefused(f"its blob {layer.digest[:19]} is another layer")
                draft.write_size()
                sync_root(self._paths)
                self._snapshots.commit(draft, layer.chain_id)
                self._snapshots.sync()
        finally:
            for fd in (*lower, blob):
                os.close(fd)

    def _lower(self, below: Sequence[str]) -> list[str]:
        return self._snapshots.lower_directories(below)
