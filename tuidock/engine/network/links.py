"""Network links by raw netlink and ioctl: what a start has to know or remove, in microseconds.

Importing pyroute2 costs more than a whole start, so only the creation of a bridge, which happens once after a boot,
goes through it.
"""

from __future__ import annotations

import _socket as socket  # the module socket would cost a start 3 ms of imports
import errno
import fcntl
import os
import struct

from tuidock.engine.errors import SystemFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_RTM_NEWLINK: Final = 16
_RTM_DELLINK: Final = 17
_NLM_F_REQUEST: Final = 1
_NLM_F_ACK: Final = 4
_NLMSG_ERROR: Final = 2
_SIOCGIFADDR: Final = 0x8915
_SIOCGIFFLAGS: Final = 0x8913
_SIOCGIFNETMASK: Final = 0x891B
_IFF_UP: Final = 1


def exists(name: str) -> bool:
    """Whether the calling process's network namespace has the link."""
    return os.path.exists(f"/sys/class/net/{name}")


def can_make(kind: str) -> bool:
    """Whether the kernel knows a kind of link that hangs on another one (macvlan, ipvlan).

    It is asked for one without a parent, which fails in another way when it does. Not for kinds that need none.
    """
    name, info = f"tdk{os.getpid()}".encode() + b"\0", kind.encode() + b"\0"
    inner = struct.pack("=HH", 4 + len(info), 1) + info + b"\0" * (-len(info) % 4)  # IFLA_INFO_KIND
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 0, 0, 0)
    body += struct.pack("=HH", 4 + len(name), 3) + name + b"\0" * (-len(name) % 4)  # IFLA_IFNAME
    body += struct.pack("=HH", 4 + len(inner), 18) + inner  # IFLA_LINKINFO
    flags = _NLM_F_REQUEST | _NLM_F_ACK | 0x600  # create, exclusively
    header = struct.pack("=IHHII", 16 + len(body), _RTM_NEWLINK, flags, 1, 0)
    return exchange(socket.NETLINK_ROUTE, header + body) != errno.EOPNOTSUPP


def has_ipv6(name: str, address: str, prefix: int) -> bool:
    """Whether a link of this namespace has the IPv6 address."""
    wanted = socket.inet_pton(socket.AF_INET6, address).hex()
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as lines:
            return any(
                fields[0] == wanted and fields[5] == name and int(fields[2], 16) == prefix
                for fields in map(str.split, lines)
            )
    except FileNotFoundError:
        return False


def alias_of(name: str) -> str:
    """The note that its maker left at a link, "" when there is none."""
    try:
        with open(f"/sys/class/net/{name}/ifalias", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def delete_link(name: str) -> None:
    """Delete a link (the other end of a veth pair goes with it); one that has gone meanwhile is fine."""
    try:
        index = socket.if_nametoindex(name)
    except OSError:
        return
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 0, 0)
    header = struct.pack("=IHHII", 16 + len(body), _RTM_DELLINK, _NLM_F_REQUEST | _NLM_F_ACK, 1, 0)
    failed = exchange(socket.NETLINK_ROUTE, header + body)
    if failed not in (0, errno.ENODEV):
        raise SystemFailure(f"cannot delete the network link {name}: {os.strerror(failed)}")


def exchange(protocol: int, message: bytes) -> int:
    """Send one netlink request and return the errno of its answer, 0 when there is none in it."""
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    try:
        netlink.bind((0, 0))
        netlink.send(message)
        answer = netlink.recv(65536)
    finally:
        netlink.close()
    kind = struct.unpack_from("=H", answer, 4)[0]
    if kind != _NLMSG_ERROR:
        return 0
    return -int(struct.unpack_from("=i", answer, 16)[0])


def ipv4_of(name: str) -> tuple[str, int] | None:
    """(address, prefix length) of a link that is up; None when there is no such link, or it is down or has none."""
    request = struct.pack("16s24x", name.encode())
    any_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    descriptor = any_socket.fileno()
    try:
        flags = struct.unpack_from("=H", fcntl.ioctl(descriptor, _SIOCGIFFLAGS, request), 16)[0]
        if not flags & _IFF_UP:
            return None
        address = fcntl.ioctl(descriptor, _SIOCGIFADDR, request)[20:24]
        mask = fcntl.ioctl(descriptor, _SIOCGIFNETMASK, request)[20:24]
    except OSError:
        return None
    finally:
        any_socket.close()
    return socket.inet_ntoa(address), int.from_bytes(mask, "big").bit_count()


def routes(path: str = "/proc/net/route") -> list[tuple[int, int, str]]:
    """(network, prefix length, link) of the IPv4 routes of this namespace, without the default ones."""
    found = []
    with open(path, encoding="ascii") as lines:
        next(lines, None)
        for line in lines:
            fields = line.split()
            network = int.from_bytes(int(fields[1], 16).to_bytes(4, "little"), "big")
            prefix = int(fields[7], 16).bit_count()
            if prefix:
                found.append((network, prefix, fields[0]))
    return found


def traffic(name: str, *, from_inside: bool) -> tuple[int, int, int, int]:
    """(rx bytes, tx bytes, rx packets, tx packets) of a link, zeros when it has gone.

    from_inside=False turns them round: they are then those of the other end of a veth pair.
    """
    ways = ("rx", "tx") if from_inside else ("tx", "rx")
    found = []
    try:
        for unit in ("bytes", "packets"):
            for way in ways:
                with open(f"/sys/class/net/{name}/statistics/{way}_{unit}", "rb") as file:
                    found.append(int(file.read()))
    except (OSError, ValueError):
        return 0, 0, 0, 0
    return found[0], found[1], found[2], found[3]


def traffic_inside(pid: int, name: str) -> tuple[int, int, int, int]:
    """The same for a link of a process's own network namespace."""
    try:
        with open(f"/proc/{pid}/net/dev", encoding="ascii") as lines:
            for line in lines:
                link, colon, rest = line.partition(":")
                if colon and link.strip() == name:
                    fields = [int(field) for field in rest.split()]
                    return fields[0], fields[8], fields[1], fields[9]
    except (OSError, ValueError, IndexError):
        pass
    return 0, 0, 0, 0
