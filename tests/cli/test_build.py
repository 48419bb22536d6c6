"""`build` and `builder prune` as they are typed."""

from __future__ import annotations

import base64
import io
import json
import os
import pty
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result, argv, environment
from tests.engine.build.helpers import read, tar_of, write
from tuidock.engine import Engine

Tuidock = Callable[..., Result]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return write(
        tmp_path / "context",
        {
            "Dockerfile": 'FROM busybox\nRUN echo made; echo made > /made\nCOPY f /f\nCMD ["cat", "/made"]\n',
            "f": "file",
        },
    )


def test_build_and_run(tuidock: Tuidock, context: Path) -> None:
    done = tuidock("build", "-t", "cli:1", "-t", "cli:2", str(context))
    assert (done.code, done.out) == (0, "")
    assert "#1 [1/3] FROM busybox\n#1 CACHED\n" in done.err
    assert "#2 [2/3] RUN echo made; echo made > /made\n" in done.err and " made\n" in done.err
    assert "naming to cli:2 done" in done.err
    assert tuidock("run", "--rm", "cli:2").out == "made\n"
    again = tuidock("image", "build", "-t", "cli:1", str(context))
    assert again.err.count("CACHED") == 3


def test_quiet_and_iidfile(tuidock: Tuidock, context: Path, tmp_path: Path) -> None:
    done = tuidock("buildx", "build", "-q", "--iidfile", str(tmp_path / "id"), str(context))
    assert (done.code, done.err) == (0, "")
    assert done.out.strip() == (tmp_path / "id").read_text()
    assert done.out.startswith("sha256:")
    assert tuidock("builder", "build", "--progress", "quiet", str(context)).out == done.out


def test_steps_are_shown_with_their_values(tuidock: Tuidock, context: Path) -> None:
    text = 'ARG BASE=busybox\nFROM $BASE AS one\nENV D=/srv\nWORKDIR ${D}/x\nRUN echo "$D $HOME"\nRUN exit 3\n'
    write(context, {"Dockerfile": text})
    done = tuidock("build", "--no-cache", str(context))
    assert "#1 [1/4] FROM busybox AS one\n" in done.err and "#2 [2/4] WORKDIR /srv/x\n" in done.err
    assert '#3 [3/4] RUN echo "/srv $HOME"\n' in done.err
    assert '#4 ERROR: process "/bin/sh -c exit 3" did not complete successfully: exit code: 3\n' in done.err


def test_a_failed_step_shows_its_place(tuidock: Tuidock, context: Path) -> None:
    write(context, {"Dockerfile": "FROM busybox\nRUN echo said && \\\n    exit 9\n"})
    done = tuidock("build", str(context))
    assert done.code == 1
    assert " > [2/2] RUN echo said &&     exit 9:\nsaid\n------\n" in done.err
    assert "   2 | >>> RUN echo said && \\\n   3 | >>>     exit 9\n" in done.err
    assert done.err.endswith("did not complete successfully: exit code: 9\n")


def test_an_error_in_the_file(tuidock: Tuidock, context: Path) -> None:
    write(context, {"Dockerfile": "FROM busybox\nRUNN true\n"})
    done = tuidock("build", str(context))
    assert done.code == 1
    assert "Dockerfile:2:1: unknown instruction: RUNN" in done.err and "    2 | RUNN true\n" in done.err


def test_standard_input(tuidock: Tuidock, context: Path) -> None:
    assert tuidock("build", "-q", "-", stdin=b"FROM busybox\nRUN true\n").code == 0
    raw = tar_of({"sub/Other": b"FROM scratch\nCOPY x /\n", "x": b"1"}, "gz")
    assert tuidock("build", "-q", "-f", "sub/Other", "-", stdin=raw).code == 0
    assert tuidock("build", "-q", "-f", "-", str(context), stdin=b"FROM scratch\nCOPY f /\n").code == 0


