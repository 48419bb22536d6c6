"""Moving in from a real docker and a real podman: what they have is here afterwards, and can be started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_differential import Peer
from tests.cli.test_differential import docker as dockerd  # noqa: F401  (a fixture: a dockerd with a root of its own)
from tests.failure.machine import eventually
from tests.interop.peers import Docker, podman
from tests.native.monitored import needs_root
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError, InvalidArgument, NotFound, SystemFailure
from tuidock.engine.options.run import parse_run

pytestmark = needs_root


@pytest.fixture(scope="module")
def docker(request: pytest.FixtureRequest) -> tuple[Docker, str]:
    """A docker with an image of two names, a network, volumes and containers; and the address of its socket."""
    peer: Peer = request.getfixturevalue("dockerd")
    docker = Docker(peer.cli, peer.environ)
    docker("tag", "busybox", "registry.example/tools:2")
    docker("network", "create", "--subnet", "10.223.7.0/24", "--label", "tier=front", "front")
    docker("volume", "create", "--label", "owner=me", "data")
    docker(
        "run",
        "--rm",
        "-v",
        "data:/d",
        "busybox",
        "sh",
        "-c",
        "echo kept > /d/file; chown 7:8 /d/file; chmod 640 /d/file",
    )
    docker(
        "create", "--name", "store", "-v", "data:/data", "-v", "/scratch", "-e", "MODE=a b", "--user", "root", "-w", "/data",
        "--restart", "on-failure:3", "-m", "64m", "--cap-drop", "CHOWN", "--label", "l=1", "--hostname", "named",
        "busybox", "cat", "file",
    )  # fmt: skip
    docker(
        "create", "--name", "a-reader", "--volumes-from", "store:ro", "-p", "127.0.0.1:0:80", "busybox", "ls", "/data"
    )
    docker("create", "--name", "member", "--network", "front", "--network-alias", "web", "busybox", "true")
    docker("network", "create", "--subnet", "10.223.8.0/24", "fixed")
    docker("create", "--name", "sitter", "--privileged", "--network", "fixed", "--ip", "10.223.8.9", "busybox", "true")
    docker("create", "--name", "passing", "--rm", "busybox", "true")
    return docker, peer.cli.split()[-1]


@pytest.fixture
def moved(engine: Engine, docker: tuple[Docker, str]) -> Iterator[Engine]:
    with engine.migration_source("docker", docker[1]) as source:
        inventory, items = engine.migration_plan(source)
        steps = list(engine.migrate(source, inventory, items))
    assert [step for step in steps if step.action == "failed"] == []
    yield engine
    engine.remove_many([c.id for c in engine.containers()], force=True)


def test_a_docker_moves_in(moved: Engine, docker: tuple[Docker, str]) -> None:
    assert {c.name for c in moved.containers()} == {"store", "a-reader", "member", "sitter"}
    store = moved.inspect_container("store")
    assert "MODE=a b" in store["Config"]["Env"]
    assert (store["Config"]["Hostname"], store["Config"]["User"], store["Config"]["WorkingDir"]) == (
        "named",
        "root",
        "/data",
    )
    host = store["HostConfig"]
    assert (
        host["Memory"],
        [name.removeprefix("CAP_") for name in host["CapDrop"]],
        host["RestartPolicy"]["MaximumRetryCount"],
    ) == (64 << 20, ["CHOWN"], 3)
    scratch = next(mount for mount in store["Mounts"] if mount["Destination"] == "/scratch")
    theirs = docker[0](
        "inspect", "-f", '{{range .Mounts}}{{if eq .Destination "/scratch"}}{{.Name}}{{end}}{{end}}', "store"
    )
    assert scratch["Name"] == theirs.strip(), "an anonymous volume keeps its name, and so its content"
    volume = moved.volume("data")
    file = Path(volume.mountpoint, "file")
    assert (file.read_text(), file.stat().st_uid, file.stat().st_gid, file.stat().st_mode & 0o777) == (
        "kept\n",
        7,
        8,
        0o640,
    )
    assert dict(volume.labels) == {"owner": "me"}
    moved.start("store")
    assert moved.wait("store") == 0
    assert [line.text for batch in moved.logs("store") for line in batch] == [b"kept"]
    reader = moved.inspect_container("a-reader")
    assert {(m["Name"], m["RW"]) for m in reader["Mounts"]} == {("data", False), (scratch["Name"], False)}
    assert "registry.example/tools:2" in moved.image("busybox").references
    assert moved.network("front").subnet == "10.223.7.0/24"
    assert moved.network("front").labels == {"tier": "front"}
    endpoint = moved.inspect_container("member")["NetworkSettings"]["Networks"]["front"]
    assert "web" in endpoint["Aliases"]
    sitter = moved.inspect_container("sitter")
    assert sitter["NetworkSettings"]["Networks"]["fixed"]["IPAMConfig"] == {"IPv4Address": "10.223.8.9"}
    assert not sitter["HostConfig"]["SecurityOpt"], "docker adds label=disable by itself"


def test_a_fixed_address_gives_way_with_its_subnet_and_the_plan_says_so(
    engine: Engine, docker: tuple[Docker, str]
) -> None:
    if any(network.name == "fixed" for network in engine.networks()):
        engine.remove_network("fixed")
    engine.create_network("squatter", subnets=["10.223.8.0/25"])
    try:
        with engine.migration_source("docker", docker[1]) as source:
            inventory, items = engine.migration_plan(source)
            mine = [item for item in items if item.name in ("fixed", "sitter") or item.kind == "image"]
            notes = {item.name: item.notes for item in mine}
            assert notes["fixed"] == (
                "subnet 10.223.8.0/24 is taken (network squatter has 10.223.8.0/25), so it gets another",
            )
            assert "another address than 10.223.8.9" in notes["sitter"][-1]
            last = {step.subject: step for step in engine.migrate(source, inventory, mine)}
            assert last["container sitter"].action == "taken", last["container sitter"].message
            assert "another address than 10.223.8.9" in last["container sitter"].message
            again = {item.name: item for item in engine.migration_plan(source)[1]}
            assert again["fixed"].action == "present" and "10.223.8.0/24 there" in again["fixed"].notes[0]
    finally:
        engine.remove_many([c.id for c in engine.containers()], force=True)
        for name in ("fixed", "squatter"):
            engine.remove_network(name)


def test_a_name_alone_is_not_the_same_thing(moved: Engine, docker: tuple[Docker, str]) -> None:
    moved.remove_many(["sitter"], force=True)
    moved.create(parse_run(["--name", "sitter", "busybox", "sleep", "9"]).request)
    Path(moved.volume("data").mountpoint, "file").write_text("other\n")
    with moved.migration_source("docker", docker[1]) as source:
        items = {item.name: item for item in moved.migration_plan(source)[1]}
    assert (items["sitter"].action, items["member"].action) == ("skip", "present")
    assert "another sitter is here, with another command" in items["sitter"].notes[0]
    assert items["data"].action == "present" and "`tuidock volume rm data` first" in items["data"].notes[0]
    moved.remove_many([c.id for c in moved.containers()], force=True)
    moved.remove_volume("data")


def test_the_second_time_finds_all_of_it_here_and_docker_has_lost_nothing(
    moved: Engine, docker: tuple[Docker, str]
) -> None:
    with moved.migration_source("docker", docker[1]) as source:
        inventory, items = moved.migration_plan(source)
        assert {item.action for item in items if item.name != "passing"} == {"present"}
        assert {item.notes for item in items if item.action == "present" and item.kind != "image"} == {()}
        assert [item.action for item in items if item.name == "passing"] == ["skip"]
        assert list(moved.migrate(source, inventory, items)) == []
    assert set(docker[0]("ps", "-a", "--format", "{{.Names}}").split()) == {
        "store",
        "a-reader",
        "member",
        "sitter",
        "passing",
    }
    assert "data" in docker[0]("volume", "ls", "-q").split()


def test_a_volume_that_was_half_filled_is_filled_and_one_in_use_is_not_touched(
    engine: Engine, docker: tuple[Docker, str]
) -> None:
    if any(volume.name == "data" for volume in engine.volumes()):
        engine.remove_volume("data")
    engine.create_volume("data")
    with engine.migration_source("docker", docker[1]) as source:
        inventory, items = engine.migration_plan(source)
        item = next(one for one in items if (one.kind, one.name) == ("volume", "data"))
        assert item.action == "take"
        assert [step.action for step in engine.migrate(source, inventory, [item])][-1] == "taken"
        assert Path(engine.volume("data").mountpoint, "file").read_text() == "kept\n"
        late = list(engine.migrate(source, inventory, [item]))[-1]
        assert late.action == "failed" and "files or users" in late.message
    assert Path(engine.volume("data").mountpoint, "file").read_text() == "kept\n"
    engine.remove_volume("data")


def test_a_podman_moves_in(engine: Engine, archive: bytes, tmp_path: Path) -> None:
    with podman() as peer:
        (tmp_path / "busybox.tar").write_bytes(archive)
        peer("load", "-q", "-i", tmp_path / "busybox.tar")
        peer("volume", "create", "pods")
        Path(peer("volume", "inspect", "-f", "{{.Mountpoint}}", "pods").strip(), "file").write_text("from podman\n")
        peer("create", "--name", "cask", "--net=none", "-v", "pods:/d", "-e", "A=1", "busybox", "cat", "/d/file")
        socket = tmp_path / "api"
        service = peer.service(f"unix://{socket}")
        try:
            eventually(socket.exists, "its API listens", 30)
            with engine.migration_source("podman", f"unix://{socket}") as source:
                inventory, items = engine.migration_plan(source)
                steps = list(engine.migrate(source, inventory, items))
                again = engine.migration_plan(source)[1]
        finally:
            service.terminate()
            service.wait()
    assert [step.message for step in steps if step.action == "failed"] == []
    assert {item.action for item in again} == {"present"}
    assert engine.inspect_container("cask")["HostConfig"]["NetworkMode"] == "none"
    assert "A=1" in engine.inspect_container("cask")["Config"]["Env"]
    engine.start("cask")
    assert engine.wait("cask") == 0
    assert [line.text for batch in engine.logs("cask") for line in batch] == [b"from podman"]
    engine.remove_many(["cask"], force=True)
    engine.remove_volume("pods")


@pytest.fixture
def lone_podman(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program of that name, and no socket in the usual places."""
    program = tmp_path / "bin/podman"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setattr("tuidock.engine.migrate.source._SOCKETS", {"podman": (), "docker": ()})
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for name in ("CONTAINER_HOST", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    return program


def test_a_podman_that_does_not_serve_is_asked_to(engine: Engine, request: pytest.FixtureRequest) -> None:
    with podman() as peer:
        peer("volume", "create", "alone")
        program: Path = request.getfixturevalue("lone_podman")
        program.write_text(f'#!/bin/sh\nexec {peer.command} "$@"\n')
        assert engine.migration_sockets() == {"podman": ""}
        with engine.migration_source("podman") as source:
            assert [item.name for item in engine.migration_plan(source)[1]] == ["alone"]
            place = Path(source.path).parent
        assert not place.exists()


def test_a_podman_that_cannot_serve_says_why(engine: Engine, lone_podman: Path) -> None:
    lone_podman.write_text("#!/bin/sh\necho 'no storage' >&2\nexit 3\n")
    with pytest.raises(SystemFailure, match="ended with exit code 3: no storage"):
        engine.migration_source("podman")


def test_what_cannot_be_asked_is_refused_in_a_sentence(engine: Engine, tmp_path: Path) -> None:
    cases: list[tuple[str, str, type[EngineError]]] = [
        ("lxd", "", InvalidArgument),
        ("docker", "tcp://127.0.0.1:2375", InvalidArgument),
        ("docker", "relative/socket", InvalidArgument),
        ("docker", f"unix://{tmp_path}/none.sock", EngineError),
    ]
    for kind, host, refusal in cases:
        with pytest.raises(refusal) as caught:
            engine.migration_source(kind, host)
        assert "\n" not in str(caught.value)


def test_without_a_docker_it_says_where_it_looked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tuidock.engine.migrate.source._SOCKETS", {"docker": (f"{tmp_path}/docker.sock",)})
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with pytest.raises(NotFound, match=f"{tmp_path}/docker.sock"):
        engine.migration_source("docker")
