"""One nftables table per instance: published ports, masquerading, and who may not talk to whom.

Published ports are elements of two maps (a lookup costs the same for one and for ten thousand), networks are elements of
sets; the chains never change. Everything is made in one transaction, and no other table is ever touched: an accept of
ours cannot overrule another table's drop, so such policies are reported instead.
"""

from __future__ import annotations

import errno
import os
import struct

from tuidock.engine.errors import SystemFailure
from tuidock.engine.named import Named
from tuidock.engine.network import links
from tuidock.engine.network.networks import NetworkRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

_NETLINK_NETFILTER: Final = 12
_NFT_GETSET: Final = 10 << 8 | 10

#: Families of tables by their nfproto number.
_FAMILIES: Final = {"ip": 2, "ip6": 10}
#: A set that only tables of this version's form have: one of an older form is made anew.
_MARK: Final = "masqueraded"
# priority -100 is dstnat, a word that nft 1.0 refuses in the output hook
_TABLE: Final = """
add table {family} {table}
delete table {family} {table}
table {family} {table} {{
  map ports {{ type inet_proto . inet_service : {type} . inet_service; }}
  map ports_ip {{ type {type} . inet_proto . inet_service : {type} . inet_service; }}
  set bridges {{ type ifname; }}
  set pairs {{ type ifname . ifname; }}
  set internal {{ type ifname; }}
  set subnets {{ type {type}; flags interval; }}
  set masqueraded {{ type {type}; flags interval; }}
  chain publish {{
    dnat {family} addr . port to {family} daddr . meta l4proto . th dport map @ports_ip
    dnat {family} addr . port to meta l4proto . th dport map @ports
  }}
  chain prerouting {{
    type nat hook prerouting priority -100; policy accept;
    fib daddr type local jump publish
  }}
  chain output {{
    type nat hook output priority -100; policy accept;
    {family} daddr != {loopback} fib daddr type local jump publish
  }}
  chain postrouting {{
    type nat hook postrouting priority 100; policy accept;
    {family} saddr @masqueraded oifname != @bridges masquerade
    ct status dnat {family} saddr @subnets {family} daddr @subnets masquerade
  }}
  chain forward {{
    type filter hook forward priority 0; policy accept;
    oifname @bridges jump inbound
    iifname @internal drop
  }}
  chain inbound {{
    iifname . oifname @pairs accept
    oifname @internal drop
    iifname @internal drop
    ct state established,related accept
    ct status dnat accept
    drop
  }}
  chain raw {{
    type filter hook prerouting priority -300; policy accept;
    iifname != "lo" {family} daddr {loopback} drop
    iifname != "lo" iifname != @bridges {family} daddr @subnets drop
  }}
}}
"""
_WORDS: Final = {
    "ip": {"type": "ipv4_addr", "loopback": "127.0.0.0/8"},
    "ip6": {"type": "ipv6_addr", "loopback": "::1"},
}


class PortElement(Named):
    """A published port of a living container. host_ip "" is every address."""

    protocol: str
    host_ip: str
    host_port: int
    address: str
    container_port: int
    address6: str = ""


def exists(table: str, family: str = "ip") -> bool:
    """Whether the table is there in the form of this version, by one netlink message."""
    attributes = b""
    for number, word in ((1, table), (2, _MARK)):
        name = word.encode() + b"\0"
        attributes += struct.pack("=HH", 4 + len(name), number) + name + b"\0" * (-len(name) % 4)
    body = struct.pack("=BBH", _FAMILIES[family], 0, 0) + attributes
    header = struct.pack("=IHHII", 16 + len(body), _NFT_GETSET, 1, 1, 0)
    try:
        return links.exchange(_NETLINK_NETFILTER, header + body) == 0
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT):
            return False
        raise SystemFailure(f"cannot ask the kernel for the nftables table {table}: {error.strerror}") from error


