"""system check --repair: what is damaged or missing comes again from where the image came from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.engine.store.archives import docker_archive, sha256
from tests.engine.store.conftest import Store
from tests.engine.transfer.pulls import BASE, TOP, connect, files, pull
from tests.registry import images as made
from tests.registry.misbehaving import Misbehaving, status
from tuidock.engine.oci.digest import chain_ids
from tuidock.engine.registry.client import Registry
from tuidock.engine.store import images, verify
from tuidock.engine.store.content import ContentStore
from tuidock.engine.transfer import operations, repairing
from tuidock.engine.types import Problem

DEMO = made.image([BASE, TOP])
LAYER = sha256(DEMO.layers[1])


@pytest.fixture
def pulled(store: Store, registry: Misbehaving) -> Store:
    registry.add("demo", "1", DEMO)
    pull(store, f"{registry.host}/demo:1")
    return store


def repair(store: Store) -> list[Problem]:
    faults = list(verify.faults(store.state, store.paths))
    assert faults, "the damage is found"
    return list(repairing.repair(store.state, store.paths, faults, connect()))


def path(store: Store, digest: str) -> Path:
    return Path(ContentStore(store.paths).path(digest))


def damage(store: Store, digest: str) -> None:
    """Other bytes of the same length."""
    where = path(store, digest)
    size = where.stat().st_size
    where.unlink()
    where.write_bytes(os.urandom(size))


@pytest.mark.parametrize("digest", [LAYER, DEMO.digest])
@pytest.mark.parametrize("how", ["missing", "damaged", "short"])
def test_a_blob_is_fetched_again(pulled: Store, registry: Misbehaving, digest: str, how: str) -> None:
    if how == "damaged":
        damage(pulled, digest)
    elif how == "short":
        where = path(pulled, digest)
        raw = where.read_bytes()
        where.unlink()
        where.write_bytes(raw[:-3])
    else:
        path(pulled, digest).unlink()
    done = repair(pulled)
    assert [one.repaired for one in done] == [True], done
    assert f"fetched again from {registry.host}/demo" in done[0].message
    assert pulled.problems() == []


def test_a_config_needs_no_registry(pulled: Store, registry: Misbehaving) -> None:
    path(pulled, sha256(DEMO.config)).unlink()
    registry.requests.clear()
    assert [one.repaired for one in repair(pulled)] == [True]
    assert registry.requests == [] and pulled.problems() == []


def test_a_layer_is_unpacked_again(pulled: Store, registry: Misbehaving) -> None:
    for chain_id in chain_ids([sha256(BASE), sha256(TOP)]):
        shutil.rmtree(Path(pulled.paths.snapshots, chain_id[7:]))
    registry.requests.clear()
    assert [one.repaired for one in repair(pulled)] == [True, True]
    assert registry.requests == [] and pulled.problems() == []
    assert files(pulled, f"{registry.host}/demo:1")["etc/new"] == b"top"


def test_blob_and_layer_together(pulled: Store) -> None:
    path(pulled, sha256(DEMO.layers[0])).unlink()
    shutil.rmtree(Path(pulled.paths.snapshots, sha256(BASE)[7:]))
    assert all(one.repaired for one in repair(pulled))
    assert pulled.problems() == []


def test_what_no_registry_gives_is_told_with_the_reason(pulled: Store, registry: Misbehaving) -> None:
    path(pulled, LAYER).unlink()
    registry.fault("GET", "/blobs/", status(404))
    (problem,) = repair(pulled)
    assert not problem.repaired and "not repaired" in problem.message and "load or pull" in problem.message


def test_an_image_that_was_loaded_makes_its_manifest_again(store: Store) -> None:
    store.load(docker_archive([([BASE, TOP], ["loaded"])]))
    from tuidock.engine.store import images

    manifest = images.resolve(store.state, store.paths, "loaded").manifest_digest
    path(store, manifest).unlink()
    assert [one.repaired for one in repair(store)] == [True]
    assert store.problems() == []


def test_host_base_is_made_again_and_its_names_are_told(store: Store) -> None:
    """It has a name of docker.io, which nobody must be asked for it."""
    for _ in operations.pull(store.state, store.paths, "host/base"):
        pass
    layer = images.resolve(store.state, store.paths, "host/base").layers[0]
    damage(store, layer.digest)

    def nobody(host: str) -> Registry:
        raise AssertionError(host)

    faults = list(verify.faults(store.state, store.paths))
    assert ["the blob of host/base:latest is damaged" in fault.problem.message for fault in faults] == [True]
    (problem,) = repairing.repair(store.state, store.paths, faults, nobody)
    assert problem.repaired and problem.message.endswith("made of this machine's programs again")
    assert store.problems() == []
