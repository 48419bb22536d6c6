"""`--network NAME` or `--network name=NAME,alias=web,ip=...`, and the flags that belong to the first network.

The answers are docker's API EndpointSettings by network name.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.fields import split_fields
from tuidock.engine.options.values import parse_ip, parse_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_PREDEFINED = ("default", "bridge", "host", "none")


def is_user_defined(mode: str) -> bool:
    """Whether the name is a network that somebody made, not bridge, host, none or another container's."""
    return mode not in _PREDEFINED and not mode.startswith("container:")


def _is_long(value: str) -> bool:
    key, equals, rest = value.partition("=")
    return bool(equals and rest and key)


def parse_network(value: str) -> dict[str, Any]:
    """One --network value as an attachment: Target and what else was said about it."""
    attachment: dict[str, Any] = {
        "Target": value,
        "Aliases": None,
        "DriverOpts": None,
        "Links": None,
        "IPv4Address": "",
        "IPv6Address": "",
        "LinkLocalIPs": None,
        "MacAddress": "",
        "GwPriority": 0,
    }
    if not _is_long(value):
        return attachment
    attachment["Target"], attachment["Aliases"] = "", []
    for field in split_fields(value):
        key, equals, text = field.lower().partition("=")
        key, text = key.strip(), text.strip()
        if not equals or not key:
            raise InvalidArgument(f"invalid field {field}")
        _set_field(attachment, key, text)
    if not attachment["Target"]:
        raise InvalidArgument("network name/id is not specified")
    return attachment


def _set_field(attachment: dict[str, Any], key: str, text: str) -> None:
    if key == "name":
        attachment["Target"] = text
    elif key == "alias":
        attachment["Aliases"].append(text)
    elif key == "driver-opt":
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidArgument(f"invalid key value pair format in driver options: {text}")
        attachment["DriverOpts"] = {**(attachment["DriverOpts"] or {}), name: value}
    elif key in ("ip", "ip6"):
        address = parse_ip(text)
        if address is None or (":" in address) != (key == "ip6"):
            raise InvalidArgument(f"invalid IPv{'6' if key == 'ip6' else '4'} address: {text}")
        attachment["IPv6Address" if key == "ip6" else "IPv4Address"] = address
    elif key == "mac-address":
        attachment["MacAddress"] = text
    elif key == "link-local-ip":
        address = parse_ip(text)
        if address is None:
            raise InvalidArgument(f"invalid link-local IP address: {text}")
        attachment["LinkLocalIPs"] = [*(attachment["LinkLocalIPs"] or []), address]
    elif key == "gw-priority":
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal()):
            raise InvalidArgument(f"invalid gw-priority ({text}): invalid syntax")
        attachment["GwPriority"] = int(text)
    else:
        raise InvalidArgument(f"invalid field key {key}")


class EndpointFlags:
    """The older flags that speak of the first network."""

    __slots__ = ("aliases", "ipv4", "ipv6", "link_local_ips", "links", "mac")

    def __init__(self, aliases: Sequence[str] = (), links: Sequence[str] = (), ipv4: str = "", ipv6: str = "",
                 link_local_ips: Sequence[str] = (), mac: str = "") -> None:  # fmt: skip
        self.aliases, self.links, self.ipv4, self.ipv6 = list(aliases), list(links), ipv4, ipv6
        self.link_local_ips, self.mac = list(link_local_ips), mac


def make_endpoints(attachments: Sequence[dict[str, Any]], flags: EndpointFlags) -> dict[str, dict[str, Any]]:
    """NetworkingConfig.EndpointsConfig. A single network without any setting is left to the engine, as docker does."""
    if not attachments:
        return {"default": _endpoint(_with_flags(parse_network("default"), flags))}
    endpoints: dict[str, dict[str, Any]] = {}
    for index, attachment in enumerate(attachments):
        name = attachment["Target"]
        endpoint = _endpoint(_with_flags(attachment, flags) if index == 0 else attachment)
        if name in endpoints:
            raise InvalidArgument(f'network "{name}" is specified multiple times')
        if len(attachments) == 1 and not any(endpoint.values()):
            continue
        endpoints[name] = endpoint
    if len({is_user_defined(attachment["Target"]) for attachment in attachments}) > 1:
        raise InvalidArgument("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
    return endpoints


def _with_flags(attachment: dict[str, Any], flags: EndpointFlags) -> dict[str, Any]:
    merged = dict(attachment)
    for key, flag, word, value in (
        ("Aliases", "--network-alias", "alias", flags.aliases),
        ("IPv4Address", "--ip", "IPv4 address", flags.ipv4),
        ("IPv6Address", "--ip6", "IPv6 address", flags.ipv6),
        ("MacAddress", "--mac-address", "MAC address", flags.mac),
        ("LinkLocalIPs", "--link-local-ip", "link-local IP addresses", flags.link_local_ips),
    ):
        if value:
            if merged[key]:
                raise InvalidArgument(f"conflicting options: cannot specify both {flag} and per-network {word}")
            merged[key] = value
    if flags.links and is_user_defined(merged["Target"]):
        merged["Links"] = flags.links
    return merged


def _endpoint(attachment: dict[str, Any]) -> dict[str, Any]:
    name = attachment["Target"]
    if not name.strip():
        raise InvalidArgument("no name set for network")
    if not is_user_defined(name) and attachment["Aliases"]:
        raise InvalidArgument("network-scoped aliases are only supported for user-defined networks")
    addresses = {
        "IPv4Address": attachment["IPv4Address"],
        "IPv6Address": attachment["IPv6Address"],
        "LinkLocalIPs": attachment["LinkLocalIPs"],
    }
    if attachment["MacAddress"]:
        parse_mac(attachment["MacAddress"])
    return {
        "IPAMConfig": {key: value for key, value in addresses.items() if value} or None,
        "Links": attachment["Links"],
        "Aliases": attachment["Aliases"] or None,
        "DriverOpts": attachment["DriverOpts"],
        "GwPriority": attachment["GwPriority"],
        "NetworkID": "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "MacAddress": attachment["MacAddress"],
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": None,
    }
