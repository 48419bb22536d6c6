"""--link: another container of the default bridge by an alias, as a line of /etc/hosts and as environment variables."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named
from tuidock.engine.network.files import HostLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Target(Named):
    """A linked container. exposed holds `80/tcp`, environment `K=V`."""

    name: str
    alias: str
    address: str
    hostname: str
    exposed: Sequence[str] = ()
    environment: Sequence[str] = ()


def parse(link: str) -> tuple[str, str]:
    """(container, alias) of `db:alias`, `db` or the `/db:/web/alias` that inspect shows."""
    container, _, alias = link.partition(":")
    container = container.removeprefix("/")
    alias = alias.rpartition("/")[2] or container
    if not container or ":" in alias:
        raise InvalidArgument(f"bad format for links: {link}")
    return container, alias


def host_line(target: Target) -> HostLine:
    """`IP alias hostname name`, each once."""
    return HostLine(target.address, " ".join(dict.fromkeys((target.alias, target.hostname, target.name))))


def environment(own_name: str, target: Target) -> list[str]:
    """The variables of one link, in docker's order."""
    alias = target.alias.upper().replace("-", "_")
    address = target.address
    ports = sorted({_port(text) for text in target.exposed}, key=lambda p: (p[1] != "tcp", p[1], p[0]))
    variables = []
    if ports:
        number, protocol = ports[0]
        variables.append(f"{alias}_PORT={protocol}://{address}:{number}")
    for run in _runs(ports):
        (first, protocol), last = run[0], run[-1][0]
        if len(run) > 2:  # docker's own threshold
            prefix = f"{alias}_PORT_{first}_{protocol.upper()}"
            variables += [
                f"{prefix}_START={protocol}://{address}:{first}", f"{prefix}_PORT_START={first}",
                f"{prefix}_END={protocol}://{address}:{last}", f"{prefix}_PORT_END={last}",
            ]  # fmt: skip
    for number, protocol in ports:
        prefix = f"{alias}_PORT_{number}_{protocol.upper()}"
        variables += [
            f"{prefix}={protocol}://{address}:{number}", f"{prefix}_ADDR={address}", f"{prefix}_PORT={number}",
            f"{prefix}_PROTO={protocol}",
        ]  # fmt: skip
    variables.append(f"{alias}_NAME=/{own_name}/{target.alias}")
    for item in target.environment:
        key, equals, value = item.partition("=")
        if equals and key not in ("HOME", "PATH"):
            variables.append(f"{alias}_ENV_{key}={value}")
    return variables


def _port(text: str) -> tuple[int, str]:
    number, _, protocol = text.partition("/")
    if not (number.isascii() and number.isdecimal() and len(number) < 6):
        raise InvalidArgument(f"the linked container exposes {text!r:.60}, which is no port")
    return int(number), protocol or "tcp"


def _runs(ports: Iterable[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    runs: list[list[tuple[int, str]]] = []
    for number, protocol in ports:
        if runs and runs[-1][-1] == (number - 1, protocol):
            runs[-1].append((number, protocol))
        else:
            runs.append([(number, protocol)])
    return runs
