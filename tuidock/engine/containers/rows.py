"""Rows of the container table as values, and the way from what a person types to an id.

This is the path of `ps`: two queries and a few small files per container, no JSON.
"""

from __future__ import annotations

from tuidock.engine import fastjson
from tuidock.engine.errors import AmbiguousId, InvalidArgument, NotFound
from tuidock.engine.files import every_file, read_text
from tuidock.engine.instance import Instance
from tuidock.engine.network.ipv4 import dotted, mac
from tuidock.engine.runtime import health
from tuidock.engine.runtime.status import Status, read_status
from tuidock.engine.state import pack, unpack
from tuidock.engine.types import Container, Endpoint, MountPoint, PortBinding

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from typing import Any

_COLUMNS = (
    "id, name, image, image_id, command, created, restart_policy, auto_remove, tty, open_stdin, exposed, labels, mounts,"
    " error, error_code, removing"
)


def resolve(db: sqlite3.Connection, reference: str) -> str:
    """The id of a container: an exact name wins over an id, an id over an unambiguous prefix.

    Raises NotFound or AmbiguousId.
    """
    name = reference.removeprefix("/")
    row = db.execute("SELECT id FROM containers WHERE name = ?", (name,)).fetchone()
    if row:
        return str(row[0])
    rows = db.execute("SELECT id FROM containers WHERE id >= ? AND id < ? LIMIT 2", (name, name + "g")).fetchall()
    if not rows or not name:
        raise NotFound("container", reference)
    if len(rows) > 1 and rows[0][0] != name:
        raise AmbiguousId(f"{reference} fits the ids of several containers; type more of it")
    return str(rows[0][0])


def list_containers(
    instance: Instance, *, all_: bool = True, only: str = "", states: dict[str, Status] | None = None
) -> list[Container]:
    """Containers as values, newest first; `only` limits the list to one id, `states` gets what the kernel did."""
    db = instance.state.read()
    where, parameters = ("WHERE id = ?", (only,)) if only else ("", ())
    rows = db.execute(f"SELECT {_COLUMNS} FROM containers {where} ORDER BY created DESC", parameters).fetchall()
    claims = _claims(db, only)
    endpoints = _endpoints(db, only)
    found = []
    for row in rows:
        state = read_status(instance.paths, str(row[0]))
        if states is not None:
            states[str(row[0])] = state
        container = _container(instance, row, state, claims, endpoints)
        if container is not None and (all_ or container.status in ("running", "paused", "restarting")):
            found.append(container)
    return found


def one_container(instance: Instance, container_id: str) -> Container:
    """Raises NotFound when it has gone meanwhile."""
    found = list_containers(instance, only=container_id)
    if not found:
        raise NotFound("container", container_id[:12])
    return found[0]


def insert(
    db: sqlite3.Connection, container_id: str, name: str, image: str, image_id: str, created: int,
    config: Mapping[str, Any], host_config: Mapping[str, Any], points: tuple[MountPoint, ...],
) -> None:  # fmt: skip
    """The row of a new container and its uses of volumes."""
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    command = " ".join([*words[:1], *(f"'{word}'" if " " in word else word for word in words[1:])])
    exposed = " ".join(sorted({*(config.get("ExposedPorts") or {}), *(host_config.get("PortBindings") or {})}))
    policy = str((host_config.get("RestartPolicy") or {}).get("Name") or "no")
    request = fastjson.dumps({"Config": config, "HostConfig": host_config})
    db.execute(
        "INSERT INTO containers(id, name, image, image_id, created, command, restart_policy, auto_remove, tty, "
        "open_stdin, exposed, labels, mounts, request) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            container_id, name, image, image_id, created, command, policy, bool(host_config.get("AutoRemove")),
            bool(config.get("Tty")), bool(config.get("OpenStdin")), exposed, pack(config.get("Labels") or {}),
            pack_mounts(points), request,
        ),
    )  # fmt: skip
    for point in points:
        if point.type == "volume":
            db.execute("INSERT OR IGNORE INTO volume_uses VALUES (?, ?)", (point.name, container_id))


def delete(db: sqlite3.Connection, ids: Sequence[str]) -> None:
    """The rows of containers, and everything that they have claimed."""
    marks = ",".join("?" * len(ids))
    for table, column in (
        ("port_claims", "container_id"), ("addresses", "container_id"), ("volume_uses", "container_id"),
        ("containers", "id"),
    ):  # fmt: skip
        db.execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", ids)


