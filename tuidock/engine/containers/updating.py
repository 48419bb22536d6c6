"""update: other limits and another restart policy for a container that exists, while it runs or for its next start.

What was asked for is kept in the database and create.json; the limits of a running container are written into its
control groups at once, and its launch record is written anew, from which the shim takes the policy and the limits of the
next run by policy. The kernel comes first: what it refuses is taken back, and nothing has changed.
"""

from __future__ import annotations

import os

from tuidock.engine import fastjson
from tuidock.engine.containers.creating import document_of
from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.moves import move_lock, status_of
from tuidock.engine.containers.starting import cgroup_plan
from tuidock.engine.errors import Conflict, InvalidArgument, NotFound, SystemFailure
from tuidock.engine.events import append
from tuidock.engine.files import write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.options.check import check_resources, check_restart
from tuidock.engine.runtime import record
from tuidock.engine.runtime.cgroup_settings import memory_and_swap
from tuidock.engine.types import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

#: Pairs of the launch record that say the limits, and those of the policy.
_LIMITS = ("cgroup", "set", "set-optional", "value")
_SWAP_FILE = "memory.memsw.limit_in_bytes"
_MEMORY_FILE = "memory.limit_in_bytes"
_Place = tuple[str, str]


def update(
    instance: Instance, container: Container, resources: Mapping[str, Any], policy: Mapping[str, Any] | None
) -> None:
    """Changes what is given and keeps the rest.

    Raises InvalidArgument or Conflict in docker's words, SystemFailure when the kernel refuses a limit, NotFound.
    """
    with move_lock(instance, container.id):
        if container.status in ("removing", "dead"):
            raise Conflict(
                f'Cannot update container {container.id}: container is marked for removal and cannot be "update".'
            )
        config, host = request_of(instance, container.id)
        if not config:
            raise NotFound("container", container.id[:12])
        try:
            wanted = _merged(host, resources, policy)
        except InvalidArgument as error:
            raise InvalidArgument(f"Cannot update container {container.id}: {error}") from None
        _apply(instance, container, wanted, policy, live=status_of(instance, container.id).status)
        policy_name = str((wanted.get("RestartPolicy") or {}).get("Name") or "no")
        with instance.state.write() as db:
            db.execute(
                "UPDATE containers SET request = ?, restart_policy = ? WHERE id = ?",
                (fastjson.dumps({"Config": config, "HostConfig": wanted}), policy_name, container.id),
            )
        path = instance.paths.container(container.id) + "/create.json"
        write_atomic(path, document_of(instance, container.id), 0o600)
    append(instance.paths.journal, "container", "update", container.id, container.name, image=container.image)


