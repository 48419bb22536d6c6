"""A container that stands still while its files are read: frozen when it runs, kept from starting when it does not.

Frozen is marked as paused, with the process that did it and a token. As long as it lasts there is a connection to the shim
that said the token: should the process be killed, the shim lets the container go on (native/src/shim/standstill.c). Where
the shim does not know that yet, whoever looks next does it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager

from tuidock.engine.containers.moves import forget_pause, move_lock, pause_mark, status_of
from tuidock.engine.errors import Conflict, SystemFailure
from tuidock.engine.files import is_alive, process_start_time, read_text, write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.runtime.cgroup import cgroups_of
from tuidock.engine.runtime.status import read_pid
from tuidock.engine.stream import HOLDS_STILL, connect
from tuidock.engine.types import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Still:
    """One such time. `check` it when the files have been read."""

    def __init__(self, instance: Instance, container: Container, mark: str) -> None:
        self._instance, self._container, self._mark = instance, container, mark

    def check(self) -> None:
        """Raises Conflict when somebody let the container go on, or removed it, in the meantime."""
        there = os.path.isdir(self._instance.paths.container(self._container.id))
        if not there or (self._mark and read_text(pause_mark(self._instance, self._container.id)) != self._mark):
            raise Conflict(
                f"container {self._container.name} was unpaused or removed while its files were read; try again"
            )


@contextmanager
def standstill(instance: Instance, container: Container, *, pause: bool = True) -> Iterator[Still]:
    """Nothing in the container writes during the block. pause False: what runs goes on."""
    running = instance.rootless and status_of(instance, container.id).status == "running"
    if pause and running and not cgroups_of(instance).can_freeze(container.id):
        instance.notices.append(
            f"container {container.name} went on while its files were read: without root nothing can make it stand still"
        )
        pause = False
    with ExitStack() as held:
        with move_lock(instance, container.id):
            state = status_of(instance, container.id)
            mark = _freeze(instance, container.id, held) if pause and state.status == "running" else ""
            if not mark and (pause or state.status != "running") and state.status != "paused":
                yield Still(instance, container, "")  # the lock keeps it from starting, and its shim from restarting it
                return
        try:
            yield Still(instance, container, mark)
        finally:
            if mark:
                _go_on(instance, container.id, mark)


def _freeze(instance: Instance, container_id: str, held: ExitStack) -> str:
    """The mark; "" when there was nobody left to freeze: it has just ended. Lock held."""
    own, token = os.getpid(), os.urandom(4).hex()
    mark = f"reading {own} {process_start_time(own)} {token}\n"
    try:
        held.callback(connect(instance.paths.container_run(container_id), HOLDS_STILL, token.encode()).close)
    except OSError:
        pass  # its shim has just been killed; the next one goes by the mark
    write_atomic(pause_mark(instance, container_id), mark, 0o600, durable=False)
    cgroups = cgroups_of(instance)
    try:
        cgroups.freeze(container_id)
        if cgroups.pids(container_id):
            return mark
        cgroups.thaw(container_id)
    except (SystemFailure, OSError):
        if _is_alive(instance, container_id):
            forget_pause(instance, container_id)
            raise
    except BaseException:
        forget_pause(instance, container_id)
        raise
    forget_pause(instance, container_id)
    return ""


def _is_alive(instance: Instance, container_id: str) -> bool:
    record = read_pid(instance.paths, container_id)
    return record is not None and is_alive(*record.init)


def _go_on(instance: Instance, container_id: str, mark: str) -> None:
    if read_text(pause_mark(instance, container_id)) != mark:
        return
    with move_lock(instance, container_id, gone=True):
        if read_text(pause_mark(instance, container_id)) == mark:
            cgroups_of(instance).thaw(container_id)
            forget_pause(instance, container_id)


def release(instance: Instance, container_id: str) -> bool:
    """Lets a paused container go on whose reader was killed. True when it was one."""
    mark = read_text(pause_mark(instance, container_id)) or ""
    words = mark.split()
    if len(words) != 4 or words[0] != "reading" or is_alive(int(words[1]), int(words[2])):
        return False
    _go_on(instance, container_id, mark)
    return True
