"""commit, export and diff of real containers: running, paused and stopped, and what must never be in them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, request
from tests.native.monitored import needs_root
from tuidock.engine import Engine
from tuidock.engine.errors import Conflict, EngineError, InvalidArgument, NotFound, SystemFailure

pytestmark = needs_root
_WRITE = (
    "mkdir -p /new/deep && echo one >/new/deep/file && ln /new/deep/file /new/link && echo more >>/etc/passwd"
    " && rm /etc/group && mkdir /opaque && ln -s /etc/passwd /new/symlink && chmod 4711 /new/deep/file && touch /ready"
)


def commit(engine: Engine, container: str, name: str = "", **more: Any) -> str:
    steps = list(engine.commit(container, name, **more))
    assert steps[-1].action == "committed"
    return steps[-1].subject


@pytest.fixture(autouse=True)
def tidy(engine: Engine, run: Run) -> Iterator[None]:
    """Runs before `run` ends, so the images go after the containers."""
    yield
    known = {container.id for container in engine.containers()}
    engine.remove_many([made for made in run.made if made in known], force=True, volumes=True)
    for image in engine.images():
        for reference in image.references or (image.id,):
            if reference != "busybox:latest":
                engine.remove_image(reference, force=True, now=True)


def ready(engine: Engine, container: str, path: str = "ready") -> None:
    """Waits for the sign that the container has done its work."""
    upper = engine.instance.paths.container(container) + "/upper/"
    deadline = time.monotonic() + 20
    while not os.path.exists(upper + path):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def exported(engine: Engine, container: str) -> dict[str, tarfile.TarInfo]:
    out = io.BytesIO()
    engine.export(container, out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        return {member.name: member for member in tar.getmembers()}


def told(changes: list[Any]) -> list[str]:
    return [f"{change.kind} {change.path}" for change in changes]


_CHANGED = [
    "C /etc", "D /etc/group", "C /etc/passwd", "A /new", "A /new/deep", "A /new/deep/file", "A /new/link",
    "A /new/symlink", "A /opaque", "A /ready",
]  # fmt: skip


@pytest.mark.parametrize("state", ["running", "paused", "stopped"])
def test_commit_in_any_state(engine: Engine, run: Run, state: str) -> None:
    container = run.start(["sh", "-c", f"{_WRITE}; exec sleep 1000"])
    ready(engine, container)
    if state == "paused":
        engine.pause(container)
    elif state == "stopped":
        engine.stop(container, timeout=0)
    assert told(engine.diff(container)) == _CHANGED
    image = commit(engine, container, "made:1", author="me", message="why")
    assert engine.container(container).status == {"stopped": "exited"}.get(state, state)
    assert engine.image("made:1").id == image
    inspected = engine.inspect_image("made:1")
    assert (inspected["Author"], inspected["Comment"]) == ("me", "why")
    assert inspected["Config"]["Cmd"][:2] == ["sh", "-c"] and "Hostname" not in inspected["Config"]
    assert len(inspected["RootFS"]["Layers"]) == 2
    history = engine.history("made:1")
    assert history[0]["Comment"] == "why" and history[0]["CreatedBy"].startswith("sh -c mkdir")
    assert history[1]["CreatedBy"] == "tests"
    config = {"Image": "made:1"}
    seen = run.output(
        ["sh", "-c", "exec 2>&1; cat /new/link; stat -c '%a %h' /new/deep/file; ls /etc/group; readlink /new/symlink"],
        config=config,
    )
    assert seen == "one\n4711 2\nls: /etc/group: No such file or directory\n/etc/passwd\n"
    assert [str(problem) for problem in engine.check() if not problem.repaired] == []


def test_commit_of_nothing_adds_no_layer(engine: Engine, run: Run) -> None:
    container = run.start(["true"])
    engine.wait(container)
    commit(engine, container, "same:1", changes=["LABEL a=b"])
    assert engine.diff(container) == []
    assert engine.inspect_image("same:1")["RootFS"] == engine.inspect_image("busybox")["RootFS"]
    assert engine.image("same:1").labels == {"a": "b"}
    assert engine.history("same:1")[0]["Size"] == 0


def test_commit_on_top_of_a_commit(engine: Engine, run: Run) -> None:
    first = run.start(["sh", "-c", "mkdir /d; echo 1 >/d/one; echo 2 >/d/two"])
    engine.wait(first)
    commit(engine, first, "stack:1")
    second = run.start(["sh", "-c", "rm -r /d; mkdir /d; echo 3 >/d/three"], config={"Image": "stack:1"})
    engine.wait(second)
    assert told(engine.diff(second)) == ["C /d", "D /d/one", "A /d/three", "D /d/two"]
    commit(engine, second, "stack:2")
    assert run.output(["ls", "/d"], config={"Image": "stack:2"}) == "three\n"
    assert told(engine.diff_images("stack:1", "stack:2")) == ["C /d", "D /d/one", "A /d/three", "D /d/two"]
    assert told(engine.diff_images("stack:2", "stack:1")) == ["C /d", "A /d/one", "D /d/three", "A /d/two"]
    assert told(engine.diff_images("stack:1", second)) == ["C /d", "D /d/one", "A /d/three", "D /d/two"]
    assert engine.diff_images("stack:2", second) == []
    assert len(engine.layers("stack:2")) == 3


def test_changes_are_dockerfile_lines(engine: Engine, run: Run) -> None:
    container = run.start(["true"], config={"Labels": {"old": "1"}})
    changes = ['CMD ["echo", "hi"]', "ENV A=1 B=2", "EXPOSE 80", "LABEL new=2", "USER 12", "WORKDIR /tmp"]
    commit(engine, container, "changed:1", changes=changes)
    config = engine.inspect_image("changed:1")["Config"]
    assert config["Cmd"] == ["echo", "hi"] and {"A=1", "B=2"} <= set(config["Env"])
    assert config["ExposedPorts"] == {"80/tcp": {}} and config["Labels"] == {"old": "1", "new": "2"}
    assert (config["User"], config["WorkingDir"]) == ("12", "/tmp")
    assert run.output(["id", "-u"], config={"Image": "changed:1"}) == "12\n"
    with pytest.raises(EngineError):
        list(engine.commit(container, "changed:2", changes=["RUN true"]))
    with pytest.raises(InvalidArgument):
        list(engine.commit(container, "Bad Name"))
    with pytest.raises(NotFound):
        list(engine.commit("nobody"))


def test_mounts_and_their_stubs_are_in_no_image(engine: Engine, run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the host")
    (tmp_path / "dir").mkdir()
    container = run.start(
        ["sh", "-c", "echo v >/srv/vol/inside/f; echo x >/tmp/kept; echo 1 >/tmpfs/f; touch /ready; exec sleep 1000"],
        Binds=["data:/srv/vol/inside", f"{tmp_path}/file:/etc/bound", f"{tmp_path}/dir:/mnt/dir"], Tmpfs={"/tmpfs": ""},
    )  # fmt: skip
    ready(engine, container)
    assert told(engine.diff(container)) == ["A /ready", "C /tmp", "A /tmp/kept"] or told(engine.diff(container)) == [
        "C /etc", "A /ready", "C /tmp", "A /tmp/kept",
    ]  # fmt: skip
    commit(engine, container, "mounts:1")
    tree = {entry.path for entry in engine.layer_tree("mounts:1", 1)}
    assert not tree & {"srv/vol/inside", "srv/vol", "srv", "etc/bound", "mnt/dir", "mnt", "tmpfs", "dev", "proc", "sys"}
    assert {"ready", "tmp/kept"} <= tree and not any(path.startswith("etc/") for path in tree)
    listed = exported(engine, container)
    assert "srv/vol/inside/f" not in listed and "tmpfs/f" not in listed and listed["etc/bound"].size == 0
    engine.stop(container, timeout=0)
    assert {entry for entry in exported(engine, container) if not entry.startswith("dev")} == {
        entry for entry in listed if not entry.startswith("dev")
    }


def test_export_has_no_whiteouts_and_is_importable(engine: Engine, run: Run) -> None:
    container = run.start(["sh", "-c", f"{_WRITE}; exec sleep 1000"])
    ready(engine, container)
    out = io.BytesIO()
    engine.export(container, out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        names = tar.getnames()
    assert not any(".wh." in name for name in names) and "etc/group" not in names
    assert "new/deep/file" in names and "bin/busybox" in names
    for _ in engine.import_image(io.BytesIO(out.getvalue()), "imported:1", changes=["CMD cat /new/link"]):
        pass
    assert run.output(["/bin/sh", "-c", "cat /new/link"], config={"Image": "imported:1"}) == "one\n"


def test_export_to_a_pipe_that_is_closed(engine: Engine, run: Run) -> None:
    container = run.start(["sleep", "1000"])
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as target, pytest.raises(BrokenPipeError):
        engine.export(container, target)


def test_its_processes_stand_still_meanwhile_and_go_on_after(engine: Engine, run: Run) -> None:
    """A writer keeps two files alike; a frozen one is never caught between them for more than one step."""
    script = "i=0; while :; do i=$((i+1)); echo $i >/a; echo $i >/b; [ $i = 50 ] && touch /ready; done"
    container = run.start(["sh", "-c", script])
    ready(engine, container)
    for number in range(3):
        commit(engine, container, f"still:{number}")
        a, b = (int(engine.read_image_file(f"still:{number}", name) or b"0") for name in ("a", "b"))
        assert a == 0 or b == 0 or 0 <= a - b <= 1
    assert engine.container(container).status == "running"
    before = engine.read_image_file("still:2", "b")
    deadline = time.monotonic() + 10
    while Path(engine.instance.paths.container(container) + "/upper/b").read_bytes() == before:
        assert time.monotonic() < deadline


def test_without_pause_it_is_not_frozen(engine: Engine, run: Run) -> None:
    container = run.start(["sh", "-c", "touch /ready; exec sleep 1000"])
    ready(engine, container)
    steps = engine.commit(container, "moving:1", pause=False)
    for _ in steps:
        assert engine.container(container).status == "running"


def test_closing_a_commit_lets_the_container_go_on_and_leaves_nothing(engine: Engine, run: Run) -> None:
    container = run.start(["sh", "-c", "head -c 30000000 /dev/urandom >/big; touch /ready; exec sleep 1000"])
    ready(engine, container)
    before = len(engine.images())
    steps = engine.commit(container, "never:1")
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert engine.container(container).status == "running"
    assert len(engine.images()) == before
    assert [name for name in os.listdir(engine.instance.paths.snapshots) if name.startswith(".new")] == []
    assert os.listdir(engine.instance.paths.ingest) == []


def test_a_killed_commit_is_healed_by_the_next_look(engine: Engine, run: Run) -> None:
    container = run.start(["sh", "-c", "head -c 200000000 /dev/urandom >/big; touch /ready; exec sleep 1000"])
    ready(engine, container)
    mark = engine.instance.paths.container_run(container) + "/paused"
    program = (
        "import sys; from tuidock.engine import Engine\n"
        "for _ in Engine(sys.argv[1]).commit(sys.argv[2], 'never:1'): pass"
    )
    with subprocess.Popen([sys.executable, "-c", program, engine.root, container]) as process:
        deadline = time.monotonic() + 20
        while not os.path.exists(mark) and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert next(one for one in engine.containers() if one.id == container).status == "running"
    assert not os.path.exists(mark)
    engine.sweep()
    assert [name for name in os.listdir(engine.instance.paths.snapshots) if name.startswith(".new")] == []


def test_a_container_that_goes_on_meanwhile_is_not_committed(engine: Engine, run: Run) -> None:
    container = run.start(["sh", "-c", "head -c 50000000 /dev/urandom >/big; touch /ready; exec sleep 1000"])
    ready(engine, container)
    steps = engine.commit(container, "torn:1")
    next(steps)
    engine.unpause(container)
    with pytest.raises(Conflict, match="unpaused or removed while its files were read"):
        for _ in steps:
            pass
    steps = engine.commit(container, "torn:1")
    next(steps)
    engine.remove(container, force=True)
    with pytest.raises(Conflict, match="unpaused or removed"):
        for _ in steps:
            pass
    with pytest.raises(NotFound):
        engine.image("torn:1")


def test_two_commits_of_one_container_at_once(engine: Engine, run: Run) -> None:
    container = run.start(["sh", "-c", "head -c 3000000 /dev/urandom >/big; touch /ready; exec sleep 1000"])
    ready(engine, container)
    done: list[object] = []

    def work(number: int) -> None:
        other = Engine(engine.root)
        try:
            done.append(commit(other, container, f"twice:{number}"))
        except EngineError as error:
            done.append(error)
        finally:
            other.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [one for one in done if isinstance(one, str)]
    assert made and engine.container(container).status == "running"
    assert [str(problem) for problem in engine.check() if not problem.repaired] == []


def test_a_device_or_pipe_in_the_layer_is_no_trap(engine: Engine, run: Run) -> None:
    container = run.start(["sh", "-c", "mkfifo /pipe; mknod /null c 1 3; touch /ready; exec sleep 1000"])
    ready(engine, container)
    commit(engine, container, "odd:1")
    kinds = {entry.path: entry.kind for entry in engine.layer_tree("odd:1", 1)}
    assert (kinds["pipe"], kinds["null"]) == ("fifo", "device")
    for name in ("pipe", "null", "etc", "/"):
        with pytest.raises(InvalidArgument, match="no regular file"):
            engine.read_image_file("odd:1", name, index=1 if name in ("pipe", "null") else None)


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path, archive: bytes) -> None:
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", place], check=True)
    try:
        full = Engine(str(place / "root"))
        for _ in full.load(io.BytesIO(archive)):
            pass
        container = full.create(request(["sh", "-c", "head -c 16000000 /dev/urandom >/big"]))
        full.start(container)
        assert full.wait(container) == 0
        free = os.statvfs(place).f_bavail
        with pytest.raises(SystemFailure, match="No space left on device; free some space"):
            list(full.commit(container, "never:1"))
        assert os.statvfs(place).f_bavail >= free - 16
        assert [image.references for image in full.images()] == [("busybox:latest",)]
        assert [str(problem) for problem in full.check()] == []
        full.reset()
    finally:
        subprocess.run(["umount", "-l", place], check=True)
