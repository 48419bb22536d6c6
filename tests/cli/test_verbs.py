"""The verbs over a real engine: output, streams and exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Result, argv, environment
from tuidock.engine import Engine

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def clean(engine: Engine) -> Iterator[None]:
    yield
    engine.remove_many([container.id for container in engine.containers()], force=True, volumes=True)


def test_run_joins_the_streams_and_ends_with_the_code_of_the_command(tuidock: Call, engine: Engine) -> None:
    done = tuidock("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert done == (7, "out\n", "err\n")
    assert engine.containers() == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "--rm", "busybox", "nonexistent"), 127, "not found"),
        (("run", "--rm", "busybox", "/etc/passwd"), 126, "permission denied"),
        (("run", "--pull", "never", "nosuch", "true"), 125, "No such image: nosuch"),
        (("run", "--memory", "x", "busybox"), 125, 'invalid argument "x" for "-m, --memory" flag'),
        (("run", "--restart", "always", "--rm", "busybox"), 125, "conflicting options"),
        (("run",), 1, "requires at least 1 argument"),
        (("create", "--nope", "busybox"), 125, "unknown flag: --nope"),
        (("exec", "nosuch", "true"), 1, "No such container: nosuch"),
        (("start", "nosuch"), 1, "No such container: nosuch"),
        (("stop", "nosuch"), 1, "No such container: nosuch"),
        (("rm", "nosuch"), 1, "No such container: nosuch"),
        (("rm", "-f", "nosuch"), 0, "No such container: nosuch"),
        (("inspect", "nosuch"), 1, "No such object: nosuch"),
        (("logs", "nosuch"), 1, "No such container: nosuch"),
        (("rename", "a"), 1, "requires 2 arguments"),
        (("ps", "extra"), 1, "accepts no arguments"),
        (("ps", "--filter", "nope=1"), 1, "invalid filter 'nope'"),
        (("ps", "--filter", "status=up"), 1, "invalid filter 'status=up'"),
        (("ps", "--format", "{{.Nope}}"), 0, ""),
        (("frobnicate",), 1, "unknown command: tuidock frobnicate"),
        (("container", "frobnicate"), 1, "unknown command: tuidock container frobnicate"),
        (("volume", "create", "a/b"), 1, "invalid characters"),
    ],
)
def test_what_goes_wrong_has_docker_s_code(tuidock: Call, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = tuidock(*arguments)
    assert done.code == code, done
    assert message in done.err
    assert "Traceback" not in done.err


def test_usage_errors_point_to_the_help(tuidock: Call) -> None:
    assert tuidock("run", "--nope").err.endswith("See 'tuidock run --help'.\n")
    assert tuidock("run", "--restart", "always", "--rm", "busybox").err.endswith("See 'tuidock run --help'.\n")


def test_help_comes_from_the_tables(tuidock: Call) -> None:
    page = tuidock("container", "ls", "--help")
    assert page.code == 0
    assert "Usage:  tuidock container ls [OPTIONS]" in page.out
    assert "-f, --filter filter" in page.out and "tuidock ps" in page.out
    assert tuidock("help", "run").out.count("\n  ") > 80
    everything = tuidock("--help").out
    for word in ("run", "demo", "container", "boot"):
        assert re.search(rf"^  {word} +\w", everything, re.MULTILINE)
    assert "_reap" not in everything


def test_run_detached_prints_the_id_and_ps_shows_it(tuidock: Call) -> None:
    done = tuidock("run", "-d", "--name", "sleeper", "-l", "team=blue", "busybox", "sleep", "60")
    assert done.code == 0 and re.fullmatch(r"[0-9a-f]{64}\n", done.out)
    head, row = tuidock("ps").out.splitlines()
    assert head.split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert row.startswith(done.out[:12] + "   busybox") and '"sleep 60"' in row and row.endswith("sleeper")
    assert tuidock("ps", "-q", "--no-trunc").out == done.out
    assert tuidock("ps", "--format", "table {{.Names}}\t{{.State}}\t{{.Label `team`}}").out.split() == [
        "NAMES", "STATE", "team", "sleeper", "running", "blue"
    ]  # fmt: skip
    assert json.loads(tuidock("ps", "--format", "json").out)["Names"] == "sleeper"
    for fits in ("name=slee", "label=team", "label=team=blue", "status=running", "ancestor=busybox", "network=bridge"):
        assert tuidock("ps", "-q", "--filter", fits).out, fits
    for fits_not in ("name=web", "label=team=red", "status=exited", "volume=x", "exited=0", "health=healthy"):
        assert not tuidock("ps", "-aq", "--filter", fits_not).out, fits_not
    assert tuidock("stop", "-t", "0", "sleeper").out == "sleeper\n"
    assert not tuidock("ps", "-q").out
    assert tuidock("ps", "-a", "--format", "{{.Status}}").out.startswith("Exited (137)")
    assert tuidock("wait", "sleeper").out == "137\n"
    assert tuidock("rm", "sleeper").out == "sleeper\n"


def test_moves(tuidock: Call) -> None:
    tuidock("run", "-d", "--name", "one", "busybox", "sleep", "60")
    for verb in ("pause", "unpause", "restart"):
        options = ("-t", "0") if verb == "restart" else ()
        assert tuidock(verb, *options, "one") == (0, "one\n", "")
    assert tuidock("rename", "one", "two") == (0, "", "")
    done = tuidock("rm", "two")
    assert done.code == 1 and "running" in done.err
    assert tuidock("kill", "two").out == "two\n"
    assert tuidock("wait", "two").out == "137\n"
    assert tuidock("start", "two").out == "two\n"
    assert tuidock("rm", "-f", "two") == (0, "two\n", "")


def test_exec_has_the_exit_code_and_the_environment(tuidock: Call) -> None:
    tuidock("run", "-d", "--name", "box", "busybox", "sleep", "60")
    assert tuidock("exec", "-e", "A=1", "-w", "/tmp", "box", "sh", "-c", "echo $A $PWD; exit 3") == (3, "1 /tmp\n", "")
    assert tuidock("exec", "-i", "box", "cat", stdin=b"through").out == "through"
    assert tuidock("exec", "box", "nonexistent").code == 127


def test_a_pipe_through_a_container_is_exact(engine: Engine, tuidock: Call) -> None:
    content = os.urandom(3_000_000)
    done = subprocess.run(
        argv(engine, "run", "-i", "--rm", "busybox", "cat"),
        input=content, capture_output=True, env=environment(), timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout == content


def test_a_reader_that_ends_early_ends_run_quietly(engine: Engine) -> None:
    command = " ".join(argv(engine, "run", "busybox", "yes")) + " | head -1"
    done = subprocess.run(["bash", "-c", command + "; exit ${PIPESTATUS[0]}"], capture_output=True, env=environment(),
                          timeout=60, check=False)  # fmt: skip
    assert done.stdout == b"y\n" and done.stderr == b"" and done.returncode == 141


def test_start_attached_shows_the_output_and_the_code(tuidock: Call) -> None:
    made = tuidock("create", "-i", "busybox", "sh", "-c", "cat; exit 5").out.strip()
    assert tuidock("start", "-ai", made, stdin=b"typed\n") == (5, "typed\n", "")


def test_cidfile(tuidock: Call, tmp_path: Path) -> None:
    path = tmp_path / "cid"
    done = tuidock("run", "-d", "--cidfile", str(path), "busybox", "true")
    assert path.read_text() == done.out.strip()
    again = tuidock("run", "--cidfile", str(path), "busybox", "true")
    assert again.code == 125 and "container ID file found" in again.err


def test_logs_are_raw_for_a_pipe(tuidock: Call) -> None:
    script = "printf 'a\\033]0;x\\007b\\n'; echo err >&2; printf 'no newline'"
    made = tuidock("run", "--name", "log", "busybox", "sh", "-c", script)
    assert made.code == 0
    done = tuidock("logs", "log")
    assert done.out == "a\x1b]0;x\x07b\nno newline" or done.out == "a\x1b]0;x\x07b\nno newline\n"
    assert done.err == "err\n"
    assert tuidock("logs", "--tail", "0", "log").out == ""
    stamped = tuidock("logs", "-t", "log").out.splitlines()[0]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z a", stamped)
    assert tuidock("logs", "--since", "1h", "log").out == done.out
    assert tuidock("logs", "--until", "1h", "log").out == ""
    assert tuidock("logs", "--tail", "x", "log").code == 1


def test_follow_ends_with_the_container(tuidock: Call) -> None:
    tuidock("run", "-d", "--name", "count", "busybox", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    assert tuidock("logs", "-f", "count").out == "1\n2\n3\n"


def test_published_ports(tuidock: Call) -> None:
    script = "echo page > /index.html; exec httpd -f -p 80 -h /"
    tuidock("run", "-d", "--name", "web", "-p", "127.0.0.1::80", "busybox", "sh", "-c", script)
    address = tuidock("port", "web", "80").out.strip()
    assert re.fullmatch(r"127\.0\.0\.1:\d+", address)
    assert tuidock("port", "web").out == f"80/tcp -> {address}\n"
    tuidock("exec", "web", "sh", "-c", "until wget -q -O - http://127.0.0.1/ >/dev/null; do :; done")
    assert urllib.request.urlopen(f"http://{address}/", timeout=10).read() == b"page\n"
    assert tuidock("port", "web", "81").code == 1
    assert "PID" in tuidock("top", "web").out
    assert "CPU %" in tuidock("stats", "--no-stream", "web").out


def test_inspect_and_its_formats(tuidock: Call) -> None:
    made = tuidock("create", "--name", "look", "-e", "A=1", "busybox", "true").out.strip()
    document = json.loads(tuidock("inspect", "look").out)[0]
    assert document["Id"] == made and document["Name"] == "/look"
    assert tuidock("inspect", "-f", "{{.State.Status}} {{index .Config.Env 0}}", "look").out.startswith("created ")
    assert json.loads(tuidock("inspect", "--type", "image", "busybox").out)[0]["RepoTags"] == ["busybox:latest"]
    assert tuidock("inspect", "--type", "network", "-f", "{{.Driver}}", "bridge").out == "bridge\n"
    assert tuidock("inspect", "-f", "{{.Nope}}", "look").code == 1
    both = tuidock("inspect", "-f", "{{.Id}}", "look", "nosuch")
    assert both.code == 1 and both.out == made + "\n" and "nosuch" in both.err


def test_images(tuidock: Call, tmp_path: Path) -> None:
    head, row = tuidock("images").out.splitlines()
    assert head.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert row.split()[:2] == ["busybox", "latest"]
    tuidock("tag", "busybox", "mine:1")
    assert tuidock("images", "--format", "{{.Repository}}:{{.Tag}}", "mine").out == "mine:1\n"
    assert tuidock("save", "-o", str(tmp_path / "mine.tar"), "mine:1").code == 0
    assert tuidock("rmi", "mine:1").out == "Untagged: mine:1\n"
    assert tuidock("load", "-i", str(tmp_path / "mine.tar")).out == "Loaded image: mine:1\n"
    assert tuidock("rmi", "mine:1").code == 0
    assert tuidock("history", "-q", "busybox").out.strip()
    assert tuidock("load", "-i", "/nonexistent").code == 1


def test_volumes(tuidock: Call) -> None:
    assert tuidock("volume", "create", "--label", "a=b", "store") == (0, "store\n", "")
    tuidock("run", "--name", "user", "-v", "store:/data", "busybox", "sh", "-c", "echo kept > /data/file")
    assert tuidock("volume", "ls", "-q", "--filter", "label=a").out == "store\n"
    assert tuidock("volume", "inspect", "-f", "{{.Name}} {{.Driver}}", "store").out == "store local\n"
    used = tuidock("volume", "rm", "store")
    assert used.code == 1 and "user" in used.err
    assert tuidock("run", "--rm", "-v", "store:/d:ro", "busybox", "cat", "/d/file").out == "kept\n"
    tuidock("rm", "user")
    assert tuidock("volume", "prune", "-af").out.startswith("Deleted Volumes:\nstore\n")


def test_prune_of_containers(tuidock: Call) -> None:
    made = tuidock("create", "busybox", "true").out.strip()
    assert tuidock("container", "prune", "--force", "--filter", "label=none").out == "Total reclaimed space: 0B\n"
    assert made in tuidock("container", "prune", "--force").out
    assert not tuidock("ps", "-aq").out


def test_events(tuidock: Call) -> None:
    tuidock("run", "--rm", "--name", "brief", "busybox", "true")
    done = tuidock("events", "--since", "1m", "--until", "0s", "--filter", "container=brief", "--format", "{{.Action}}")
    actions = done.out.split()
    assert actions[:1] == ["create"] and {"start", "die", "destroy"} <= set(actions)
    plain = tuidock("events", "--since", "1m", "--until", "0s", "--filter", "event=die").out.splitlines()[-1]
    assert re.match(r"\S+T\S+ container die [0-9a-f]{64} \(.*exitCode=0.*name=brief", plain)


def test_read_only_changes_nothing(engine: Engine) -> None:
    done = subprocess.run(
        argv(engine, "--read-only", "volume", "create", "xx"), capture_output=True, env=environment(), check=False
    )
    assert done.returncode == 1 and b"read-only" in done.stderr


def test_system(tuidock: Call) -> None:
    assert "Kernel Version:" in tuidock("info").out
    assert json.loads(tuidock("info", "-f", "json").out)["Driver"] == "overlay"
    assert tuidock("version", "-f", "{{.Server.Version}}").out == tuidock("version", "-f", "{{.Version}}").out
    assert tuidock("system", "df").out.splitlines()[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
    assert tuidock("system", "check", "--fast").code == 0
    assert tuidock("system", "reset").code == 1
    assert tuidock("--version").out.startswith("tuidock version ")
