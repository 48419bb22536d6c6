"""Snapshots: the directories that layers become. `snapshots/<chainID>/fs` holds one layer, `size` its bytes of files.

A committed snapshot is named by its chainID, is complete and never changes. It is made as a draft (`.new-*`, locked by
its maker), and the rename to its name is the only commit: it happens after a syncfs, because a power cut between a
rename and its data left layers of empty files in other engines (containerd#5854). Nothing here mounts: callers get
directories.
"""

from __future__ import annotations

import fcntl
import os
import sys

from tuidock.engine.errors import BadContent
from tuidock.engine.files import sync_directory
from tuidock.engine.oci.digest import hex_of
from tuidock.engine.paths import Paths
from tuidock.engine.store import trash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DRAFT = ".new-"
_GET_FLAGS, _SET_FLAGS, _TOP_DIRECTORY = 0x80086601, 0x40086602, 0x00020000


class Draft:
    """A layer that is being filled; use as context manager: what is not committed goes."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        while True:
            self.path = f"{paths.snapshots}/{_DRAFT}{os.urandom(8).hex()}"
            os.mkdir(self.path, 0o710)
            try:
                self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # a sweep came between making and locking, and took it for a dead process's
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if os.path.isdir(self.path):
                break
            os.close(self._lock)
        os.mkdir(self.path + "/fs", 0o755)
        os.chmod(self.path + "/fs", 0o755)
        self.root = os.open(self.path + "/fs", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.size = 0
        self.diff_id = ""

    def dress_like(self, parent_root: int) -> None:
        """Gives the root directory the looks of the layer below: on top of each other the uppermost one's count."""
        stat = os.fstat(parent_root)
        os.fchown(self.root, stat.st_uid, stat.st_gid)
        os.fchmod(self.root, stat.st_mode & 0o7777)

    def take(self, directory: str) -> None:
        """Makes a directory of the same file system the layer's, in place of the empty one."""
        os.close(self.root)
        self.root = -1
        os.rmdir(self.path + "/fs")
        os.rename(directory, self.path + "/fs")
        self.root = os.open(self.path + "/fs", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def write_size(self) -> None:
        """Records the size inside the draft; before the syncfs that makes it durable."""
        with open(self.path + "/size", "w") as file:
            file.write(f"{self.size}\n")

    def close(self) -> None:
        if self._lock >= 0:
            if self.root >= 0:
                os.close(self.root)
            self.root = -1
            trash.empty(trash.discard(self._paths, self.path))
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Snapshots:
    """Committed layers of one data root."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def path(self, chain_id: str) -> str:
        """The directory of one layer's files."""
        return f"{self._paths.snapshots}/{hex_of(chain_id)}/fs"

    def has(self, chain_id: str) -> bool:
        return os.path.isdir(self.path(chain_id))

    def size(self, chain_id: str) -> int:
        """Bytes of the layer's regular files; 0 when it is not there."""
        try:
            with open(f"{self._paths.snapshots}/{hex_of(chain_id)}/size") as file:
                return int(file.read())
        except (FileNotFoundError, ValueError):
            return 0

    def lower_directories(self, chain_ids: Sequence[str]) -> list[str]:
        """The lower directories of an overlay, topmost first. Raises BadContent when a layer is missing."""
        lower = [self.path(chain_id) for chain_id in reversed(chain_ids)]
        for path in lower:
            if not os.path.isdir(path):
                raise BadContent(
                    f"the layer directory {path} is missing: remove the image and load or pull it again"
                    " (`tuidock system check` tells which images need it)"
                )
        return lower

    def draft(self) -> Draft:
        """A new layer to fill."""
        os.makedirs(self._paths.snapshots, mode=0o710, exist_ok=True)
        _spread(self._paths.snapshots)
        return Draft(self._paths)

    def commit(self, draft: Draft, chain_id: str) -> None:
        """Gives a filled draft its name. The caller has made its files durable (syncfs) and calls `sync` afterwards."""
        try:
            os.rename(draft.path, f"{self._paths.snapshots}/{hex_of(chain_id)}")
        except OSError:
            if not self.has(chain_id):
                raise  # else another process was faster with the same layer, and the draft goes
        draft.close()

    def sync(self) -> None:
        """Makes the names of committed layers durable."""
        sync_directory(self._paths.snapshots)

    def chain_ids(self) -> Iterator[str]:
        """Every committed layer."""
        try:
            names = os.listdir(self._paths.snapshots)
        except FileNotFoundError:
            return
        for name in names:
            if len(name) == 64:
                yield "sha256:" + name

    def discard(self, chain_id: str) -> str:
        """Takes a layer away, unseen by others from then on; `trash.empty` the answer to free the space."""
        return trash.discard(self._paths, f"{self._paths.snapshots}/{hex_of(chain_id)}")

    def sweep(self) -> int:
        """Removes drafts of dead processes; answers how many."""
        swept = 0
        try:
            names = os.listdir(self._paths.snapshots)
        except FileNotFoundError:
            return 0
        for name in names:
            if not name.startswith(_DRAFT):
                continue
            path = f"{self._paths.snapshots}/{name}"
            try:
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                trash.empty(trash.discard(self._paths, path))
                swept += 1
            except BlockingIOError:
                pass
            finally:
                os.close(fd)
        return swept


def _spread(directory: str) -> None:
    """Lets ext4 put the trees in this directory far from each other (chattr +T); other file systems do not know it.

    ext4 does not use the inode of a removed file again for some seconds, but looks at each one whenever a file is made
    nearby: a load after the removal of an image took 5 to 8 seconds, and takes 1 to 2 elsewhere on the disk.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        raw = fcntl.ioctl(fd, _GET_FLAGS, bytes(8))
        flags = int.from_bytes(raw[:4], sys.byteorder)
        if not flags & _TOP_DIRECTORY:
            fcntl.ioctl(fd, _SET_FLAGS, (flags | _TOP_DIRECTORY).to_bytes(8, sys.byteorder))
    except OSError:
        pass
    finally:
        os.close(fd)
