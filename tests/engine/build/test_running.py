"""RUN: a confined container that nobody sees, what --mount gives it, and what a cancel or a kill leaves: nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import leaks
from tests.engine.build.helpers import build_text, read, root_of, tree, write
from tuidock.engine import Engine
from tuidock.engine.errors import BuildFailed
from tuidock.engine.image_types import BuildRequest


def added(engine: Engine, built_id: str) -> set[str]:
    """The paths of the topmost layer that has any."""
    layer = engine.layers(built_id)[-1]
    return {entry.path for entry in engine.layer_tree(built_id, layer.index)}


def cgroups(engine: Engine) -> list[str]:
    """The control groups of running steps."""
    found = []
    for controller in Path("/sys/fs/cgroup").iterdir():
        parent = controller / f"tuidock-{engine.instance.id}"
        found += [str(child) for child in parent.iterdir() if child.is_dir()] if parent.is_dir() else []
    return found


def test_isolation(engine: Engine, tmp_path: Path) -> None:
    os.environ["SECRET_OF_THE_HOST"] = "x"
    text = (
        "FROM busybox\nRUN grep -E 'CapEff|Seccomp:' /proc/self/status; echo $$; env; ls /proc | grep -c '^[0-9]'; id -u; "
        "mount -t tmpfs x /mnt 2>&1 | tail -1; ls -l /proc/self/fd | wc -l\n"
    )
    out = build_text(engine, tmp_path, text, no_cache=True).output
    assert "CapEff:\t00000000a80425fb" in out and "Seccomp:\t2" in out
    assert "SECRET_OF_THE_HOST" not in out and "\n1\n" in out
    assert "denied" in out or "not permitted" in out


def test_forms(engine: Engine, tmp_path: Path) -> None:
    text = (
        'FROM busybox\nRUN ["echo", "exec $HOME"]\nRUN <<EOF\necho heredoc $HOME\necho two\nEOF\n'
        'RUN <<EOF\n#!/bin/cat\nscript itself\nEOF\nSHELL ["/bin/sh", "-xc"]\nRUN echo shell\nUSER user\nRUN id -un; pwd\n'
    )
    out = build_text(engine, tmp_path, text).output
    assert "exec $HOME\n" in out and "heredoc /root\ntwo\n" in out and "script itself\n" in out
    assert "+ echo shell" in out and "user\n" in out


def test_a_layer_holds_what_the_command_changed_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"f": "f"})
    text = (
        "FROM busybox\nRUN --mount=type=bind,target=/no/such/place --mount=type=tmpfs,target=/t "
        "--mount=type=cache,target=/var/c --mount=type=secret,id=s --mount=type=bind,source=f,target=/etc/one "
        "touch /t/x /var/c/x /own && rm /bin/wget && cat /run/secrets/s /etc/one /no/such/place/f\n"
    )
    built = build_text(engine, tmp_path, text, secret_values={"s": "hidden "})
    assert built.output == "hidden ff"
    assert added(engine, built.id) - {"bin"} == {"own", "bin/wget"}
    found = tree(engine, built.id)
    assert "bin/wget" not in found and not {"no", "t", "run", "var/c", "etc/one"} & set(found)
    assert "hidden" not in json.dumps(engine.inspect_image(built.id)) + json.dumps(engine.history(built.id))


def test_cache_mounts_outlive_builds(engine: Engine, tmp_path: Path) -> None:
    line = "RUN --mount=type=cache,target=/c,id=lives echo {0} >> /c/log; cat /c/log; ls -ld /c | cut -c1-10\n"
    assert build_text(engine, tmp_path, "FROM busybox\n" + line.format(1)).output == "1\ndrwxr-xr-x\n"
    assert build_text(engine, tmp_path, "FROM busybox\n" + line.format(2)).output.startswith("1\n2\n")
    other = "FROM busybox\nRUN --mount=type=cache,target=/c,id=other,mode=0700,uid=1000 ls -ldn /c; touch /c/x\n"
    assert "drwx------" in build_text(engine, tmp_path, other).output
    seeded = "FROM busybox\nRUN --mount=type=cache,target=/c,id=seeded,from=busybox,source=/etc cat /c/group\n"
    assert "staff" in build_text(engine, tmp_path, seeded).output
    private = (
        "FROM busybox AS {0}\nRUN --mount=type=cache,target=/c,sharing={1},id=p "
        "echo {0} > /c/{0}; sleep 0.3; ls /c | wc -l\n"
    )
    both = "FROM busybox\nCOPY --from=a /etc/group /a\nCOPY --from=b /etc/group /b\n"
    out = build_text(engine, tmp_path, private.format("a", "private") + private.format("b", "private") + both).output
    assert out == "1\n1\n"
    out = build_text(engine, tmp_path, private.format("a", "locked") + private.format("b", "locked") + both).output
    assert sorted(out.split()) in (["1", "2"], ["2", "2"])


def test_binds(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"d/in": "context", "d/out": "left out", ".dockerignore": "d/out"})
    text = (
        "FROM busybox AS one\nRUN mkdir /data && echo 1 > /data/x && ln -s /etc/passwd /data/link\n"
        "FROM one AS two\nRUN echo 2 > /data/y\n"
        "FROM busybox\nWORKDIR /w\nRUN --mount=type=bind,from=two,source=/data,target=/m --mount=target=here,source=d,rw "
        "ls /m here && cat /m/x /m/y here/in && echo changed > here/in && ! touch /m/z\n"
    )
    out = build_text(engine, tmp_path, text).output
    assert "1\n2\n" in out and "context" in out and "out" not in out.split()
    assert (tmp_path / "d/in").read_text() == "context"
    write(tmp_path, {"d/in": "other"})
    assert "other" in build_text(engine, tmp_path, text).output  # what is bound is part of the key
    for line in ("--mount=target=/m,source=missing true", "--mount=target=/m,from=busybox,source=/none true"):
        with pytest.raises(BuildFailed, match="is not there to be mounted"):
            build_text(engine, tmp_path, f"FROM busybox\nRUN {line}\n")


def test_a_bind_source_leads_nowhere_outside(engine: Engine, tmp_path: Path) -> None:
    context = write(tmp_path / "context", {"x": ""})
    os.symlink("/etc", context / "etc")
    os.symlink("../..", context / "up")
    for source in ("etc", "up/../../etc"):
        with pytest.raises(BuildFailed):
            build_text(
                engine, context, f"FROM busybox\nRUN --mount=type=bind,source={source},target=/m cat /m/hostname\n"
            )
    built = build_text(engine, context, "FROM busybox\nRUN --mount=type=bind,source=up,target=/m ls /m\n")
    assert built.output.split() == ["Dockerfile", "etc", "up", "x"]  # `..` ends at the context's root


def test_secrets(engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("from a file")
    text = (
        "FROM busybox\nRUN --mount=type=secret,id=a --mount=type=secret,id=b,target=/b,mode=0444,uid=5 "
        "--mount=type=secret,id=b,env=B --mount=type=secret,id=none cat /run/secrets/a /b; ls -ln /b /run/secrets; echo $B\n"
    )
    out = build_text(engine, tmp_path, text, secrets={"a": str(secret)}, secret_values={"b": "VALUE"}).output
    assert out.startswith("from a fileVALUE") and out.endswith("VALUE\n")
    assert "-r--r--r--    1 5 " in out and "-r--------    1 0 " in out and "none" not in out


def test_networks(engine: Engine, tmp_path: Path) -> None:
    text = "FROM busybox\nRUN --network={0} ls /sys/class/net; cat /etc/hosts\n"
    assert build_text(engine, tmp_path, text.format("none")).output.split()[0] == "lo"
    assert "eth0" in build_text(engine, tmp_path, text.format("default")).output
    with pytest.raises(BuildFailed, match="only when the build itself"):
        build_text(engine, tmp_path, text.format("host"))
    hosts = ("made.up:10.1.2.3",)
    host = build_text(engine, tmp_path, text.format("host"), network="host", extra_hosts=hosts).output
    assert set(os.listdir("/sys/class/net")) >= {"lo"} and "made.up" in host
    same = build_text(engine, tmp_path, text.format("default"), network="none")
    assert same.states()[2] == "cached"  # as it was asked for in the Dockerfile before


def test_output_comes_while_it_runs_and_a_cancel_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"Dockerfile": "FROM busybox\nRUN echo done > /first\nRUN echo up; echo err >&2; sleep 1000\n"})
    seen = {}
    events = engine.build(BuildRequest(str(tmp_path)))
    for event in events:
        if event.kind == "output":
            seen[event.stream] = event.output
        if len(seen) == 2:
            break
    assert seen == {"stdout": b"up\n", "stderr": b"err\n"}
    assert engine.containers() == []
    assert cgroups(engine)
    events.close()
    assert cgroups(engine) == [] and leaks(engine) == []
    assert os.listdir(engine.instance.paths.containers) == []
    with open(engine.instance.paths.journal, encoding="utf-8") as journal:
        assert not [line for line in journal if '"type":"container"' in line]
    write(tmp_path, {"Dockerfile": "FROM busybox\nRUN echo done > /first\n"})
    assert build_text(engine, tmp_path, "FROM busybox\nRUN echo done > /first\n").states()[2] == "cached"


def test_a_reader_that_waits_makes_the_command_wait(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"Dockerfile": "FROM busybox\nRUN yes | head -c 20000000\n"})
    events = engine.build(BuildRequest(str(tmp_path), no_cache=True))
    total = 0
    for event in events:
        total += len(event.output)
    assert total == 20_000_000


_BUILDER = """
import sys
sys.path.insert(0, {path!r})
from tuidock.engine import Engine
from tuidock.engine.image_types import BuildRequest
for event in Engine({root!r}).build(BuildRequest({context!r})):
    if event.kind == "output":
        print("running", flush=True)
