"""The links of a container: veth, addresses, routes, bridge port, and published ports as nftables elements."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import needs_root, shim
from tests.native.record import Box, opened

pytestmark = needs_root


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


class Network:
    """A bridge and an nftables table of one test, both taken away at the end."""

    def __init__(self, mark: str) -> None:
        self.bridge, self.veth, self.table = f"tdb{mark}", f"tdv{mark}", f"tdt{mark}"
        ip("link", "add", self.bridge, "type", "bridge")
        ip("address", "add", "10.213.7.1/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")

    def make_table(self) -> None:
        target = "ipv4_addr . inet_service"
        subprocess.run(
            ["nft", "-f", "-"],
            input=f"add table ip {self.table}\n"
            f"add map ip {self.table} ports {{ type inet_proto . inet_service : {target}; }}\n"
            f"add map ip {self.table} ports_ip {{ type ipv4_addr . inet_proto . inet_service : {target}; }}\n",
            text=True,
            check=True,
        )

    def elements(self, name: str) -> list[tuple[list[object], list[object]]]:
        """Keys and values of a map."""
        text = subprocess.check_output(["nft", "-j", "list", "map", "ip", self.table, name], text=True)
        found = next(item["map"] for item in json.loads(text)["nftables"] if "map" in item)
        return [(key["concat"], value["concat"]) for key, value in found.get("elem", [])]

    def add(self, name: str, element: str) -> None:
        subprocess.run(["nft", f"add element ip {self.table} {name} {{ {element} }}"], check=True)

    def close(self) -> None:
        subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True, check=False)
        subprocess.run(["nft", "delete", "table", "ip", self.table], capture_output=True, check=False)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with opened(Box(shim(), tmp_path)) as made:
        yield made


@pytest.fixture
def network(box: Box) -> Iterator[Network]:
    with contextlib.closing(Network(box.id[:8])) as made:
        box.interfaces = [
            ("interface", "eth0"),
            ("bridge", made.bridge),
            ("veth", made.veth),
            ("address", "10.213.7.2/24"),
            ("address", "fd00:213::2/64"),
            ("gateway", "10.213.7.1"),
            ("mac", "02:42:0a:d5:07:02"),
            ("mtu", "1400"),
        ]
        yield made


def publish(box: Box, protocol: str, host_ip: str, host_port: int, container_port: int) -> None:
    box.extra += [
        ("port", protocol),
        ("host-ip", host_ip),
        ("host-port", str(host_port)),
        ("container-port", str(container_port)),
        ("address", "10.213.7.2"),
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def test_without_an_interface_there_is_loopback_only_and_it_is_up(box: Box) -> None:
    assert box.shell("ls /sys/class/net; ping -c 1 -W 2 127.0.0.1 >/dev/null && echo reachable") == "lo\nreachable\n"


def test_the_link_has_its_addresses_route_mac_and_mtu(box: Box, network: Network) -> None:
    reach = "ping -c 1 -W 5 10.213.7.1 > /dev/null && echo reachable"
    box.shell(f"ip address show eth0; ip route; cat /sys/class/net/eth0/mtu; {reach}")
    text = box.output()
    assert "02:42:0a:d5:07:02" in text and "10.213.7.2/24 brd 10.213.7.255" in text
    assert "tentative" not in next(line for line in text.splitlines() if "fd00:213::2/64" in line)
    assert "default via 10.213.7.1 dev eth0" in text
    assert text.endswith("1400\nreachable\n")


def wait_until_gone(link: str) -> None:
    """The kernel takes a pair away with its namespace, in the background."""
    deadline = time.monotonic() + 20
    while Path(f"/sys/class/net/{link}").exists():
        assert time.monotonic() < deadline, f"{link} stays"
        time.sleep(0.01)


def test_the_hosts_end_is_a_port_of_the_bridge_and_goes_with_the_container(box: Box, network: Network) -> None:
    box.serve()
    link = json.loads(ip("-j", "link", "show", network.veth))[0]
    assert link["master"] == network.bridge and "UP" in link["flags"] and link["mtu"] == 1400
    box.close()
    wait_until_gone(network.veth)


def test_a_missing_bridge_fails_the_start_and_leaves_nothing(box: Box, network: Network) -> None:
    box.interfaces[1] = ("bridge", "tdnone0")
    answer = box.start()
    assert answer.startswith("error network 19 ") and "tdnone0" in answer
    assert not Path(f"/sys/class/net/{network.veth}").exists()
    assert not [path for path in box.cgroups if path.exists()]


def test_a_bad_address_fails_the_start_and_takes_the_link_back(box: Box, network: Network) -> None:
    box.interfaces[3] = ("address", "10.213.7.256/24")
    assert box.start().startswith("error network 22 ")
    assert not Path(f"/sys/class/net/{network.veth}").exists()


def test_ports_become_elements_of_the_maps_and_go_again(box: Box, network: Network) -> None:
    network.make_table()
    everywhere, one = free_port(), free_port()
    box.values["nft-table"] = network.table
    publish(box, "tcp", "", everywhere, 80)
    publish(box, "udp", "0.0.0.0", everywhere, 53)
    publish(box, "tcp", "10.213.7.1", one, 443)
    publish(box, "tcp", "127.0.0.1", free_port(), 81)
    publish(box, "tcp", "::1", free_port(), 82)
    box.serve()
    expected = [["tcp", everywhere, "10.213.7.2", 80], ["udp", everywhere, "10.213.7.2", 53]]
    found = [[*key, *value] for key, value in network.elements("ports")]
    assert sorted(map(str, found)) == sorted(map(str, expected))
    assert [[*key, *value] for key, value in network.elements("ports_ip")] == [
        ["10.213.7.1", "tcp", one, "10.213.7.2", 443]
    ]
    box.close()
    assert not network.elements("ports") and not network.elements("ports_ip")


def test_a_missing_table_is_told_so_that_it_can_be_made(box: Box, network: Network) -> None:
    box.values["nft-table"] = network.table
    publish(box, "tcp", "", free_port(), 80)
    assert box.start().startswith("error port 2 ")
    assert not Path(f"/sys/class/net/{network.veth}").exists()


def test_the_element_of_a_dead_container_is_taken_over_and_anothers_is_not_removed(box: Box, network: Network) -> None:
    network.make_table()
    port = free_port()
    box.values["nft-table"] = network.table
    publish(box, "tcp", "", port, 80)
    network.add("ports", f"tcp . {port} : 10.213.7.99 . 8080")
    box.serve()
    assert [value for _, value in network.elements("ports")] == [["10.213.7.2", 80]]
    subprocess.run(["nft", f"delete element ip {network.table} ports {{ tcp . {port} }}"], check=True)
    network.add("ports", f"tcp . {port} : 10.213.7.98 . 8080")
    box.close()
    assert [value for _, value in network.elements("ports")] == [["10.213.7.98", 8080]]


def test_two_interfaces(box: Box, network: Network) -> None:
    box.interfaces += [
        ("interface", "eth1"),
        ("bridge", network.bridge),
        ("veth", f"{network.veth}b"),
        ("address", "10.213.8.2/24"),
    ]
    assert "10.213.8.2/24" in box.shell("ip address show eth1; ip route")
    wait_until_gone(f"{network.veth}b")
