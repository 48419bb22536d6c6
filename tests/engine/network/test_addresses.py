"""Networks, addresses and subnets in the tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tuidock.engine import state
from tuidock.engine.errors import Conflict, InvalidArgument, NotFound, SystemFailure
from tuidock.engine.instance import Instance
from tuidock.engine.network import addresses, ipv4, links, networks
from tuidock.engine.network.networks import NetworkRow
from tuidock.engine.paths import Paths


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(str(tmp_path / "root"))
    yield instance
    instance.state.close()


def small(subnet: str = "10.9.9.0/29", gateway: str = "10.9.9.1") -> NetworkRow:
    return NetworkRow("n" * 64, "small", "bridge", "tdksmall", subnet, gateway, 0, False, {}, {})


def test_numbers_and_texts_of_addresses() -> None:
    assert ipv4.dotted(ipv4.number("10.88.0.1")) == "10.88.0.1"
    assert ipv4.mac(ipv4.number("10.88.0.2")) == "02:42:0a:58:00:02"
    assert ipv4.split("10.88.0.0/16") == (0x0A580000, 16)
    assert ipv4.overlap(ipv4.split("10.88.0.0/16"), ipv4.split("10.88.5.0/24"))
    assert not ipv4.overlap(ipv4.split("10.88.0.0/16"), ipv4.split("10.89.0.0/16"))
    for wrong in ("10.88.0.1/16", "10.88.0.0", "10.88.0.0/33", "x/8"):
        with pytest.raises(InvalidArgument):
            ipv4.split(wrong)


def test_the_default_networks_are_made_when_needed_and_stay(instance: Instance) -> None:
    with instance.state.write() as db:
        bridge = networks.named(db, "default", instance)
        assert bridge and bridge.bridge == instance.bridge and bridge.driver == "bridge"
        assert networks.named(db, "bridge", instance) == bridge
        assert networks.named(db, "host", instance) is None
        assert networks.named(db, "container:web", instance) is None
        with pytest.raises(NotFound):
            networks.named(db, "absent", instance)
    db = instance.state.read()
    assert [n.name for n in networks.all_networks(db)] == ["bridge", "host", "none"]
    assert networks.find(db, bridge.id[:12]) == bridge
    assert bridge.gateway == ipv4.dotted(ipv4.split(bridge.subnet)[0] + 1)


def test_lists_and_inspection_show_members(instance: Instance) -> None:
    db = instance.state.read()
    bridge = networks.list_networks(db, instance)[0]
    with instance.state.write() as writing:
        writing.execute(
            "INSERT INTO containers(id, name, image, image_id, created, command, restart_policy, auto_remove, tty, "
            "open_stdin, exposed, labels, mounts, request) VALUES ('c', 'web', '', '', 0, '', '', 0, 0, 0, '', '', '', '')"
        )
        address = addresses.allocate(writing, networks.find(writing, "bridge"), "c")
    assert networks.list_networks(db, instance)[0].members == (("web", address),)
    shown = networks.inspect(db, bridge.id)
    assert shown["Containers"]["c"]["IPv4Address"] == f"{address}/20"
    assert shown["IPAM"]["Config"] == [{"Subnet": bridge.subnet, "Gateway": bridge.gateway}]


def test_a_rebuilt_database_has_the_networks_of_the_old_one_or_the_same_ids(instance: Instance, tmp_path: Path) -> None:
    before = networks.list_networks(instance.state.read(), instance)
    with instance.state.write() as db:
        db.execute("DELETE FROM networks")
        assert networks.restore(db, instance, str(tmp_path / "absent.db")) == 3
    assert [n.id for n in networks.list_networks(instance.state.read(), instance)] == [n.id for n in before]


def test_addresses_go_up_stay_and_fill_gaps_only_at_the_end(instance: Instance) -> None:
    network = small()
    with instance.state.write() as db:
        given = [addresses.allocate(db, network, name) for name in "abcd"]
        assert given == ["10.9.9.2", "10.9.9.3", "10.9.9.4", "10.9.9.5"]
        assert addresses.allocate(db, network, "b") == "10.9.9.3"
        addresses.release(db, "b")
        addresses.release(db, "a")
        assert addresses.allocate(db, network, "e") == "10.9.9.6"
        assert addresses.allocate(db, network, "f") == "10.9.9.2"
        assert addresses.allocate(db, network, "g") == "10.9.9.3"
        assert addresses.address_of(db, network.id, "g") == "10.9.9.3"
        with pytest.raises(SystemFailure, match="no free address"):
            addresses.allocate(db, network, "h")


def test_a_gateway_in_the_middle_is_never_given(instance: Instance) -> None:
    network = small(gateway="10.9.9.3")
    with instance.state.write() as db:
        given = {addresses.allocate(db, network, name) for name in "abcde"}
        assert given == {"10.9.9.1", "10.9.9.2", "10.9.9.4", "10.9.9.5", "10.9.9.6"}
        for name in "bd":
            addresses.release(db, name)
        assert {addresses.allocate(db, network, name) for name in "xy"} | given == given
        with pytest.raises(SystemFailure):
            addresses.allocate(db, network, "z")


def test_a_wanted_address_is_given_or_its_holder_named(instance: Instance) -> None:
    network = small()
    with instance.state.write() as db:
        assert addresses.allocate(db, network, "a", "10.9.9.5") == "10.9.9.5"
        with pytest.raises(Conflict, match="belongs to container a"):
            addresses.allocate(db, network, "b", "10.9.9.5")
        for outside in ("10.9.9.0", "10.9.9.1", "10.9.9.7", "10.9.8.2"):
            with pytest.raises(InvalidArgument):
                addresses.allocate(db, network, "b", outside)


def test_subnets_keep_clear_of_routes_and_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert networks.choose_subnet("00000000", "tuidock0", [])[0] == "10.88.0.0/16"
    monkeypatch.setattr(links, "routes", lambda: [(*ipv4.split("10.88.4.0/24"), "vpn0")])
    assert networks.choose_subnet("00000000", "tuidock0", [])[0] == "10.89.0.0/20"
    assert networks.choose_subnet("00000001", "tdk00000001", [])[0] == "10.89.16.0/20"
    assert networks.choose_subnet("00000001", "tdk00000001", ["10.89.16.0/20"])[0] == "10.89.32.0/20"
    monkeypatch.setattr(links, "routes", lambda: [(*ipv4.split("10.0.0.0/8"), "vpn0")])
    assert networks.choose_subnet("00000001", "x", [])[0] == "172.17.0.0/16"
    everything = [(*ipv4.split(s), "vpn0") for s in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
    monkeypatch.setattr(links, "routes", lambda: everything)
    with pytest.raises(SystemFailure, match="no free private subnet"):
        networks.choose_subnet("00000001", "x", [])


def test_routes_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    assert links.routes(str(table)) == [(*ipv4.split("192.0.2.0/24"), "eth0")]


def test_places_of_an_older_database_are_taken_over(tmp_path: Path) -> None:
    import sqlite3

    old = sqlite3.connect(tmp_path / "state.db")
    for step in (1, 2):
        old.executescript(state.STEPS[step])
    old.execute("INSERT INTO networks(id, name, driver, bridge, subnet, gateway, created) VALUES ('n', 'bridge', 'bridge', "
                "'tuidock0', '10.88.0.0/16', '10.88.0.1', 1)")  # fmt: skip
    old.execute("INSERT INTO addresses VALUES ('n', ?, 'c')", (ipv4.number("10.88.0.7"),))
    old.execute("PRAGMA user_version=2")
    old.commit()
    old.close()
    opened = state.State(Paths(str(tmp_path)), existing=True)
    (place,) = addresses.places(opened.read(), "c")
    assert (place.network.name, place.address, place.position, place.settings) == ("bridge", "10.88.0.7", 0, {})
    assert place.network.mtu == 1500 and place.network.configured == 0
    document = addresses.document(opened.read(), "c")
    with opened.write() as db:
        addresses.release(db, "c")
        addresses.restore(db, "c", document[0])
        addresses.restore(db, "d", ["n", ipv4.number("10.88.0.8")])  # as older create.json files have it
    assert addresses.document(opened.read(), "c") == document
    assert addresses.address_of(opened.read(), "n", "d") == "10.88.0.8"
    opened.close()