"""


def test_a_killed_build_is_swept(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"Dockerfile": "FROM busybox\nRUN --mount=type=cache,target=/c,id=killed echo up; sleep 1000\n"})
    repository = str(Path(__file__).resolve().parents[3])
    program = _BUILDER.format(path=repository, root=engine.root, context=str(tmp_path))
    builder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert builder.stdout is not None
    assert builder.stdout.readline() == b"running\n"
    assert cgroups(engine) and engine.sweep() == []  # its owner lives
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    builder.stdout.close()
    said = engine.sweep()  # the container ends with its builder; what that leaves on the disk is for a sweep
    assert any("of a build that was killed" in sentence for sentence in said)
    assert cgroups(engine) == [] and leaks(engine) == []
    assert engine.instance.state.read().execute("SELECT count(*) FROM addresses").fetchone() == (0,)
    assert engine.sweep() == []


def test_memory_and_limits(engine: Engine, tmp_path: Path) -> None:
    text = "FROM busybox\nRUN ulimit -n; df /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2\n"
    out = build_text(engine, tmp_path, text, ulimits=("nofile=123:123",), shm_size=1 << 20).output
    assert out.split() == ["123", "1024"]
    with pytest.raises(BuildFailed, match="memory ran out"):
        build_text(engine, tmp_path, "FROM busybox\nRUN tail /dev/zero\n", memory=8 << 20)


def test_a_command_that_does_not_exist(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="did not start") as caught:
        build_text(engine, tmp_path, 'FROM busybox\nRUN ["/no/such"]\n')
    assert caught.value.exit_code == 127
    with pytest.raises(BuildFailed, match="did not start"):
        build_text(engine, tmp_path, "FROM scratch\nRUN true\n")


def test_files_that_docker_owns_do_not_get_in(engine: Engine, tmp_path: Path) -> None:
    text = "FROM busybox\nRUN echo 1.2.3.4 x >> /etc/hosts; echo y > /etc/mine\n"
    built = build_text(engine, tmp_path, text)
    found = tree(engine, built.id)
    assert "etc/hosts" not in found and read(engine, built.id, "etc/mine") == "y\n"
    with root_of(engine, built.id) as root:
        assert sorted(os.listdir(root)) == sorted(["bin", "dev", "etc", "proc", "sys", "tmp", "root", "var", "usr"])
