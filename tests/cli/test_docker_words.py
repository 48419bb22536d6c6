"""What docker answers, kept as expectations: exit codes, tables and templates that scripts build on.

test_differential.py asks a real docker the same; these need none.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Result, argv, environment
from tuidock.cli.images import named_rows
from tuidock.engine import Engine
from tuidock.engine.types import Image

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def clean(engine: Engine) -> Iterator[None]:
    yield
    engine.remove_many([container.id for container in engine.containers()], force=True, volumes=True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        # what the client finds wrong is 125 for create too, what the engine refuses is 1 there and 125 for run
        (("create", "-p", "a", "busybox"), 125, "invalid containerPort: a"),
        (("create", "--name", "-bad", "busybox"), 1, "Invalid container name"),
        (("run", "--name", "-bad", "busybox"), 125, "Invalid container name"),
        (("create", "--pull", "never", "nosuch"), 1, "No such image: nosuch"),
        (("run", "-d", "-a", "stdout", "busybox"), 1, "cannot specify both --attach and --detach"),
        (("run", "-it", "--rm", "busybox"), 1, "the input device is not a TTY"),
        (("run", "--uts", "host", "-h", "x", "busybox"), 125, "hostname and the UTS mode"),
        (("run", "--net", "container:x", "-h", "x", "busybox"), 125, "hostname and the network mode"),
        (("run", "--net", "bridge", "--ip", "10.1.1.1", "busybox"), 125, "user defined networks only"),
        (("run", "--security-opt", "bogus=1", "busybox"), 125, "invalid --security-opt"),
        (("run", "--security-opt", "no-new-privileges=maybe", "busybox"), 125, "is true or false"),
        (("run", "--volumes-from", "x:bogus", "busybox"), 125, "invalid mode: bogus"),
        (("run", "--runtime", "kata", "busybox"), 125, "unknown runtime kata"),
        (("run", "--gpus", "all", "busybox"), 125, "could not select a device driver"),
        (("run", "--storage-opt", "size=1g", "busybox"), 125, "not supported"),
        (("run", "--volume-driver", "nope", "-v", "vv:/v", "busybox"), 125, "there is only local"),
        (
            ("run", "--pull=never", "--platform", "linux/s390x", "busybox", "true"),
            125,
            "not match the specified platform",
        ),
        (("run", "--platform", "a/b/c/d", "busybox", "true"), 125, "is no platform"),
        (("run", "--rm", "--ipc", "container:nosuch", "busybox"), 125, "No such container: nosuch"),
        (("exec", "-it", "nosuch", "true"), 1, "not a TTY"),
        (("exec", "--nope", "x", "true"), 125, "unknown flag"),
        (("ps", "--filter", "noequals"), 125, "bad format of filter"),
        (("ps", "--filter", "health=bogus"), 1, "invalid filter"),
        (("rmi", "-f", "nosuch"), 0, "No such image: nosuch"),
        (("rm", "--link", "nosuch"), 1, "CONTAINER/ALIAS"),
        (("network", "create", "--driver", "bridge", "bridge"), 1, "not permitted on predefined bridge network"),
        (("network", "rm", "bridge"), 1, "pre-defined network"),
        (("container", "cp", "a:/b", "-"), 1, "No such container: a"),
        (("-H", "unix:///x.sock", "ps"), 125, "there is no daemon"),
        (("-l", "error", "--context", "x", "ps", "-q"), 0, ""),
    ],
)
def test_exit_codes(tuidock: Call, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = tuidock(*arguments)
    assert done.code == code, done
    assert message in done.err
    assert len(done.err.splitlines()) < 8


def test_a_detached_container_that_does_not_start_is_named(tuidock: Call) -> None:
    done = tuidock("run", "-d", "--name", "broken", "busybox", "nope")
    assert done.code == 127 and re.fullmatch(r"[0-9a-f]{64}\n", done.out)
    assert tuidock("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "broken").out == "created 127\n"
    tuidock("create", "--rm", "--name", "short", "busybox", "nope")
    assert tuidock("start", "short").code == 1
    assert tuidock("ps", "-a", "--format", "{{.Names}}").out == "broken\n"


def test_a_file_mounted_over_a_directory(tuidock: Call, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = tuidock("run", "--name", "over", "-v", f"{tmp_path}/file:/tmp", "busybox", "true")
    assert done.code == 125 and "not a directory" in done.err
    assert tuidock("inspect", "-f", "{{.State.ExitCode}}", "over").out == "127\n"


def test_paused_containers_are_not_started(tuidock: Call) -> None:
    tuidock("run", "-d", "--name", "still", "busybox", "sleep", "60")
    tuidock("pause", "still")
    done = tuidock("start", "still")
    assert done.code == 1 and "try unpause instead" in done.err


def test_ps_quotes_arguments_and_knows_sizes(tuidock: Call) -> None:
    tuidock("run", "--name", "done", "busybox", "sh", "-c", "echo 12345 > /file; exit 3")
    assert (
        tuidock("ps", "-a", "--no-trunc", "--format", "{{.Command}}").out == "\"sh -c 'echo 12345 > /file; exit 3'\"\n"
    )
    assert re.fullmatch(r"6B \(virtual [\d.]+MB\)\n", tuidock("ps", "-a", "--format", "{{.Size}}").out)
    head, row = tuidock("ps", "-as").out.splitlines()
    assert head.endswith("SIZE") and re.search(r"6B \(virtual [\d.]+MB\)$", row)
    quiet = tuidock("ps", "-aq", "--format", "{{.Names}}")
    assert re.fullmatch(r"[0-9a-f]{12}\n", quiet.out) and "Ignoring custom format" in quiet.err
    assert tuidock("ps", "--filter", "status=exited", "-q").out
    assert not tuidock("ps", "--filter", "exited=3", "-q").out  # needs -a, as in docker
    document = tuidock("inspect", "-s", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "done").out.split()
    assert document[0] == "6" and int(document[1]) > 1_000_000


def test_ports_are_drawn_as_docker_draws_them(tuidock: Call) -> None:
    tuidock("run", "-d", "--name", "web", "-p", "127.0.0.1:18610-18611:80-81", "busybox", "sleep", "60")
    assert tuidock("ps", "--format", "{{.Ports}}").out == "127.0.0.1:18610->80/tcp, 127.0.0.1:18611->81/tcp\n"
    assert tuidock("ps", "-q", "--filter", "publish=18610").out
    assert tuidock("ps", "-q", "--filter", "expose=80").out
    assert not tuidock("ps", "-q", "--filter", "publish=80").out


def test_the_host_network(tuidock: Call) -> None:
    done = tuidock("run", "--rm", "--net", "host", "-p", "80:80", "busybox", "hostname")
    assert done.out == os.uname().nodename + "\n" and "discarded when using host network mode" in done.err
    assert tuidock("run", "--rm", "--net", "host", "-h", "other", "busybox", "hostname").out == "other\n"
    assert tuidock("run", "--rm", "--uts", "host", "busybox", "hostname").out == os.uname().nodename + "\n"


def test_another_container_s_network_comes_with_its_name(tuidock: Call) -> None:
    tuidock("run", "-d", "--name", "donor", "-h", "given", "busybox", "sleep", "60")
    assert tuidock("run", "--rm", "--net", "container:donor", "busybox", "hostname").out == "given\n"


def test_a_mac_address_is_used_and_shown(tuidock: Call) -> None:
    mac = "02:42:ac:11:00:99"
    done = tuidock("run", "--name", "card", "--mac-address", mac, "busybox", "cat", "/sys/class/net/eth0/address")
    assert done.out == mac + "\n"
    tuidock("start", "card")
    assert (
        tuidock("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}", "card").out == mac + "\n"
    )


def test_ipc_namespaces(tuidock: Call) -> None:
    look = ("sh", "-c", "grep -c ' /dev/shm ' /proc/mounts; grep -c ' /dev/mqueue ' /proc/mounts")
    for mode, shm in (("private", "1"), ("none", "0"), ("host", "1")):
        assert tuidock("run", "--rm", "--ipc", mode, "busybox", *look).out == f"{shm}\n1\n", mode
    tuidock("run", "-d", "--name", "alone", "busybox", "sleep", "60")
    refused = tuidock("run", "--rm", "--ipc", "container:alone", "busybox", "true")
    assert refused.code == 125 and "--ipc shareable" in refused.err
    tuidock("run", "-d", "--name", "open", "--ipc", "shareable", "busybox", "sleep", "60")
    same = [tuidock("exec", "open", "readlink", "/proc/1/ns/ipc").out]
    same.append(tuidock("run", "--rm", "--ipc", "container:open", "busybox", "readlink", "/proc/1/ns/ipc").out)
    assert same[0] == same[1]


def test_the_three_files_show_over_a_mount_at_etc(tuidock: Call) -> None:
    done = tuidock("run", "--rm", "--tmpfs", "/etc", "-h", "here", "busybox", "sh", "-c", "ls /etc; cat /etc/hostname")
    assert done.out == "hostname\nhosts\nresolv.conf\nhere\n"


def test_environment_of_the_user_goes_before_the_image_s(tuidock: Call) -> None:
    tuidock("create", "--name", "env", "-e", "A=1", "busybox")
    assert tuidock("inspect", "-f", "{{json .Config.Env}}", "env").out == '["A=1","PATH=/bin"]\n'


def test_templates_know_fields_that_json_leaves_out(tuidock: Call) -> None:
    tuidock(
        "create", "--name", "look", "-m", "64m", "-l", "Team=blue", "-v", "/an", "--mount", "src=nm,dst=/nm", "busybox"
    )
    for template, shown in (
        ("{{if .State.Health}}yes{{else}}no{{end}}", "no"),
        ("{{.Config.StopSignal}}|{{.HostConfig.Init}}|{{.HostConfig.PidsLimit}}", "|<nil>|<nil>"),
        ("{{.HostConfig.Binds}} {{.HostConfig.CapAdd}} {{json .HostConfig.Binds}}", "[] [] null"),
        ("{{.Config.Entrypoint}} {{.Config.Labels}}", "[] map[Team:blue]"),
        ("{{.HostConfig.ShmSize}} {{.HostConfig.IpcMode}} {{.HostConfig.MemorySwap}}", "67108864 private 134217728"),
        ('{{len .HostConfig.Binds}}{{range .HostConfig.Binds}}x{{end}}{{index .HostConfig.Sysctls "k"}}', "0"),
        ("{{slice .ID 0 12}}", tuidock("ps", "-aq").out.strip()),
        ("{{len .HostConfig.MaskedPaths | lt 5}}", "true"),
        ("{{.HostConfig.CapAdd}} {{.HostConfig.Runtime}} {{.HostConfig.MemorySwappiness}}", "[] runc <nil>"),
        ("{{.Config.Volumes}} {{json .Config.Volumes}}", 'map[/an:{}] {"/an":{}}'),
        (
            '{{range .Mounts}}{{if eq .Name "nm"}}{{.Driver}}{{.Mode}}{{.RW}}{{else}}{{printf "[%s]" .Mode}}{{end}}{{end}}',
            "[]localztrue",
        ),
    ):
        assert tuidock("inspect", "-f", template, "look") == (0, shown + "\n", ""), template
    image = "{{.Config.User}}|{{.Config.Volumes}}|{{.Config.Entrypoint}}|{{.Config.Labels}}|{{.Variant}}"
    assert tuidock("inspect", "-f", image, "busybox").out == "|map[]|[]|map[]|\n"
    tuidock("volume", "create", "plain")
    assert tuidock("volume", "inspect", "-f", "{{.Labels}} {{.Options}}", "plain").out == "map[] map[]\n"
    tuidock("volume", "rm", "plain")
    assert tuidock("inspect", "-f", "{{.Nope}}", "look").code == 1


def test_events_of_a_life(tuidock: Call) -> None:
    tuidock("run", "-d", "--name", "life", "-l", "team=red", "-v", "/data", "busybox", "sleep", "60")
    tuidock("stop", "-t", "0", "life")
    tuidock("rm", "-v", "life")
    tuidock("volume", "create", "kept")
    tuidock("volume", "rm", "kept")
    past = ("events", "--since", "1m", "--until", "0s", "--format")
    of_container = tuidock(*past, "{{.Action}}", "--filter", "container=life").out.split()
    assert of_container == ["create", "start", "kill", "kill", "die", "stop", "destroy"]
    labelled = tuidock(*past, "{{.Action}}", "--filter", "label=team=red").out.split()
    assert labelled == of_container
    origins = tuidock(*past, "{{.From}}", "--filter", "container=life").out.split()
    assert origins == ["busybox"] * len(of_container)
    assert tuidock(*past, "{{.Action}}", "--filter", "volume=kept").out == "create\ndestroy\n"
    anonymous = tuidock(*past, "{{.Actor.ID}} {{.Action}}", "--filter", "type=volume").out
    assert re.search(r"([0-9a-f]{64}) create\n(.*\n)*\1 destroy\n", anonymous)


def test_events_of_images(tuidock: Call) -> None:
    dockerfile = b"FROM busybox\nLABEL kind=seen\n"
    tuidock("build", "-q", "-t", "seen", "-", stdin=dockerfile)
    tuidock("tag", "seen", "seen:2")
    tuidock("pull", "host/base")
    tuidock("rmi", "seen:2")
    tuidock("image", "prune", "-f")
    past = ("events", "--since", "1m", "--until", "0s", "--filter", "type=image", "--format")
    shown = tuidock(*past, "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.kind}}").out.splitlines()
    of_label = [line for line in shown if line.endswith(" seen")]
    assert of_label == ["tag seen:latest seen", "build seen:latest seen", "tag seen:2 seen"]
    identity = tuidock("images", "-q", "--no-trunc", "seen").out.strip()
    of_one = tuidock(*past, "{{.Action}}", "--filter", f"image={identity}").out.split()
    assert of_one == ["tag", "build", "tag", "untag"]
    pulled = tuidock(*past, "{{.ID}} {{.Actor.Attributes.name}}", "--filter", "event=pull").out
    assert pulled == "host/base:latest host/base\n"
    assert tuidock(*past, "{{.Actor.Attributes.reclaimed}}", "--filter", "event=prune").out.strip().isdecimal()


def test_ps_shows_the_id_when_the_name_has_moved_on(tuidock: Call) -> None:
    tuidock("tag", "busybox", "moves")
    identity = tuidock("images", "-q", "busybox").out.strip()
    tuidock("create", "--name", "by-name", "moves")
    tuidock("create", "--name", "by-id", identity[:6])
    shown = ("ps", "-a", "--format", "{{.Names}} {{.Image}}")
    assert set(tuidock(*shown).out.splitlines()) == {"by-name moves", f"by-id {identity[:6]}"}
    tuidock("build", "-q", "-t", "moves", "-", stdin=b"FROM busybox\nLABEL new=er\n")
    assert f"by-name {identity}\n" in tuidock(*shown).out
    tuidock("rmi", "moves")
    assert f"by-name {identity}\n" in tuidock(*shown).out
    assert f" {identity} " in tuidock("ps", "-a").out
    assert tuidock("inspect", "-f", "{{.Config.Image}}", "by-name").out == "moves\n"


def test_digests_of_an_image_with_several_names() -> None:
    digests = ("a@sha256:1", "b@sha256:1", "b@sha256:2")
    image = Image("sha256:9", ("a:1", "b:1", "c:1"), digests, 0, 0)
    shown = [(row.repository, row.digest) for row in named_rows(image, True)]
    assert shown == [("a", "sha256:1"), ("b", "sha256:1"), ("b", "sha256:2"), ("c", "<none>")]
    assert len(list(named_rows(image, False))) == 3


def test_a_log_that_is_not_kept(tuidock: Call) -> None:
    assert tuidock("run", "--name", "mute", "--log-driver", "none", "busybox", "echo", "x").out == "x\n"
    done = tuidock("logs", "mute")
    assert done.code == 1 and "does not support reading" in done.err


def test_logs_to_a_pipe_are_exact(engine: Engine, tuidock: Call) -> None:
    script = "head -c 1000000 /dev/urandom; echo; head -c 50000 /dev/zero; echo e >&2; printf end"
    made = subprocess.run(
        argv(engine, "run", "--name", "raw", "busybox", "sh", "-c", script), capture_output=True, env=environment(),
        timeout=60, check=True,
    )  # fmt: skip
    for options in ((), ("-f",), ("--since", "1h")):
        done = subprocess.run(
            argv(engine, "logs", *options, "raw"), capture_output=True, env=environment(), timeout=60, check=True
        )
        assert done.stdout == made.stdout and done.stderr == b"e\n", options


def test_streams_in_one_pipe_keep_their_order(engine: Engine, tuidock: Call) -> None:
    script = "for i in 1 2 3; do echo o$i; sleep 0.05; echo e$i >&2; sleep 0.05; done"
    tuidock("run", "--name", "both", "busybox", "sh", "-c", script)
    for options, shown in ((), "o1 e1 o2 e2 o3 e3"), (("--tail", "3"), "e2 o3 e3"), (("-f", "--tail", "2"), "o3 e3"):
        done = subprocess.run(
            argv(engine, "logs", *options, "both"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(),
            timeout=60, check=True,
        )  # fmt: skip
        assert done.stdout.decode().split() == shown.split(), options


def test_links_are_removed_by_name(tuidock: Call) -> None:
    tuidock("run", "-d", "--name", "db", "busybox", "sleep", "60")
    tuidock("run", "-d", "--name", "app", "--link", "db:store", "--link", "db:other", "busybox", "sleep", "60")
    assert tuidock("rm", "--link", "app/store") == (0, "app/store\n", "")
    assert tuidock("exec", "app", "cat", "/etc/hosts").out.count("other") == 1
    assert "store" not in tuidock("exec", "app", "cat", "/etc/hosts").out
    assert json.loads(tuidock("inspect", "-f", "{{json .HostConfig.Links}}", "app").out) == ["db:other"]
    assert tuidock("rm", "--link", "app/store").code == 1
    tuidock("restart", "-t", "0", "app")
    assert "store" not in tuidock("exec", "app", "cat", "/etc/hosts").out
    assert tuidock("system", "check", "--fast").code == 0


def test_the_root_is_called_overlay(tuidock: Call) -> None:
    assert tuidock("run", "--rm", "busybox", "df", "/").out.splitlines()[-1].startswith("overlay ")


def test_top_has_wide_columns(tuidock: Call) -> None:
    tuidock("run", "-d", "--name", "busy", "busybox", "sleep", "60")
    head, row = tuidock("top", "busy", "-o", "pid,comm").out.splitlines()
    assert head == "PID                 COMMAND" and row.endswith("sleep") and row.index("sleep") == 20


@pytest.mark.parametrize(("text", "within"), [("49510-49511", True), ("nonsense", False)])
def test_the_configured_range_holds_for_automatic_ports(
    engine: Engine, tmp_path: Path, text: str, within: bool
) -> None:
    (tmp_path / "tuidock").mkdir()
    (tmp_path / "tuidock" / "config.yaml").write_text(f"ports: {text}\n")
    where = {**environment(), "XDG_CONFIG_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def call(*arguments: str) -> Result:
        done = subprocess.run(
            argv(engine, *arguments), capture_output=True, text=True, env=where, timeout=60, check=False
        )
        return Result(done.returncode, done.stdout, done.stderr)

    first = call("run", "-d", "-P", "--expose", "80", "--name", "auto", "busybox", "sleep", "60")
    assert first.code == 0
    assert ("ports must be a range" in first.err) is not within
    assert (int(call("port", "auto", "80").out.split()[0].rpartition(":")[2]) in (49510, 49511)) is within
    if within:
        assert (tmp_path / "cache" / "tuidock" / "config.json").exists()
        assert call("run", "-d", "-p", "127.0.0.1::80", "busybox", "sleep", "60").code == 0
        full = call("run", "-d", "-p", "127.0.0.1::80", "busybox", "sleep", "60")
        assert full.code == 125 and "49510-49511 are all taken" in full.err
        made = call("create", "-P", "--expose", "80", "busybox", "sleep", "60").out.strip()
        assert call("start", made).code == 1
