"""IPv6 addresses and subnets as numbers; the module ipaddress would cost what a start may take."""

from __future__ import annotations

import _socket as socket  # the module socket would cost a start 3 ms of imports

from tuidock.engine.errors import InvalidArgument


def number(address: str) -> int:
    """An IPv6 address as a number. Raises InvalidArgument when it is none."""
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, address), "big")
    except (OSError, UnicodeEncodeError, ValueError):
        raise InvalidArgument(f"invalid IPv6 address: {address}") from None


def text(value: int) -> str:
    """An address from its number, in its one short form."""
    return socket.inet_ntop(socket.AF_INET6, value.to_bytes(16, "big"))


def split(subnet: str) -> tuple[int, int]:
    """(network, prefix length) of `fd00:1::/64`."""
    network, _, prefix = subnet.partition("/")
    if not (prefix.isascii() and prefix.isdecimal()) or int(prefix) > 128:
        raise InvalidArgument(f"invalid subnet: {subnet}")
    value = number(network)
    if value & ((1 << (128 - int(prefix))) - 1):
        raise InvalidArgument(f"invalid subnet: {subnet} has bits set to the right of its prefix")
    return value, int(prefix)


def overlap(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two (network, prefix length) have an address in common."""
    shift = 128 - min(first[1], second[1])
    return first[0] >> shift == second[0] >> shift


def unique_local(instance: str, network_id: str) -> str:
    """A /64 of the instance's own fd00::/8 prefix (RFC 4193), which follows from the two ids."""
    from hashlib import sha256

    digest = sha256(f"tuidock network {instance}".encode()).digest()[:5]
    host = bytes.fromhex(network_id[:4])
    return text(int.from_bytes(b"\xfd" + digest + host + bytes(8), "big")) + "/64"
