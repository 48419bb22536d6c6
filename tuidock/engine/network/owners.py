"""Who listens on a port of this machine: from /proc, for the sentence that refuses a taken port."""

from __future__ import annotations

import _socket as socket  # the module socket would cost a start 3 ms of imports
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_LISTEN: Final = "0A"
_TABLES: Final = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}


def listener(protocol: str, port: int, root: str = "/proc") -> str:
    """`nginx (pid 12)`, or "" when nobody can be found (another network namespace, or the kernel itself)."""
    inodes = _inodes(protocol, port, root)
    return _holder(inodes, root) if inodes else ""


def _inodes(protocol: str, port: int, root: str) -> set[str]:
    found = set()
    for table in _TABLES.get(protocol, ()):
        try:
            with open(f"{root}/net/{table}", encoding="ascii") as lines:
                next(lines, None)
                for line in lines:
                    fields = line.split()
                    if int(fields[1].rpartition(":")[2], 16) != port:
                        continue
                    if protocol == "udp" or fields[3] == _LISTEN:
                        found.add(f"socket:[{fields[9]}]")
        except OSError:
            continue
    return found


def _holder(inodes: set[str], root: str) -> str:
    for pid in sorted((int(name) for name in os.listdir(root) if name.isdigit()), reverse=True):
        try:
            for name in os.listdir(f"{root}/{pid}/fd"):
                if os.readlink(f"{root}/{pid}/fd/{name}") in inodes:
                    with open(f"{root}/{pid}/comm", encoding="utf-8", errors="replace") as file:
                        return f"{file.read().strip()} (pid {pid})"
        except OSError:
            continue
    return ""


def is_bound(protocol: str, address: str, port: int) -> bool:
    """Whether somebody keeps us from listening there. Raises OSError for an address that is not this machine's.

    A kernel without the protocol or the address family has nobody listening in it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    number = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": 132}[protocol]
    try:
        probe = socket.socket(family, kind | socket.SOCK_CLOEXEC, number)
    except OSError:
        return False
    try:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            # without it, connections in TIME_WAIT of the last container would count as somebody
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        if error.errno == errno.EADDRNOTAVAIL and address == "::":
            return False
        raise
    finally:
        probe.close()
    return False
