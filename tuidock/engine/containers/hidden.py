"""Containers without a row: the RUN steps of a build. Real ones, with everything that isolates a container, but nobody
sees them: `ps` reads rows, and their events go to a file of their own.

Whoever runs one holds its move lock for as long as it lives. So a free lock beside the mark `build` says that its owner
died: the next sweep kills what still runs and takes the rest away.
"""

from __future__ import annotations

import os
import time
from struct import unpack_from

from tuidock.engine import stream
from tuidock.engine.containers import names, placing, rootfs, rows, starting, wiring
from tuidock.engine.containers.merge import merge_environment
from tuidock.engine.containers.moves import move_lock, send_signal, wait_for_end, write_intent
from tuidock.engine.containers.sweep import clean_kernel
from tuidock.engine.errors import SystemFailure
from tuidock.engine.files import refuse, remove_tree, write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.runtime import shim, spec
from tuidock.engine.runtime.status import read_pid, read_status
from tuidock.engine.types import Container, MountPoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any
else:
    import _signal as signal  # the module around it turns numbers into enums

_MARK = "/build"
_CHUNK = 1 << 16
#: How long a kill may take (s).
_PATIENCE = 20.0


class Work(Named):
    """What such a container runs on. lower: layers, topmost first; upper and work: where its changes go; more: mountpoints
    that are needed beside the usual ones, as (path of plain names, is a file)."""

    lower: tuple[str, ...]
    upper: str
    work: str
    mounts: tuple[MountPoint, ...] = ()
    more: tuple[tuple[str, bool], ...] = ()


class Output(Named):
    """A piece of output (stream 1 or 2), or silence for a beat (stream 0)."""

    stream: int
    data: bytes = b""


