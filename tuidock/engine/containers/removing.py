"""rm: the end of a container and of everything that it had, or its way into the trash, from which `undo` takes it.

Order: kill, wait for the shim's own clean-up; then one transaction in which directories are renamed and rows moved or
deleted; what is not kept is unlinked outside of any lock. A crash before the end of the transaction leaves the rows, and
`removed.heal` brings the directories back to them; the intent that is written by then makes the sweep remove them again.
"""

from __future__ import annotations

import os

from tuidock.engine.containers import rows
from tuidock.engine.containers.living_mounts import has_options, release_idle
from tuidock.engine.containers.moves import move_lock, send_signal, status_of, wait_for_end, write_intent
from tuidock.engine.containers.stopping import KILL_TIMEOUT
from tuidock.engine.containers.telling import attributes_of, tell
from tuidock.engine.errors import EngineError, SystemFailure, WrongState
from tuidock.engine.events import append
from tuidock.engine.files import Undo, remove_tree
from tuidock.engine.instance import Instance
from tuidock.engine.runtime.status import read_pid

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import sqlite3
    from collections.abc import Callable, Sequence

    from tuidock.engine.store.removed import Keeping
else:
    import _signal as signal  # the module around it turns numbers into enums


def remove_many(
    instance: Instance, targets: Sequence[tuple[str, str]], *, force: bool = False, volumes: bool = False,
    drop_volumes: Callable[[Sequence[str], Keeping | None], None] | None = None, keeping: Keeping | None = None,
) -> list[tuple[str, EngineError | None]]:  # fmt: skip
    """Removes containers given as (id, name) and tells for each what went wrong, in their order.

    All are killed first and then awaited together, and all rows go in one transaction: 50 take little longer than one.
    drop_volumes gets the names of anonymous volumes, after their users have gone, when those are to go too, and how they
    are kept. keeping: containers go to the trash, apart from those with --rm, whose volumes go for good with them.
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
    known = {container_id: attributes_of(instance, container_id) for container_id, _ in gone}
    anonymous, removed = _forget(instance, gone, keeping) if gone else ({}, set())
    for container_id, name in gone:
        if container_id in removed:  # else the shim of a --rm container, or another client, was faster and has told it
            append(instance.paths.journal, "container", "destroy", container_id, name, **known[container_id])
    if gone and has_options(instance):
        release_idle(instance)
    if volumes and drop_volumes is not None and anonymous:
        drop_volumes([name for name, kept in anonymous.items() if kept], keeping)
        drop_volumes([name for name, kept in anonymous.items() if not kept], None)
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
                    tell(instance, "kill", container_id, name, signal=str(int(signal.SIGKILL)))
            # also when nothing says that it is paused: who froze it may have died, and what is frozen does not die
            from tuidock.engine.runtime.cgroup import cgroups_of

            cgroups_of(instance).loosen(container_id)
        else:
            write_intent(instance, container_id, "remove 0")
        if state.orphaned:
            _clean_after_loss(instance, container_id)


def _clean_after_loss(instance: Instance, container_id: str) -> None:
    """Control groups and links of a container whose shim and recorder were both killed."""
    from tuidock.engine.containers.sweep import clean_kernel

    clean_kernel(instance, container_id)


def _forget_parents(instance: Instance, gone: Sequence[tuple[str, str]]) -> None:
    """Those that were given a control group of somebody else's to lie in."""
    if os.path.isdir(instance.paths.run + "/cgroup-parents"):
        from tuidock.engine.runtime.cgroup import cgroups_of

        groups = cgroups_of(instance)
        for container_id, _ in gone:
            groups.forget(container_id)


def _forget(
    instance: Instance, gone: Sequence[tuple[str, str]], keeping: Keeping | None
) -> tuple[dict[str, bool], set[str]]:
    """The transaction; returns the anonymous volumes that nobody else uses (and whether their container is kept), and the
    ids whose rows it took away.

    On a full disk the database has no room for saying that something has gone: then the oldest of the trash goes, and if
    that is not enough, these containers for good.
    """
    for container_id, _ in gone:
        remove_tree(instance.paths.container_run(container_id))
    _forget_parents(instance, gone)
    try:
        anonymous, graves, found = _move(instance, gone, keeping)
    except SystemFailure:
        from tuidock.engine.store import removed

        removed.drop(instance.state, instance.paths, removed.entries(instance.state))
        graves = [
            _rename(instance.paths.container(container_id), _grave(instance, container_id)) for container_id, _ in gone
        ]
        for path in graves:
            remove_tree(path)
        _settle_disk(instance)
        anonymous, graves, found = _move(instance, gone, None)
    for path in graves:
        remove_tree(path)
    return anonymous, found


def _settle_disk(instance: Instance) -> None:
    """A journalling file system gives away the room of deleted files only when their deletion is on the disk."""
    from tuidock import native

    root = os.open(instance.paths.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        native.syncfs(root)
    finally:
        os.close(root)


def _move(
    instance: Instance, gone: Sequence[tuple[str, str]], keeping: Keeping | None
) -> tuple[dict[str, bool], list[str], set[str]]:
    """Renames the directories and takes the rows away; returns anonymous volumes without a user, what is to be unlinked,
    and the ids that had a row. When the transaction fails, all is as before."""
    paths, graves, kept = instance.paths, [], set()
    ids = [container_id for container_id, _ in gone]
    marks = ",".join("?" * len(ids))
    with Undo() as undo:
        with instance.state.write(durable=False) as db:
            query = (
                "SELECT v.name, u.container_id FROM volumes v JOIN volume_uses u ON u.volume = v.name WHERE v.anonymous "
                f"AND u.container_id IN ({marks})"
            )
            uses = db.execute(query, ids).fetchall()
            found = {row[0] for row in db.execute(f"SELECT id FROM containers WHERE id IN ({marks})", ids)}
            for container_id, name in gone:
                place = paths.container(container_id)
                grave = _grave(instance, container_id)
                if keeping is not None and _keep(instance, db, container_id, name, keeping):
                    grave = f"{paths.removed}/{container_id}"
                    kept.add(container_id)
                else:
                    graves.append(grave)
                _rename(place, grave)
                undo.add(_rename, grave, place)
            rows.delete(db, ids)
            unused = {
                name: any(container_id in kept for other, container_id in uses if other == name)
                for name, _ in uses
                if not db.execute("SELECT 1 FROM volume_uses WHERE volume = ?", (name,)).fetchone()
            }
        undo.keep()
    return unused, graves, found


def _keep(instance: Instance, db: sqlite3.Connection, container_id: str, name: str, keeping: Keeping) -> bool:
    """The container's entry in the trash; False for one that nobody wants back: --rm, or its directory has gone."""
    from tuidock.engine.store import removed

    containers = removed.rows_of(db, "containers", "id", container_id)
    if not containers or containers[0]["auto_remove"] or not os.path.isdir(instance.paths.container(container_id)):
        return False
    os.makedirs(instance.paths.removed, mode=0o700, exist_ok=True)
    document = {
        "containers": containers,
        "addresses": removed.rows_of(db, "addresses", "container_id", container_id),
        "volume_uses": removed.rows_of(db, "volume_uses", "container_id", container_id),
    }
    image_id = str(containers[0]["image_id"])
    removed.add(db, keeping, removed.CONTAINER, name, container_id, document, entry=container_id, image_id=image_id)
    return True


def _grave(instance: Instance, container_id: str) -> str:
    return f"{instance.paths.trash}/{container_id}.{os.urandom(4).hex()}"


def _rename(old: str, new: str) -> str:
    try:
        os.rename(old, new)
    except FileNotFoundError:
        pass
    return new
