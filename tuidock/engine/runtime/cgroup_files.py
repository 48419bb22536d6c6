"""The small files of a control group: reading what may vanish, writing, waiting for what the kernel does to them."""

from __future__ import annotations

import errno
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def children(directory: str) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def read(path: str) -> str:
    """The file's text, "" when it is not there: a container may end at any moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts).decode("ascii", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def glance(path: str) -> str:
    """As read, in one system call: for files that the kernel renders at once and that fit into a page."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 4096).decode("ascii", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def write(path: str, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def try_write(path: str, value: str) -> bool:
    try:
        write(path, value)
    except OSError:
        return False
    return True


def number(text: str) -> int:
    """The number in a file; "max" and nothing are 0."""
    text = text.strip()
    return int(text) if text.isdigit() else 0


def keyed(text: str, key: str) -> int:
    """The number after `key ` at the start of a line."""
    at = 0 if text.startswith(key + " ") else text.find(f"\n{key} ") + 1
    if not at and not text.startswith(key + " "):
        return 0
    end = text.find("\n", at)
    return int(text[at + len(key) + 1 : end if end >= 0 else None])


def transferred_v1(text: str) -> tuple[int, int]:
    read = written = 0
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] == "Read":
            read += int(words[2])
        elif len(words) == 3 and words[1] == "Write":
            written += int(words[2])
    return read, written


def transferred_v2(text: str) -> tuple[int, int]:
    read = written = 0
    for word in text.split():
        if word.startswith("rbytes="):
            read += int(word[7:])
        elif word.startswith("wbytes="):
            written += int(word[7:])
    return read, written


def freeze_v1(directory: str, timeout: float) -> bool:
    # the kernel tells nobody when FREEZING has become FROZEN: reading moves it on, and writing again catches forks
    deadline = time.monotonic() + timeout
    pause = 0.0002
    while True:
        write(f"{directory}/freezer.state", "FROZEN")
        if read(f"{directory}/freezer.state").strip() == "FROZEN":
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def wait_event(directory: str, line: str, timeout: float) -> bool:
    """Wait until cgroup.events holds the line; the kernel wakes its readers with POLLPRI."""
    deadline = time.monotonic() + timeout
    descriptor = os.open(f"{directory}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLPRI)
        while line not in os.pread(descriptor, 4096, 0).decode().splitlines():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            poll.poll(left * 1000)
        return True
    finally:
        os.close(descriptor)


def wait_gone(pids: Iterable[int], timeout: float) -> bool:
    """Wait until all these processes have ended; True when they have."""
    deadline = time.monotonic() + timeout
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
                return False
        finally:
            os.close(descriptor)
    return True


def remove_directory(directory: str, deadline: float) -> bool:
    """rmdir, waiting for processes that are on their way out."""
    pause = 0.0005
    while True:
        try:
            os.rmdir(directory)
            return True
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                return False
        pids = [int(pid) for pid in read(f"{directory}/cgroup.procs").split()]
        wait_gone(pids, deadline - time.monotonic())
        # the last process has ended, but the kernel lets go of its group a moment later and tells nobody
        time.sleep(pause)
        pause = min(pause * 2, 0.02)
