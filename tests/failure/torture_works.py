"""The operations that are tortured: what must be there before, the command line, and what is right afterwards.

Whatever was killed, an operation is done or it is not; `check` finds out which and complains about everything between.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.conftest import request
from tests.failure.machine import known
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError, NotFound

VICTIM = "victim"
#: Counts aloud and ends with this code when it is asked to.
CODE = 42
SCRIPT = f"trap 'exit {CODE}' TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.005; done"
#: Codes that are right: asked to end, killed by the engine, or nobody was left who could see the end.
ENDS = (CODE, 137)
UNSEEN = 255
LIVING = ("running", "paused", "restarting")


class Work(NamedTuple):
    """words: the command line. before: makes what it needs. check: raises AssertionError when the state is neither the
    one before nor the one after; `told`: the command said that it was done."""

    name: str
    words: tuple[str, ...]
    before: Callable[[Engine], None]
    check: Callable[[Engine, bool], None]


def make(engine: Engine) -> str:
    """The victim, not started."""
    wanted = request(["sh", "-c", SCRIPT], name=VICTIM, PortBindings={"80/tcp": [{}]}, Binds=["kept:/kept"])
    return engine.create(wanted)


def start(engine: Engine) -> None:
    engine.start(make(engine))


def nothing(engine: Engine) -> None:
    """Nothing is needed before."""


def pause(engine: Engine) -> None:
    start(engine)
    engine.pause(VICTIM)


def end(engine: Engine) -> None:
    start(engine)
    engine.stop(VICTIM)


def is_usable(engine: Engine, told: bool) -> None:
    """What is there runs, or can be started."""
    if not known(engine, VICTIM):
        assert not told, "it said that the container is there"
        return
    row = engine.container(VICTIM)
    assert row.status in ("created", "running", "paused", "exited"), row
    if row.status == "paused":
        engine.unpause(VICTIM)
    elif row.status != "running":
        engine.start(VICTIM)
    assert engine.container(VICTIM).status == "running"


def runs_if_told(engine: Engine, told: bool) -> None:
    if told:
        assert engine.container(VICTIM).status == "running"
    is_usable(engine, told)


def has_ended_if_told(engine: Engine, told: bool) -> None:
    if told:
        assert engine.container(VICTIM).status == "exited"
    assert known(engine, VICTIM), "it has gone"
    is_usable(engine, told)


def has_gone_if_told(engine: Engine, told: bool) -> None:
    assert not (told and known(engine, VICTIM)), "it said that the container has gone"
    is_usable(engine, False)


def _named(name: str) -> Callable[[Engine, bool], None]:
    def check(engine: Engine, told: bool) -> None:
        assert known(engine, VICTIM) != known(engine, name), "it has both names, or none"
        assert not told or known(engine, name)
        if known(engine, name):
            engine.rename(name, VICTIM)
        is_usable(engine, False)

    return check


def _image(engine: Engine, told: bool) -> None:
    """The new image is whole, or there is none."""
    try:
        engine.inspect_image("made:1")
    except NotFound:
        assert not told, "it said that the image is there"
        return
    container = engine.create(request(["true"], config={"Image": "made:1"}, NetworkMode="none"))
    engine.start(container)
    assert engine.wait(container) == 0
    engine.remove(container, force=True)


def _no_image(engine: Engine, told: bool) -> None:
    try:
        engine.inspect_image("made:1")
    except NotFound:
        return
    assert not told, "it said that the image has gone"
    _image(engine, False)


def _tagged(engine: Engine) -> None:
    engine.tag("busybox", "made:1")


def _volume(engine: Engine, told: bool) -> None:
    there = any(volume.name == "fresh" for volume in engine.volumes())
    assert there or not told
    if there:
        assert Path(engine.volume("fresh").mountpoint).is_dir()
        engine.remove_volume("fresh")


def _no_volume(engine: Engine, told: bool) -> None:
    if any(volume.name == "fresh" for volume in engine.volumes()):
        assert not told
        assert Path(engine.volume("fresh").mountpoint, "file").read_text() == "kept", "a part of it has gone"


def _filled_volume(engine: Engine) -> None:
    Path(engine.create_volume("fresh").mountpoint, "file").write_text("kept")


def _updated(engine: Engine, told: bool) -> None:
    limit = engine.inspect_container(VICTIM)["HostConfig"].get("Memory")
    assert limit in ((64 << 20,) if told else (None, 0, 64 << 20)), limit
    is_usable(engine, False)


def _copied(engine: Engine, told: bool) -> None:
    if told:
        paths = [change.path for change in engine.diff(VICTIM)]
        assert "/copied" in paths, paths
    is_usable(engine, False)


def _networked(engine: Engine) -> None:
    engine.create_network("beside")
    start(engine)


def _joined(engine: Engine) -> None:
    _networked(engine)
    engine.connect_network("beside", VICTIM)


def _has_joined(engine: Engine) -> bool:
    return "beside" in engine.inspect_container(VICTIM)["NetworkSettings"]["Networks"]


def _connected(engine: Engine, told: bool) -> None:
    assert _has_joined(engine) or not told
    is_usable(engine, False)


def _disconnected(engine: Engine, told: bool) -> None:
    assert not (_has_joined(engine) and told)
    is_usable(engine, False)


def _removed(engine: Engine) -> None:
    end(engine)
    engine.remove(VICTIM)


def _undone(engine: Engine, told: bool) -> None:
    assert known(engine, VICTIM) or not told
    if not known(engine, VICTIM):
        engine.undo([VICTIM])
    is_usable(engine, True)


def tidy(engine: Engine) -> None:
    """Takes away what a round made."""
    engine.remove_many([one.id for one in engine.containers()], force=True, volumes=True)
    engine.prune_networks([network.name for network in engine.unused_networks()])
    for name in ("fresh", "kept"):
        try:
            engine.remove_volume(name, force=True)
        except EngineError:
            pass
    try:
        engine.remove_image("made:1", force=True)
    except NotFound:
        pass
    engine.empty_trash()


def layer(place: Path) -> Path:
    """A small tar to import."""
    path = place / "layer.tar"
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo("bin/true")
        busybox = Path("/bin/busybox").read_bytes()
        entry.size, entry.mode = len(busybox), 0o755
        tar.addfile(entry, io.BytesIO(busybox))
    return path


def works(place: Path) -> list[Work]:
    """All of them. place: a directory for files that they read."""
    tar = str(layer(place))
    context = place / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo 1 > /one\nCOPY file /file\nRUN echo 2 > /two\n")
    (context / "file").write_text("content")
    serve = ("-p", "80", "-v", "/anonymous", "-v", "kept:/kept", "--name", VICTIM, "busybox", "sh", "-c", SCRIPT)
    return [
        Work("create", ("create", *serve), nothing, is_usable),
        Work("run", ("run", "-d", *serve), nothing, runs_if_told),
        Work("start", ("start", VICTIM), lambda engine: void(make(engine)), runs_if_told),
        Work("stop", ("stop", VICTIM), start, has_ended_if_told),
        Work("kill", ("kill", VICTIM), start, is_usable),
        Work("restart", ("restart", VICTIM), start, runs_if_told),
        Work("pause", ("pause", VICTIM), start, is_usable),
        Work("unpause", ("unpause", VICTIM), pause, is_usable),
        Work("exec", ("exec", VICTIM, "sh", "-c", "echo hello; sleep 0.02"), start, is_usable),
        Work("update", ("update", "-m", "64m", VICTIM), start, _updated),
        Work("cp in", ("cp", tar, f"{VICTIM}:/copied"), start, _copied),
        Work("cp out", ("cp", f"{VICTIM}:/bin/busybox", str(place / "out")), start, is_usable),
        Work("connect", ("network", "connect", "beside", VICTIM), _networked, _connected),
        Work("disconnect", ("network", "disconnect", "beside", VICTIM), _joined, _disconnected),
        Work("undo", ("undo", VICTIM), _removed, _undone),
        Work("rename", ("rename", VICTIM, "renamed"), start, _named("renamed")),
        Work("rm", ("rm", VICTIM), end, has_gone_if_told),
        Work("rm -f", ("rm", "-f", "-v", VICTIM), start, has_gone_if_told),
        Work("commit", ("commit", VICTIM, "made:1"), start, _image),
        Work("import", ("import", tar, "made:1"), nothing, _image),
        Work("build", ("build", "-q", "-t", "made:1", str(context)), nothing, _image),
        Work("tag", ("tag", "busybox", "made:1"), nothing, _image),
        Work("rmi", ("rmi", "made:1"), _tagged, _no_image),
        Work("volume create", ("volume", "create", "fresh"), nothing, _volume),
        Work("volume rm", ("volume", "rm", "fresh"), _filled_volume, _no_volume),
    ]


def void(_: object) -> None:
    """For functions whose answer nobody wants."""