def _merged(host: Mapping[str, Any], resources: Mapping[str, Any], policy: Mapping[str, Any] | None) -> dict[str, Any]:
    """HostConfig as it is to be. A swap limit that docker would have chosen at create stays, so it is written down."""
    _check_conflicts(host, resources)
    before = {**host, "MemorySwap": memory_and_swap(host)[1]}
    memory, swap = resources.get("Memory") or 0, before["MemorySwap"]
    if memory and 0 < swap < memory and not resources.get("MemorySwap"):
        raise InvalidArgument(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    merged = {**before, **{key: value for key, value in resources.items() if value}}
    check_resources(merged, update=True)
    if policy and policy.get("Name"):
        check_restart(policy)
        if host.get("AutoRemove") and policy["Name"] != "no":
            raise InvalidArgument("Restart policy cannot be updated because AutoRemove is enabled for the container")
        merged["RestartPolicy"] = dict(policy)
    return merged


def _check_conflicts(host: Mapping[str, Any], resources: Mapping[str, Any]) -> None:
    """The number of CPUs, and the quota and period that it stands for, exclude each other."""
    names = (("CpuPeriod", "CPU Period"), ("CpuQuota", "CPU Quota"))
    for key, word in names:
        if resources.get("NanoCpus") and host.get(key):
            raise InvalidArgument(f"Conflicting options: Nano CPUs cannot be updated as {word} has already been set")
    for key, word in names:
        if resources.get(key) and host.get("NanoCpus"):
            raise InvalidArgument(f"Conflicting options: {word} cannot be updated as NanoCPUs has already been set")


def _apply(
    instance: Instance, container: Container, wanted: Mapping[str, Any], policy: Mapping[str, Any] | None, *, live: str
) -> None:
    """The launch record of what runs, and its control groups."""
    plan = cgroup_plan(instance, container.id, wanted)
    if live not in ("running", "paused", "restarting"):
        return
    path = instance.paths.container(container.id) + "/record"
    with open(path, "rb") as file:
        pairs = record.decode(file.read())
    fresh = _renewed(pairs, plan.pairs, wanted)
    undo = _write_limits(container.id, _settings(pairs), _settings(plan.pairs)) if live != "restarting" else []
    try:
        write_atomic(path, record.encode(fresh), 0o600, durable=False)
    except OSError as error:
        _take_back(undo)
        raise SystemFailure(f"Cannot update container {container.id}: write {path}: {error.strerror}") from error


def _renewed(
    pairs: Sequence[tuple[str, str]], limits: Sequence[tuple[str, str]], wanted: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """The record with other limits and another policy."""
    policy = wanted.get("RestartPolicy") or {}
    values = {
        "restart-policy": str(policy.get("Name") or "no"), "restart-max": str(policy.get("MaximumRetryCount") or 0)
    }  # fmt: skip
    place = next((index for index, (key, _) in enumerate(pairs) if key == "cgroup"), len(pairs))
    kept = [(key, values.get(key, value)) for key, value in pairs if key not in _LIMITS]
    return [*kept[:place], *limits, *kept[place:]]


def _settings(pairs: Iterable[tuple[str, str]]) -> dict[_Place, list[tuple[str, bool]]]:
    """(directory, file) -> its values in order, with whether the kernel may lack the file."""
    found: dict[_Place, list[tuple[str, bool]]] = {}
    directory, file, optional = "", "", False
    for key, value in pairs:
        if key == "cgroup":
            directory = value
        elif key in ("set", "set-optional"):
            file, optional = value, key == "set-optional"
        elif key == "value":
            found.setdefault((directory, file), []).append((value, optional))
    return found


def _write_limits(
    container_id: str, before: dict[_Place, list[tuple[str, bool]]], after: dict[_Place, list[tuple[str, bool]]]
) -> list[tuple[str, str]]:
    """Writes what differs; returns the files with what they held. Raises SystemFailure with nothing changed."""
    done: list[tuple[str, str]] = []
    changed = [(place, entry) for place, entries in after.items() if before.get(place) != entries for entry in entries]
    for (directory, file), (value, optional) in _ordered(changed):
        path = f"{directory}/{file}"
        try:
            held = _read(path)
            _write(path, value)
        except OSError as error:
            if optional and isinstance(error, FileNotFoundError):
                continue
            _take_back(done)
            why = (error.strerror or str(error)).lower()
            raise SystemFailure(f"Cannot update container {container_id}: write {value} to {file}: {why}") from error
        done.append((path, held))
    return done


def _ordered(changed: list[tuple[_Place, tuple[str, bool]]]) -> list[tuple[_Place, tuple[str, bool]]]:
    """v1 refuses memory above memory + swap: a growing sum has to grow first, a shrinking one to shrink last."""
    for (directory, file), (value, _) in changed:
        if file == _MEMORY_FILE:
            try:
                grows = int(value) < 0 or int(value) > int(_read(f"{directory}/{_MEMORY_FILE}"))
            except (OSError, ValueError):
                return changed
            if grows:
                return sorted(changed, key=lambda item: item[0][1] != _SWAP_FILE)
    return changed


def _take_back(done: list[tuple[str, str]]) -> None:
    for path, held in reversed(done):
        try:
            _write(path, held)
        except OSError:
            pass  # a limit that had never been set reads as something that cannot be written; it stays as it is


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read().strip()


def _write(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
