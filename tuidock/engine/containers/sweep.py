"""Healing: what a kill, a crash or a reboot left behind is found by name and put right by the next client.

Everything of an instance bears its id - control groups, links, nftables table - so a sweep touches nothing else. It
runs when the app opens and before commands that change something; looking at containers heals only what it sees.
"""

from __future__ import annotations

import os

from tuidock.engine.containers.moves import move_lock
from tuidock.engine.files import is_locked, remove_tree
from tuidock.engine.instance import Instance
from tuidock.engine.runtime import shim
from tuidock.engine.runtime.status import Status, read_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_LIVING = ("running", "paused", "restarting")


def clean_kernel(instance: Instance, container_id: str) -> None:
    """Kills what is left of a container and removes its control groups, links and names. Lock held."""
    from tuidock.engine.runtime.cgroup import cgroups_of

    cgroups = cgroups_of(instance)
    cgroups.kill_all(container_id)
    cgroups.remove(container_id)
    for link in _links(instance):
        if link.startswith(instance.veth(container_id)[:-1]):
            remove_link(link)
    from tuidock.engine.network import zones

    zones.leave_all(instance.paths, container_id)
    run = instance.paths.container_run(container_id)
    for name in ("pid", "restarting", "paused", "attach", "out", "err", ".pid.tmp", ".restarting.tmp"):
        try:
            os.unlink(f"{run}/{name}")
        except FileNotFoundError:
            pass


def _links(instance: Instance) -> list[str]:
    """Host ends of this instance's veth pairs."""
    prefix = f"t{instance.id[:4]}"
    return [name for name in os.listdir("/sys/class/net") if name.startswith(prefix) and len(name) == 14]


def remove_link(name: str) -> None:
    """Deletes a link; one that has gone meanwhile is fine."""
    from tuidock.engine.network.links import delete_link

    delete_link(name)


def heal(instance: Instance, container_id: str, state: Status) -> bool:
    """Puts right what a look at one container showed. True when something was done."""
    if state.status == "paused":
        from tuidock.engine.containers.standstill import release

        return release(instance, container_id)
    if state.needs_shim:
        shim.adopt(instance.paths.container(container_id), instance.paths.container_run(container_id))
        return True
    if state.orphaned:
        with move_lock(instance, container_id):
            state = read_status(instance.paths, container_id)
            if state.orphaned:
                _record_unknown_end(instance, container_id, state)
                clean_kernel(instance, container_id)
                return True
    return False


def _record_unknown_end(instance: Instance, container_id: str, state: Status) -> None:
    """An exit record for an end that nobody saw, so that the next look needs no sweep."""
    from time import time_ns

    from tuidock.engine.events import append
    from tuidock.engine.files import read_pairs, write_atomic
    from tuidock.engine.runtime.status import read_pid

    directory = instance.paths.container(container_id)
    record = read_pid(instance.paths, container_id)
    generation = record.generation if record else int((read_pairs(directory + "/exit") or {}).get("generation", "0"))
    text = (
        f"version 1\ngeneration {generation}\nstatus {state.exit_code}\nsignal 0\noom 0\nstarted {state.started}\n"
        f"finished {time_ns()}\nrestarts {state.restarts}\nerror {state.error}\n"
    )
    write_atomic(directory + "/exit", text, 0o600)
    try:
        os.unlink(directory + "/.exit")
    except FileNotFoundError:
        pass
    row = instance.state.read().execute("SELECT name, image FROM containers WHERE id = ?", (container_id,)).fetchone()
    if row:
        append(
            instance.paths.journal,
            "container",
            "die",
            container_id,
            row[0],
            image=row[1],
            exitCode=str(state.exit_code),
        )


def sweep(instance: Instance) -> list[str]:
    """Everything at once; returns a sentence for each thing that was put right."""
    done: list[str] = []
    rows = {row[0]: row[1] for row in instance.state.read().execute("SELECT id, name FROM containers")}
    living: set[str] = set()
    for container_id, name in rows.items():
        state = read_status(instance.paths, container_id)
        if (
            state.error
            and state.status == "exited"
            and os.path.exists(instance.paths.container(container_id) + "/.exit")
        ):
            with move_lock(instance, container_id):
                _record_unknown_end(instance, container_id, state)
                clean_kernel(instance, container_id)
            done.append(f"container {name}: {state.error}")
        elif heal(instance, container_id, state):
            done.append(f"container {name}: looked after again")
        if state.status in _LIVING:
            living.add(container_id)
    from tuidock.engine.containers import hidden, living_mounts
    from tuidock.engine.store import removed

    done += removed.heal(instance.state, instance.paths)
    done += _finish_removals(instance)
    done += [f"volume {name[:12]}: unmounted, as nothing uses it" for name in living_mounts.release_idle(instance)]
    done += hidden.sweep(instance)
    done += _sweep_kernel(instance, living, set(rows))
    done += _sweep_names(instance, living)
    done += _sweep_ports(instance)
    done += _sweep_disk(instance, rows)
    return done


