"""Several processes and threads pull at once, and some are killed: every byte is fetched once, everybody gets the image."""

from __future__ import annotations

import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.engine.store.archives import layer, sha256
from tests.engine.store.conftest import Store
from tests.engine.transfer.pulls import BASE, TOP, eventually, files, noise, partials, process, pull
from tests.registry import images as made
from tests.registry.misbehaving import Misbehaving, stall_after
from tuidock.engine.store import collection, images

SIZE = 3_000_000
TARS = [BASE, noise(SIZE), TOP]
BIG = made.image(TARS)
LARGE = sha256(BIG.layers[1])


@pytest.fixture
def shared(store: Store) -> Store:
    """A data root that the command line takes as its own."""
    from tuidock.engine import Engine

    Engine(store.paths.root).close()
    return store


def fetched(registry: Misbehaving) -> list[str]:
    """Blobs that were asked for, sorted."""
    return sorted(one.path.rpartition("/")[2] for one in registry.seen("GET", "/blobs/"))


def arrived(store: Store, digest: str, size: int) -> bool:
    return partials(store).get(digest, 0) >= size


def finish(running: subprocess.Popen[bytes]) -> str:
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err.decode()
    return out.decode()


def test_after_a_kill_the_next_pull_goes_on(shared: Store, registry: Misbehaving) -> None:
    registry.add("demo", "1", BIG)
    registry.fault("GET", LARGE, stall_after(2_000_000), times=1)
    running = process(shared, f"{registry.host}/demo:1")
    eventually(lambda: arrived(shared, LARGE, 1_500_000), "the first part arrives")
    running.kill()
    running.communicate()
    assert images.list_images(shared.state, {}) == []
    collection.sweep(shared.paths)
    collection.collect(shared.state, shared.paths)
    assert shared.problems() == []
    had = partials(shared)[LARGE]
    registry.requests.clear()
    pull(shared, f"{registry.host}/demo:1")
    asked = registry.seen("GET", LARGE)
    assert [one.headers.get("range") for one in asked] == [f"bytes={had}-"]
    assert len(files(shared, f"{registry.host}/demo:1")["noise"]) == SIZE
    assert shared.problems() == [] and partials(shared) == {}


def test_two_processes_fetch_every_blob_once(shared: Store, registry: Misbehaving) -> None:
    registry.add("demo", "1", BIG)
    registry.fault("GET", LARGE, stall_after(1_000_000), times=1)
    first = process(shared, f"{registry.host}/demo:1")
    eventually(lambda: arrived(shared, LARGE, 500_000), "the first has begun")
    second = process(shared, f"{registry.host}/demo:1")
    eventually(lambda: Path(shared.paths.ingest, LARGE[7:], "wanted").exists(), "the second waits")
    registry.woken.set()  # the connection of the first ends, it goes on
    said = [finish(first), finish(second)]
    assert all("Status: " in text for text in said)
    assert sum(one == LARGE for one in fetched(registry)) == 2, "once, and once again from where it was dropped"
    assert registry.seen("GET", LARGE)[1].headers["range"].startswith("bytes=")
    assert len(files(shared, f"{registry.host}/demo:1")["noise"]) == SIZE
    assert shared.problems() == [] and partials(shared) == {}


def test_when_the_first_dies_the_second_takes_over(shared: Store, registry: Misbehaving) -> None:
    registry.add("demo", "1", BIG)
    registry.fault("GET", LARGE, stall_after(1_000_000), times=1)
    first = process(shared, f"{registry.host}/demo:1")
    eventually(lambda: arrived(shared, LARGE, 500_000), "the first has begun")
    second = process(shared, f"{registry.host}/demo:1")
    eventually(lambda: Path(shared.paths.ingest, LARGE[7:], "wanted").exists(), "the second waits")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    finish(second)
    assert registry.seen("GET", LARGE)[-1].headers["range"].startswith("bytes=")
    assert len(files(shared, f"{registry.host}/demo:1")["noise"]) == SIZE
    collection.sweep(shared.paths)
    assert shared.problems() == [] and partials(shared) == {}


def test_who_waits_for_one_layer_does_not_wait_for_the_whole_image(store: Store, registry: Misbehaving) -> None:
    """The first image's second layer never comes; the second image shares only the first layer."""
    registry.add("slow", "1", BIG)
    registry.add("quick", "1", made.image([BASE, layer({"quick": b""})]))
    registry.fault("GET", LARGE, stall_after(100_000))
    from tests.engine.transfer.pulls import begin

    slow = begin(store, f"{registry.host}/slow:1")
    base = sha256(BIG.layers[0])
    stop = threading.Event()

    def go_on() -> None:
        for _ in slow:
            if stop.is_set():
                break
        slow.close()  # type: ignore[attr-defined]
        store.state.close()

    thread = threading.Thread(target=go_on)
    thread.start()
    eventually(lambda: arrived(store, LARGE, 50_000) and arrived(store, base, len(BIG.layers[0])), "the base has come")
    done: list[object] = []
    other = threading.Thread(target=lambda: (done.extend(pull(store, f"{registry.host}/quick:1")), store.state.close()))
    other.start()
    other.join(30)
    stop.set()
    registry.woken.set()
    thread.join(30)
    assert done and not thread.is_alive()
    assert sum(one == base for one in fetched(registry)) == 1
    assert "quick" in files(store, f"{registry.host}/quick:1")
    assert store.problems() == []


def test_images_that_share_layers_crosswise_do_not_wait_for_each_other_for_ever(
    shared: Store, registry: Misbehaving
) -> None:
    tars = [noise(400_000, f"layer{number}") for number in range(4)]
    registry.add("demo", "1", made.image(tars))
    registry.add("demo", "2", made.image(tars[::-1]))
    running = [process(shared, f"{registry.host}/demo:{tag}") for tag in (1, 2, 1, 2)]
    for one in running:
        finish(one)
    assert len(images.list_images(shared.state, {})) == 2
    for tag in (1, 2):
        assert len(files(shared, f"{registry.host}/demo:{tag}")) == 4
    assert shared.problems() == [] and partials(shared) == {}


def test_threads_of_one_process_share_too(store: Store, registry: Misbehaving) -> None:
    registry.add("demo", "1", BIG)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            pull(store, f"{registry.host}/demo:1")
        except BaseException as error:
            failures.append(error)
        finally:
            store.state.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sum(one == LARGE for one in fetched(registry)) == 1
    assert store.problems() == [] and partials(store) == {}
