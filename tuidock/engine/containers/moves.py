"""Moves of a container (start, stop, remove ...) are serialised by one flock file per container.

A move writes its intent under the lock, releases the lock while it waits for a process, takes it again and looks anew.
The shim takes the same lock before a policy restart and obeys the intent, so `stop` wins against a restart loop.
"""

from __future__ import annotations

import errno
import os
import select
import time

from tuidock.engine.errors import NotFound
from tuidock.engine.files import is_alive, lock_fd, read_text, refuse, remove_tree, write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.runtime import shim
from tuidock.engine.runtime.status import PidRecord, Status, read_pid, read_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence
else:
    import _signal as signal  # the module around it turns numbers into enums


class move_lock:
    """Holds the container's lock for a block; the value is its descriptor, which a starting shim inherits.

    gone: the container's directory need not be there (a create, or the sweep of a ruin). Entering raises NotFound when
    it was removed while this move waited, BlockingIOError when `wait` is False and another move is under way.
    """

    __slots__ = ("_fd", "_gone", "_id", "_instance", "_wait")

    def __init__(self, instance: Instance, container_id: str, *, gone: bool = False, wait: bool = True) -> None:
        self._instance, self._id, self._gone, self._wait, self._fd = instance, container_id, gone, wait, -1

    def __enter__(self) -> int:
        paths = self._instance.paths
        directory = paths.container_run(self._id)
        while self._fd < 0:
            try:
                os.makedirs(directory, mode=0o711, exist_ok=True)
                self._fd = lock_fd(directory + "/lock", wait=self._wait)
            except FileNotFoundError:
                continue  # a removal took the directory away between the two
            except BlockingIOError:
                raise
            except OSError as error:
                raise refuse(error, f"lock container {self._id[:12]} in {directory}") from error
        if not self._gone and not os.path.isdir(paths.container(self._id)):
            remove_tree(directory)
            self.__exit__()
            raise NotFound("container", self._id[:12])
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        self._fd = -1


def write_intent(instance: Instance, container_id: str, intent: str) -> None:
    """`run G`, `stop 0` or `remove 0`; call it with the lock held. The shim restarts only what is to run."""
    path = instance.paths.container(container_id) + "/intent"
    try:
        write_atomic(path, intent + "\n", 0o600, durable=False)
    except FileNotFoundError:
        pass  # a container whose directory has gone has nothing to restart; a sweep deletes its row
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or intent.startswith("run"):
            raise refuse(error, f"write {path}") from error
        _overwrite(path, intent + "\n")


def _overwrite(path: str, text: str) -> None:
    """In place, for a full disk: the file has its block since the start. One that was never started has none to stop."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.pwrite(fd, text.encode(), 0)
        os.ftruncate(fd, len(text))
    finally:
        os.close(fd)


def read_intent(instance: Instance, container_id: str) -> str:
    """The first word of the intent, "" when there is none yet."""
    return (read_text(instance.paths.container(container_id) + "/intent") or "").partition(" ")[0]


def send_signal(record: PidRecord, number: int) -> bool:
    """Signals the init process of that very run; False when it has ended. Safe against a reused pid."""
    pid, start = record.init
    try:
        fd = os.pidfd_open(pid)
    except (ProcessLookupError, OSError):
        return False
    try:
        if not is_alive(pid, start):
            return False
        signal.pidfd_send_signal(fd, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)


def open_root(record: PidRecord) -> int:
    """The root of the init process of that very run, as a descriptor for paths only. Safe against a reused pid.

    Raises OSError when there is none; ProcessLookupError when it has ended just now.
    """
    pid, start = record.init
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if is_alive(pid, start):  # looked at once it is open
        return root
    os.close(root)
    raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))


def pause_mark(instance: Instance, container_id: str) -> str:
    """The file that says of a running container that it is frozen."""
    return instance.paths.container_run(container_id) + "/paused"


def forget_pause(instance: Instance, container_id: str) -> None:
    """Takes the mark away; call it with the lock held."""
    try:
        os.unlink(pause_mark(instance, container_id))
    except FileNotFoundError:
        pass


def ensure_shim(instance: Instance, container_id: str, state: Status) -> None:
    """Gives a container that lost its shim a new one; every move and look calls this, so loss heals by itself."""
    if state.needs_shim:
        shim.adopt(instance.paths.container(container_id), instance.paths.container_run(container_id))


def wait_for_end(instance: Instance, ids: Sequence[str], timeout: float | None = None) -> list[str]:
    """Waits until containers and their shims are through; returns the ids that are not when the time is over.

    Sleeps in poll(2) on the pidfds of the shims (a shim outlives its container by the draining of the log).
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    waiting = dict.fromkeys(ids)
    while waiting:
        poller, fds = select.poll(), {}
        for container_id in list(waiting):
            watched = _watch(instance, container_id)
            if watched is None:
                del waiting[container_id]
            else:
                fds[watched] = container_id
                poller.register(watched, select.POLLIN)
        try:
            if not fds:
                break
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if left == 0.0:
                return list(waiting)
            poller.poll(None if left is None else left * 1000 + 1)
        finally:
            for fd in fds:
                os.close(fd)
    return list(waiting)


def _watch(instance: Instance, container_id: str) -> int | None:
    """A pidfd to wait on, or None when nothing of the container lives."""
    record = read_pid(instance.paths, container_id)
    if record is None:
        return None
    for pid, start in (record.shim, record.recorder, record.init):
        if not is_alive(pid, start):
            continue
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            continue
        if is_alive(pid, start):
            if (pid, start) != record.shim:  # shim killed: what is left cannot finish by itself for sure
                shim.adopt(instance.paths.container(container_id), instance.paths.container_run(container_id))
            return fd
        os.close(fd)
    return None


def status_of(instance: Instance, container_id: str) -> Status:
    """The state now, with a lost shim replaced."""
    state = read_status(instance.paths, container_id)
    ensure_shim(instance, container_id, state)
    return state
