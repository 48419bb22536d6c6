"""An image's layers seen as one read-only tree, by a mount that has no place: nobody sees it, no kill leaves it."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from tuidock import native


class MergedImage:
    """Use as context manager; `root` is a descriptor of the tree's root. Raises OSError."""

    def __init__(self, lower: Sequence[str]) -> None:
        if not lower:
            raise OSError(errno.ENOENT, "the image has no layers")
        if len(lower) == 1:  # overlay wants two; one layer's whiteouts hide nothing
            self.root = os.open(lower[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        else:
            self.root = _mount(lower)

    def open_directory(self, path: str) -> int:
        """A descriptor of a directory in the image, links resolved inside it; -1 when there is none."""
        try:
            return native.open_in_root(self.root, path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return -1
            raise

    def close(self) -> None:
        if self.root >= 0:
            os.close(self.root)
            self.root = -1

    def __enter__(self) -> MergedImage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _mount(lower: Sequence[str]) -> int:
    context = native.fsopen("overlay")
    layers: list[int] = []
    try:
        try:
            for path in lower:
                native.fsconfig(context, native.FSCONFIG_SET_STRING, "lowerdir+", path)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # before Linux 6.8: one string of at most 256 bytes, so descriptors instead of long paths
            layers = [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in lower]
            joined = ":".join(f"/proc/self/fd/{fd}" for fd in layers)
            native.fsconfig(context, native.FSCONFIG_SET_STRING, "lowerdir", joined)
        native.fsconfig(context, native.FSCONFIG_CMD_CREATE)
        mount = native.fsmount(context, attributes=native.MOUNT_ATTR_RDONLY | native.MOUNT_ATTR_NODEV)
    finally:
        os.close(context)
        for fd in layers:
            os.close(fd)
    try:
        return native.openat2(mount, ".", os.O_RDONLY | os.O_DIRECTORY)
    finally:
        os.close(mount)
