"""Published ports: `-p 127.0.0.1:8080:80/tcp`, its ranges and its long form, and `--expose`.

The answers are docker's API objects: {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}. An empty HostPort means that a
free one is chosen, "8000-8010" that the first free one of the range is taken.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.fields import split_fields
from tuidock.engine.options.values import parse_ip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

PROTOCOLS = ("tcp", "udp", "sctp")


def parse_port(raw: str, what: str = "port") -> int:
    """One port number, 0 to 65535, decimal digits only."""
    if not raw:
        raise InvalidArgument(f"invalid {what} '': value is empty")
    if not (raw.isascii() and raw.isdecimal()):
        raise InvalidArgument(f"invalid {what} '{raw}': invalid syntax")
    if len(raw) > 9 or int(raw) > 65535:
        raise InvalidArgument(f"invalid {what} '{raw}': value out of range")
    return int(raw)


def parse_port_range(raw: str) -> tuple[int, int]:
    """`80` or `8000-9000` as first and last port."""
    if not raw:
        raise InvalidArgument("empty string specified for ports")
    first, dash, last = raw.partition("-")
    start = parse_port(first, "start port")
    if not dash:
        return start, start
    end = parse_port(last, "end port")
    if end < start:
        raise InvalidArgument(f"invalid port range: {raw}")
    return start, end


def _split(spec: str) -> tuple[str, str, str]:
    parts = spec.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    if len(parts) == 2:
        return "", parts[0], parts[1]
    return ":".join(parts[:-2]), parts[-2], parts[-1]


def _split_protocol(port: str) -> tuple[str, str]:
    number, slash, protocol = port.partition("/")
    if not number:
        return "", ""
    return number, protocol.lower() if slash and protocol else "tcp"


def parse_port_spec(spec: str) -> list[tuple[str, dict[str, str]]]:
    """One `-p` value in its short form as (container port, binding) pairs."""
    host_ip, host_port, container = _split(spec)
    container, protocol = _split_protocol(container)
    if not container:
        raise InvalidArgument(f"no port specified: {spec}<empty>")
    if protocol not in PROTOCOLS:
        raise InvalidArgument(f"invalid proto: {protocol}")
    if host_ip.startswith("[") and host_ip.endswith("]"):
        host_ip = host_ip[1:-1]
    if host_ip and parse_ip(host_ip) is None:
        raise InvalidArgument(f"invalid IP address: {host_ip}")
    first, last = _range_or(container, "containerPort")
    host_first, host_last = _range_or(host_port, "hostPort") if host_port else (0, 0)
    if host_port and last - first != host_last - host_first and first != last:
        raise InvalidArgument(f"invalid ranges specified for container and host Ports: {container} and {host_port}")
    pairs = []
    for offset in range(last - first + 1):
        host = ""
        if host_port:
            host = str(host_first + offset)
            if first == last and host_first != host_last:
                host += f"-{host_last}"
        pairs.append((f"{first + offset}/{protocol}", {"HostIp": host_ip, "HostPort": host}))
    return pairs


def _range_or(raw: str, what: str) -> tuple[int, int]:
    try:
        return parse_port_range(raw)
    except InvalidArgument:
        raise InvalidArgument(f"invalid {what}: {raw}") from None


def parse_port_specs(specs: Iterable[str]) -> tuple[dict[str, dict[str, str]], dict[str, list[dict[str, str]]]]:
    """All `-p` values as (exposed ports, bindings), docker's ExposedPorts and PortBindings."""
    exposed: dict[str, dict[str, str]] = {}
    bindings: dict[str, list[dict[str, str]]] = {}
    for spec in specs:
        for port, binding in parse_port_spec(standard_notation(spec)):
            exposed[port] = {}
            bindings.setdefault(port, []).append(binding)
    return exposed, bindings


def _long_fields(spec: str) -> dict[str, Any]:
    port: dict[str, Any] = {"Protocol": "tcp", "TargetPort": 0, "PublishMode": "ingress"}
    for field in split_fields(spec):
        key, equals, value = field.partition("=")
        key, value = key.lower(), value.lower()
        if not equals or not key:
            raise InvalidArgument(f"invalid field: {field}")
        if key == "protocol":
            if value not in PROTOCOLS:
                raise InvalidArgument(f"invalid protocol value '{value}'")
            port["Protocol"] = value
        elif key == "mode":
            if value not in ("ingress", "host"):
                raise InvalidArgument(f"invalid publish mode value ({value}): must be either 'ingress' or 'host'")
            port["PublishMode"] = value
        elif key in ("target", "published"):
            port["TargetPort" if key == "target" else "PublishedPort"] = parse_port(value, f"{key} port")
        else:
            raise InvalidArgument(f"invalid field key: {key}")
    if not port["TargetPort"]:
        raise InvalidArgument("missing mandatory field 'target'")
    return port


def parse_port_config(spec: str) -> list[dict[str, Any]]:
    """The long form `published=8080,target=80,protocol=tcp` (and the short one) as compose's port objects."""
    if "=" in spec:
        return [_long_fields(spec)]
    configs = []
    for port, binding in parse_port_spec(spec):
        if binding["HostIp"] not in ("", "0.0.0.0"):
            raise InvalidArgument("hostip is not supported")
        number, _, protocol = port.partition("/")
        first, last = parse_port_range(binding["HostPort"]) if binding["HostPort"] else (0, 0)
        for published in range(first, last + 1):
            config: dict[str, Any] = {"Protocol": protocol, "TargetPort": int(number)}
            if published:
                config["PublishedPort"] = published
            configs.append({**config, "PublishMode": "ingress"})
    return configs


def standard_notation(spec: str) -> str:
    """A `-p` value in its short form; the long form becomes `published:target/protocol`."""
    if "=" not in spec:
        return spec
    port = _long_fields(spec)
    target = f"{port['TargetPort']}/{port['Protocol']}"
    return f"{port['PublishedPort']}:{target}" if port.get("PublishedPort") else target


def parse_expose(specs: Iterable[str]) -> dict[str, dict[str, str]]:
    """All `--expose` values as ExposedPorts."""
    exposed: dict[str, dict[str, str]] = {}
    for spec in specs:
        number, _, protocol = spec.partition("/")
        try:
            first, last = parse_port_range(number) if number else (parse_port(number, "start port"), 0)
        except InvalidArgument as error:
            raise InvalidArgument(f"invalid range format for --expose: {error}") from None
        for port in range(first, last + 1):
            exposed[f"{port}/{protocol.lower() or 'tcp'}"] = {}
    return exposed
