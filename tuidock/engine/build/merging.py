"""The merged tree of layers as a descriptor, without a mountpoint that anybody could see or that a kill could leave.

With an upper directory the tree can be written, and what is written lies in that directory as the next layer. Such an
overlay is volatile: else the kernel writes the whole disk out whenever one is closed, and a build does that itself once
at its end.
"""

from __future__ import annotations

import errno
import os

from tuidock import native
from tuidock.engine import rootless
from tuidock.engine.errors import SystemFailure, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_OPTION_LIMIT = 255
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def open_merged(lower: Sequence[str]) -> int:
    """A descriptor of the merged tree of layers (topmost first) for reading. Raises OSError, Unsupported."""
    if len(lower) == 1:
        return os.open(lower[0], _DIRECTORY | os.O_NOFOLLOW)
    return _reopened(_mount(lower, "", ""))


def open_writable(lower: Sequence[str], upper: str, work: str) -> int:
    """The same for writing; the changes go into upper. Raises OSError, Unsupported."""
    if not lower:
        return os.open(upper, _DIRECTORY | os.O_NOFOLLOW)
    try:
        return _reopened(_mount(lower, upper, work))
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise refused(upper) from None
        raise


def refused(upper: str) -> Unsupported:
    """The sentence for a data root that lies on an overlay, which cannot hold whiteouts either."""
    return Unsupported(
        f"overlay cannot write below {os.path.dirname(upper)} (it lies on an overlay itself); build in a data root "
        "on ext4, xfs, btrfs or tmpfs (--root)"
    )


def _reopened(mount: int) -> int:
    """fsmount's descriptor only names the mount; this one reads it."""
    try:
        return os.open(".", _DIRECTORY, dir_fd=mount)
    finally:
        os.close(mount)


def _mount(lower: Sequence[str], upper: str, work: str) -> int:
    opened: list[int] = []
    try:
        names = []
        for path in (*lower, *((upper, work) if upper else ())):
            opened.append(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW))
            names.append(f"/proc/self/fd/{opened[-1]}")  # short, and free of the characters that options give a meaning
        layers, own = names[: len(lower)], names[len(lower) :]
        try:
            return _overlay([("lowerdir+", name) for name in layers], own)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            joined = ":".join(layers)  # before Linux 6.5
            if len(joined) > _OPTION_LIMIT:
                raise SystemFailure(
                    f"cannot merge {len(layers)} layers: this kernel takes fewer at once; use Linux 6.8 or newer"
                ) from error
            return _overlay([("lowerdir", joined)], own)
    finally:
        for fd in opened:
            os.close(fd)


def _overlay(layers: Sequence[tuple[str, str]], own: Sequence[str]) -> int:
    context = native.fsopen("overlay")
    try:
        for key, value in layers:
            native.fsconfig(context, native.FSCONFIG_SET_STRING, key, value)
        if own:
            native.fsconfig(context, native.FSCONFIG_SET_STRING, "upperdir", own[0])
            native.fsconfig(context, native.FSCONFIG_SET_STRING, "workdir", own[1])
            native.fsconfig(context, native.FSCONFIG_SET_FLAG, "volatile")
        user = rootless.is_active()
        if user:  # which has the three below off by itself
            native.fsconfig(context, native.FSCONFIG_SET_FLAG, "userxattr")
        for key in () if user else ("redirect_dir", "index", "metacopy"):
            native.fsconfig(context, native.FSCONFIG_SET_STRING, key, "off")
        native.fsconfig(context, native.FSCONFIG_CMD_CREATE)
        return native.fsmount(context, native.FSMOUNT_CLOEXEC, 0 if own else native.MOUNT_ATTR_RDONLY)
    finally:
        os.close(context)


def open_empty() -> int:
    """A tree with nothing in it: FROM scratch."""
    context = native.fsopen("tmpfs")
    try:
        native.fsconfig(context, native.FSCONFIG_CMD_CREATE)
        return _reopened(native.fsmount(context, native.FSMOUNT_CLOEXEC, native.MOUNT_ATTR_RDONLY))
    finally:
        os.close(context)
