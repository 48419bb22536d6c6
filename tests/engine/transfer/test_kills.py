"""A pull that is killed at any step: nothing is visible or the whole image is, and the next pull makes it whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable

from tests.engine.store.conftest import Store
from tests.engine.transfer.pulls import BASE, REPOSITORY, TOP, noise, partials, pull, said
from tests.registry import images as made
from tests.registry.misbehaving import Misbehaving
from tuidock.engine.store import collection, images, operations

KILLED = """
import os, signal, sys
from tuidock.engine.oci.reference import parse_tagged
from tuidock.engine.paths import Paths
from tuidock.engine.registry.client import Registry
from tuidock.engine.state import State
from tuidock.engine.store import assembly
from tuidock.engine.transfer import layering, pulling
paths = Paths(sys.argv[1])
at = int(sys.argv[2])
calls = 0
def counted(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
for name in ("rename", "mkdir", "fsync", "fchmod", "unlink", "rmdir"):
    setattr(os, name, counted(getattr(os, name)))
assembly.syncfs = counted(assembly.syncfs)
layering.Layering._write_back = lambda self: None  # its calls would come at any time
list(pulling.pull(State(paths), paths, Registry, parse_tagged(sys.argv[3])))
print(calls)
"""


def killed(store: Store, step: int, name: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", KILLED, store.paths.root, str(step), name],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        check=False,
    )


def test_a_kill_at_any_step(new_store: Callable[[], Store], registry: Misbehaving) -> None:
    name = f"{registry.host}/demo:1"
    digest = registry.add("demo", "1", made.image([BASE, noise(500_000), TOP]))
    whole = killed(new_store(), 0, name)
    steps = int(whole.stdout)
    assert steps >= 20, whole.stderr
    for step in range(1, steps + 1):
        store = new_store()
        done = killed(store, step, name)
        if done.returncode == 0:
            continue  # threads do not take the same number of steps each time
        assert done.returncode == -signal.SIGKILL, done.stderr
        seen = images.list_images(store.state, {})
        assert len(seen) <= 1
        operations.collect(store.state, store.paths)
        collection.sweep(store.paths)
        assert store.problems() == [], step
        assert said(pull(store, name))[0] == digest
        assert store.problems() == [] and partials(store) == {}, step
        store.state.close()
        shutil.rmtree(store.paths.root)
