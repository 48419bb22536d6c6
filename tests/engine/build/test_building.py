"""Builds from end to end: what comes out, what it says on the way, what the next one finds."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path

import pytest

from tests.engine.build.helpers import build, build_text, read, tar_of, tree, write
from tuidock.engine import Engine
from tuidock.engine.errors import BuildFailed, InvalidArgument, NotFound, Unsupported
from tuidock.engine.image_types import BuildRequest


def config(engine: Engine, image: str) -> dict[str, object]:
    return {key: value for key, value in engine.inspect_image(image)["Config"].items() if value}


def test_a_whole_build(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"hello.txt": "hello\n"})
    text = 'FROM busybox AS b\nRUN echo made > /made\nCOPY hello.txt /\nENV A=1\nCMD ["cat", "/hello.txt"]\n'
    built = build_text(engine, tmp_path, text, tags=("app:1", "app:2"), labels={"x": "y"})
    assert {"app:1", "app:2"} <= set(engine.image(built.id).references)
    assert config(engine, built.id) == {
        "Env": ["PATH=/bin", "A=1"], "Cmd": ["cat", "/hello.txt"], "Labels": {"x": "y"},
    }  # fmt: skip
    assert read(engine, built.id, "made") == "made\n"
    plan = next(event for event in built.events if event.kind == "plan")
    assert [step.text.split()[0] for step in plan.steps] == ["FROM", "RUN", "COPY", "ENV", "CMD"]
    assert [(step.number, step.line, step.stage) for step in plan.steps] == [(n, n, "b") for n in range(1, 6)]
    assert plan.source == text
    assert built.states() == {1: "cached", 2: "done", 3: "done", 4: "done", 5: "done"}
    history = [(step["CreatedBy"], step["Comment"]) for step in reversed(engine.history(built.id))]
    assert history[1:] == [
        ("RUN /bin/sh -c echo made > /made # buildkit", "buildkit.dockerfile.v0"),
        ("COPY hello.txt / # buildkit", "buildkit.dockerfile.v0"),
        ("ENV A=1", "buildkit.dockerfile.v0"),
        ('CMD ["cat" "/hello.txt"]', "buildkit.dockerfile.v0"),
    ]


def test_the_second_build_finds_everything(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"a": "1", "d/b": "2"})
    text = "FROM busybox\nRUN date > /when\nWORKDIR /w\nCOPY . .\nCMD x\n"
    first = build_text(engine, tmp_path, text)
    second = build_text(engine, tmp_path, text, tags=("again",))
    assert first.id == second.id
    assert set(second.states().values()) == {"cached"}
    assert engine.image("again").id == first.id


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda path: (path / "f").write_text("other"), False),
        (lambda path: (path / "f").chmod(0o600), False),
        (lambda path: (path / "g").write_text(""), False),
        (lambda path: os.setxattr(path / "f", "user.x", b"1"), False),
        (lambda path: os.utime(path / "f", (1, 1)), True),
        (lambda path: os.chown(path / "f", 12, 13), True),
    ],
    ids=["data", "mode", "name", "attribute", "time", "owner"],
)
def test_what_a_copy_depends_on(engine: Engine, tmp_path: Path, change, kept: bool) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path, {"c/f": tmp_path.name})
    build_text(engine, tmp_path, "FROM busybox\nCOPY c /c/\n")
    change(tmp_path / "c")
    assert build_text(engine, tmp_path, "FROM busybox\nCOPY c /c/\n").states()[2] == ("cached" if kept else "done")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ENV A=1\nRUN true", "ENV A=2\nRUN true"),
        ("RUN true", "USER 1000\nRUN true"),
        ("RUN true", "HEALTHCHECK CMD true\nRUN true"),
        ("RUN true", "ONBUILD RUN true\nRUN true"),
        ("ARG V=1\nRUN true", "ARG V=2\nRUN true"),
        ("RUN true", "RUN --network=none true"),
        ("RUN true", "RUN echo"),
    ],
)
def test_what_a_run_depends_on(engine: Engine, tmp_path: Path, before: str, after: str) -> None:
    start = f"FROM busybox\nENV TEST={tmp_path.name}\n"
    build_text(engine, tmp_path, start + before)
    states = build_text(engine, tmp_path, start + after).states()
    assert states[max(states)] == "done"
    states = build_text(engine, tmp_path, start + before).states()
    assert states[max(states)] == "cached"


def test_arguments_count_where_they_are_used(engine: Engine, tmp_path: Path) -> None:
    text = "FROM busybox\nRUN true\nARG V\nCOPY Dockerfile /x\nRUN echo got $V $HTTP_PROXY\n"
    first = build_text(engine, tmp_path, text, build_args={"V": "one", "HTTP_PROXY": "p"})
    assert first.output == "got one p\n"
    other = build_text(engine, tmp_path, text, build_args={"V": "two"})
    assert (other.states()[2], other.states()[4], other.states()[5]) == ("cached", "cached", "done")
    proxy = build_text(engine, tmp_path, text, build_args={"V": "two", "HTTP_PROXY": "q"})
    assert proxy.states()[5] == "cached"
    assert "HTTP_PROXY=" not in json.dumps(engine.history(first.id))
    assert "RUN |1 V=one /bin/sh -c echo got $V $HTTP_PROXY # buildkit" in json.dumps(engine.history(first.id))


def test_no_cache_and_an_image_that_claims_the_same(engine: Engine, tmp_path: Path) -> None:
    text = "FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /id\n"
    first = build_text(engine, tmp_path, text)
    second = build_text(engine, tmp_path, text, no_cache=True)
    assert read(engine, first.id, "id") != read(engine, second.id, "id")
    archive = io.BytesIO()
    engine.save([second.id], archive)
    engine.prune_builds(all=True)
    engine.load(io.BytesIO(archive.getvalue()))
    assert build_text(engine, tmp_path, text).states()[2] == "done"  # a loaded image is no hit


def test_stages(engine: Engine, tmp_path: Path) -> None:
    text = (
        "ARG WHERE=busybox\nFROM $WHERE AS one\nRUN echo 1 > /f\nFROM busybox AS unneeded\nRUN false\n"
        "FROM one AS two\nRUN echo 2 >> /f\nFROM scratch\nCOPY --from=two /f /two\nCOPY --from=0 /f /one\n"
        "COPY --from=busybox /etc/group /group\n"
    )
    built = build_text(engine, tmp_path, text)
    assert read(engine, built.id, "two") == "1\n2\n"
    assert read(engine, built.id, "one") == "1\n"
    assert set(tree(engine, built.id)) == {"one", "two", "group"}
    assert config(engine, built.id)["Env"] == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    assert read(engine, build_text(engine, tmp_path, text, target="one").id, "f") == "1\n"
    with pytest.raises(InvalidArgument, match="could not be found"):
        build_text(engine, tmp_path, text, target="nine")


def test_independent_stages_run_at_the_same_time(engine: Engine, tmp_path: Path) -> None:
    """Each waits for the other one through a cache that they share, which works only together."""
    wait = (
        "RUN --mount=type=cache,target=/c,id=meet touch /c/{0}; "
        "for i in $(seq 200); do [ -e /c/{1} ] && exit 0; sleep 0.05; done; exit 1"
    )
    text = (
        f"FROM busybox AS a\n{wait.format('a', 'b')}\nFROM busybox AS b\n{wait.format('b', 'a')}\n"
        "FROM busybox\nCOPY --from=a /etc/passwd /a\nCOPY --from=b /etc/passwd /b\n"
    )
    build_text(engine, tmp_path, text)


def test_a_failure_ends_the_other_stages(engine: Engine, tmp_path: Path) -> None:
    text = (
        "FROM busybox AS a\nRUN echo a; sleep 1000\nFROM busybox AS b\nRUN echo b; sleep 0.2; exit 5\n"
        "FROM busybox\nCOPY --from=a /x /\nCOPY --from=b /x /\n"
    )
    write(tmp_path, {"Dockerfile": text})
    states: dict[int, str] = {}
    with pytest.raises(BuildFailed, match="exit code: 5") as caught:
        for event in engine.build(BuildRequest(str(tmp_path))):
            if event.kind == "state":
                states[event.step] = event.state
    assert caught.value.step == 4
    assert (states[2], states[4]) == ("cancelled", "failed")
    assert os.listdir(engine.instance.paths.containers) == []


def test_onbuild(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"src": "text"})
    parent = "FROM busybox\nONBUILD COPY src /src\nONBUILD RUN echo triggered > /t\n"
    build_text(engine, tmp_path, parent, tags=("parent",))
    child = build_text(engine, tmp_path, "FROM parent\nRUN cat /t\n")
    assert child.output == "triggered\n"
    assert read(engine, child.id, "src") == "text"
    assert "OnBuild" not in config(engine, child.id)


def test_a_step_that_fails(engine: Engine, tmp_path: Path) -> None:
    text = "FROM busybox\nENV E=f\nRUN echo kept > /kept\nRUN echo before; exit 3\nRUN never\n"
    events = []
    with pytest.raises(BuildFailed, match="exit code: 3") as caught:
        write(tmp_path, {"Dockerfile": text})
        for event in engine.build(BuildRequest(str(tmp_path))):
            events.append(event)
    failed = caught.value
    assert (failed.exit_code, failed.step, failed.line) == (3, 4, 4)
    assert events[-1].state == "failed"
    image = engine.keep_step(failed.keep)
    assert read(engine, image, "kept") == "kept\n"
    assert config(engine, image)["Env"] == ["PATH=/bin", "E=f"]
    assert (
        build_text(engine, tmp_path, text.replace("exit 3", "exit 0").replace("RUN never", "")).states()[3] == "cached"
    )
    with pytest.raises(NotFound):
        engine.keep_step("kept-nothing")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("FROM busybox\nCOPY nothing /x\n", "Dockerfile:2:6"),
        ("FROM busybox\nCOPY a b /x\n", "Dockerfile:2"),
        ("FROM busybox\nCOPY --chown=nobody:x a /x\n", "Dockerfile:2:14"),
        ("FROM busybox\nENV A=${B:?missing}\n", "Dockerfile:2"),
        ("FROM busybox\nRUN --mount=type=ssh true\n", "Dockerfile:2"),
        ("FROM busybox\nRUN --security=insecure true\n", "Dockerfile:2"),
        ("FROM busybox\nRUN --mount=type=secret,id=s,required cat /run/secrets/s\n", "Dockerfile:2"),
        ("FROM busybox\nADD --checksum=sha256:1 http://127.0.0.1:1/x /x\n", "Dockerfile:2"),
        ("FROM busybox\nNONSENSE\n", "Dockerfile:2"),
    ],
)
def test_errors_say_where(engine: Engine, tmp_path: Path, text: str, place: str) -> None:
    write(tmp_path, {"a": "", "b": ""})
    with pytest.raises((BuildFailed, InvalidArgument)) as caught:
        build_text(engine, tmp_path, text)
    assert str(caught.value).startswith(place)
    assert text.splitlines()[1] in caught.value.excerpt


def test_what_is_refused(engine: Engine, tmp_path: Path) -> None:
    for request, error in (
        ({"squash": True}, Unsupported), ({"tags": ("UPPER",)}, InvalidArgument), ({"target": "no"}, InvalidArgument),
        ({"platform": "nonsense//"}, InvalidArgument),
    ):  # fmt: skip
        with pytest.raises(error):
            build_text(engine, tmp_path, "FROM busybox\n", **request)
    with pytest.raises(NotFound):
        build(engine, tmp_path / "missing")
    with pytest.raises(InvalidArgument, match="neither a tar nor a Dockerfile"):
        build(engine, "-", io.BytesIO(b"\x7fELF\0" * 100))


def test_the_base_is_for_the_platform_that_was_asked_for(engine: Engine, tmp_path: Path) -> None:
    for _ in engine.pull("host/base"):
        pass
    other = "arm64" if os.uname().machine == "x86_64" else "amd64"
    for text, request in (
        (f"FROM --platform=linux/{other} host/base\n", {}), ("FROM host/base\n", {"platform": f"linux/{other}"}),
    ):  # fmt: skip
        with pytest.raises(BuildFailed, match=f"and not for linux/{other}"):
            build_text(engine, tmp_path, text, **request)
    assert build_text(engine, tmp_path, f"FROM --platform=linux/{os.uname().machine} host/base\n").id


def test_contexts_from_standard_input(engine: Engine, tmp_path: Path) -> None:
    only = build(engine, "-", io.BytesIO(b"FROM busybox\nRUN echo alone\n"))
    assert only.output == "alone\n"
    for compression in ("", "gz", "bz2", "xz"):
        raw = tar_of(
            {"Dockerfile": b"FROM scratch\nCOPY a/b /b\n", "a/b": b"in a tar " + compression.encode()}, compression
        )
        assert read(engine, build(engine, "-", io.BytesIO(raw)).id, "b") == f"in a tar {compression}"
    write(tmp_path, {"a": "from the context"})
    other = build(engine, tmp_path, io.BytesIO(b"FROM scratch\nCOPY a /\n"), dockerfile="-")
    assert read(engine, other.id, "a") == "from the context"


def test_named_contexts(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path / "other", {"f": "other"})
    write(tmp_path / "main", {"x": ""})
    text = "FROM base\nCOPY --from=extra f /f\nRUN --mount=type=bind,from=extra,target=/m cat /m/f\n"
    contexts = {"extra": str(tmp_path / "other"), "base": "docker-image://busybox"}
    built = build_text(engine, tmp_path / "main", text, contexts=contexts)
    assert read(engine, built.id, "f") == built.output == "other"


def test_an_image_of_nothing(engine: Engine, tmp_path: Path) -> None:
    built = build_text(engine, tmp_path, "FROM scratch\nLABEL a=b\n", tags=("nothing",))
    assert tree(engine, built.id) == {}
    assert len(engine.inspect_image("nothing")["RootFS"]["Layers"]) == 1
    assert build_text(engine, tmp_path, "FROM scratch\nLABEL a=b\n").id == built.id
    archive = io.BytesIO()
    engine.save(["nothing"], archive)


def test_the_same_sources_give_the_same_layer(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"d/a": "1", "d/b/c": "2"})
    text = "FROM busybox\nCOPY d /deep/er/\nCOPY <<EOF /etc/new\ntext\nEOF\n"
    layers = []
    for _ in range(2):
        built = build_text(engine, tmp_path, text, no_cache=True)
        layers.append(engine.inspect_image(built.id)["RootFS"]["Layers"])
    assert layers[0] == layers[1]


def test_a_build_anew_leaves_no_layers_of_the_old_one(engine: Engine, tmp_path: Path) -> None:
    text = "FROM busybox AS a\nRUN cat /proc/sys/kernel/random/uuid > /id\nFROM busybox\nCOPY --from=a /id /id\n"
    for _ in "12":
        build_text(engine, tmp_path, text, tags=("anew",), no_cache=True)
    assert not [problem for problem in engine.check(fast=True) if "belongs to no image" in problem.message]


def test_source_date_epoch(engine: Engine, tmp_path: Path) -> None:
    text = "FROM busybox\nRUN mkdir /a; echo x > /a/b\n"
    ids = {build_text(engine, tmp_path, text, no_cache=True, build_args={"SOURCE_DATE_EPOCH": "1000"}).id for _ in "12"}
    assert len(ids) == 1
    assert engine.inspect_image(ids.pop())["Created"] == "1970-01-01T00:16:40Z"


def test_two_builds_at_once(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"f": tmp_path.name})
    text = "FROM busybox\nCOPY f /f\nRUN cat /f > /g\n"
    write(tmp_path, {"Dockerfile": text})
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(build(engine, tmp_path).id)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert {read(engine, image, "g") for image in found} == {tmp_path.name}


def test_too_deep(engine: Engine, tmp_path: Path) -> None:
    text = "FROM scratch\n" + "".join(f"COPY Dockerfile /{number}\n" for number in range(128))
    with pytest.raises(BuildFailed, match="more than 127 layers"):
        build_text(engine, tmp_path, text)


def test_the_cache_is_pruned(engine: Engine, tmp_path: Path) -> None:
    engine.prune_builds(all=True)
    text = "FROM busybox\nRUN echo 1 > /one\nRUN --mount=type=cache,target=/c echo 12 > /c/x\n"
    built = build_text(engine, tmp_path, text, tags=("pruned",))
    kinds = {entry.kind: entry for entry in engine.build_cache()}
    assert set(kinds) == {"RUN", "cache-mount"}
    assert kinds["RUN"].in_use and not kinds["cache-mount"].in_use
    assert kinds["cache-mount"].size == 3
    assert engine.prune_builds(keep_bytes=1 << 20) == ([], 0)
    ids, freed = engine.prune_builds()
    assert (ids, freed) == ([kinds["cache-mount"].id], 3)
    engine.sweep()
    assert build_text(engine, tmp_path, text).id == built.id
    engine.remove_image("pruned")
    engine.sweep()
    assert all(state == "cached" for state in build_text(engine, tmp_path, text, tags=("pruned",)).states().values())
    assert len(engine.prune_builds(all=True)[0]) == 2
    assert engine.build_cache() == []
    assert read(engine, "pruned", "one") == "1\n"
    row = next(row for row in engine.disk_usage() if row.type == "Build Cache")
    assert (row.total, row.size) == (0, 0)


def test_a_cache_that_travels_with_the_image(engine: Engine, archive: bytes, tmp_path: Path) -> None:
    text = "FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /id\nENV A=b\nRUN true\n"
    first = build_text(engine, tmp_path, text, tags=("carrier",), build_args={"BUILDKIT_INLINE_CACHE": "1"})
    saved = io.BytesIO()
    engine.save(["carrier"], saved)
    other = Engine(str(tmp_path / "other"))
    for raw in (archive, saved.getvalue()):
        for _ in other.load(io.BytesIO(raw)):
            pass
    assert build_text(other, tmp_path, text, target="").states()[2] == "done"  # nobody named the image
    other.prune_builds(all=True)
    hit = build_text(other, tmp_path, text, cache_from=("carrier",), build_args={"BUILDKIT_INLINE_CACHE": "1"})
    assert set(hit.states().values()) == {"cached"} and hit.id == first.id
    missing = build_text(other, tmp_path, text, cache_from=("localhost:1/none",))
    assert any(event.kind == "warning" and "none" in event.message for event in missing.events)
    other.reset()
