"""rm: the end of a container and of everything that it had.

Order: kill, wait for the shim's own clean-up, rename the directory into the trash, delete the rows in one transaction,
then unlink outside of any lock. A crash in between leaves either a complete container or a row whose directory has gone,
which the next sweep deletes.
"""

from __future__ import annotations

import os

from tuidock.engine.containers import rows
from tuidock.engine.containers.living_mounts import has_options, release_idle
from tuidock.engine.containers.moves import move_lock, send_signal, status_of, wait_for_end, write_intent
from tuidock.engine.containers.stopping import KILL_TIMEOUT
from tuidock.engine.errors import EngineError, SystemFailure, WrongState
from tuidock.engine.events import append
from tuidock.engine.files import remove_tree
from tuidock.engine.instance import Instance
from tuidock.engine.runtime.status import read_pid

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
else:
    import _signal as signal  # the module around it turns numbers into enums


def remove_many(
    instance: Instance, targets: Sequence[tuple[str, str]], *, force: bool = False, volumes: bool = False,
    drop_volumes: Callable[[Sequence[str]], None] | None = None,
) -> list[tuple[str, EngineError | None]]:  # fmt: skip
    """Removes containers given as (id, name) and tells for each what went wrong, in their order.

    All are killed first and then awaited together, and all rows go in one transaction: 50 take little longer than one.
    drop_volumes gets the ids, after their rows have gone, when anonymous volumes are to go too.
    """
    failures: dict[str, EngineError] = {}
    for container_id, name in targets:
        try:
            _doom(instance, container_id, name, force)
        except EngineError as error:
            failures[container_id] = error
    doomed = [pair for pair in targets if pair[0] not in failures]
    late = wait_for_end(instance, [container_id for container_id, _ in doomed], KILL_TIMEOUT)
    for container_id in late:
        failures[container_id] = SystemFailure(
            f"could not kill container {container_id[:12]}: it is stuck in the kernel; try again later"
        )
    gone = [pair for pair in doomed if pair[0] not in failures]
    trash = [_bury(instance, container_id) for container_id, _ in gone]
    anonymous = _forget(instance, [container_id for container_id, _ in gone], trash) if gone else []
    for container_id, name in gone:
        append(instance.paths.journal, "container", "destroy", container_id, name)
    if gone and has_options(instance):
        release_idle(instance)
    if volumes and drop_volumes is not None and anonymous:
        drop_volumes(anonymous)
    for path in trash:
        remove_tree(path)
    return [(container_id, failures.get(container_id)) for container_id, _ in targets]


def _doom(instance: Instance, container_id: str, name: str, force: bool) -> None:
    with move_lock(instance, container_id, gone=True):
        state = status_of(instance, container_id)
        if state.status in ("running", "paused", "restarting"):
            if not force:
                raise WrongState(
                    f'cannot remove container "{name}": container is {state.status}: stop the container before removing '
                    "or force remove"
                )
            write_intent(instance, container_id, "remove 0")  # before the signal: the policy must not revive it
            record = read_pid(instance.paths, container_id)
            if record is not None:
                if state.status == "restarting":
                    send_signal(record._replace(init=record.shim), signal.SIGTERM)
                else:
                    send_signal(record, signal.SIGKILL)
            if state.status == "paused":
                from tuidock.engine.runtime.cgroup import detect

                detect(instance.id).thaw(container_id)
        else:
            write_intent(instance, container_id, "remove 0")
        if state.orphaned:
            _clean_after_loss(instance, container_id)


def _clean_after_loss(instance: Instance, container_id: str) -> None:
    """Control groups and links of a container whose shim and recorder were both killed."""
    from tuidock.engine.containers.sweep import clean_kernel

    clean_kernel(instance, container_id)


def _bury(instance: Instance, container_id: str) -> str:
    paths = instance.paths
    grave = f"{paths.trash}/{container_id}.{os.urandom(4).hex()}"
    try:
        os.rename(paths.container(container_id), grave)
    except FileNotFoundError:
        pass
    remove_tree(paths.container_run(container_id))
    return grave


def _forget(instance: Instance, ids: Sequence[str], trash: Sequence[str]) -> list[str]:
    """Deletes the rows; returns the anonymous volumes that nobody else uses.

    On a full disk the database has no room for saying that something has gone: then the trash goes first.
    """
    try:
        return _delete(instance, ids)
    except SystemFailure:
        for path in trash:
            remove_tree(path)
        return _delete(instance, ids)


def _delete(instance: Instance, ids: Sequence[str]) -> list[str]:
    marks = ",".join("?" * len(ids))
    with instance.state.write(durable=False) as db:
        names = [
            row[0]
            for row in db.execute(
                "SELECT DISTINCT v.name FROM volumes v JOIN volume_uses u ON u.volume = v.name WHERE v.anonymous "
                f"AND u.container_id IN ({marks})",
                ids,
            )
        ]
        rows.delete(db, ids)
        return [n for n in names if not db.execute("SELECT 1 FROM volume_uses WHERE volume = ?", (n,)).fetchone()]
