"""Networks that people make: their rules and words, and containers in them with real traffic."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, request
from tests.engine.network.waiting import eventually
from tuidock.engine import Engine
from tuidock.engine.containers import placing
from tuidock.engine.errors import (
    Conflict,
    InvalidArgument,
    NameTaken,
    NotFound,
    StartFailed,
    SystemFailure,
    Unsupported,
    WrongState,
)
from tuidock.engine.network import links, networks
from tuidock.engine.network.ipv4 import number
from tuidock.engine.types import CreateRequest

#: Subnets of the benchmark range that other tests do not use.
SUBNET = f"198.19.{os.getpid() % 200}"
SLEEP = ["sleep", "1000"]


@contextmanager
def network(engine: Engine, name: str, **options: Any) -> Iterator[str]:
    made = engine.create_network(name, **options)
    try:
        yield made.name
    finally:
        engine.remove_network(made.id)


def place(engine: Engine, run: Run, name: str, *networks: str, **settings: dict[str, Any]) -> str:
    """Starts a container in networks; settings are EndpointSettings by network."""
    endpoints = {network: settings.get(network, {}) for network in networks}
    request = CreateRequest(
        name, {"Image": "busybox", "Cmd": SLEEP}, {"NetworkMode": networks[0]}, {"EndpointsConfig": endpoints}
    )
    container_id = engine.create(request)
    run.made.append(container_id)
    engine.start(container_id)
    return container_id


def address(engine: Engine, container: str, network: str) -> str:
    return next(end.address for end in engine.container(container).networks if end.network == network)


def inside(engine: Engine, container: str, *words: str) -> subprocess.CompletedProcess[str]:
    pid = str(engine.container(container).pid)
    return subprocess.run(["nsenter", "-t", pid, "-n", *words], capture_output=True, text=True)


def reaches(engine: Engine, container: str, target: str) -> bool:
    return inside(engine, container, "busybox", "ping", "-c1", "-W5", target).returncode == 0


def cut_off(engine: Engine, container: str, target: str) -> bool:
    """No answer within the second that a working way never takes."""
    return inside(engine, container, "busybox", "ping", "-c1", "-W1", target).returncode != 0


def routes(engine: Engine, container: str) -> list[str]:
    return inside(engine, container, "ip", "-4", "route").stdout.splitlines()


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("bridge", {}, WrongState, "operation is not permitted on predefined bridge network"),
        ("two words", {}, InvalidArgument, "invalid network name"),
        ("x", {"driver": "overlay"}, InvalidArgument, "could not find plugin overlay"),
        ("x", {"subnets": ["198.19.250.1/24"]}, InvalidArgument, "bits set to the right"),
        ("x", {"subnets": ["198.19.250.0/24"], "gateways": ["198.19.251.1"]}, InvalidArgument, "no matching subnet"),
        ("x", {"gateways": ["198.19.251.1"]}, InvalidArgument, "no matching subnet"),
        ("x", {"subnets": ["198.19.250.0/24"], "ranges": ["198.19.0.0/16"]}, InvalidArgument, "no matching subnet for range"),
        ("x", {"subnets": ["198.19.250.0/31"]}, InvalidArgument, "no room"),
        ("x", {"subnets": ["198.19.250.0/24", "198.19.251.0/24"]}, InvalidArgument, "multiple overlapping subnet"),
        ("x", {"subnets": ["fd00:5::/64"]}, InvalidArgument, "IPv6 is not enabled"),
        ("x", {"options": {"com.docker.network.bridge.name": "../../etc"}}, InvalidArgument, "invalid bridge name"),
        ("x", {"options": {"com.docker.network.bridge.name": "a\nb"}}, InvalidArgument, "invalid bridge name"),
        ("x", {"options": {"com.docker.network.bridge.name": "lo"}}, Conflict, "a link lo that is not ours"),
        ("x", {"options": {"com.docker.network.driver.mtu": "1e3"}}, InvalidArgument, "not a number from 68"),
        ("x", {"options": {"com.docker.network.bridge.enable_icc": "maybe"}}, InvalidArgument, "neither true nor false"),
        ("x", {"driver": "macvlan"}, InvalidArgument, "name the link it hangs on"),
        ("x", {"driver": "macvlan", "options": {"parent": "nolink"}}, InvalidArgument, "no link 'nolink'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_before_anything_is_made(
    engine: Engine, name: str, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    before = engine.networks()
    with pytest.raises(error, match=words):
        engine.create_network(name, **options)
    assert engine.networks() == before


def test_names_and_subnets_are_given_once(engine: Engine) -> None:
    with network(engine, "once", subnets=[f"{SUBNET}.0/24"]):
        with pytest.raises(NameTaken, match="network with name once already exists"):
            engine.create_network("once")
        with pytest.raises(Conflict, match="Pool overlaps with other one on this address space"):
            engine.create_network("other", subnets=[f"{SUBNET}.128/25"])
    with pytest.raises(Conflict, match="Pool overlaps"):  # a route of this machine
        base, prefix, _ = links.routes()[0] if links.routes() else (127 << 24, 8, "lo")
        engine.create_network("other", subnets=[f"{'.'.join(str(base >> s & 255) for s in (24, 16, 8, 0))}/{prefix}"])
    for name in ("bridge", "host", "none"):
        with pytest.raises(WrongState, match=f"{name} is a pre-defined network and cannot be removed"):
            engine.remove_network(name)
    with pytest.raises(NotFound):
        engine.remove_network("once")


def test_an_unknown_kind_of_link_is_said(engine: Engine) -> None:
    if links.can_make("ipvlan"):
        pytest.skip("this kernel has ipvlan")
    with pytest.raises(Unsupported, match="this kernel has no ipvlan links"):
        engine.create_network("x", driver="ipvlan", options={"parent": "lo"})
    assert links.can_make("macvlan")


def test_neighbours_reach_each_other_and_networks_do_not(engine: Engine, run: Run) -> None:
    with network(engine, "east", subnets=[f"{SUBNET}.0/24"], ranges=[f"{SUBNET}.64/26"]), network(engine, "west"):
        try:
            place(engine, run, "one", "east")
            place(
                engine,
                run,
                "two",
                "east",
                "west",
                east={"IPAMConfig": {"IPv4Address": f"{SUBNET}.9"}, "Aliases": ["zwei"]},
            )
            place(engine, run, "three", "west")
            assert address(engine, "one", "east") == f"{SUBNET}.64" and address(engine, "two", "east") == f"{SUBNET}.9"
            assert reaches(engine, "one", f"{SUBNET}.9")
            assert reaches(engine, "three", address(engine, "two", "west"))
            assert cut_off(engine, "one", address(engine, "three", "west"))
            shown = engine.inspect_container("two")["NetworkSettings"]["Networks"]
            assert shown["east"]["Aliases"] == ["zwei"] and shown["east"]["EndpointID"] != shown["west"]["EndpointID"]
            assert shown["east"]["DNSNames"] == ["two", "zwei", engine.container("two").id[:12]]
            members = engine.inspect_network("east")["Containers"]
            assert {member["Name"] for member in members.values()} == {"one", "two"}
            with pytest.raises(Conflict, match=r'network east has active endpoints \(name:"'):
                engine.remove_network("east")
            # a stopped one keeps its places
            engine.stop("two", timeout=0)
            engine.start("two")
            assert address(engine, "two", "east") == f"{SUBNET}.9" and reaches(engine, "one", f"{SUBNET}.9")
        finally:
            engine.remove_many(run.made, force=True)
            run.made.clear()


def test_an_internal_network_and_one_without_talk(engine: Engine, run: Run) -> None:
    with (
        network(engine, "inner", internal=True),
        network(
            engine,
            "mute",
            options={"com.docker.network.bridge.enable_icc": "false", "com.docker.network.driver.mtu": "1400"},
        ),
    ):
        try:
            place(engine, run, "in1", "inner")
            place(engine, run, "in2", "inner")
            assert reaches(engine, "in1", address(engine, "in2", "inner"))
            assert not any(line.startswith("default") for line in routes(engine, "in1"))
            run.start(
                SLEEP, name="in3", NetworkMode="inner", PortBindings={"80/tcp": [{"HostPort": "0"}]}
            )  # nobody outside reaches it, so nothing listens for it either
            assert engine.container("in3").ports == ()
            place(engine, run, "mute1", "mute")
            place(engine, run, "mute2", "mute")
            assert cut_off(engine, "mute1", address(engine, "mute2", "mute"))
            assert reaches(engine, "mute1", engine.network("mute").gateway)
            assert "mtu 1400" in inside(engine, "mute1", "ip", "link", "show", "eth0").stdout
        finally:
            engine.remove_many(run.made, force=True)
            run.made.clear()


def test_a_running_container_comes_into_a_network_and_goes_again(engine: Engine, run: Run) -> None:
    with network(engine, "plug", subnets=[f"{SUBNET}.0/24"]):
        try:
            here = place(engine, run, "here", "bridge")
            place(engine, run, "there", "plug")
            engine.connect_network("plug", "here", ip=f"{SUBNET}.200", aliases=["alias"])
            assert reaches(engine, "there", f"{SUBNET}.200")
            assert "eth1" in inside(engine, "here", "ip", "-br", "link").stdout
            hosts = Path(engine.instance.paths.container(here), "hosts").read_text()
            assert f"{SUBNET}.200\t{here[:12]}\n" in hosts
            with pytest.raises(Conflict, match="endpoint with name here already exists in network plug"):
                engine.connect_network("plug", "here")
            engine.disconnect_network("bridge", "here")
            assert routes(engine, "here")[0].startswith(f"default via {SUBNET}.1 dev eth1")
            engine.restart("here", timeout=0)
            assert reaches(engine, "there", f"{SUBNET}.200")
            document = json.loads(Path(engine.instance.paths.container(here), "create.json").read_text())
            assert [place[0] for place in document["Addresses"]] == [engine.network("plug").id]
            engine.disconnect_network("plug", "here")
            assert inside(engine, "here", "ip", "-br", "link").stdout.count("\n") == 1
            with pytest.raises(Conflict, match="is not connected to network plug"):
                engine.disconnect_network("plug", "here")
            with pytest.raises(WrongState, match="disconnected from host network or connected to host network"):
                engine.connect_network("host", "here")
            with pytest.raises(Conflict, match="belongs to container there"):
                engine.connect_network("plug", "here", ip=address(engine, "there", "plug"))
            assert engine.container("here").networks == ()
        finally:
            engine.remove_many(run.made, force=True)
            run.made.clear()


def test_what_cannot_be_asked_of_a_place_is_said(engine: Engine, run: Run) -> None:
    with network(engine, "auto"):
        here = engine.create(CreateRequest("asker", {"Image": "busybox", "Cmd": SLEEP}, {}, {}))
        run.made.append(here)
        ask: Callable[..., None] = engine.connect_network
        for words, options in (
            ("networks with user configured subnets", {"ip": "10.0.0.9"}),
            ("it has no IPv6", {"ip6": "fd00::9"}),
            ("invalid network alias", {"aliases": ["a b"]}),
            ("invalid network alias", {"aliases": ["x" * 64]}),
        ):
            with pytest.raises(InvalidArgument, match=words):
                ask("auto", "asker", **options)
        assert [end.network for end in engine.container("asker").networks] == ["bridge"]
        engine.disconnect_network("bridge", "asker")
        engine.start("asker")
        assert routes(engine, "asker") == []


def test_bridges_stand_while_they_are_needed_and_a_rebuild_knows_the_networks(engine: Engine, run: Run) -> None:
    name = f"tdkx{os.getpid() & 0xFFFF:04x}"
    options = {"com.docker.network.bridge.name": name}
    with network(engine, "kept", subnets=[f"{SUBNET}.0/24"], labels={"a": "b"}, options=options):
        assert not links.exists(name)
        place(engine, run, "first", "kept")
        assert links.exists(name)
        links.delete_link(name)  # as a reboot does
        place(engine, run, "second", "kept")
        assert reaches(engine, "second", f"{SUBNET}.1")
        before = engine.network("kept"), engine.container("second").networks
        os.unlink(engine.instance.paths.database)
        assert "network kept" in engine.rebuild()
        assert (engine.network("kept"), engine.container("second").networks) == before
        engine.remove_many(run.made, force=True)
        run.made.clear()
    assert not links.exists(name)


def test_a_map_shows_members_ports_and_what_they_have_sent(engine: Engine, run: Run) -> None:
    with network(engine, "mapped", subnets=[f"{SUBNET}.0/24"]):
        try:
            place(engine, run, "talker", "bridge", "mapped", mapped={"Aliases": ["speaker"]})
            silent = CreateRequest("silent", {"Image": "busybox", "Cmd": SLEEP}, {"NetworkMode": "mapped"}, {})
            run.made.append(engine.create(silent))
            assert reaches(engine, "talker", f"{SUBNET}.1")
            found = {each.network.name: each for each in engine.network_map()}
            assert found["mapped"].up and not found["none"].members
            talker, other = found["mapped"].members
            assert (talker.name, talker.running, talker.interface) == ("talker", True, "eth1")
            assert talker.aliases == ("speaker",) and talker.tx_packets >= 1 and talker.tx_bytes >= 84
            assert (other.name, other.running, other.rx_bytes) == ("silent", False, 0)
            assert [member.name for member in found["bridge"].members] == ["talker"]
        finally:
            engine.remove_many(run.made, force=True)
            run.made.clear()


def test_a_link_follows_its_target_to_another_address(engine: Engine, run: Run) -> None:
    target = run.start(SLEEP, name="target")
    user = run.start(SLEEP, name="user", Links=["target:db"])
    hosts = Path(engine.instance.paths.container(user), "hosts")
    first = address(engine, "target", "bridge")
    assert f"{first}\tdb {target[:12]} target\n" in hosts.read_text()
    engine.disconnect_network("bridge", "target")
    run.start(SLEEP, name="taker")
    with engine.instance.state.write() as db:  # somebody else has the old address by now
        db.execute("INSERT INTO addresses(network_id, address, container_id) SELECT id, ?, 'x' FROM networks WHERE "
                   "name = 'bridge'", (number(first),))  # fmt: skip
    engine.connect_network("bridge", "target")
    second = address(engine, "target", "bridge")
    assert second != first and f"{second}\tdb {target[:12]} target\n" in hosts.read_text()
    assert first + "\t" not in hosts.read_text()
    with engine.instance.state.write() as db:
        db.execute("DELETE FROM addresses WHERE container_id = 'x'")


def test_prune_takes_what_no_container_has_a_place_in(engine: Engine, run: Run) -> None:
    engine.create_network("empty")
    engine.create_network("used")
    run.made.append(
        engine.create(CreateRequest("idle", {"Image": "busybox", "Cmd": SLEEP}, {"NetworkMode": "used"}, {}))
    )
    assert [network.name for network in engine.unused_networks()] == ["empty"]
    assert engine.prune_networks(["empty", "absent"])[0] == ("empty", None)
    engine.remove_network("used")  # nothing runs in it
    with pytest.raises(NotFound, match="network"):
        engine.start("idle")


def test_a_flushed_table_comes_back_by_itself_and_others_are_left_alone(engine: Engine, run: Run) -> None:
    table, other = engine.instance.nft_table, f"tdktestother{os.getpid() & 0xFFFF:04x}"
    listing = ["nft", "list", "table", "ip", table]
    with network(engine, "guarded"):
        try:
            place(engine, run, "guard", "guarded")
            run.start(SLEEP, name="publisher", PortBindings={"80/tcp": [{"HostPort": "0"}]})
            port = engine.container("publisher").ports[0].host_port
            before = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
            assert f"tcp . {port} : {address(engine, 'publisher', 'bridge')} . 80" in before
            subprocess.run(["nft", "add", "table", "ip", other], check=True)
            subprocess.run(["nft", "delete", "table", "ip", table], check=True)  # what a flush does to it
            eventually(lambda: subprocess.run(listing, capture_output=True, text=True).stdout == before)
            subprocess.run(["nft", "list", "table", "ip", other], check=True, capture_output=True)
        finally:
            subprocess.run(["nft", "delete", "table", "ip", other], check=False)
            engine.remove_many(run.made, force=True)
            run.made.clear()


def test_what_a_kill_in_between_left_is_put_right(engine: Engine, run: Run) -> None:
    with network(engine, "torn", subnets=[f"{SUBNET}.0/24"]):
        try:
            here = place(engine, run, "torn1", "bridge")
            place(engine, run, "torn2", "torn")
            with engine.instance.state.write() as db:  # a connect that got as far as its row
                row = networks.find(db, "torn")
                placing.place(engine.instance, db, here, row, {"Aliases": ["late"]})
            engine.connect_network("torn", "torn1")
            assert reaches(engine, "torn2", address(engine, "torn1", "torn"))
            links.delete_link(engine.instance.veth(here, 1))  # a disconnect that got as far as the link
            engine.disconnect_network("torn", "torn1")
            assert [end.network for end in engine.container("torn1").networks] == ["bridge"]
        finally:
            engine.remove_many(run.made, force=True)
            run.made.clear()
    lost = f"tdk{engine.instance.id[:4]}0badcafe"
    subprocess.run(["ip", "link", "add", lost, "type", "bridge"], check=True)
    stale = Path(engine.instance.paths.zone("f" * 64))
    stale.mkdir(parents=True)
    (stale / ("a" * 64)).write_text("10.0.0.1 - gone\n")
    definition = Path(engine.instance.paths.networks, "e" * 64)
    definition.write_text("{}")
    assert any(problem.subject == lost for problem in engine.check(fast=True))
    assert any(problem.message == f"bridge {lost} removed" for problem in engine.check(repair=True, fast=True))
    assert not links.exists(lost) and not list(stale.iterdir()) and not definition.exists()


def test_a_full_bridge_says_what_to_do_and_leaves_nothing(engine: Engine, run: Run) -> None:
    name, group = f"e{os.getpid()}", str(os.getpid())
    links_of_others = [
        f"link add {name}a{n} group {group} type veth peer name {name}b{n} group {group}" for n in range(511)
    ]
    with network(engine, "crowded"):
        first = run.start(SLEEP, NetworkMode="crowded")  # makes the bridge, and takes the last port
        bridge = engine.inspect_network("crowded")["Options"]["com.docker.network.bridge.name"]
        ports = [f"link set {name}{end}{n} master {bridge}" for n in range(511) for end in "ab"]
        subprocess.run(["ip", "-batch", "-"], input="\n".join([*links_of_others, *ports]), text=True, check=True)
        try:
            message = f"the bridge {bridge} is full: .*1023 containers.*network create NAME` and use --network NAME"
            late = engine.create(request(["true"], NetworkMode="crowded", PortBindings={"80/tcp": [{}]}))
            run.made.append(late)
            with pytest.raises(StartFailed, match=message):
                engine.start(late)
            assert engine.container(late).status == "created" and not engine.container(late).ports
            assert not links.exists(engine.instance.veth(late))
            other = run.start(SLEEP)
            with pytest.raises(SystemFailure, match=message):
                engine.connect_network("crowded", other)
            assert [place.network for place in engine.container(other).networks] == ["bridge"]
            assert not links.exists(engine.instance.veth(other, 1))
            engine.remove(first, force=True)
            engine.start(late)
        finally:
            subprocess.run(["ip", "link", "delete", "group", group], check=True)
        engine.remove(late, force=True)
