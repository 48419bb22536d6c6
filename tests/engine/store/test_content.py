"""Blobs and drafts: complete or not there; leftovers of the dead go, those of the living stay."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.store.archives import sha256
from tests.engine.store.conftest import Store
from tuidock.engine.errors import BadContent, NotFound
from tuidock.engine.oci import Invalid
from tuidock.engine.store import collection
from tuidock.engine.store.compression import inflate
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.snapshots import Snapshots


@pytest.fixture
def content(store: Store) -> ContentStore:
    return ContentStore(store.paths)


def test_a_blob_is_read_only_and_named_by_its_bytes(content: ContentStore) -> None:
    digest = content.put(b"blob")
    assert digest == sha256(b"blob")
    assert stat.S_IMODE(os.stat(content.path(digest)).st_mode) == 0o444
    assert content.read(digest, 10) == b"blob" and content.size(digest) == 4
    assert content.put(b"blob") == digest


def test_an_ingest_is_invisible_until_it_is_published(content: ContentStore) -> None:
    with content.ingests() as ingests:
        ingest = ingests.put(b"half")
        assert not content.has(ingest.digest)
    assert not content.has(sha256(b"half")) and list(content.digests()) == []


def test_bytes_that_are_not_the_promised_ones_are_refused(content: ContentStore) -> None:
    with content.ingests() as ingests:
        ingest = ingests.put(b"blob")
        with pytest.raises(BadContent, match="arrived as"):
            ingest.expect(sha256(b"other"))
        with pytest.raises(BadContent, match="4 bytes where 5"):
            ingest.expect(sha256(b"blob"), 5)
        ingest.expect(sha256(b"blob"), 4)


def test_a_damaged_document_is_not_handed_out(content: ContentStore) -> None:
    digest = content.put(b"blob")
    os.chmod(content.path(digest), 0o644)
    Path(content.path(digest)).write_bytes(b"evil")
    with pytest.raises(BadContent, match="damaged"):
        content.read(digest, 10)


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "sha256:" + "A" * 64, "md5:" + "0" * 32])
def test_no_other_name_becomes_a_path(content: ContentStore, digest: str) -> None:
    with pytest.raises(Invalid):
        content.path(digest)


def test_a_missing_blob_is_not_found(content: ContentStore) -> None:
    with pytest.raises(NotFound):
        content.open("sha256:" + "0" * 64)


LEFT = """
import os, signal, sys
from tuidock.engine.paths import Paths
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.snapshots import Snapshots
paths = Paths(sys.argv[1])
ContentStore(paths).ingests().put(b"left behind")
os.mkdir(Snapshots(paths).draft().path + "/fs/deep")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_sweep_takes_what_the_dead_left_and_nothing_of_the_living(store: Store, content: ContentStore) -> None:
    subprocess.run([sys.executable, "-c", LEFT, store.paths.root])
    with content.ingests() as ingests, Snapshots(store.paths).draft() as draft:
        living = ingests.put(b"alive")
        assert collection.sweep(store.paths) == 2
        assert os.path.exists(living.path) and os.path.isdir(draft.path)
    assert store.is_empty()


def test_the_first_of_two_makers_of_a_layer_wins(store: Store) -> None:
    snapshots = Snapshots(store.paths)
    chain_id = "sha256:" + "a" * 64
    with snapshots.draft() as first, snapshots.draft() as second:
        first.size = 7
        first.write_size()
        snapshots.commit(first, chain_id)
        snapshots.commit(second, chain_id)
    assert snapshots.size(chain_id) == 7
    assert store.names("snapshots") == ["a" * 64]


def test_a_missing_layer_is_told_with_what_to_do(store: Store) -> None:
    with pytest.raises(BadContent, match="load or pull it again"):
        Snapshots(store.paths).lower_directories(["sha256:" + "a" * 64])


def test_a_bomb_is_inflated_in_bounded_pieces() -> None:
    import gzip
    import io

    bomb = gzip.compress(gzip.compress(bytes(200_000_000), 9), 9)
    inner = b"".join(inflate(io.BytesIO(bomb).read))
    sizes = [len(chunk) for chunk in inflate(io.BytesIO(inner).read)]
    assert sum(sizes) == 200_000_000 and max(sizes) <= 4 << 20
