"""Leases: what somebody uses stays, everything else goes, and the dead hold nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.engine.store.conftest import Store
from tuidock.engine.store import operations
from tuidock.engine.store.content import ContentStore
from tuidock.engine.store.leases import Lease, collecting

KILLED = """
import os, signal, sys
from tuidock.engine.paths import Paths
from tuidock.engine.store.leases import Lease
Lease(Paths(sys.argv[1]), everything=True).add("sha256:" + "0" * 64)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def content(store: Store) -> ContentStore:
    return ContentStore(store.paths)


def test_a_collection_leaves_what_is_named_and_takes_the_rest(store: Store, content: ContentStore) -> None:
    kept, gone = content.put(b"kept"), content.put(b"gone")
    with Lease(store.paths) as lease:
        lease.add(kept)
        assert operations.collect(store.state, store.paths)[0] == 1
        assert content.has(kept) and not content.has(gone)
    operations.collect(store.state, store.paths)
    assert store.is_empty() and store.names("content", "leases") == []


def test_who_cannot_say_what_stops_everything(store: Store, content: ContentStore) -> None:
    kept = content.put(b"kept")
    with content.lease():
        assert operations.collect(store.state, store.paths) == (0, 0)
        assert content.has(kept)


def test_several_leases_add_up(store: Store) -> None:
    with Lease(store.paths) as one, Lease(store.paths) as other:
        one.add("sha256:" + "1" * 64, "")
        one.add("sha256:" + "1" * 64, "sha256:" + "3" * 64)
        other.add("sha256:" + "2" * 64)
        with collecting(store.paths) as held:
            assert held == {"sha256:" + digit * 64 for digit in "123"}


def test_the_dead_hold_nothing(store: Store) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, store.paths.root], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(store.names("content", "leases")) == 1
    with collecting(store.paths) as held:
        assert held == set()
    assert store.names("content", "leases") == []


def test_nobody_adds_a_name_while_a_collection_looks(store: Store) -> None:
    added = threading.Event()
    with Lease(store.paths) as lease:

        def add() -> None:
            lease.add("sha256:" + "1" * 64)
            added.set()

        with collecting(store.paths) as held:
            assert held == set()
            thread = threading.Thread(target=add)
            thread.start()
            assert not added.wait(0.2)
        thread.join(10)
        assert added.is_set()
        with collecting(store.paths) as held:
            assert held == {"sha256:" + "1" * 64}


def test_a_record_is_private(store: Store) -> None:
    with Lease(store.paths):
        (name,) = store.names("content", "leases")
        assert os.stat(f"{store.paths.leases}/{name}").st_mode & 0o777 == 0o600
        assert os.stat(store.paths.leases).st_mode & 0o777 == 0o700
