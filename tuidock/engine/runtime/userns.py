"""The user namespace of a container: from what was asked to the lines of its maps.

A range that `auto` has given stays with the container, so that its processes are the same users after each start. Files
do not depend on it, since they lie on the disk with the container's own ids (native/src/shim/idmap.c).
"""

from __future__ import annotations

from tuidock.engine import fastjson
from tuidock.engine.errors import SystemFailure, Unsupported
from tuidock.engine.files import read_text
from tuidock.engine.options.userns import SIZE, auto_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping
    from typing import Any, Final

#: Above what systemd gives to its own containers and below what signed numbers hold: nobody's, unless configured so.
_FIRST: Final = 0x70000000
_END: Final = 0x7FFF0000
#: What the kernel shows where an id has no place (/proc/sys/kernel/overflowuid).
_NOBODY: Final = 65534
#: Whose lines of /etc/subuid and /etc/subgid `remap` takes.
_OWNER: Final = "tuidock"


def settle(db: sqlite3.Connection, host_config: dict[str, Any], *, rootless: bool) -> None:
    """Writes the maps of a new container into its HostConfig. Raises Unsupported or SystemFailure."""
    mode = str(host_config.get("UsernsMode") or "")
    if mode in ("", "host") and not host_config.get("IDMappings"):
        return
    if rootless:
        raise Unsupported("--userns: without root every container is in this user's namespace already")
    if mode == "remap":
        host_config["IDMappings"] = {"UIDMap": _remap("/etc/subuid"), "GIDMap": _remap("/etc/subgid")}
    elif size := auto_size(mode):
        line = f"0:{_free(_taken(db), size)}:{size}"
        host_config["IDMappings"] = {"UIDMap": [line], "GIDMap": [line]}


def maps(host_config: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines for uid_map and gid_map; empty without a user namespace."""
    found = host_config.get("IDMappings") or {}
    users, groups = (tuple(line.replace(":", " ") for line in found.get(name) or ()) for name in ("UIDMap", "GIDMap"))
    return users, groups


def inner(lines: Iterable[str], outside: int) -> int:
    """The container's id for one of the host's; what no line maps is nobody's."""
    for line in lines:
        first, host, count = (int(word) for word in line.split())
        if host <= outside < host + count:
            return first + outside - host
    return _NOBODY


def outer(lines: Iterable[str], inside: int) -> int | None:
    """The host's id for one of the container's; None when it has no place."""
    for line in lines:
        first, host, count = (int(word) for word in line.split())
        if first <= inside < first + count:
            return host + inside - first
    return None


def has_group(lines: Iterable[str], gid: int) -> bool:
    """Whether lines of a map have a place for an id of the container."""
    spans = [tuple(int(word) for word in line.split()) for line in lines]
    return any(inside <= gid < inside + count for inside, _, count in spans)


def _remap(path: str) -> list[str]:
    lines, first = [], 0
    for line in (read_text(path) or "").splitlines():
        who, _, rest = line.partition(":")
        start, _, count = rest.partition(":")
        if who == _OWNER and start.isdecimal() and count.isdecimal() and int(count):
            lines.append(f"{first}:{start}:{count}")
            first += int(count)
    if not lines:
        raise SystemFailure(
            f"--userns=remap: {path} gives no ids to {_OWNER}; add a line such as {_OWNER}:200000:{SIZE}, or use "
            "--userns=auto"
        )
    return lines


def _taken(db: sqlite3.Connection) -> list[tuple[int, int]]:
    """The ranges of the host that other containers have."""
    query = "SELECT request FROM containers WHERE request LIKE '%\"IDMappings\"%'"
    lines = [
        line
        for (request,) in db.execute(query)
        for found in (fastjson.loads(request)["HostConfig"].get("IDMappings") or {}).values()
        for line in found
    ]
    spans = [tuple(int(word) for word in line.split(":")) for line in lines]
    return sorted({(outside, outside + count) for _, outside, count in spans})


def _free(taken: Iterable[tuple[int, int]], size: int) -> int:
    start = _FIRST
    for begin, end in taken:
        if end <= start:
            continue
        if begin >= start + size:
            break
        start = end + -end % SIZE
    if start + size > _END:
        raise SystemFailure("no range of ids is left for --userns=auto; remove containers that have one")
    return start