def is_complete(table: str, network: NetworkRow) -> bool:
    """Whether there is a table for each family of the network."""
    return exists(table) and (not network.subnet6 or exists(table, "ip6"))


def ruleset(table: str, networks: Iterable[NetworkRow], ports: Iterable[PortElement] = (), family: str = "ip") -> str:
    """The whole table of a family as one transaction; an older one of that name is replaced."""
    lines = [_TABLE.format(table=table, family=family, **_WORDS[family])]
    lines += [add_network(table, network, family) for network in networks if network.bridge]
    lines += [element for port in ports if (element := add_port(table, port, family))]
    return "\n".join(lines) + "\n"


def _elements(network: NetworkRow, family: str) -> list[tuple[str, str]]:
    """(set, element) of one network."""
    subnet = network.subnet if family == "ip" else network.subnet6
    if not subnet:
        return []
    bridge = f'"{network.bridge}"'
    wanted = [("bridges", bridge), ("subnets", subnet)]
    if network.is_on("com.docker.network.bridge.enable_ip_masquerade", True):
        wanted.append(("masqueraded", subnet))
    if network.is_on("com.docker.network.bridge.enable_icc", True):
        wanted.append(("pairs", f"{bridge} . {bridge}"))
    if network.internal:
        wanted.append(("internal", bridge))
    return wanted


def add_network(table: str, network: NetworkRow, family: str = "ip") -> str:
    """The elements of one network."""
    return "\n".join(
        f"add element {family} {table} {name} {{ {element} }}" for name, element in _elements(network, family)
    )


def admit(table: str, network: NetworkRow) -> None:
    """Puts a network that has come into being into the tables that are there; it may be there already."""
    lines = [add_network(table, network)]
    if network.subnet6:
        lines.append(
            add_network(table, network, "ip6") if exists(table, "ip6") else ruleset(table, [network], (), "ip6")
        )
    _run("\n".join(lines) + "\n", f"put network {network.name} into the nftables table {table}")


def expel(table: str, network: NetworkRow) -> None:
    """Takes a network out again; one that is not there is fine, and so is no table."""
    lines = []
    for family in _FAMILIES:
        for name, element in _elements(network, family) if exists(table, family) else ():
            text = f"element {family} {table} {name} {{ {element} }}"
            lines += [f"add {text}", f"delete {text}"]  # to delete what is not there would fail
    if lines:
        _run("\n".join(lines) + "\n", f"take network {network.name} out of the nftables table {table}")


def add_port(table: str, port: PortElement, family: str = "ip") -> str:
    """The element of one published port; "" for what the shim's relay serves (loopback, and IPv6 to IPv4)."""
    six = family == "ip6"
    address = port.address6 if six else port.address
    if not address or (port.host_ip and (":" in port.host_ip) != six):
        return ""
    to = f"{address} . {port.container_port}"
    if port.host_ip in ("", "0.0.0.0", "::"):
        return f"add element {family} {table} ports {{ {port.protocol} . {port.host_port} : {to} }}"
    if port.host_ip == "::1" or port.host_ip.startswith("127."):
        return ""
    return f"add element {family} {table} ports_ip {{ {port.host_ip} . {port.protocol} . {port.host_port} : {to} }}"


def create(table: str, networks: Iterable[NetworkRow], ports: Iterable[PortElement] = ()) -> None:
    """Make the tables, with the ports of containers that already run (after somebody's `nft flush ruleset`).

    The caller holds the instance's network lock, so that no element that a shim adds meanwhile is lost.
    """
    known, living = list(networks), list(ports)
    text = ruleset(table, known, living)
    if any(network.subnet6 for network in known):
        text += ruleset(table, known, living, "ip6")
    _run(text, f"make the nftables table {table}")


