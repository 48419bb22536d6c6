"""The operations during which the power is cut: what they need, what they do, what they make."""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.conftest import busybox_archive, request
from tests.engine.store.archives import docker_archive
from tests.rawtar import DIRECTORY, archive, entry
from tests.registry.images import image as made_image
from tests.registry.misbehaving import misbehaving
from tests.security.conftest import busybox_layer
from tuidock.engine import Engine

BASE, VICTIM = "busybox:latest", "victim:1"


class Work(NamedTuple):
    """words: the command line. makes, removes: images; creates, ends: containers. discard: removes what it keeps beside
    images."""

    name: str
    words: tuple[str, ...]
    makes: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    creates: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    prepare: Callable[[Engine], None] = lambda engine: base(engine)
    discard: Callable[[Engine], None] = lambda engine: None


def base(engine: Engine, *more: bytes) -> None:
    """busybox, and an image over it that goes first."""
    for raw in (busybox_archive(), docker_archive([([busybox_layer(), layer(7, 10)], [VICTIM])]), *more):
        for _ in engine.load(io.BytesIO(raw)):
            pass


def layer(seed: int, files: int) -> bytes:
    """Small files, some big ones, a whiteout: always the same for a seed."""
    chance = random.Random(seed)
    parts = [entry(f"srv/{seed}", DIRECTORY, mode=0o750)]
    parts += [entry(f"srv/{seed}/{n}", content=chance.randbytes(chance.randrange(20_000))) for n in range(files)]
    parts.append(entry(f"srv/{seed}/big", content=chance.randbytes(files * 10_000), mode=0o600, uid=seed))
    return archive(*parts, entry(f"bin/.wh.{'yes' if seed % 2 else 'tac'}"))


def several() -> bytes:
    """An archive of two images that share layers."""
    layers = [busybox_layer(), *(layer(seed, 100) for seed in range(1, 5))]
    return docker_archive([(layers, ["loaded:1"]), ([*layers[:3], layer(9, 50)], ["loaded:2"])])


def works(stack: ExitStack, names: Sequence[str] = ()) -> Iterator[Work]:
    """All of them, or those of these names; what they use outside of the disk goes with the stack."""
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tuidock-power-")))
    makers = {maker.__name__.strip("_"): maker for maker in _MAKERS}
    assert set(names) <= set(makers), f"there are {', '.join(makers)}"
    for name in names or makers:
        yield makers[name](stack, place)


def _load(stack: ExitStack, place: Path) -> Work:
    (place / "load.tar").write_bytes(several())
    return Work("load", ("load", "-q", "-i", str(place / "load.tar")), ("loaded:1", "loaded:2"))


def _rmi(stack: ExitStack, place: Path) -> Work:
    """Of one image of two that share layers."""
    return Work("rmi", ("rmi", "loaded:1"), removes=("loaded:1",), prepare=lambda engine: base(engine, several()))


def _pull(stack: ExitStack, place: Path) -> Work:
    """Several layers of a registry at once; a later attempt may go on with what has come."""
    registry = stack.enter_context(misbehaving())
    made = made_image([busybox_layer(), *(layer(seed, 100) for seed in range(1, 5))])
    registry.add("team/pulled", "1", made)
    reference = f"{registry.host}/team/pulled:1"
    return Work("pull", ("pull", "-q", reference), (reference,))


def _commit(stack: ExitStack, place: Path) -> Work:
    """Of a stopped container that made, changed and removed files."""
    script = (
        "mkdir /srv/new; for n in $(seq 200); do (echo $n; head -c 30000 /bin/busybox) > /srv/new/$n; done; "
        "rm /bin/tac; rm -r /srv/7; mkdir /srv/7; echo opaque > /srv/7/only; echo more >> /etc/passwd"
    )

    def prepare(engine: Engine) -> None:
        base(engine)
        container = engine.create(
            request(["sh", "-c", script], name="changed", config={"Image": VICTIM}, NetworkMode="none")
        )
        engine.start(container)
        assert engine.wait(container) == 0

    return Work("commit", ("commit", "changed", "committed:1"), ("committed:1",), prepare=prepare, discard=_remove_all)


_DOCKERFILE = f"""\
FROM {BASE} AS first
RUN mkdir /srv && for n in $(seq 100); do (echo $n; head -c 20000 /bin/busybox) > /srv/$n; done
FROM {BASE}
COPY tree /srv/tree
RUN rm -r /srv/tree/1 && mkdir /srv/tree/1 && echo one > /srv/tree/1/one
COPY --from=first /srv /srv/first
ENV A=b
"""


def _build(stack: ExitStack, place: Path) -> Work:
    """Two stages, steps that run and steps that copy; what is in the cache after the cut must be right as well."""
    context = place / "context"
    for number in range(60):
        file = context / f"tree/{number % 6}/{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(random.Random(number).randbytes(30_000))
    (context / "Dockerfile").write_text(_DOCKERFILE)

    def discard(engine: Engine) -> None:
        engine.remove_image("built:1", force=True)
        engine.prune_builds(all=True)

    words = ("build", "-q", "--network", "none", "-t", "built:1", str(context))
    return Work("build", words, ("built:1",), discard=discard)


def _create(stack: ExitStack, place: Path) -> Work:
    """With a volume of a name and one without, which gets what the image has there."""
    words = ("create", "--name", "new", "--network", "none", "-v", "data:/data", "-v", "/etc", BASE, "true")
    return Work("create", words, creates=("new",), discard=_remove_all)


def _rm(stack: ExitStack, place: Path) -> Work:
    """Of a container that has run and wrote something."""

    def prepare(engine: Engine) -> None:
        base(engine)
        container = engine.create(request(["true"], name="old", Binds=["data:/data", "/etc"], NetworkMode="none"))
        engine.start(container)
        assert engine.wait(container) == 0

    return Work("rm", ("rm", "-v", "old"), ends=("old",), prepare=prepare, discard=_remove_all)


def _remove_all(engine: Engine) -> None:
    containers = [container.id for container in engine.containers()]
    for _, error in engine.remove_many(containers, force=True, volumes=True):
        assert error is None, error
    for volume in engine.volumes():
        engine.remove_volume(volume.name)


_MAKERS: tuple[Callable[[ExitStack, Path], Work], ...] = (_load, _pull, _build, _commit, _rmi, _create, _rm)
NAMES = tuple(maker.__name__.strip("_") for maker in _MAKERS)