class HiddenContainer:
    """One such container; use as context manager: whatever happens, nothing of it is left."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.id = names.new_id()
        self.directory = instance.paths.container(self.id)
        self.run_directory = instance.paths.container_run(self.id)
        self._lock = move_lock(instance, self.id, gone=True)
        self._fd = -1
        self._addressed = False
        self._ended = True
        self.exit_code = 0
        self.oom_killed = False

    def __enter__(self) -> HiddenContainer:
        sweep(self._instance)  # what a killed build has left: secrets of its steps, too
        self._fd = self._lock.__enter__()
        try:
            os.mkdir(self.directory, 0o700)
            os.close(os.open(self.directory + _MARK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.mkdir(self.directory + "/logs", 0o700)
        except OSError as error:
            self.__exit__()
            raise refuse(error, f"make the directory of the step in {self._instance.paths.containers}") from error
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if not self._ended:
                self._kill()
            if self._addressed:
                self._give_address_back()
        finally:
            remove_tree(self.directory)
            remove_tree(self.run_directory)
            self._lock.__exit__()

    def _give_address_back(self) -> None:
        try:
            with self._instance.state.write(durable=False) as db:
                rows.delete(db, [self.id])
        except SystemFailure:
            pass  # the step has filled the disk, which it says itself; a sweep takes the address back

    def run(
        self, config: Mapping[str, Any], host_config: Mapping[str, Any], work: Work, beat: float = 0.2
    ) -> Iterator[Output]:
        """Starts it and yields what it writes until it ends; then exit_code is known.

        The container waits while nobody takes its output. Raises StartFailed.
        """
        ours, theirs = stream.socket_pair()
        try:
            try:
                self._start(config, host_config, work, theirs.fileno())
            finally:
                theirs.close()
            ours.settimeout(beat)
            yield from self._read(ours)
        finally:
            ours.close()

    def _start(self, config: Mapping[str, Any], host_config: Mapping[str, Any], work: Work, owner: int) -> int:
        instance, began = self._instance, time.monotonic_ns()
        mode = str(host_config.get("NetworkMode") or "default")
        if mode not in ("host", "none"):
            with instance.state.write(durable=False) as db:
                placing.allocate(instance, db, self.id, mode)
            self._addressed = True
        row = Container(self.id, f"build-{self.id[:12]}", "", "", "", 0, "created", mounts=work.mounts)
        try:
            stubs = self.directory + "/init"
            rootfs.make_stubs(stubs, work.lower, work.more)
            place = wiring.prepare(instance, row, config, host_config)
            launch = starting.plan_launch(
                instance,
                row,
                config,
                host_config,
                (stubs, *work.lower),
                place,
                time.time_ns() // 1_000_000,
                (0, 0),
                began,
            )
            launch = launch._replace(
                rootfs=spec.Rootfs((stubs, *work.lower), work.upper, work.work), reap=(), bound=True,
                journal=self.directory + "/journal",
            )  # fmt: skip
            write_intent(instance, self.id, f"run {launch.generation}")
            write_atomic(self.directory + "/record", spec.encode(launch), 0o600, durable=False)
            self._ended = False
            return shim.start(self.directory, self.run_directory, lock=self._fd, owner=owner)
        except OSError as error:
            raise refuse(error, "start the step's container") from error

    def _read(self, connection: socket.socket) -> Iterator[Output]:
        pending = bytearray()
        while True:
            try:
                received = connection.recv(_CHUNK)
            except TimeoutError:
                yield Output(0)
                continue
            except ConnectionError:
                received = b""
            if not received:
                break
            pending += received
            for kind, number, payload in stream.split(pending):
                if kind == stream.OUT:
                    yield Output(number, payload)
                elif kind == stream.EXIT:
                    self.exit_code = unpack_from("<i", payload)[0]
                    self._end()
                    return
        self._end()  # the shim was killed; recorder and successor know how it ended
        self.exit_code = read_status(self._instance.paths, self.id).exit_code or 0

    def _end(self) -> None:
        if wait_for_end(self._instance, [self.id], _PATIENCE):
            raise SystemFailure("the container of a build step is stuck in the kernel; try again later")
        state = read_status(self._instance.paths, self.id)
        self.oom_killed = state.oom_killed
        if state.orphaned:
            clean_kernel(self._instance, self.id)
        self._ended = True

    def _kill(self) -> None:
        kill(self._instance, self.id)
        self._ended = True


def kill(instance: Instance, container_id: str) -> None:
    """Ends a hidden container; its lock is held."""
    write_intent(instance, container_id, "remove 0")
    record = read_pid(instance.paths, container_id)
    if record is not None:
        send_signal(record, signal.SIGKILL)
        wait_for_end(instance, [container_id], _PATIENCE)
    clean_kernel(instance, container_id)


def configuration(image: Mapping[str, Any], command: Sequence[str], environment: Sequence[str]) -> dict[str, Any]:
    """The container config of a step: the image's user and directory, and variables that count less than the image's."""
    return {
        "Hostname": "buildkitsandbox",
        "Cmd": list(command),
        "Env": merge_environment(environment, image.get("Env") or ()),
        "User": image.get("User") or "",
        "WorkingDir": image.get("WorkingDir") or "/",
    }


def sweep(instance: Instance) -> list[str]:
    """Takes away the containers of builds that were killed; answers a sentence for each."""
    done = []
    for name in os.listdir(instance.paths.containers):
        if not os.path.exists(instance.paths.container(name) + _MARK):
            continue
        try:
            with move_lock(instance, name, gone=True, wait=False):
                kill(instance, name)
                remove_tree(instance.paths.container(name))
                remove_tree(instance.paths.container_run(name))
        except BlockingIOError:
            continue
        done.append(f"step {name[:12]} of a build that was killed removed")
    return done + _sweep_addresses(instance)


def _sweep_addresses(instance: Instance) -> list[str]:
    """Addresses whose container is neither a row nor somebody's work."""
    query = "SELECT DISTINCT container_id FROM addresses WHERE container_id NOT IN (SELECT id FROM containers)"
    for (name,) in instance.state.read().execute(query).fetchall():
        try:
            with move_lock(instance, name, gone=True, wait=False):
                with instance.state.write(durable=False) as db:
                    if not db.execute("SELECT 1 FROM containers WHERE id = ?", (name,)).fetchone():
                        rows.delete(db, [name])
                if not os.path.isdir(instance.paths.container(name)):
                    remove_tree(instance.paths.container_run(name))
        except BlockingIOError:
            continue
        except SystemFailure:
            break  # the disk is full: the next sweep
    return []
