"""IPv4 addresses and subnets as numbers. The module ipaddress would do, but importing it costs what a start may take."""

from __future__ import annotations

import _socket as socket  # the module socket would cost a start 3 ms of imports
import struct

from tuidock.engine.errors import InvalidArgument


def number(address: str) -> int:
    """An IPv4 address as a number. Raises InvalidArgument when it is none."""
    try:
        return int(struct.unpack("!I", socket.inet_pton(socket.AF_INET, address))[0])
    except OSError:
        raise InvalidArgument(f"invalid IPv4 address: {address}") from None


def dotted(value: int) -> str:
    return socket.inet_ntoa(struct.pack("!I", value))


def mac(value: int) -> str:
    """The MAC that belongs to an address, so that a restart keeps neighbours' caches right."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in struct.pack("!I", value))


def split(subnet: str) -> tuple[int, int]:
    """(network, prefix length) of `10.88.0.0/16`."""
    network, _, prefix = subnet.partition("/")
    if not prefix.isdigit() or int(prefix) > 32:
        raise InvalidArgument(f"invalid subnet: {subnet}")
    value = number(network)
    if value & ((1 << (32 - int(prefix))) - 1):
        raise InvalidArgument(f"invalid subnet: {subnet} has bits set to the right of its prefix")
    return value, int(prefix)


def overlap(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two (network, prefix length) have an address in common."""
    shift = 32 - min(first[1], second[1])
    return first[0] >> shift == second[0] >> shift
