"""Getting, making and shipping images: load, pull, push, build, commit, save, each engine with its whole command.

A round begins with an engine that does not know the image, and a registry whose files are in the page cache. Targets that
the design does not name: the 20-layer image as the Debian one; commit and save at most half of the faster peer, because
both of them copy every byte twice (walk to a temporary file, then into their store or archive), and once is enough.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable

from bench import images
from bench.context import Bench, Line, Row
from bench.measure import BenchFailure, Cell, against_the_faster, interleaved
from bench.peers import Peer
from bench.registry import Registry

_PEERS = ("docker", "podman")
_TARGETS = {"load": 0.5, "pull": 0.3, "push": 0.3, "build": 0.3, "cached": 0.5, "commit": 0.5, "save": 0.5}
_DEBIAN, _LAYERED = "a Debian root file system", f"an image of {images.LAYERS} layers"
_DOCKERFILE = f"""\
FROM {images.SMALL}
RUN echo one > /one
RUN cat /one /one > /two
RUN seq 1000 > /three
"""
#: 500 files of 100 kB, each of them another one.
_CHANGE = "busybox mkdir /srv; for n in $(seq 500); do (echo $n; head -c 100000 /bin/busybox) > /srv/$n; done"


def _compared(bench: Bench, title: str, kind: str, work: Callable[[Peer], float], rounds: tuple[int, int]) -> Line:
    """One line: all engines in turns."""
    ours = bench.tuidock()
    peers, cells = bench.usable(*_PEERS)
    measured: dict[str, Cell] = interleaved(
        bench.rounds(*rounds), {peer.name: (lambda peer=peer: work(peer)) for peer in (ours, *peers)}
    )
    cells |= measured
    return Line(title, cells, "", against_the_faster(cells, _TARGETS[kind]))


def _forget(peer: Peer, reference: str) -> None:
    """Removes an image, whether it is there or not."""
    with contextlib.suppress(BenchFailure):
        peer.output("rmi", *peer.forget_words, reference)


def _warm(path: str) -> None:
    with open(path, "rb") as stream:
        while stream.read(1 << 20):
            pass


# -- load and save -----------------------------------------------------------------------------------------------------


def _load(bench: Bench, what: str, archive: str, reference: str) -> list[Line]:
    def work(peer: Peer) -> float:
        took = peer.timed("load", "-i", archive)
        peer.output("rmi", *peer.forget_words, reference)
        return took

    _warm(archive)
    return [_compared(bench, f"load of {what}", "load", work, (5, 2))]


def load_debian(bench: Bench) -> list[Line]:
    return _load(bench, _DEBIAN, bench.debian_archive(), images.DEBIAN)


def load_layered(bench: Bench) -> list[Line]:
    return _load(bench, _LAYERED, bench.layered_archive(), images.LAYERED)


def save_debian(bench: Bench) -> list[Line]:
    """Into a file that does not exist yet."""
    archive = bench.debian_archive()
    target = f"{bench.directory}/saved.tar"

    def work(peer: Peer) -> float:
        if peer.name not in known:
            peer.output("load", "-i", archive)
            known.add(peer.name)
        took = peer.timed("save", "-o", target, images.DEBIAN)
        if os.path.getsize(target) < os.path.getsize(archive) * 0.9:
            raise BenchFailure(f"the archive has only {os.path.getsize(target)} bytes")
        os.unlink(target)
        return took

    known: set[str] = set()
    line = _compared(bench, f"save of {_DEBIAN}", "save", work, (5, 2))
    for peer in (bench.tuidock(), *bench.usable(*_PEERS)[0]):
        _forget(peer, images.DEBIAN)
    return [line]


# -- registries --------------------------------------------------------------------------------------------------------


def _stored(bench: Bench, archive: str, name: str) -> tuple[Registry, str]:
    """The image in the registry that is pulled from, and its reference there."""
    registry = bench.registry("source")
    directory = f"{bench.directory}/{name}"
    if not os.path.exists(directory):
        os.mkdir(directory)
        registry.put(images.unpacked(archive, directory), name, "1", level=1 if bench.quick else 6)
    registry.warm()
    return registry, f"{registry.address}/{name}:1"


def _pull(bench: Bench, what: str, archive: str, name: str) -> list[Line]:
    registry, reference = _stored(bench, archive, name)
    layers = registry.layers(name, "1")

    def work(peer: Peer) -> float:
        _forget(peer, reference)
        took = peer.timed("pull", *peer.plain_words, reference)
        found = peer.output("image", "inspect", "--format", "{{len .RootFS.Layers}}", reference).strip()
        if found != str(layers):
            raise BenchFailure(f"the image that was pulled has {found} layers instead of {layers}")
        _forget(peer, reference)
        return took

    return [_compared(bench, f"pull of {what}", "pull", work, (5, 2))]


def pull_debian(bench: Bench) -> list[Line]:
    return _pull(bench, _DEBIAN, bench.debian_archive(), "debian")


def pull_layered(bench: Bench) -> list[Line]:
    return _pull(bench, _LAYERED, bench.layered_archive(), "layered")


def push_debian(bench: Bench) -> list[Line]:
    """To a registry that has nothing, from an engine that loaded the image from an archive, so with a layer to compress."""
    registry, archive = bench.registry("target"), bench.debian_archive()
    reference = f"{registry.address}/pushed:1"
    known: set[str] = set()

    def work(peer: Peer) -> float:
        if peer.name not in known:
            peer.output("load", "-i", archive)
            peer.output("tag", images.DEBIAN, reference)
            known.add(peer.name)
        registry.empty()
        # what the round before has noted of the layer, which no first push knows
        shutil.rmtree(f"{peer.environ.get('TUIDOCK_ROOT', bench.directory)}/cache/gzip", ignore_errors=True)
        took = peer.timed("push", *peer.plain_words, reference)
        if registry.layers("pushed", "1") != 1:
            raise BenchFailure("the registry has not got what was pushed")
        return took

    line = _compared(bench, f"push of {_DEBIAN}", "push", work, (5, 2))
    for peer in (bench.tuidock(), *bench.usable(*_PEERS)[0]):
        _forget(peer, reference)
        _forget(peer, images.DEBIAN)
    return [line]


# -- making ------------------------------------------------------------------------------------------------------------


def build(bench: Bench) -> list[Line]:
    """Three RUN steps: all of them run, then all of them found."""
    context = f"{bench.directory}/context"
    os.makedirs(context, exist_ok=True)
    with open(f"{context}/Dockerfile", "w") as stream:
        stream.write(_DOCKERFILE)
    tag = "localhost/bench-built:1"

    def made(peer: Peer, *words: str) -> float:
        took = peer.timed("build", *words, "-t", tag, context)
        if "1000" not in peer.output("run", "--rm", tag, "cat", "/three"):
            raise BenchFailure("the image that was built is not what the Dockerfile says")
        return took

    def warmed(peer: Peer) -> float:
        if peer.name not in known:
            peer.output("build", "-t", tag, context)
            known.add(peer.name)
        return made(peer)

    known: set[str] = set()
    return [
        _compared(bench, "build, 3 RUN steps without cache", "build", lambda peer: made(peer, "--no-cache"), (7, 2)),
        _compared(bench, "build, all steps cached", "cached", warmed, (10, 3)),
    ]


def commit(bench: Bench) -> list[Line]:
    """A stopped container with 500 new files, 50 MB."""
    name, tag = "bench-changed", "localhost/bench-committed:1"
    known: set[str] = set()

    def work(peer: Peer) -> float:
        if peer.name not in known:
            peer.output("run", "--name", name, images.SMALL, "sh", "-c", _CHANGE)
            known.add(peer.name)
        took = peer.timed("commit", name, tag)
        if peer.output("run", "--rm", tag, "head", "-n", "1", "/srv/500").strip() != "500":
            raise BenchFailure("the image that was committed lacks the container's files")
        _forget(peer, tag)
        return took

    line = _compared(bench, "commit of 500 new files, 50 MB", "commit", work, (5, 2))
    for peer in (bench.tuidock(), *bench.usable(*_PEERS)[0]):
        peer.remove([name])
    return [line]


ROWS = [
    Row("load", f"load of {_DEBIAN}", load_debian),
    Row("load20", f"load of {_LAYERED}", load_layered),
    Row("pull", f"pull of {_DEBIAN} from a registry on loopback", pull_debian),
    Row("pull20", f"pull of {_LAYERED} from a registry on loopback", pull_layered),
    Row("push", f"push of {_DEBIAN} to a registry on loopback", push_debian),
    Row("build", "build with three RUN steps, without cache and cached", build),
    Row("commit", "commit of 500 new files", commit),
    Row("save", f"save of {_DEBIAN}", save_debian),
]
