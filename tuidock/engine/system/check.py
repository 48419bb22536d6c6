"""`system check`: everything that a crash, a kill or a bug could have left, looked for one by one.

The same list proves the engine in its tests: after every failure that they provoke, this finds nothing.
"""

from __future__ import annotations

import os
import time

from tuidock.engine.containers.sweep import heal, is_link_used, sweep
from tuidock.engine.files import is_locked
from tuidock.engine.instance import Instance
from tuidock.engine.runtime import record
from tuidock.engine.runtime.status import read_status
from tuidock.engine.types import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: The kernel takes dead network namespaces apart in the background, many at once; longer than this it never took (s).
_NAMESPACE_GOES = 10
_LIVING = ("running", "paused", "restarting")


def check(instance: Instance, *, repair: bool = False, fast: bool = False) -> Iterator[Problem]:
    """Problems as they are found. fast leaves out re-hashing every blob; repair sweeps first and says what it did."""
    if repair:
        for sentence in sweep(instance):
            yield Problem("sweep", "", sentence, repaired=True)
    yield from _database(instance)
    rows = {
        row[0]: (row[1], row[2]) for row in instance.state.read().execute("SELECT id, name, image_id FROM containers")
    }
    yield from _containers(instance, rows, repair=repair)
    yield from _kernel(instance, set(rows))
    yield from _tables(instance)
    yield from _volumes(instance)
    yield from _images(instance, repair=repair, fast=fast)


def _images(instance: Instance, *, repair: bool, fast: bool) -> Iterator[Problem]:
    from tuidock.engine.store import verify

    mendable = []
    for fault in verify.faults(instance.state, instance.paths, hashes=not fast):
        if repair and (fault.blob or fault.chain_id):
            mendable.append(fault)
        else:
            yield fault.problem
    if mendable:
        from tuidock.engine.transfer import repairing

        yield from repairing.repair(instance.state, instance.paths, mendable)


def _database(instance: Instance) -> Iterator[Problem]:
    for (answer,) in instance.state.read().execute("PRAGMA quick_check"):
        if answer != "ok":
            yield Problem("database", instance.paths.database, f"{answer}; `tuidock system rebuild` makes it anew")


def _containers(instance: Instance, rows: dict[str, tuple[str, str]], *, repair: bool) -> Iterator[Problem]:
    paths = instance.paths
    images = {row[0] for row in instance.state.read().execute("SELECT id FROM images")}
    for container_id, (name, image_id) in rows.items():
        directory = paths.container(container_id)
        if not os.path.isdir(directory):
            yield Problem("container", name, "its directory has gone")
            continue
        if image_id not in images:
            yield Problem("container", name, f"its image {image_id[:19]} has gone; it cannot start")
        if not os.path.exists(directory + "/create.json"):
            yield Problem("container", name, "create.json is missing, so a rebuild would not know it")
        state = read_status(paths, container_id)
        if state.needs_shim and repair:  # it was killed after the sweep
            heal(instance, container_id, state)
            yield Problem("container", name, "looked after again", repaired=True)
        elif state.needs_shim:
            yield Problem("container", name, "it runs without a shim; any command that looks at it gives it a new one")
        if state.orphaned or (state.status == "exited" and os.path.exists(directory + "/.exit")):
            yield Problem("container", name, f"{state.error or 'its end was not cleaned up'}; repair with --repair")
        yield from _record(directory, name)
    for name in os.listdir(paths.containers):
        if name not in rows and not is_locked(paths.container_run(name) + "/lock"):
            half = not os.path.exists(f"{paths.containers}/{name}/create.json")
            what = (
                "is half-made; --repair removes it"
                if half
                else "is not in state.db; `tuidock system rebuild` takes it in"
            )
            yield Problem("container", name[:12], f"this directory {what}")
    for name in os.listdir(paths.run + "/c"):
        if name not in rows and not is_locked(f"{paths.run}/c/{name}/lock") and os.listdir(f"{paths.run}/c/{name}"):
            yield Problem("run directory", name[:12], "it belongs to no container")


def _record(directory: str, name: str) -> Iterator[Problem]:
    try:
        with open(directory + "/record", "rb") as file:
            pairs = record.decode(file.read())
    except FileNotFoundError:
        return
    except ValueError:
        pairs = []
    if not pairs or pairs[0] != ("tuidock-record", record.VERSION):
        yield Problem("container", name, "its launch record is damaged; the next start writes it anew")


def _kernel(instance: Instance, known: set[str]) -> Iterator[Problem]:
    from tuidock.engine.runtime.cgroup import cgroups_of

    living = {container_id for container_id in known if read_status(instance.paths, container_id).status in _LIVING}
    for container_id in sorted(cgroups_of(instance).containers() - living):
        if not is_locked(instance.paths.container_run(container_id) + "/shim.lock"):
            yield Problem("cgroup", container_id[:12], "control groups of a container that does not run")
    prefixes = {instance.veth(container_id)[:-1] for container_id in living}
    start = f"t{instance.id[:4]}"
    strays = [
        link
        for link in os.listdir("/sys/class/net")
        if link.startswith(start) and len(link) == 14 and link[:-1] not in prefixes and not is_link_used(instance, link)
    ]
    for link in _those_that_stay(strays):
        yield Problem("link", link, "a link of a container that does not run")
    from tuidock.engine.containers.living_mounts import mounted

    in_use = mounted(instance)
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            target = line.split(" ")[1]
            if target.startswith((instance.paths.root + "/", instance.paths.run + "/")) and target not in in_use:
                yield Problem("mount", target, "a mount on the host that no running container needs")
    from tuidock.engine.containers.wiring import stray_bridges, stray_ports

    for name in stray_bridges(instance):
        yield Problem("link", name, "the bridge of a network that does not exist")
    for key in sorted(stray_ports(instance)):
        yield Problem("port", key, "published for a container that does not run")


def _those_that_stay(links: list[str]) -> list[str]:
    """Without those that the kernel is just taking away together with the namespace of a container that has ended."""
    deadline = time.monotonic() + _NAMESPACE_GOES
    while (
        links := [link for link in links if os.path.exists(f"/sys/class/net/{link}")]
    ) and time.monotonic() < deadline:
        time.sleep(0.01)
    return links


def _tables(instance: Instance) -> Iterator[Problem]:
    db = instance.state.read()
    for table in ("addresses", "port_claims", "volume_uses"):
        for (container_id,) in db.execute(
            f"SELECT DISTINCT container_id FROM {table} WHERE container_id NOT IN (SELECT id FROM containers)"
        ):
            yield Problem("database", table, f"an entry of container {container_id[:12]}, which does not exist")
    for volume, container_id in db.execute(
        "SELECT volume, container_id FROM volume_uses WHERE volume NOT IN (SELECT name FROM volumes)"
    ):
        yield Problem("volume", volume, f"container {container_id[:12]} uses it, but it does not exist")


def _volumes(instance: Instance) -> Iterator[Problem]:
    known = {row[0] for row in instance.state.read().execute("SELECT name FROM volumes")}
    present = set(os.listdir(instance.paths.volumes))
    for name in sorted(known - present):
        yield Problem("volume", name, "its directory has gone")
    for name in sorted(present - known):
        if not name.startswith("."):
            yield Problem("volume", name, "a directory that is not in state.db; `tuidock system rebuild` takes it in")