def test_flags(tuidock: Tuidock, engine: Engine, context: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/o").write_text("o")
    write(context, {
        "sub/My.Dockerfile": "ARG V=1\nFROM busybox AS base\nARG V\nRUN --mount=type=secret,id=s --mount=type=secret,id=e "
        "cat /run/secrets/s /run/secrets/e > /secrets; echo $V > /v; cat /etc/hosts > /h\nFROM base AS last\n"
        "COPY --from=more o /o\nRUN false\n"
    })  # fmt: skip
    os.environ["TOKEN"] = "from env"
    done = tuidock(
        "build", "-q", "-f", str(context / "sub/My.Dockerfile"), "--target", "base", "--build-arg", "V=2", "--label", "l=1",
        "--secret", f"id=s,src={tmp_path}/token", "--secret", "id=e,env=TOKEN", "--add-host", "x.y:10.0.0.9",
        "--no-cache", "--network", "none", "-t", "flags", str(context),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert read(engine, "flags", "secrets") == "t0kenfrom env"
    assert read(engine, "flags", "v") == "2\n" and "10.0.0.9\tx.y" in read(engine, "flags", "h")
    assert engine.inspect_image("flags")["Config"]["Labels"] == {"l": "1"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--squash", "."), "--squash"),
        (("--secret", "id=x,src=/no/such/file", "."), "there is no file"),
        (("--output", "type=oci", "."), "dest=FILE"),
        (("--output", "type=registry", "."), "type=registry"),
        (("--progress", "loud", "."), "invalid progress mode"),
        (("--ssh", "default", "."), "--ssh is not possible"),
        (("-t", "UPPER", "."), "UPPER"),
        ((), "requires 1 argument"),
    ],
)
def test_what_is_refused(tuidock: Tuidock, context: Path, arguments: tuple[str, ...], words: str) -> None:
    done = tuidock("build", *[str(context) if word == "." else word for word in arguments])
    assert done.code != 0 and words in done.err


def test_outputs(tuidock: Tuidock, engine: Engine, context: Path, tmp_path: Path) -> None:
    write(context, {"Dockerfile": "FROM scratch\nCOPY f /d/f\n"})
    before = {image.id for image in engine.images()}
    done = tuidock("build", "-o", str(tmp_path / "out"), str(context))
    assert (done.code, done.out) == (0, "") and "exporting the files of the result, done" in done.err
    assert (tmp_path / "out/d/f").read_text() == "file"
    assert tuidock("build", "-q", "-o", f"type=tar,dest={tmp_path}/out.tar", str(context)).out == ""
    with tarfile.open(tmp_path / "out.tar") as tar:
        assert [name.rstrip("/") for name in tar.getnames()] == ["d", "d/f"]
    piped = subprocess.run(
        argv(engine, "build", "-q", "-o", "-", str(context)), capture_output=True, env=environment(), check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(piped)) as tar:
        assert "d/f" in tar.getnames()
    assert {image.id for image in engine.images()} == before  # only files were wanted
    assert tuidock("build", "-q", "-t", "both", "-o", str(tmp_path / "again"), str(context)).code == 0
    assert (tmp_path / "again/d/f").exists() and engine.image("both")
    assert tuidock("build", "-q", "-t", "both", "-o", f"type=oci,dest={tmp_path}/oci.tar", str(context)).code == 0
    with tarfile.open(tmp_path / "oci.tar") as tar:
        assert {"index.json", "oci-layout"} <= set(tar.getnames())
        index = json.load(tar.extractfile("index.json") or io.BytesIO())
    assert index["manifests"][0]["annotations"]["io.containerd.image.name"] == "docker.io/library/both:latest"


def test_stages_that_are_built_again(tuidock: Tuidock, context: Path) -> None:
    text = (
        "FROM busybox AS one\nRUN echo 1 > /1\nFROM busybox AS Two\nRUN echo 2 > /2\nFROM two\nCOPY --from=one /1 /1\n"
    )
    write(context, {"Dockerfile": text})
    assert tuidock("build", "-q", str(context)).code == 0

    def cached(*arguments: str) -> list[str]:
        lines = tuidock("build", *arguments, str(context)).err.split("\n\n")
        return [line.split("] ")[1].split("\n")[0] for line in lines if "] RUN" in line and "CACHED" in line]

    assert cached() == ["RUN echo 1 > /1", "RUN echo 2 > /2"]
    assert cached("--no-cache-filter", "Two") == ["RUN echo 1 > /1"]
    assert cached("--no-cache-filter", "one,two") == []


def test_limits_and_metadata(tuidock: Tuidock, context: Path, tmp_path: Path) -> None:
    """The limits reach the step: it sees one processor, and the kernel counts its shares."""
    write(context, {"Dockerfile": "FROM busybox\nRUN grep Cpus_allowed_list /proc/self/status\n"})
    limits = ("--cpuset-cpus", "0", "--cpu-shares", "100", "--cpu-period", "50000", "-m", "64m", "--memory-swap", "64m")
    place = tmp_path / "metadata"
    done = tuidock("build", "--no-cache", "--metadata-file", str(place), "-t", "limits", *limits, str(context))
    assert done.code == 0 and "Cpus_allowed_list:\t0\n" in done.err.replace("␉", "\t")
    known = json.loads(place.read_text())
    assert known["image.name"] == "limits" and known["containerimage.config.digest"].startswith("sha256:")
    digests = tuidock("image", "inspect", "-f", "{{json .RepoDigests}}", "limits").out
    assert json.loads(digests) == [f"limits@{known['containerimage.digest']}"]


def test_rawjson(tuidock: Tuidock, context: Path) -> None:
    """BuildKit's SolveStatus lines."""
    write(context, {"Dockerfile": 'FROM busybox\nARG X=1\nRUN echo made $X; test "$X" = 1\nCOPY f /f\n'})
    arguments = ("build", "--progress=rawjson", "--no-cache", "-t", "raw")
    lines = [json.loads(line) for line in tuidock(*arguments, str(context)).err.splitlines()]
    plan = lines[0]["vertexes"]
    assert [vertex["name"] for vertex in plan] == [
        "[1/3] FROM busybox", "[stage-0] ARG X=1", '[2/3] RUN echo made $X; test "$X" = 1', "[3/3] COPY f /f",
    ]  # fmt: skip
    assert plan[2]["inputs"] == [plan[1]["digest"]]
    last = {vertex["digest"]: vertex for line in lines for vertex in line.get("vertexes", ())}
    assert all(last[vertex["digest"]]["completed"] >= last[vertex["digest"]]["started"] for vertex in plan)
    assert last[plan[0]["digest"]]["cached"] and '"1" = 1' in last[plan[2]["digest"]]["name"]
    logs = [log for line in lines for log in line.get("logs", ())]
    assert [(log["vertex"], log["stream"], base64.b64decode(log["data"])) for log in logs] == [
        (plan[2]["digest"], 1, b"made 1\n")
    ]
    assert lines[-1]["statuses"][-1]["id"] == "naming to raw"
    write(context, {"Dockerfile": "FROM busybox\nRUN exit 7\n"})
    failed = tuidock(*arguments, str(context))
    *raw, sentence = failed.err.splitlines()
    assert (failed.code, sentence[:8]) == (1, "tuidock:")
    assert "exit code: 7" in json.loads(raw[-1])["vertexes"][0]["error"]


def test_on_a_terminal(engine: Engine, context: Path) -> None:
    write(context, {"Dockerfile": "FROM busybox\nRUN printf 'a\\033]0;title\\007b\\n'; sleep 0.4; exit 4\n"})
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        argv(engine, "build", "--no-cache", str(context)), stdin=theirs, stdout=theirs, stderr=theirs, env=environment()
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass
    os.close(ours)
    assert process.wait() == 1
    assert b"[+] Building" in shown and b"=> ERROR [2/2] RUN printf" in shown
    assert b"\x1b]0;" not in shown and b"exit code: 4" in shown


def test_no_tar_goes_to_a_terminal(engine: Engine, context: Path) -> None:
    ours, theirs = pty.openpty()
    for place in ("-", "type=tar", "type=oci,dest=-"):
        done = subprocess.run(
            argv(engine, "build", "-o", place, str(context)), stdout=theirs, stderr=subprocess.PIPE, env=environment(),
            check=False,
        )  # fmt: skip
        assert done.returncode == 125 and b"to a terminal" in done.stderr
    os.close(theirs)
    os.close(ours)


def test_an_interrupted_build_leaves_nothing(engine: Engine, context: Path) -> None:
    import signal

    write(context, {"Dockerfile": "FROM busybox\nRUN echo up; sleep 1000\n"})
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(
            argv(engine, "build", "--no-cache", str(context)), stderr=subprocess.PIPE, env=environment()
        )
        assert process.stderr is not None
        while not process.stderr.readline().endswith(b" up\n"):
            pass
        process.send_signal(number)
        assert process.wait() != 0
        process.stderr.close()
        assert os.listdir(engine.instance.paths.run + "/c") == []
        assert engine.sweep() == []


def test_builder_prune(tuidock: Tuidock, engine: Engine, context: Path) -> None:
    write(context, {"Dockerfile": "FROM busybox\nRUN --mount=type=cache,target=/c echo 123 > /c/x\n"})
    assert tuidock("build", "-q", "-t", "keep", str(context)).code == 0
    asked = tuidock("builder", "prune", stdin=b"n\n")
    assert "This will remove all dangling build cache" in asked.out
    assert "Total:\t" not in asked.out
    df = tuidock("system", "df").out
    assert "Build Cache" in df
    done = tuidock("builder", "prune", "-a", "-f")
    assert "ID " in done.out and "Total:\t" in done.out
    assert engine.build_cache() == []
    assert tuidock("builder", "prune", "-f", "--filter", "nonsense=1").code != 0