def _container(
    instance: Instance,
    row: tuple[object, ...],
    state: Status,
    claims: dict[str, list[PortBinding]],
    endpoints: dict[str, list[Endpoint]],
) -> Container | None:
    (id_, name, image, image_id, command, created, policy, auto_remove, tty, stdin, exposed, labels, mounts, error, code,
     removing) = row  # fmt: skip
    identity = str(id_)
    status, exit_code, message = state.status, state.exit_code, state.error
    if removing:
        status = "removing"
    elif status == "created" and error:
        message, exit_code = str(error), int(str(code))
    elif auto_remove and status == "exited":
        status = "removing"  # its shim has asked for the removal; a sweep does it if nobody did
    running = status in ("running", "paused", "restarting")
    # every field in its order: that makes a tuple at once, names would be looked up one by one for each row of `ps`
    return Container(
        identity, str(name), str(image), str(image_id), str(command), int(str(created)), status, state.pid, exit_code,
        state.started, state.finished, state.restarts, state.oom_killed, message,
        health.status(instance.paths.container(identity), running=status in ("running", "paused")),
        tuple(claims.get(identity, ())) if running else (), tuple(str(exposed).split()),
        tuple(endpoints.get(identity, ())), _placed(instance, unpack_mounts(str(mounts))), unpack(str(labels)), bool(tty),
        bool(stdin), bool(auto_remove), str(policy), _dropped(instance, identity),
        status == "exited" and bool(exit_code) and _was_stopped(instance, identity),
    )  # fmt: skip


def _was_stopped(instance: Instance, container_id: str) -> bool:
    """Whether the last move was a stop or a kill; read for failures only, which are few."""
    return (read_text(instance.paths.container(container_id) + "/intent") or "").startswith("stop")


def _placed(instance: Instance, points: tuple[MountPoint, ...]) -> tuple[MountPoint, ...]:
    """Volumes lie where the data root lies now: it may have been moved since they were mounted first."""
    return tuple(
        point._replace(source=f"{instance.paths.volumes}/{point.name}/_data") if point.type == "volume" else point
        for point in points
    )


def _dropped(instance: Instance, container_id: str) -> int:
    try:
        return int(read_text(instance.paths.container(container_id) + "/logs/dropped") or 0)
    except (OSError, ValueError):
        return 0


def _claims(db: sqlite3.Connection, only: str) -> dict[str, list[PortBinding]]:
    where, parameters = ("WHERE container_id = ?", (only,)) if only else ("", ())
    found: dict[str, list[PortBinding]] = {}
    for id_, protocol, ip, host_port, container_port in db.execute(
        "SELECT container_id, protocol, host_ip, host_port, container_port FROM port_claims "
        f"{where} ORDER BY container_port, protocol, host_ip",
        parameters,
    ):
        found.setdefault(id_, []).append(PortBinding(container_port, protocol, ip, host_port))
    return found


def _endpoints(db: sqlite3.Connection, only: str) -> dict[str, list[Endpoint]]:
    where, parameters = ("WHERE container_id = ?", (only,)) if only else ("", ())
    found: dict[str, list[Endpoint]] = {}
    for id_, number, network_id, name, subnet, gateway, asked_mac, address6, subnet6, gateway6 in db.execute(
        "SELECT a.container_id, a.address, n.id, n.name, n.subnet, n.gateway, a.mac, a.address6, n.subnet6, n.gateway6 "
        f"FROM addresses a JOIN networks n ON n.id = a.network_id {where} ORDER BY a.position",
        parameters,
    ):
        prefix6 = int(subnet6.rpartition("/")[2]) if address6 else 0
        found.setdefault(id_, []).append(
            Endpoint(
                name, network_id, dotted(number), int(subnet.rpartition("/")[2]), gateway, asked_mac or mac(number), (),
                address6, prefix6, gateway6 if address6 else "",
            )
        )  # fmt: skip
    return found


def pack_mounts(mounts: tuple[MountPoint, ...]) -> str:
    """Mount points as a text column. Raises InvalidArgument for a separator in a field.

    It would begin another field: the name of a volume in an image could so mount any directory of the host.
    """
    items = []
    for m in mounts:
        fields = (m.type, m.name, m.source, m.destination, "ro" if m.read_only else "rw", m.propagation, m.options)
        if any("\x1e" in field or "\x1f" in field for field in fields):
            raise InvalidArgument(f"the mount at {m.destination!r:.200} has a control character in its names")
        items.append("\x1f".join(fields))
    return "\x1e".join(items)


def unpack_mounts(text: str) -> tuple[MountPoint, ...]:
    """What pack_mounts wrote."""
    if not text:
        return ()
    found = []
    for item in text.split("\x1e"):
        type_, name, source, destination, mode, propagation, options = item.split("\x1f")
        found.append(MountPoint(type_, name, source, destination, mode == "ro", propagation, options))
    return tuple(found)


def writable_size(instance: Instance, container_id: str) -> int:
    """Bytes in the container's own layer, as `ps -s` shows them."""
    return sum(status.st_size for status in every_file(instance.paths.container(container_id) + "/upper"))


def sizes(instance: Instance, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(bytes of the own layer, bytes of it with the image's layers) of containers; those that have gone are left out."""
    query = "SELECT c.id, i.size FROM containers c JOIN images i ON i.id = c.image_id"
    images: dict[str, int] = dict(instance.state.read().execute(query).fetchall())
    written = {container_id: writable_size(instance, container_id) for container_id in ids if container_id in images}
    return {container_id: (size, size + images[container_id]) for container_id, size in written.items()}