def _finish_removals(instance: Instance) -> list[str]:
    """Removes what was to be removed and has ended: `rm` or the client of a `run --rm` was killed."""
    from tuidock.engine.containers.moves import read_intent
    from tuidock.engine.containers.removing import remove_many
    from tuidock.engine.store import volumes
    from tuidock.engine.store.removed import Keeping, new_batch

    def drop(names: Sequence[str], keeping: Keeping | None) -> None:
        for name in names:
            volumes.remove(instance.state, instance.paths, name, force=True, keeping=keeping)

    done = []
    for container_id, name, auto_remove in instance.state.read().execute(
        "SELECT id, name, auto_remove FROM containers"
    ):
        status = read_status(instance.paths, container_id).status
        wanted = read_intent(instance, container_id) == "remove" or (auto_remove and status == "exited")
        if wanted and status not in _LIVING and not _is_busy(instance, container_id):
            keeping = Keeping(new_batch())  # perhaps the killed command was `rm --now`: nobody knows any more
            remove_many(instance, [(container_id, name)], volumes=auto_remove, drop_volumes=drop, keeping=keeping)
            done.append(f"container {name}: its removal was finished")
    return done


def is_link_used(instance: Instance, link: str) -> bool:
    """Whether a link belongs to a container that somebody looks after, starts or ends, or the kernel is just removing it.

    sysfs shows a link for some time after its name is free.
    """
    from _socket import if_nametoindex

    try:
        if_nametoindex(link)
    except OSError:
        return True
    return any(
        _is_busy(instance, name)
        for name in os.listdir(instance.paths.run + "/c")
        if instance.veth(name)[:-1] == link[:-1]
    )


def _sweep_kernel(instance: Instance, living: set[str], known: set[str]) -> list[str]:
    """Control groups and links whose container does not live and is not being started or ended by somebody."""
    from tuidock.engine.runtime.cgroup import cgroups_of

    done = []
    cgroups = cgroups_of(instance)
    for container_id in cgroups.containers() - living:
        if _is_busy(instance, container_id):
            continue
        with move_lock(instance, container_id, gone=True):
            if container_id in known and read_status(instance.paths, container_id).status in _LIVING:
                continue
            clean_kernel(instance, container_id)
        if container_id not in known:
            remove_tree(instance.paths.container_run(container_id))
        done.append(f"control groups of {container_id[:12]} removed")
    prefixes = {instance.veth(container_id)[:-1] for container_id in living}
    for link in _links(instance):
        if link[:-1] not in prefixes and not is_link_used(instance, link):
            remove_link(link)
            done.append(f"link {link} removed")
    return done


def _sweep_names(instance: Instance, living: set[str]) -> list[str]:
    """Names by which neighbours would find containers that do not run; bridges of networks that have gone."""
    from tuidock.engine.containers import wiring
    from tuidock.engine.network import creation, zones

    busy = {name for name in os.listdir(instance.paths.run + "/c") if _is_busy(instance, name)}
    gone = zones.sweep(instance.paths, living | busy)
    done = ["the nftables table was made anew: somebody had flushed it"] if wiring.heal_table(instance) else []
    done += [f"names of {name[:12]} removed" for name in gone]
    return done + wiring.sweep_bridges(instance) + creation.sweep(instance)


def _sweep_ports(instance: Instance) -> list[str]:
    from tuidock.engine.containers import wiring
    from tuidock.engine.network import nftables

    stray = sorted(wiring.stray_ports(instance))
    nftables.remove_ports(instance.nft_table, stray)
    return [f"published port {key} withdrawn" for key in stray]


def _is_busy(instance: Instance, container_id: str) -> bool:
    run = instance.paths.container_run(container_id)
    return is_locked(run + "/shim.lock") or is_locked(run + "/lock")


