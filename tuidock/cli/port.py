"""`port`: where the published ports of a container are reached."""

from __future__ import annotations

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.flags import Values
from tuidock.engine.options.ports import parse_port
from tuidock.engine.types import PortBinding


def run(context: Context, _: Values, arguments: list[str]) -> int:
    bindings = sorted(context.engine.ports(arguments[0]), key=lambda b: (b.container_port, b.protocol))
    if len(arguments) == 1:
        for binding in bindings:
            for address in _addresses(binding):
                output.line(f"{binding.container_port}/{binding.protocol} -> {address}")
        return 0
    number, _slash, protocol = arguments[1].partition("/")
    wanted = (parse_port(number), protocol.lower() or "tcp")
    found = [binding for binding in bindings if (binding.container_port, binding.protocol) == wanted]
    if not found:
        raise InvalidArgument(f"no public port '{arguments[1]}' published for {arguments[0]}")
    for binding in found:
        for address in _addresses(binding):
            output.line(address)
    return 0


def _addresses(binding: PortBinding) -> list[str]:
    hosts = [binding.host_ip] if binding.host_ip else ["0.0.0.0", "::"]
    return [f"[{host}]:{binding.host_port}" if ":" in host else f"{host}:{binding.host_port}" for host in hosts]


PORT = Command(
    "CONTAINER [PRIVATE_PORT[/PROTO]]",
    "List port mappings or a specific mapping for the container",
    run,
    least=1,
    most=2,
)
