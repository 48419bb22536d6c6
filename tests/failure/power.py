"""A disk whose power can be cut: an ext4 in a file, and copies of that file as it was at one instant.

The copy is what a disk would hold at that moment: all that the kernel had written to it, nothing of what was only in
memory, so a file whose data was never synced is empty or not there. For that the copy must be of one instant, else it
would hold a later write without an earlier one, which no disk does. So the file lies on a file system of its own, which
is frozen while it is copied: whoever writes to the disk waits, and nothing that is in memory is written because of it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tests.failure.machine import eventually

_FREEZE, _THAW = 0xC0045877, 0xC0045878
_NEW_MOUNTS = 0x00020000
_PREFIX = "tuidock-power-"
_NEEDED = ("mkfs.ext4", "e2fsck", "mount", "umount")
_ROOM = 4 << 30  # bytes that /dev/shm must have free for it


def lacking() -> str:
    """The programs that are not installed."""
    return ", ".join(
        name for name in _NEEDED if shutil.which(name, path=os.environ["PATH"] + ":/sbin:/usr/sbin") is None
    )


class PowerDisk:
    """Mounted at `mounted` when it is; `image` is the disk itself."""

    def __init__(self, megabytes: int = 400) -> None:
        # in memory when there is room: what is to be lost is lost by the method, not by the medium
        memory = "/dev/shm"
        state = os.statvfs(memory) if os.path.isdir(memory) else None
        where = memory if state and state.f_bavail * state.f_frsize > _ROOM else tempfile.gettempdir()
        _sweep(where)
        self.place = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=where)
        self._outer = f"{self.place}/outer"
        self.image, self.mounted = f"{self._outer}/disk.img", f"{self.place}/mounted"
        os.mkdir(self._outer)
        os.mkdir(self.mounted)
        _make(f"{self.place}/outer.img", 2 * megabytes)
        _mount(f"{self.place}/outer.img", self._outer, "noatime")
        _make(self.image, megabytes)

    def mount(self, image: str = "") -> None:
        """With a journal that is written every second instead of every five: more kinds of instants."""
        _mount(image or self.image, self.mounted, "commit=1")

    def unmount(self) -> None:
        """Until no namespace of a container that is just ending has it any more, so that the file is all there is."""
        eventually(lambda: _unmount(self.mounted), f"{self.mounted} is used by nobody")
        eventually(lambda: not _attached(self.place), f"the disk in {self.place} is mounted nowhere")

    def written(self) -> int:
        """Sectors that the kernel has written to the mounted disk."""
        device = os.stat(self.mounted).st_dev
        with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat") as file:
            return int(file.read().split()[6])

    def keep(self, target: str) -> None:
        """A copy of the disk, which is not mounted."""
        _copy(self.image, target)

    def restore(self, source: str) -> None:
        """Puts a copy in the place of the disk, which is not mounted."""
        _copy(source, self.image)

    def cut(self, target: str) -> None:
        """The disk as it is at this instant; whoever writes to it goes on afterwards."""
        outer = os.open(self._outer, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(outer, _FREEZE, 0)
            try:
                _copy(self.image, target)
            finally:
                fcntl.ioctl(outer, _THAW, 0)
        finally:
            os.close(outer)

    def close(self) -> None:
        subprocess.run(["umount", "-l", self.mounted], check=False, capture_output=True)
        subprocess.run(["umount", "-l", self._outer], check=False, capture_output=True)
        shutil.rmtree(self.place, ignore_errors=True)


def alone() -> None:
    """Takes this process into a mount namespace of its own. A namespace that somebody makes elsewhere on the machine would
    have a copy of the mounted disk, and it would stay mounted with that for as long as they like."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def prove(disk: PowerDisk) -> None:
    """A cut takes what was not synced, and nothing else; if it did not, no trial would prove anything."""
    disk.mount()
    for name in ("synced", "unsynced"):
        descriptor = os.open(f"{disk.mounted}/{name}", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"x" * 100_000)
        if name == "synced":
            os.fsync(descriptor)
        os.close(descriptor)
    after = f"{disk.place}/after.img"
    disk.cut(after)
    disk.unmount()
    recover(after)
    disk.mount(after)
    with open(f"{disk.mounted}/synced", "rb") as file:
        assert file.read() == b"x" * 100_000, "a cut takes what was synced"
    unsynced = f"{disk.mounted}/unsynced"
    assert not os.path.exists(unsynced) or os.path.getsize(unsynced) == 0, "a cut does not take what was not synced"
    disk.unmount()


@contextmanager
def power_disk() -> Iterator[PowerDisk]:
    disk = PowerDisk()
    try:
        yield disk
    finally:
        disk.close()


def _sweep(where: str) -> None:
    """Disks of processes that were killed; their mounts went with their namespaces."""
    for name in os.listdir(where):
        pid = name.removeprefix(_PREFIX).partition("-")[0]
        if name.startswith(_PREFIX) and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(f"{where}/{name}", ignore_errors=True)


def recover(image: str) -> None:
    """What a boot does: the journal is replayed. A file system that is damaged after that was copied wrongly."""
    replayed = subprocess.run(["e2fsck", "-p", image], capture_output=True, text=True, check=False)
    checked = subprocess.run(["e2fsck", "-fn", image], capture_output=True, text=True, check=False)
    assert replayed.returncode in (0, 1) and checked.returncode == 0, replayed.stdout + checked.stdout


def _make(path: str, megabytes: int) -> None:
    with open(path, "wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-N", "60000", path], check=True)


def _mount(image: str, place: str, options: str) -> None:
    subprocess.run(["mount", "-o", f"loop,{options}", image, place], check=True)


def _unmount(place: str) -> bool:
    return subprocess.run(["umount", place], check=False, capture_output=True).returncode == 0


def _attached(place: str) -> bool:
    """Whether a loop device has a file of that place, other than the one that holds the disk."""
    for path in glob.glob("/sys/block/loop*/loop/backing_file"):
        try:
            with open(path) as file:
                name = file.read().strip()
        except OSError:  # detached meanwhile
            continue
        if name.startswith(place + "/") and not name.endswith("/outer.img"):
            return True
    return False


def _copy(source: str, target: str) -> None:
    """A sparse file remains one."""
    with open(source, "rb", buffering=0) as old, open(target, "wb", buffering=0) as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        position = 0
        while position < size:
            try:
                position = os.lseek(old.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # only a hole is left
                    return
                raise
            end = os.lseek(old.fileno(), position, os.SEEK_HOLE)
            os.lseek(new.fileno(), position, os.SEEK_SET)
            while position < end:
                count = os.sendfile(new.fileno(), old.fileno(), position, end - position)
                assert count > 0, f"{source} became shorter"
                position += count
