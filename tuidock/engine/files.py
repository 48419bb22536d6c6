"""Small files and locks: how a change becomes durable, and how two processes keep out of each other's way.

Locks are flock(2): they end with the descriptor, work between threads that opened the file twice, and are inherited by
the shim. POSIX locks would be lost when any descriptor of the file closes in the process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager

from tuidock.engine.errors import SystemFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def read_text(path: str) -> str | None:
    """The file's text, or None when it does not exist."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
    finally:
        os.close(fd)
    return b"".join(parts).decode("utf-8", "replace")


def read_pairs(path: str) -> dict[str, str] | None:
    """A status file of `key value` lines, or None when it does not exist."""
    text = read_text(path)
    if text is None:
        return None
    pairs = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        pairs[key] = value
    return pairs


def write_atomic(path: str, content: str | bytes, mode: int = 0o644, *, durable: bool = True) -> None:
    """Replaces the file by temporary file, fsync and rename, so that a reader sees the old or the new one, never half.

    Raises OSError; nothing is left behind then.
    """
    raw = content.encode() if isinstance(content, str) else content
    temporary = f"{path}.{os.getpid()}.{time.monotonic_ns()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            view = memoryview(raw)
            while view:
                view = view[os.write(fd, view) :]
            if durable:
                os.fdatasync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable:
        sync_directory(os.path.dirname(path))


def rewrite(path: str, content: str) -> None:
    """Truncates and writes in place: for files that are bind-mounted into a container and must keep their inode."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, content.encode())
    finally:
        os.close(fd)


def sync_directory(path: str) -> None:
    """Makes renames in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def lock_fd(path: str, *, shared: bool = False, wait: bool = True) -> int:
    """Opens and flocks a file; the lock is held until the descriptor (and its copies in children) is closed.

    Raises BlockingIOError when wait is False and somebody else holds it.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
            if os.fstat(fd).st_nlink:
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # the file was removed while this one waited: whoever made the new one has the lock to take


@contextmanager
def locked(path: str, *, shared: bool = False) -> Iterator[int]:
    """Holds a flock for a block."""
    fd = lock_fd(path, shared=shared)
    try:
        yield fd
    finally:
        os.close(fd)


def is_locked(path: str) -> bool:
    """Whether somebody holds the lock now. A missing file is not locked."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def process_start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat in clock ticks after boot, 0 when there is no such process or it is a zombie.

    A pid alone is never trusted: it is reused.
    """
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    try:
        fields = os.read(fd, 4096).rpartition(b")")[2].split()
    except ProcessLookupError:
        return 0
    finally:
        os.close(fd)
    if not fields or fields[0] in (b"Z", b"X"):
        return 0
    return int(fields[19])


def is_alive(pid: int, start_time: int) -> bool:
    """Whether that very process lives."""
    return pid > 0 and start_time > 0 and process_start_time(pid) == start_time


def boot_id() -> str:
    """The kernel's id of this boot."""
    return (read_text("/proc/sys/kernel/random/boot_id") or "").strip()


def refuse(error: OSError, tried: str) -> SystemFailure:
    """The sentence for a refused system call: what was tried, and why it failed."""
    advice = {
        errno.ENOSPC: "; free some space (tuidock system df) and try again",
        errno.EACCES: "; run as root",
        errno.EPERM: "; run as root",
    }.get(error.errno or 0, "")
    return SystemFailure(f"cannot {tried}: {os.strerror(error.errno or 0)}{advice}")