def _sweep_disk(instance: Instance, rows: dict[str, str]) -> list[str]:
    from tuidock.engine.store import collection, expiring

    paths = instance.paths
    done = _sweep_ruins(instance, rows)
    ingests = collection.sweep(paths)
    gone = expiring.enforce(instance.state, paths)
    done += [f"{len(gone)} old things removed from the trash"] if gone else []
    done += [f"{ingests} unfinished downloads, layers or removals cleared away"] if ingests else []
    blobs, freed = collection.collect(instance.state, paths)
    done += [f"{blobs} blobs or layers without an image removed ({freed} bytes)"] if blobs else []
    done += _sweep_init_layers(instance)
    return done


def _sweep_ruins(instance: Instance, rows: dict[str, str]) -> list[str]:
    """What creates and removals left that were killed. A lock that is held says that somebody is still at it."""
    paths = instance.paths
    done = []
    names = {*rows, *os.listdir(paths.containers), *os.listdir(paths.run + "/c")}
    for name in sorted(names):
        try:
            with move_lock(instance, name, gone=True, wait=False):
                sentence = _end_ruin(instance, name)
        except BlockingIOError:
            continue
        if sentence:
            done.append(sentence)
    return done + _sweep_volumes(instance)


def _end_ruin(instance: Instance, container_id: str) -> str:
    """Completes what has a row and a directory, removes the rest; the move lock is held."""
    from tuidock.engine.containers import rows

    paths = instance.paths
    row = instance.state.read().execute("SELECT name FROM containers WHERE id = ?", (container_id,)).fetchone()
    directory, run = paths.container(container_id), paths.container_run(container_id)
    there = os.path.isdir(directory)
    if (row or there) and os.path.isdir(f"{paths.removed}/{container_id}"):
        return ""  # somebody is just removing it, or bringing it back; else `removed.heal` ends it
    if row and there:
        return _complete(instance, container_id, row[0])
    if is_locked(run + "/shim.lock"):
        return ""
    if row:
        with instance.state.write() as db:
            rows.delete(db, [container_id])
        remove_tree(run)
        return f"container {row[0]}: its removal was finished"
    if there and _size(directory + "/create.json"):
        return ""  # a lost database: `system rebuild` takes the container in
    remove_tree(directory)
    remove_tree(run)
    return f"half-made container {container_id[:12]} removed" if there else ""


def _size(path: str) -> int:
    """Bytes, 0 when it is missing: a power cut leaves an empty create.json of a --rm container."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _complete(instance: Instance, container_id: str, name: str) -> str:
    """Writes the create.json that a killed create did not get to."""
    from tuidock.engine.containers.creating import document_of
    from tuidock.engine.files import write_atomic

    directory = instance.paths.container(container_id)
    if not os.path.exists(directory + "/create.json"):
        write_atomic(directory + "/create.json", document_of(instance, container_id), 0o600)
        return f"container {name}: create.json written"
    return ""


def _sweep_volumes(instance: Instance) -> list[str]:
    """Volumes that were made for a container that never came to be, and directories of which only the name was made."""
    from tuidock.engine.store import volume_archives, volumes

    ids = [row[0] for row in instance.state.read().execute(
        "SELECT DISTINCT container_id FROM volume_uses WHERE container_id NOT IN (SELECT id FROM containers)"
    )]  # fmt: skip
    done = []
    for container_id in ids:
        try:
            with move_lock(instance, container_id, gone=True, wait=False):
                done += volumes.disown(instance.state, instance.paths, container_id)
                remove_tree(instance.paths.container_run(container_id))
        except BlockingIOError:
            continue
    imports = volume_archives.sweep(instance.state, instance.paths)
    done += [f"{imports} unfinished imports of volumes cleared away"] if imports else []
    return done + volumes.sweep(instance.state, instance.paths)


def _sweep_init_layers(instance: Instance) -> list[str]:
    """Mountpoint stubs of images that have gone, and half-made ones."""
    from tuidock.engine import fastjson

    tops = {"scratch"}
    for (layers,) in instance.state.read().execute("SELECT layers FROM images"):
        chain = [layer["chain_id"] for layer in fastjson.loads(layers)]
        tops.add(chain[-1].removeprefix("sha256:") if chain else "scratch")
    done = []
    for name in os.listdir(instance.paths.init_layers):
        if name.partition(".")[0] not in tops:
            remove_tree(f"{instance.paths.init_layers}/{name}")
            done.append(f"init layer {name[:12]} removed")
    return done
