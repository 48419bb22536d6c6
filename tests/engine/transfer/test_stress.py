"""Several processes pull, give up, remove and collect at random while some are killed: never an error, never damage."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

from tests.engine.store.conftest import Store
from tests.engine.transfer.pulls import BASE, REPOSITORY, TOP, noise, pull
from tests.registry import images as made
from tests.registry.misbehaving import Misbehaving, drop_after
from tuidock.engine import Engine

WORKER = """
import random, sys
from tuidock.engine import Engine
from tuidock.engine.errors import NotFound
from tuidock.engine.store import collection
engine, host = Engine(sys.argv[1]), sys.argv[2]
chance = random.Random(sys.argv[3])
for _ in range(12):
    name = f"{host}/demo:{chance.choice('1234')}"
    what = chance.choice(["pull", "pull", "remove", "collect", "give up"])
    try:
        if what == "pull":
            list(engine.pull(name))
        elif what == "remove":
            engine.remove_image(name, force=True, now=True)
        elif what == "collect":
            collection.collect(engine.instance.state, engine.instance.paths)
            collection.sweep(engine.instance.paths)
        else:
            steps, left = engine.pull(name), chance.randint(1, 12)
            for _ in steps:
                left -= 1
                if not left:
                    break
            steps.close()
    except NotFound:
        pass
"""


def test_many_at_once(store: Store, registry: Misbehaving) -> None:
    root = store.paths.root
    Engine(root).close()
    first, second, third = noise(300_000, "a"), noise(500_000, "b"), noise(200_000, "c")
    layers = ([first, second, third], [third, second, first], [first, third], [BASE, first, TOP])
    for tag, tars in enumerate(layers, 1):
        registry.add("demo", str(tag), made.image(tars))
    for number in range(15):
        registry.fault("GET", "/blobs/", drop_after(100_000 + 1000 * number), times=1)

    def start(seed: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", WORKER, root, registry.host, seed],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    chance = random.Random("many at once")
    workers = [start(str(number)) for number in range(3)]
    for number in range(3):
        time.sleep(chance.uniform(0.5, 1.5))  # any moment will do
        workers[number].kill()
        workers[number].communicate()
        workers[number] = start(f"again {number}")
    for worker in workers:
        said, _ = worker.communicate(timeout=120)
        assert worker.returncode == 0, said.decode()
    engine = Engine(root)
    engine.sweep()
    assert [str(problem) for problem in engine.check()] == []
    for tag in "1234":
        pull(store, f"{registry.host}/demo:{tag}")
    assert [str(problem) for problem in engine.check()] == []
    assert len(engine.images()) == 4
    engine.close()
