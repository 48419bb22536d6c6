"""Starting a shim and understanding its answer.

Python never clones: it writes the launch record, spawns `tuidock-shim start` (posix_spawn, so a threaded app is safe)
and reads one line, `pid N` or `error STEP ERRNO TEXT`. The program executes itself again through a read-only clone of
its mount: a container that reaches the file through /proc/PID/exe cannot write it (CVE-2019-5736), and its pages stay
shared, which a memfd copy per container would not give.
"""

from __future__ import annotations

import fcntl
import os

from tuidock import native
from tuidock.engine.errors import StartFailed, SystemFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuidock.engine.runtime.spec import Interface

#: Descriptors that the shim expects, see native/src/shim/main.c.
ANSWER_FD, LOCK_FD, OWNER_FD = 3, 4, 5

_EXIT_CODES = {"exec-notfound": 127, "exec-permission": 126, "mount-notdir": 127}


class NoAnswer(SystemFailure):
    """The shim was killed before it could tell how the start went; the container may run nevertheless."""


def executable() -> str:
    """Path of the program. Raises SystemFailure when it is not there."""
    path = native.shim_path()
    if not os.access(path, os.X_OK):
        raise SystemFailure(f"cannot run {path}: it is missing or not executable; install tuidock again")
    return path


def _high(fd: int) -> int:
    """A copy out of the way of the numbers that are handed over, closed on exec."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)


def _ask(directory: str, run: str, *, lock: int, owner: int) -> str:
    """Runs `tuidock-shim start DIRECTORY RUN` and returns its answer line without the newline.

    Raises SystemFailure when it cannot be spawned, NoAnswer when it ends without an answer.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    copies: list[int] = []
    try:
        actions: list[tuple[int, int, int]] = []
        for fd, number in ((writer, ANSWER_FD), (lock, LOCK_FD), (owner, OWNER_FD)):
            if fd >= 0:
                copies.append(_high(fd))
                actions.append((os.POSIX_SPAWN_DUP2, copies[-1], number))
        argv = ["tuidock-shim", "start", directory, run, *(["--owner"] if owner >= 0 else [])]
        try:
            pid = os.posix_spawn(executable(), argv, {}, file_actions=actions)
        except OSError as error:
            raise SystemFailure(f"cannot run {native.shim_path()}: {os.strerror(error.errno or 0)}") from error
        for fd in (writer, *copies):  # while we hold an end ourselves, a killed shim would not be seen
            os.close(fd)
        writer, copies = -1, []
        answer = b""
        while chunk := os.read(reader, 4096):
            answer += chunk
            if b"\n" in chunk:
                break
        _, status = os.waitpid(pid, 0)
    finally:
        for fd in (reader, writer, *copies):
            if fd >= 0:
                os.close(fd)
    line = answer.partition(b"\n")[0].decode("utf-8", "replace")
    if not line:
        how = f"ended with wait status {status}" if status else "was killed"
        raise NoAnswer(f"tuidock-shim {how} before the container ran; start it again")
    return line


def start(directory: str, run: str, *, lock: int, owner: int = -1) -> int:
    """Starts the container whose record lies in `directory`; returns the pid of its init process.

    Raises StartFailed with docker's exit code (125, 126, 127), step and errno.
    """
    line = _ask(directory, run, lock=lock, owner=owner)
    word, _, rest = line.partition(" ")
    if word == "pid":
        return int(rest)
    step, _, rest = rest.partition(" ")
    number, _, text = rest.partition(" ")
    error = int(number) if number.isdigit() else 0
    raise StartFailed(text or f"{step}: {os.strerror(error)}", _EXIT_CODES.get(step, 125), step, error)


def adopt(directory: str, run: str) -> None:
    """Gives a container whose shim was killed a new one; returns when it stands, or when another was faster.

    Raises SystemFailure when the program cannot be spawned.
    """
    try:
        pid = os.posix_spawn(executable(), ["tuidock-shim", "adopt", directory, run], {})
    except OSError as error:
        raise SystemFailure(f"cannot run {native.shim_path()}: {os.strerror(error.errno or 0)}") from error
    os.waitpid(pid, 0)


def plug(verb: str, namespace: int, interface: Interface) -> None:
    """Runs `tuidock-shim network VERB` (add, route, remove) for one interface in a network namespace.

    Raises SystemFailure with the program's sentence.
    """
    words = [
        f"{key}={value}"
        for key, value in (
            ("name", interface.name), ("bridge", interface.bridge), ("veth", interface.veth), ("mac", interface.mac),
            ("mtu", interface.mtu), ("driver", interface.driver), ("mode", interface.mode),
            ("isolated", int(interface.isolated)),
        )
    ]  # fmt: skip
    words += [f"address={address}" for address in interface.addresses]
    words += [f"gateway={gateway}" for gateway in interface.gateways]
    reader, writer = os.pipe2(os.O_CLOEXEC)
    copy = _high(namespace)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, copy, ANSWER_FD), (os.POSIX_SPAWN_DUP2, writer, 2)]
        try:
            pid = os.posix_spawn(executable(), ["tuidock-shim", "network", verb, *words], {}, file_actions=actions)
        except OSError as error:
            raise SystemFailure(f"cannot run {native.shim_path()}: {os.strerror(error.errno or 0)}") from error
        os.close(writer)
        writer, text = -1, b""
        while chunk := os.read(reader, 4096):
            text += chunk
        _, status = os.waitpid(pid, 0)
    finally:
        for fd in (reader, writer, copy):
            if fd >= 0:
                os.close(fd)
    if status:
        raise SystemFailure(
            f"cannot change the network of a running container: {text.decode('utf-8', 'replace').strip()}"
        )


def exec_argv(directory: str, run: str, options: Sequence[str], command: Sequence[str]) -> list[str]:
    """The client's own `tuidock-shim exec`: an old resident shim never has to learn it."""
    return [str(native.shim_path()), "exec", directory, run, *options, "--", *command]
