"""Everything that the other engine has, read once; nothing of it is believed before it is used."""

from __future__ import annotations

from contextlib import contextmanager

from tuidock.engine.errors import SystemFailure
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from tuidock.engine.migrate.source import Source

#: Networks that every docker, or podman, has by itself.
_OWN_NETWORKS = frozenset(("bridge", "host", "none", "podman"))
_LIVING = ("running", "paused", "restarting")


class TheirImage(Named):
    """id: "sha256:..."; references: with tag, () for an image without a name; size in bytes."""

    id: str
    references: tuple[str, ...]
    size: int


class TheirVolume(Named):
    """mountpoint: its directory on this machine; users: names of running containers that write to it."""

    name: str
    driver: str
    mountpoint: str
    labels: Mapping[str, str]
    options: Mapping[str, str]
    users: tuple[str, ...]


class TheirNetwork(Named):
    """document: docker's JSON of it."""

    name: str
    id: str
    driver: str
    document: Mapping[str, Any]


class TheirContainer(Named):
    """document: docker's JSON of it."""

    name: str
    id: str
    image_id: str
    status: str
    auto_remove: bool
    document: Mapping[str, Any]


class Inventory(Named):
    kind: str
    cgroup_v2: bool
    images: tuple[TheirImage, ...]
    volumes: tuple[TheirVolume, ...]
    networks: tuple[TheirNetwork, ...]
    containers: tuple[TheirContainer, ...]


#: What comes of a document that is not shaped as docker's.
_MISSHAPEN = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


@contextmanager
def understood(kind: str) -> Iterator[None]:
    """Whatever the other engine's documents hold where something else belongs is a sentence. Raises SystemFailure."""
    try:
        yield
    except _MISSHAPEN as error:
        why = f"{type(error).__name__}: {error!s:.200}"
        raise SystemFailure(f"{kind} gives an answer that is not understood ({why}); is this its API?") from error


def read(source: Source) -> Inventory:
    """Raises SystemFailure when it does not answer, or not as docker does."""
    with understood(source.kind):
        return _read(source)


def _read(source: Source) -> Inventory:
    info = source.get("/info")
    listed = source.get("/containers/json", all="true") or ()
    containers = tuple(_container(source.get(f"/containers/{row['Id']}/json")) for row in listed)
    writers: dict[str, list[str]] = {}
    for container in containers:
        for mount in container.document.get("Mounts") or ():
            if mount.get("Type") == "volume" and container.status in _LIVING and mount.get("RW"):
                writers.setdefault(str(mount.get("Name")), []).append(container.name)
    images = (_image(row) for row in source.get("/images/json") or ())
    volumes = ((source.get("/volumes") or {}).get("Volumes")) or ()
    networks = source.get("/networks") or ()
    return Inventory(
        source.kind,
        str(info.get("CgroupVersion") or "") == "2",
        tuple(sorted(images, key=lambda image: image.references or (image.id,))),
        tuple(sorted((_volume(row, writers) for row in volumes), key=lambda volume: volume.name)),
        tuple(
            sorted((_network(row) for row in networks if row.get("Name") not in _OWN_NETWORKS), key=lambda n: n.name)
        ),
        tuple(sorted(containers, key=lambda container: container.name)),
    )


def _digest(value: object) -> str:
    """podman leaves the algorithm out."""
    text = str(value or "")
    return text if ":" in text or not text else f"sha256:{text}"


def _image(row: Mapping[str, Any]) -> TheirImage:
    references = tuple(str(one) for one in row.get("RepoTags") or () if "<none>" not in str(one))
    return TheirImage(_digest(row.get("Id")), references, int(row.get("Size") or 0))


def _volume(row: Mapping[str, Any], writers: Mapping[str, list[str]]) -> TheirVolume:
    name = str(row.get("Name") or "")
    return TheirVolume(
        name, str(row.get("Driver") or "local"), str(row.get("Mountpoint") or ""), dict(row.get("Labels") or {}),
        dict(row.get("Options") or {}), tuple(writers.get(name, ())),
    )  # fmt: skip


def _network(row: Mapping[str, Any]) -> TheirNetwork:
    return TheirNetwork(str(row.get("Name") or ""), str(row.get("Id") or ""), str(row.get("Driver") or "bridge"), row)


def _container(document: Mapping[str, Any]) -> TheirContainer:
    state = document.get("State") or {}
    host = document.get("HostConfig") or {}
    return TheirContainer(
        str(document.get("Name") or "").removeprefix("/"), str(document.get("Id") or ""),
        _digest(document.get("Image")), str(state.get("Status") or ""), bool(host.get("AutoRemove")), document,
    )  # fmt: skip
