"""IPv4 addresses and subnets as numbers. The module ipaddress would do, but importing it costs what a start may take."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument


def number(address: str) -> int:
    """An IPv4 address as a number. Raises InvalidArgument when it is none."""
    parts = address.split(".")
    value = 0
    for part in parts:
        digits = part.isascii() and part.isdigit() and (part == "0" or part[0] != "0") and len(part) < 4
        if len(parts) != 4 or not digits or int(part) > 255:
            raise InvalidArgument(f"invalid IPv4 address: {address}")
        value = value << 8 | int(part)
    return value


def dotted(value: int) -> str:
    """An address from its number."""
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def mac(value: int) -> str:
    """The MAC that belongs to an address (docker's 02:42), so that a restart keeps neighbours' caches right."""
    return "02:42:" + ":".join(f"{value >> shift & 255:02x}" for shift in (24, 16, 8, 0))


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
