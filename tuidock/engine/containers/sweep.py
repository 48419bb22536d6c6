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

_LIVING = ("running", "paused", "restarting")


def clean_kernel(instance: Instance, container_id: str) -> None:
    """Kills what is left of a container and removes its control groups, links and port elements. Lock held."""
    from tuidock.engine.runtime.cgroup import detect

    cgroups = detect(instance.id)
    cgroups.kill_all(container_id)
    cgroups.remove(container_id)
    for link in _links(instance):
        if link.startswith(instance.veth(container_id)[:-1]):
            remove_link(link)
    run = instance.paths.container_run(container_id)
    for name in ("pid", "restarting", "paused", "attach", "out", "err"):
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
    done += _sweep_kernel(instance, living, set(rows))
    done += _sweep_disk(instance, rows)
    return done


def _sweep_kernel(instance: Instance, living: set[str], known: set[str]) -> list[str]:
    """Control groups and links whose container does not live and is not being started or ended by somebody."""
    from tuidock.engine.runtime.cgroup import detect

    done = []
    cgroups = detect(instance.id)
    for container_id in cgroups.containers() - living:
        if _is_busy(instance, container_id):
            continue
        with move_lock(instance, container_id):
            if container_id in known and read_status(instance.paths, container_id).status in _LIVING:
                continue
            clean_kernel(instance, container_id)
        if container_id not in known:
            remove_tree(instance.paths.container_run(container_id))
        done.append(f"control groups of {container_id[:12]} removed")
    prefixes = {instance.veth(container_id)[:-1] for container_id in living}
    for link in _links(instance):
        if link[:-1] not in prefixes and not any(
            _is_busy(instance, c) for c in known if instance.veth(c)[:-1] == link[:-1]
        ):
            remove_link(link)
            done.append(f"link {link} removed")
    return done


def _is_busy(instance: Instance, container_id: str) -> bool:
    run = instance.paths.container_run(container_id)
    return is_locked(run + "/shim.lock") or is_locked(run + "/lock")


def _sweep_disk(instance: Instance, rows: dict[str, str]) -> list[str]:
    from tuidock.engine.store import collection

    paths = instance.paths
    ingests = collection.sweep(paths)
    done = [f"{ingests} unfinished downloads or layers removed"] if ingests else []
    for name in os.listdir(paths.trash):
        remove_tree(f"{paths.trash}/{name}")
        done.append(f"trash {name} emptied")
    done += _sweep_init_layers(instance)
    for container_id in rows:
        if not os.path.isdir(paths.container(container_id)) and not _is_busy(instance, container_id):
            with instance.state.write() as db:
                for table, column in (
                    ("port_claims", "container_id"), ("addresses", "container_id"),
                    ("volume_uses", "container_id"), ("containers", "id"),
                ):  # fmt: skip
                    db.execute(f"DELETE FROM {table} WHERE {column} = ?", (container_id,))
            done.append(f"container {rows[container_id]}: its removal was finished")
    for name in os.listdir(paths.containers):
        # a create that was killed: create.json is written last, after the row is committed
        half_made = not os.path.exists(f"{paths.containers}/{name}/create.json")
        if name not in rows and half_made and not _is_busy(instance, name):
            remove_tree(f"{paths.containers}/{name}")
            remove_tree(paths.container_run(name))
            done.append(f"half-made container {name[:12]} removed")
    return done


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
