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
_NFT_GETTABLE: Final = 10 << 8 | 1
_NFPROTO_IPV4: Final = 2

# priority -100 is dstnat, a word that nft 1.0 refuses in the output hook
_TABLE: Final = """
add table ip {table}
delete table ip {table}
table ip {table} {{
  map ports {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
  map ports_ip {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
  set bridges {{ type ifname; }}
  set pairs {{ type ifname . ifname; }}
  set internal {{ type ifname; }}
  set subnets {{ type ipv4_addr; flags interval; }}
  chain publish {{
    dnat ip addr . port to ip daddr . meta l4proto . th dport map @ports_ip
    dnat ip addr . port to meta l4proto . th dport map @ports
  }}
  chain prerouting {{
    type nat hook prerouting priority -100; policy accept;
    fib daddr type local jump publish
  }}
  chain output {{
    type nat hook output priority -100; policy accept;
    ip daddr != 127.0.0.0/8 fib daddr type local jump publish
  }}
  chain postrouting {{
    type nat hook postrouting priority 100; policy accept;
    ip saddr @subnets oifname != @bridges masquerade
    ct status dnat ip saddr @subnets ip daddr @subnets masquerade
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
    iifname != "lo" ip daddr 127.0.0.0/8 drop
    iifname != "lo" iifname != @bridges ip daddr @subnets drop
  }}
}}
"""


class PortElement(Named):
    """A published port of a living container. host_ip "" is every address."""

    protocol: str
    host_ip: str
    host_port: int
    address: str
    container_port: int


def exists(table: str) -> bool:
    """Whether the table is there, by one netlink message."""
    name = table.encode() + b"\0"
    attribute = struct.pack("=HH", 4 + len(name), 1) + name + b"\0" * (-len(name) % 4)
    body = struct.pack("=BBH", _NFPROTO_IPV4, 0, 0) + attribute
    header = struct.pack("=IHHII", 16 + len(body), _NFT_GETTABLE, 1, 1, 0)
    try:
        return links.exchange(_NETLINK_NETFILTER, header + body) == 0
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT):
            return False
        raise SystemFailure(f"cannot ask the kernel for the nftables table {table}: {error.strerror}") from error


def ruleset(table: str, networks: Iterable[NetworkRow], ports: Iterable[PortElement] = ()) -> str:
    """The whole table as one transaction; an older one of that name is replaced."""
    lines = [_TABLE.format(table=table)]
    lines += [add_network(table, network) for network in networks if network.bridge]
    lines += [element for port in ports if (element := add_port(table, port))]
    return "\n".join(lines) + "\n"


def add_network(table: str, network: NetworkRow) -> str:
    """The elements of one network."""
    bridge = f'"{network.bridge}"'
    wanted = [("bridges", bridge), ("subnets", network.subnet)]
    if network.options.get("com.docker.network.bridge.enable_icc") != "false":
        wanted.append(("pairs", f"{bridge} . {bridge}"))
    if network.internal:
        wanted.append(("internal", bridge))
    return "\n".join(f"add element ip {table} {name} {{ {element} }}" for name, element in wanted)


def add_port(table: str, port: PortElement) -> str:
    """The element of one published port; "" for addresses that the shim's relay serves (loopback and IPv6)."""
    to = f"{port.address} . {port.container_port}"
    if port.host_ip in ("", "0.0.0.0"):
        return f"add element ip {table} ports {{ {port.protocol} . {port.host_port} : {to} }}"
    if ":" in port.host_ip or port.host_ip.startswith("127."):
        return ""
    return f"add element ip {table} ports_ip {{ {port.host_ip} . {port.protocol} . {port.host_port} : {to} }}"


def create(table: str, networks: Iterable[NetworkRow], ports: Iterable[PortElement] = ()) -> None:
    """Make the table, with the ports of containers that already run (after somebody's `nft flush ruleset`).

    The caller holds the instance's network lock, so that no element that a shim adds meanwhile is lost.
    """
    _run(ruleset(table, networks, ports), f"make the nftables table {table}")


def listed(table: str) -> set[str]:
    """The published ports that the table has, each as the text that names it in `remove_ports`."""
    import json
    import subprocess

    if not exists(table):
        return set()
    done = subprocess.run(
        ["nft", "-j", "list", "table", "ip", table], capture_output=True, text=True, env=_environment()
    )
    found = set()
    for item in json.loads(done.stdout)["nftables"] if done.returncode == 0 else ():
        name = item.get("map", {}).get("name")
        if name in ("ports", "ports_ip"):
            for key, _ in item["map"].get("elem", ()):
                found.add(f"{name} {{ {' . '.join(str(part) for part in key['concat'])} }}")
    return found


def key_of(port: PortElement) -> str:
    """The text under which `listed` has a published port, "" for one that the relay serves."""
    added = add_port("", port)
    return f"{added.split(' ')[4]} {{ {added.partition('{ ')[2].partition(' : ')[0]} }}" if added else ""


def remove_ports(table: str, keys: Iterable[str]) -> None:
    """Deletes elements; one after the other, since one that has gone meanwhile must not keep the others."""
    for key in keys:
        try:
            _run(f"delete element ip {table} {key}\n", f"withdraw a published port from the nftables table {table}")
        except SystemFailure:
            if key in listed(table):
                raise


def remove(table: str) -> None:
    """Delete the table; none is fine."""
    _run(f"add table ip {table}\ndelete table ip {table}\n", f"delete the nftables table {table}")


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