def listed(table: str) -> set[str]:
    """The published ports that the tables have, each as the text that names it in `remove_ports`."""
    import json
    import subprocess

    found = set()
    for family in _FAMILIES:
        if not exists(table, family):
            continue
        done = subprocess.run(
            ["nft", "-j", "list", "table", family, table], capture_output=True, text=True, env=_environment()
        )
        for item in json.loads(done.stdout)["nftables"] if done.returncode == 0 else ():
            name = item.get("map", {}).get("name")
            if name in ("ports", "ports_ip"):
                for key, _ in item["map"].get("elem", ()):
                    element = " . ".join(str(part) for part in key["concat"])
                    found.add(f"{family} {table} {name} {{ {element} }}")
    return found


def keys_of(table: str, port: PortElement) -> set[str]:
    """The texts under which `listed` has a published port; none when the relay alone serves it."""
    added = [add_port(table, port, family) for family in _FAMILIES]
    return {text.removeprefix("add element ").partition(" : ")[0] + " }" for text in added if text}


def remove_ports(table: str, keys: Iterable[str]) -> None:
    """Deletes elements; one after the other, since one that has gone meanwhile must not keep the others."""
    for key in keys:
        try:
            _run(f"delete element {key}\n", f"withdraw a published port from the nftables table {table}")
        except SystemFailure:
            if key in listed(table):
                raise


def remove(table: str) -> None:
    """Delete the tables; none is fine."""
    families = [family for family in _FAMILIES if family == "ip" or exists(table, family)]
    lines = [f"add table {family} {table}\ndelete table {family} {table}\n" for family in families]
    _run("".join(lines), f"delete the nftables table {table}")


def _run(text: str, tried: str) -> None:
    import subprocess

    try:
        done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, env=_environment())
    except FileNotFoundError:
        raise SystemFailure(f"cannot {tried}: the program nft is missing; install the package nftables") from None
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        raise SystemFailure(f"cannot {tried}: {reason[0] if reason else f'nft ended with {done.returncode}'}")


def _environment() -> dict[str, str]:
    path = os.environ.get("PATH", "")
    return {"PATH": f"{path}:/usr/sbin:/sbin", "LC_ALL": "C"}


def foreign_drops() -> list[str]:
    """A sentence for every other firewall that drops forwarded packets and so cuts containers off.

    Only looks: changing another's rules would be undone by its next reload.
    """
    sentences = _nft_drops() + _legacy_drops()
    return [
        f"{who} drops forwarded packets, so containers may not reach the network; {advice}" for who, advice in sentences
    ]


def _nft_drops() -> list[tuple[str, str]]:
    import json
    import subprocess

    try:
        done = subprocess.run(["nft", "-j", "list", "chains"], capture_output=True, text=True, env=_environment())
        listed = json.loads(done.stdout)["nftables"] if done.returncode == 0 else []
    except (OSError, ValueError, KeyError):
        return []
    found = []
    for chain in (item["chain"] for item in listed if "chain" in item):
        if chain.get("hook") != "forward" or chain.get("family") not in ("ip", "inet"):
            continue
        table = str(chain.get("table"))
        if table == "firewalld":
            found.append(("firewalld", "put the bridge into its trusted zone"))
        elif chain.get("policy") == "drop":
            who = f"the nftables chain {table} {chain.get('name')}"
            found.append((who, "accept the bridge there (with docker: in the chain DOCKER-USER)"))
    return found


def _legacy_drops() -> list[tuple[str, str]]:
    import subprocess

    try:
        with open("/proc/net/ip_tables_names", encoding="ascii") as names:
            if "filter" not in names.read().split():
                return []
        done = subprocess.run(["iptables-legacy", "-S", "FORWARD"], capture_output=True, text=True, env=_environment())
    except OSError:
        return []
    if not done.stdout.startswith("-P FORWARD DROP"):
        return []
    return [("the iptables chain FORWARD", "accept the bridge there (iptables-legacy -I FORWARD)")]


def describe(drops: Sequence[str]) -> str:
    """The findings of foreign_drops as one warning, "" when there are none."""
    return "; ".join(drops)
