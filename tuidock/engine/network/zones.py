"""Names on networks that people made: small files in the run directory, read by the resolver of each container.

    RUN/n/NETWORK/CONTAINER     `address address6 name name ...` of a running member, `-` for what it has not
    RUN/c/CONTAINER/net/        a file for each of its networks, and .resolver with where other questions go

Whoever changes one does it by a rename, so that the directory's time tells the resolvers (native/src/shim/dns.c): nobody
has to be told. The shim takes them away at the end of its container. Other users can read them in principle, because the
resolvers have no rights; the run directory above lets nobody in.
"""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.files import write_atomic
from tuidock.engine.network.addresses import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from tuidock.engine.paths import Paths

RESOLVER: Final = ".resolver"
#: RFC 1035: bytes of a name as text, and of one label.
_NAME, _LABEL = 253, 63


def check_name(name: str) -> str:
    """An alias as DNS can ask for it. Raises InvalidArgument."""
    labels = name.split(".")
    good = name.isascii() and name.isprintable() and not any(c in name for c in " \"\\/'")
    if not good or len(name) > _NAME or not all(0 < len(label) <= _LABEL for label in labels):
        raise InvalidArgument(
            f"invalid network alias {name!r:.80}: it is made of letters, digits, - and _, with dots between parts of at most "
            f"{_LABEL} characters"
        )
    return name


def names_of(container_id: str, name: str, hostname: str, aliases: Iterable[str]) -> list[str]:
    """What a member is asked by: name, aliases, short id and the host name that somebody chose. Each once, in lower case.

    The first is what a question for its address is answered with.
    """
    found = []
    for each in (name, *aliases, container_id[:12], hostname):
        try:
            found.append(check_name(each).lower())
        except InvalidArgument:
            continue  # a host name may be anything; what DNS cannot ask for needs no answer
    return list(dict.fromkeys(found))


def enter(paths: Paths, container_id: str, place: Place, names: Sequence[str]) -> None:
    """Lets the members of a network find the container there. Raises OSError."""
    zone, own = paths.zone(place.network.id), own_directory(paths, container_id)
    _make(f"{paths.run}/n", 0o711)
    _make(zone, 0o755)
    _make(own, 0o755)
    write_atomic(f"{own}/{place.network.id}", f"{place.network.name}\n", 0o644, durable=False)
    line = " ".join((place.address or "-", place.address6 or "-", *names))
    write_atomic(f"{zone}/{container_id}", line + "\n", 0o644, durable=False)


def _make(directory: str, mode: int) -> None:
    try:
        os.mkdir(directory)
    except FileExistsError:
        return
    os.chmod(directory, mode)  # whatever the umask of the caller


def own_directory(paths: Paths, container_id: str) -> str:
    """Where the container's own networks stand."""
    return paths.container_run(container_id) + "/net"


def joined(paths: Paths, container_id: str) -> list[str]:
    """The ids of the networks in which the container is found."""
    return [name for name in _listed(own_directory(paths, container_id)) if name != RESOLVER]


def leave(paths: Paths, container_id: str, network_id: str) -> None:
    """The container is not found in the network any more; nothing there is fine."""
    _unlink(f"{paths.zone(network_id)}/{container_id}")
    _unlink(f"{own_directory(paths, container_id)}/{network_id}")


def leave_all(paths: Paths, container_id: str) -> None:
    """The container has ended, or is about to start anew."""
    own = own_directory(paths, container_id)
    for network_id in _listed(own):
        leave(paths, container_id, network_id)  # temporary files of a killed writer too


def forget_zone(paths: Paths, network_id: str) -> None:
    """A network has gone."""
    zone = paths.zone(network_id)
    for name in _listed(zone):
        _unlink(f"{zone}/{name}")
    try:
        os.rmdir(zone)
    except OSError:
        pass


def sweep(paths: Paths, living: set[str]) -> list[str]:
    """Takes away the names of containers that do not live; their ids."""
    gone = []
    for network_id in _listed(f"{paths.run}/n"):
        for container_id in _listed(paths.zone(network_id)):
            if container_id not in living:
                _unlink(f"{paths.zone(network_id)}/{container_id}")
                gone.append(container_id)
    return gone


def direct(paths: Paths, container_id: str, servers: Sequence[str], aliases: Iterable[tuple[str, str]]) -> None:
    """Where the container's resolver asks for other names (nowhere, when there are no servers), and what it alone calls
    others by (--link): (alias, name)."""
    own = own_directory(paths, container_id)
    _make(own, 0o755)
    lines = [f"server {server}\n" for server in servers]
    lines += [f"alias {alias.lower()} {name.lower()}\n" for alias, name in aliases]
    write_atomic(f"{own}/{RESOLVER}", "".join(lines), 0o644, durable=False)


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
