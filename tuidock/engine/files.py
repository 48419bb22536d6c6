"""Small files and locks: how a change becomes durable, and how two processes keep out of each other's way.

Locks are flock(2): they end with the descriptor, work between threads that opened the file twice, and are inherited by
the shim. POSIX locks would be lost when any descriptor of the file closes in the process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from tuidock.engine.errors import SystemFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final


#: How deep a tree is removed here; what lies below goes in C.
_PLAIN_DEPTH: Final = 32


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
            write_all(fd, raw)
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


def write_all(fd: int, raw: bytes) -> None:
    """Writes all of it. Raises OSError."""
    view = memoryview(raw)
    while view:
        view = view[os.write(fd, view) :]


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


class locked:
    """Holds a flock for a block; its value is the descriptor."""

    __slots__ = ("_fd", "_path", "_shared")

    def __init__(self, path: str, *, shared: bool = False) -> None:
        self._path, self._shared, self._fd = path, shared, -1

    def __enter__(self) -> int:
        self._fd = lock_fd(self._path, shared=self._shared)
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


class Undo:
    """What to take back when a block fails: callbacks run in reverse order unless `keep` was called.

    One that fails itself keeps none of the others from running, and what the block failed with is what is raised.
    contextlib.ExitStack in the parts that are needed; importing contextlib is not free for a short command.
    """

    def __init__(self) -> None:
        self._callbacks: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def add(self, callback: Callable[..., object], *arguments: object) -> None:
        self._callbacks.append((callback, arguments))

    def keep(self) -> None:
        """Everything went well: nothing is taken back."""
        self._callbacks.clear()

    def __enter__(self) -> Undo:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        failure: BaseException | None = None
        while self._callbacks:
            callback, arguments = self._callbacks.pop()
            try:
                callback(*arguments)
            except BaseException as raised:
                failure = failure or raised
        if failure is not None and error is None:
            raise failure


def every_file(directory: str) -> Iterator[os.stat_result]:
    """What is not a directory below one, links not followed. As deep as paths can be named: os.walk would recurse."""
    left = [directory]
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    else:
                        yield entry.stat(follow_symlinks=False)
        except OSError:
            continue  # removed meanwhile, or a path longer than the kernel takes


def remove_tree(path: str) -> None:
    """Unlinks a directory with all below it, never through a link; what others remove meanwhile is no error.

    shutil.rmtree does the same but brings five compression libraries along.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError:
        _ignore_missing(os.unlink, path)
        return
    try:
        _empty(fd)
    finally:
        os.close(fd)
    _ignore_missing(os.rmdir, path)


def _empty_deep(fd: int, names: list[str]) -> None:
    """In C: a container can make a tree deeper than Python may recurse and a process have descriptors."""
    from tuidock.native import lib

    for name in names:
        lib().td_remove_tree(fd, os.fsencode(name))


def _empty(fd: int, depth: int = 0) -> None:
    with os.scandir(fd) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    if depth == _PLAIN_DEPTH and found:
        _empty_deep(fd, [name for name, _ in found])
        return
    for name, is_directory in found:
        if not is_directory:
            _ignore_missing(os.unlink, name, fd)
            continue
        try:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        except OSError:
            continue
        try:
            _empty(below, depth + 1)
        finally:
            os.close(below)
        _ignore_missing(os.rmdir, name, fd)


def _ignore_missing(remove: Callable[..., object], name: str, fd: int | None = None) -> None:
    try:
        remove(name, dir_fd=fd)
    except OSError:
        pass  # gone already, or in use (a mount): `system check` tells what stays


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
        errno.EROFS: "; mount it writable",
        errno.EACCES: "; run as root",
        errno.EPERM: "; run as root",
    }.get(error.errno or 0, "")
    return SystemFailure(f"cannot {tried}: {os.strerror(error.errno or 0)}{advice}")
