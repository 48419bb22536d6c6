"""What the kernel did with a container, read from the small files that its shim writes.

RUN/c/ID/pid exists while a container runs (removed after the end), ROOT/containers/ID/exit tells how the last ended.
A pid is believed only with its start time. After a reboot the run directory is empty or of another boot, so everything
that ran is `exited`.
"""

from __future__ import annotations

import os

from tuidock.engine.files import boot_id, is_alive, is_locked, read_pairs
from tuidock.engine.named import Named
from tuidock.engine.paths import Paths

#: Exit code of a container whose end nobody saw: shim, recorder and machine died together.
UNKNOWN_EXIT = 255
LOST = "the machine went down while it ran"
_boot = ""


class Status(Named):
    """status is one of types.STATUSES; times are ns since the epoch.

    needs_shim: it runs, or ends, and nobody looks after it; orphaned: it ended and nobody cleaned up.
    """

    status: str
    pid: int = 0
    start_time: int = 0
    exit_code: int | None = None
    started: int = 0
    finished: int = 0
    restarts: int = 0
    oom_killed: bool = False
    error: str = ""
    needs_shim: bool = False
    orphaned: bool = False


class PidRecord(Named):
    """RUN/c/ID/pid: who looks after the container. Pids come with their start times."""

    generation: int
    shim: tuple[int, int]
    recorder: tuple[int, int]
    init: tuple[int, int]
    started: int
    restarts: int
    boot: str


def _process(text: str) -> tuple[int, int]:
    pid, _, start = text.partition(" ")
    return int(pid or 0), int(start or 0)


def read_pid(paths: Paths, container_id: str) -> PidRecord | None:
    """The pid record, or None when the container does not run (or the file is torn)."""
    pairs = read_pairs(paths.container_run(container_id) + "/pid")
    if pairs is None:
        return None
    try:
        return PidRecord(
            int(pairs.get("generation", "0")), _process(pairs.get("shim", "")), _process(pairs.get("recorder", "")),
            _process(pairs.get("init", "")), int(pairs.get("started", "0")), int(pairs.get("restarts", "0")),
            pairs.get("boot", ""),
        )  # fmt: skip
    except ValueError:
        return None


def read_status(paths: Paths, container_id: str) -> Status:
    """The present state, from at most four small files; no lock is taken."""
    run = paths.container_run(container_id)
    record = read_pid(paths, container_id)
    ended = read_pairs(paths.container(container_id) + "/exit")
    if record is not None and record.boot and record.boot != this_boot():
        record = None  # the run directory is on a disk and survived a reboot
    has_shim = record is not None and is_locked(run + "/shim.lock")
    if record is not None and not _is_exit_of(ended, record) and (has_shim or is_alive(*record.init)):
        # a living shim has not written an end, so there is none: one flock tells it cheaper than /proc/PID/stat
        paused = os.path.exists(run + "/paused")
        return Status(
            "paused" if paused else "running", record.init[0], record.init[1], None, record.started, 0, record.restarts,
            False, "", not has_shim, False,
        )  # fmt: skip
    code, signal_oom = _exit_code(ended)
    restarts = int((ended or {}).get("restarts", "0") or 0)
    started = int((ended or {}).get("started", "0") or 0)
    finished = int((ended or {}).get("finished", "0") or 0)
    error = (ended or {}).get("error", "")
    waiting = read_pairs(run + "/restarting")
    if waiting is not None and (has_shim or is_locked(run + "/shim.lock")):
        return Status("restarting", 0, 0, code, started, finished, restarts, signal_oom, error)
    if record is not None:
        if _is_exit_of(ended, record) or has_shim or is_alive(*record.recorder):
            # the shim is at the end of its work: what it has written is final, what it has not will be in a moment.
            # If it was killed there, an adopter goes on with it - perhaps with a restart, so nothing may be taken away
            return Status(
                "exited", 0, 0, code, started, finished, restarts, signal_oom, error, needs_shim=not has_shim
            )  # fmt: skip
        return Status(
            "exited", 0, 0, UNKNOWN_EXIT, record.started, finished, record.restarts, False,
            "the end was not recorded: its shim and recorder were killed", orphaned=True,
        )  # fmt: skip
    if _was_cut_off(paths.container(container_id), run):
        return Status("exited", 0, 0, UNKNOWN_EXIT, started, finished, restarts, False, LOST)
    if ended is None:
        return Status("created")
    return Status("exited", 0, 0, code, started, finished, restarts, signal_oom, error)


def this_boot() -> str:
    """The kernel's boot id, read once."""
    global _boot
    _boot = _boot or boot_id()
    return _boot


def _was_cut_off(directory: str, run: str) -> bool:
    """An exit record that was preallocated at start and never filled, with nobody left who could fill it."""
    return os.path.exists(directory + "/.exit") and not is_locked(run + "/shim.lock") and not is_locked(run + "/lock")


def _is_exit_of(ended: dict[str, str] | None, record: PidRecord) -> bool:
    """Whether the exit record is of that very run (generation and number of restarts by policy)."""
    if ended is None:
        return False
    return ended.get("generation") == str(record.generation) and int(ended.get("restarts", "0") or 0) >= record.restarts


def _exit_code(ended: dict[str, str] | None) -> tuple[int | None, bool]:
    if ended is None:
        return None, False
    try:
        return int(ended.get("status", "")), ended.get("oom") == "1"
    except ValueError:
        return UNKNOWN_EXIT, False
