"""Published ports: claims of starting and running containers on ports of this machine.

A claim is a row; what counts is whether its container still lives, so a stopped or killed one never blocks a port. A
port that is refused names who has it: a container, or the process that listens.
"""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument, PortTaken
from tuidock.engine.named import Named
from tuidock.engine.network import owners
from tuidock.engine.network.nftables import PortElement
from tuidock.engine.types import PortBinding

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Final

#: Where automatic ports come from.
AUTOMATIC: Final = range(49000, 49901)
_PROTOCOLS: Final = ("tcp", "udp", "sctp")


class Wish(Named):
    """What was asked for: first and last host port, both 0 for an automatic one. host_ip "" is every address."""

    container_port: int
    protocol: str
    host_ip: str
    first: int
    last: int


def wishes(host_config: Mapping[str, Any], exposed: Iterable[str] = ()) -> list[Wish]:
    """The wishes in docker's PortBindings, and with PublishAllPorts one for every exposed port without a binding."""
    found = []
    bindings: Mapping[str, Any] = host_config.get("PortBindings") or {}
    for key, entries in bindings.items():
        port, protocol = _port(key)
        for entry in entries or [{}]:
            first, last = _range(str(entry.get("HostPort") or ""))
            found.append(Wish(port, protocol, _every(str(entry.get("HostIp") or "")), first, last))
    if host_config.get("PublishAllPorts"):
        bound = {_port(key) for key in bindings}
        found += [
            Wish(port, protocol, "", 0, 0) for port, protocol in map(_port, exposed) if (port, protocol) not in bound
        ]
    # what leaves no choice goes first, so that an automatic port does not take it away
    return sorted(dict.fromkeys(found), key=lambda wish: (wish.first == 0, wish.last - wish.first))


def _port(key: str) -> tuple[int, str]:
    port, _, protocol = key.partition("/")
    protocol = protocol or "tcp"
    if not port.isdigit() or not 0 < int(port) < 65536 or protocol not in _PROTOCOLS:
        raise InvalidArgument(f"invalid container port: {key}")
    return int(port), protocol


def _range(text: str) -> tuple[int, int]:
    if text in ("", "0"):
        return 0, 0
    first, dash, last = text.partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        raise InvalidArgument(f"invalid host port: {text}")
    low, high = int(first), int(last or first)
    if not 0 < low <= high < 65536:
        raise InvalidArgument(f"invalid host port: {text}")
    return low, high


def _every(host_ip: str) -> str:
    """Brackets away."""
    return host_ip.strip("[]")


def claim(
    db: sqlite3.Connection,
    container_id: str,
    wanted: Sequence[Wish],
    living: Callable[[str], bool],
    *,
    cursor: str = "",
    automatic: range = AUTOMATIC,
) -> list[PortBinding]:
    """Claim ports for a container that is about to start, inside the caller's write transaction.

    living tells whether a container has a shim or is being started. cursor is a file that keeps the last automatic port,
    so that the next one is another. Raises PortTaken.
    """
    db.execute("DELETE FROM port_claims WHERE container_id = ?", (container_id,))

    def holds(other: str) -> bool:
        return other == container_id or living(other)

    bindings = []
    for wish in wanted:
        # rows of our own are from this very request: two wishes for one port collide
        port = _fixed(db, wish, holds) if wish.first else _automatic(db, wish, holds, cursor, automatic)
        bindings.append(PortBinding(wish.container_port, wish.protocol, wish.host_ip, port))
        db.execute(
            "INSERT OR REPLACE INTO port_claims(protocol, host_ip, host_port, container_id, container_port) "
            "VALUES (?, ?, ?, ?, ?)",
            (wish.protocol, wish.host_ip, port, container_id, wish.container_port),
        )
    return bindings


def release(db: sqlite3.Connection, container_id: str) -> None:
    """Give a container's claims back."""
    db.execute("DELETE FROM port_claims WHERE container_id = ?", (container_id,))


def _fixed(db: sqlite3.Connection, wish: Wish, living: Callable[[str], bool]) -> int:
    owner = ""
    for port in range(wish.first, wish.last + 1):
        owner = _owner(db, wish, port, living)
        if not owner:
            return port
    shown = f"[{wish.host_ip}]" if ":" in wish.host_ip else wish.host_ip or "0.0.0.0"
    if wish.last > wish.first:
        raise PortTaken(
            f"Bind for {shown}:{wish.first}-{wish.last} failed: all ports are already allocated, the last by {owner}"
        )
    raise PortTaken(f"Bind for {shown}:{wish.first} failed: port is already allocated: {owner} has it")


def _automatic(db: sqlite3.Connection, wish: Wish, living: Callable[[str], bool], cursor: str, automatic: range) -> int:
    last = _read_cursor(cursor)
    begin = automatic.index(last) + 1 if last in automatic else 0
    for offset in range(len(automatic)):
        port = automatic[(begin + offset) % len(automatic)]
        if not _owner(db, wish, port, living, name=False):
            _write_cursor(cursor, port)
            return port
    raise PortTaken(
        f"no free port for {wish.container_port}/{wish.protocol}: {automatic[0]}-{automatic[-1]} are all taken; stop "
        "something or name a port"
    )


def _read_cursor(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _write_cursor(path: str, port: int) -> None:
    if path:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, str(port).encode())
        finally:
            os.close(descriptor)


def _owner(db: sqlite3.Connection, wish: Wish, port: int, living: Callable[[str], bool], *, name: bool = True) -> str:
    """Who has the port, "" when it is free. Claims of the dead are deleted on the way."""
    rows = db.execute(
        "SELECT p.host_ip, p.container_id, coalesce(c.name, '') FROM port_claims p LEFT JOIN containers c "
        "ON c.id = p.container_id WHERE p.protocol = ? AND p.host_port = ?",
        (wish.protocol, port),
    ).fetchall()
    for host_ip, holder, holder_name in rows:
        if not _collide(wish.host_ip, host_ip):
            continue
        if living(holder):
            return f"container {holder_name or holder[:12]}"
        db.execute(
            "DELETE FROM port_claims WHERE protocol = ? AND host_ip = ? AND host_port = ?",
            (wish.protocol, host_ip, port),
        )
    for address in [wish.host_ip] if wish.host_ip else ["0.0.0.0", "::"]:
        try:
            if owners.is_bound(wish.protocol, address, port):
                found = owners.listener(wish.protocol, port) if name else ""
                return f"process {found}" if found else "another process"
        except OSError as error:
            raise InvalidArgument(f"cannot publish on {address}:{port}: {error.strerror}") from None
    return ""


def _collide(first: str, second: str) -> bool:
    """Whether two host addresses have an address in common."""
    if "" in (first, second) or first == second:
        return True
    v6 = ":" in first
    if v6 != (":" in second):
        return False
    return ("::" if v6 else "0.0.0.0") in (first, second)


def elements(
    db: sqlite3.Connection, living: Callable[[str], bool], address_of: Callable[[str], tuple[str, str]]
) -> list[PortElement]:
    """The published ports of every living container, for a table that has to be filled anew.

    address_of tells where a container's ports lead to, IPv4 and IPv6.
    """
    rows = db.execute("SELECT protocol, host_ip, host_port, container_port, container_id FROM port_claims").fetchall()
    alive = {holder: address_of(holder) for holder in {row[4] for row in rows} if living(holder)}
    return [
        PortElement(protocol, host_ip, host_port, alive[holder][0], container_port, alive[holder][1])
        for protocol, host_ip, host_port, container_port, holder in rows
        if alive.get(holder)
    ]
