"""stop, kill, pause, unpause and wait."""

from __future__ import annotations

import os
import time

from tuidock.engine.containers.moves import (
    forget_pause,
    move_lock,
    pause_mark,
    send_signal,
    status_of,
    wait_for_end,
    write_intent,
)
from tuidock.engine.containers.telling import tell
from tuidock.engine.errors import InvalidArgument, SystemFailure, WrongState
from tuidock.engine.instance import Instance
from tuidock.engine.runtime import spec
from tuidock.engine.runtime.status import Status, read_pid, read_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # the module around it turns numbers into enums

#: docker's defaultStopTimeout in seconds, and how long it waits when the signal itself could not be sent.
STOP_TIMEOUT, UNSENT_TIMEOUT = 10, 2
#: A SIGKILL that has no effect for this many seconds means that the kernel holds the process (device, NFS).
KILL_TIMEOUT = 60
#: How long a shim that has just written an exit is given to end by itself, before it is woken from a restart delay (s).
_RESTART_SEEN = 0.3


def stop(
    instance: Instance, container_id: str, name: str, config: dict[str, Any], timeout: int | None, signal_name: str
) -> None:
    """Stop signal, wait, SIGKILL. timeout in seconds, None = the container's own or 10, -1 = for ever.

    Stopping a stopped container is no error. Raises SystemFailure when it survives a SIGKILL.
    """
    number = _signal(signal_name) if signal_name else spec.stop_signal(config)
    if timeout is None:
        own = config.get("StopTimeout")
        timeout = STOP_TIMEOUT if own is None else int(own)
    with move_lock(instance, container_id):
        state = status_of(instance, container_id)
        write_intent(instance, container_id, "stop 0")
        lives = state.status in ("running", "paused", "restarting")
        record = read_pid(instance.paths, container_id) if lives else None
        sent = record is not None and send_signal(record, number)
        if sent:
            _note_kill(instance, container_id, name, number)
        if state.status == "paused":
            _thaw(instance, container_id)
        elif sent:
            _loosen(instance, container_id)
        if state.status == "restarting":
            _wake_shim(instance, container_id)
    if not lives:
        # Its shim may be about to restart it: it takes the lock for that, and has perhaps not seen the intent yet.
        if wait_for_end(instance, [container_id], _RESTART_SEEN):
            _wake_shim(instance, container_id)
            wait_for_end(instance, [container_id], KILL_TIMEOUT)
        return
    if wait_for_end(instance, [container_id], _seconds(timeout if sent else min(UNSENT_TIMEOUT, timeout & 0x7FFFFFFF))):
        _note_kill(instance, container_id, name, signal.SIGKILL)
        kill_and_wait(instance, container_id)
    tell(instance, "stop", container_id, name)


def _note_kill(instance: Instance, container_id: str, name: str, number: int) -> None:
    tell(instance, "kill", container_id, name, signal=str(int(number)))


def _seconds(timeout: int) -> float | None:
    return None if timeout < 0 else float(timeout)


def _wake_shim(instance: Instance, container_id: str) -> None:
    """A shim in a restart delay holds no init process; SIGTERM makes it read the intent and end."""
    record = read_pid(instance.paths, container_id)
    if record is not None:
        send_signal(record._replace(init=record.shim), signal.SIGTERM)


def kill_and_wait(instance: Instance, container_id: str) -> None:
    """SIGKILL and the wait for the end. Raises SystemFailure when the kernel does not let it die."""
    record = read_pid(instance.paths, container_id)
    if record is not None:
        send_signal(record, signal.SIGKILL)
    if wait_for_end(instance, [container_id], KILL_TIMEOUT):
        raise SystemFailure(
            f"container {container_id[:12]} did not end {KILL_TIMEOUT} s after SIGKILL: a process of it is stuck in the "
            "kernel; look at `tuidock top` and the machine's log"
        )


def kill(instance: Instance, container_id: str, name: str, config: dict[str, Any], signal_name: str) -> None:
    """Sends a signal; SIGKILL and the stop signal also end a restart policy, as docker does.

    Raises WrongState when it does not run.
    """
    number = _signal(signal_name or "KILL")
    with move_lock(instance, container_id):
        state = status_of(instance, container_id)
        record = read_pid(instance.paths, container_id)
        if state.status not in ("running", "paused") or record is None:
            raise WrongState(f"cannot kill container: {name}: Container {container_id} is not running")
        if number in (signal.SIGKILL, spec.stop_signal(config)):
            write_intent(instance, container_id, "stop 0")
        sent = send_signal(record, number)
        if state.status == "paused" and number == signal.SIGKILL:
            _thaw(instance, container_id)
        elif number == signal.SIGKILL:
            _loosen(instance, container_id)
    if not sent:
        raise WrongState(f"cannot kill container: {name}: Container {container_id} is not running")
    _note_kill(instance, container_id, name, number)
    if number == signal.SIGKILL:
        wait_for_end(instance, [container_id], KILL_TIMEOUT)


def _signal(name: str) -> int:
    number = spec.signal_number(name)
    if not number:
        raise InvalidArgument(f"invalid signal: {name}")
    return number


def pause(instance: Instance, container_id: str, name: str) -> None:
    """Freezes every process. Raises WrongState when it does not run or is paused already."""
    from tuidock.engine.runtime.cgroup import cgroups_of

    with move_lock(instance, container_id):
        state = status_of(instance, container_id)
        if state.status == "paused":
            raise WrongState(f"Container {name} is already paused")
        if state.status != "running":
            raise WrongState(f"Container {name} is not running")
        # the mark first: who is killed here leaves one that runs and can be unpaused, never one that stands still unseen
        os.close(os.open(pause_mark(instance, container_id), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        try:
            cgroups_of(instance).freeze(container_id)
        except BaseException:
            forget_pause(instance, container_id)
            raise
    tell(instance, "pause", container_id, name)


def unpause(instance: Instance, container_id: str, name: str) -> None:
    """Lets it go on. Raises WrongState when it is not paused."""
    with move_lock(instance, container_id):
        if status_of(instance, container_id).status != "paused":
            raise WrongState(f"Container {name} is not paused")
        _thaw(instance, container_id)
    tell(instance, "unpause", container_id, name)


def _thaw(instance: Instance, container_id: str) -> None:
    from tuidock.engine.runtime.cgroup import cgroups_of

    cgroups_of(instance).thaw(container_id)
    forget_pause(instance, container_id)


def _loosen(instance: Instance, container_id: str) -> None:
    """Nothing says that it is paused, and yet a signal must reach it: whoever froze it may have died."""
    from tuidock.engine.runtime.cgroup import cgroups_of

    cgroups_of(instance).loosen(container_id)


def wait(instance: Instance, container_id: str, *, next_exit: bool = False) -> int:
    """Blocks until the container does not run (restarts by policy included) and returns its exit code.

    next_exit waits for an end in the future even when it is stopped now.
    """
    state = read_status(instance.paths, container_id)
    while next_exit and state.status in ("created", "exited"):
        _wait_for_change(instance, container_id)
        state = read_status(instance.paths, container_id)
    wait_for_end(instance, [container_id])
    return exit_code(read_status(instance.paths, container_id))


def exit_code(state: Status) -> int:
    """What `wait` prints: 0 for a container that never ran."""
    return state.exit_code or 0


def _wait_for_change(instance: Instance, container_id: str) -> None:
    from tuidock.engine.events import read_events

    for batch in read_events(instance.paths.journal, since=time.time_ns() - 1_000_000_000):
        if any(event.id == container_id for event in batch):
            return
