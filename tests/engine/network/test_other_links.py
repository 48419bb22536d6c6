"""IPv6 on networks, and networks that hang on a link of the host: macvlan (ipvlan where the kernel has it)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import Run
from tests.engine.network.test_names import address6, asking
from tests.engine.network.test_user_networks import SLEEP, address, cut_off, inside, network, place, reaches
from tests.engine.network.waiting import eventually
from tuidock.engine import Engine
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.network import links
from tuidock.engine.types import CreateRequest

PARENT = f"tdkp{os.getpid() & 0xFFFF:04x}"
SUBNET = f"198.19.{200 + os.getpid() % 40}.0/24"


def test_ipv6_addresses_routes_and_published_ports(engine: Engine, run: Run) -> None:
    with network(engine, "six", ipv6=True), network(engine, "own", ipv6=True, subnets=["fd00:7:7::/64"]):
        try:
            place(engine, run, "six1", "six")
            place(engine, run, "six2", "six")
            place(engine, run, "own1", "own", own={"IPAMConfig": {"IPv6Address": "fd00:7:7::abcd"}})
            assert (
                engine.network("six").subnet6.startswith("fd") and address6(engine, "own1", "own") == "fd00:7:7::abcd"
            )
            assert reaches(engine, "six1", address6(engine, "six2", "six"))
            assert cut_off(engine, "six1", "fd00:7:7::abcd")
            gateway = engine.inspect_network("six")["IPAM"]["Config"][1]["Gateway"]
            assert f"default via {gateway} dev eth0" in inside(engine, "six1", "ip", "-6", "route").stdout
            with pytest.raises(InvalidArgument, match="no address fd00:8::1"):
                place(engine, run, "own2", "own", own={"IPAMConfig": {"IPv6Address": "fd00:8::1"}})
            host = {"NetworkMode": "six", "PortBindings": {"80/tcp": [{"HostPort": "0"}]}}
            run.made.append(
                engine.create(
                    CreateRequest(
                        "served", {"Image": "busybox", "Cmd": ["httpd", "-f", "-p", "80", "-h", "/etc"]}, host, {}
                    )
                )
            )
            engine.start("served")
            port = engine.container("served").ports[0].host_port
            table = ["nft", "-j", "list", "map", "ip6", engine.instance.nft_table, "ports"]
            listed = json.loads(subprocess.run(table, capture_output=True, text=True, check=True).stdout)
            (element,) = next(item["map"]["elem"] for item in listed["nftables"] if "map" in item)
            assert element[1]["concat"] == [address6(engine, "served", "six"), 80]
            for target in (gateway, "::1", "127.0.0.1"):
                eventually(lambda target=target: get(target, port).startswith("HTTP/1."))
            engine.stop("served", timeout=0)
            listed = json.loads(subprocess.run(table, capture_output=True, text=True, check=True).stdout)
            assert not next(item["map"].get("elem") for item in listed["nftables"] if "map" in item)
        finally:
            engine.remove_many(run.made, force=True)
            run.made.clear()


def get(host: str, port: int) -> str:
    try:
        with socket.create_connection((host, port), timeout=5) as client:
            client.sendall(b"GET /passwd HTTP/1.0\r\n\r\n")
            return client.recv(100).decode()
    except OSError as error:
        return str(error)


@pytest.fixture
def parent() -> Iterator[str]:
    subprocess.run(["ip", "link", "add", PARENT, "type", "veth", "peer", "name", PARENT + "x"], check=True)
    for name in (PARENT, PARENT + "x"):
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
    yield PARENT
    links.delete_link(PARENT)


@pytest.mark.parametrize(("driver", "mode"), [("macvlan", "bridge"), ("macvlan", "private"), ("ipvlan", "l2")])
def test_links_of_the_hosts_link(engine: Engine, run: Run, parent: str, driver: str, mode: str) -> None:
    if not links.can_make(driver):
        pytest.skip(f"this kernel has no {driver}")
    options = {"parent": parent, f"{driver}_mode": mode, "com.docker.network.driver.mtu": "1400"}
    with network(engine, "lan", driver=driver, subnets=[SUBNET], options=options):
        try:
            place(engine, run, "lan1", "lan")
            plain = run.start(SLEEP, name="lan2")
            engine.connect_network("lan", "lan2")
            assert driver in inside(engine, "lan1", "ip", "-d", "link", "show", "eth0").stdout
            assert "mtu 1400" in inside(engine, "lan2", "ip", "link", "show", "eth1").stdout
            other = address(engine, "lan2", "lan")
            assert reaches(engine, "lan1", other) if mode != "private" else cut_off(engine, "lan1", other)
            with asking(engine, "lan1") as asker:  # names work although the host is not part of the network
                assert asker.finds("lan2") == [other]
            lan = next(each for each in engine.network_map() if each.network.name == "lan")
            assert [member.name for member in lan.members] == ["lan1", "lan2"] and lan.members[0].tx_packets > 0
            engine.disconnect_network("lan", plain)
            assert "eth1" not in inside(engine, "lan2", "ip", "link").stdout
        finally:
            engine.remove_many(run.made, force=True)
            run.made.clear()
