"""Typed doors to the kernel: the system calls that Python 3.11 lacks, one function each.

Every function raises OSError with what was tried and on what. Strings are paths relative to a directory descriptor;
AT_FDCWD means the working directory. The extension is loaded at the first call, so that a short command that needs only
`shim_path` does not pay for it. Calls release the interpreter lock.
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from tuidock.native._kernel import Lib


AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100

O_PATH = 0o10000000

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

FSOPEN_CLOEXEC = 0x1
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_SET_FD = 5
FSCONFIG_CMD_CREATE = 6
FSCONFIG_CMD_RECONFIGURE = 7
FSMOUNT_CLOEXEC = 0x1

MOUNT_ATTR_RDONLY = 0x01
MOUNT_ATTR_NOSUID = 0x02
MOUNT_ATTR_NODEV = 0x04
MOUNT_ATTR_NOEXEC = 0x08
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_ATIME = 0x70
MOUNT_ATTR_IDMAP = 0x00100000

MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOVE_MOUNT_T_EMPTY_PATH = 0x40
OPEN_TREE_CLONE = 0x1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC

CLOSE_RANGE_UNSHARE = 0x2
CLOSE_RANGE_CLOEXEC = 0x4

RENAME_NOREPLACE = 0x1
RENAME_EXCHANGE = 0x2
RENAME_WHITEOUT = 0x4

_lib: Lib | None = None


def lib() -> Lib:
    """The loaded extension."""
    global _lib
    if _lib is None:
        from tuidock.native._kernel import lib as loaded

        _lib = loaded
    return _lib


def shim_path() -> str:
    """Where the tuidock-shim program lies."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "tuidock-shim")


def _failed(negative_errno: int, tried: str, path: str = "") -> NoReturn:
    error = OSError(-negative_errno, f"{tried}: {os.strerror(-negative_errno)}")
    if path:
        error.filename = path
    raise error


def _checked(value: int, tried: str, path: str = "") -> int:
    if value < 0:
        _failed(value, tried, path)
    return value


def openat2(directory: int, path: str, flags: int, mode: int = 0, resolve: int = RESOLVE_IN_ROOT) -> int:
    """Open a path with rules for how it may be resolved; O_CLOEXEC is added. Returns a descriptor."""
    mode = mode if flags & (os.O_CREAT | os.O_TMPFILE) & ~os.O_DIRECTORY else 0
    return _checked(lib().td_openat2(directory, os.fsencode(path), flags | os.O_CLOEXEC, mode, resolve), "open", path)


def open_in_root(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Open a path of a container or image: links and `..` end at the root descriptor, magic links are refused."""
    return openat2(root, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def open_file_in_root(root: int, path: str) -> int:
    """Open a regular file of a container or image for reading; what else has that name is not opened at all, because
    opening a pipe waits and opening a device does something. Raises OSError (EINVAL)."""
    place = open_in_root(root, path, O_PATH)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(place)


def pidfd_open(pid: int, flags: int = 0) -> int:
    return _checked(lib().td_pidfd_open(pid, flags), f"open a descriptor of process {pid}")


def pidfd_getfd(pidfd: int, fd: int) -> int:
    return _checked(lib().td_pidfd_getfd(pidfd, fd), f"fetch descriptor {fd} of another process")


def pidfd_send_signal(pidfd: int, signal: int) -> None:
    _checked(lib().td_pidfd_send_signal(pidfd, signal), f"send signal {signal}")


def fsopen(type: str, flags: int = FSOPEN_CLOEXEC) -> int:
    """A new file system context."""
    return _checked(lib().td_fsopen(type.encode(), flags), f"open a context of file system {type}")


def fsconfig(context: int, command: int, key: str = "", value: str | None = None, aux: int = 0) -> None:
    """Configure a context; the kernel's own message, if it left one, ends the error's text."""
    from tuidock.native._kernel import ffi

    given: Any = ffi.NULL if value is None else os.fsencode(value)
    code = lib().td_fsconfig(context, command, key.encode() if key else ffi.NULL, given, aux)
    if code < 0:
        tried = f"set file system option {key}" if key else "create the file system"
        try:
            reason = os.read(context, 1024).decode(errors="replace").strip()
        except OSError:
            reason = ""
        raise OSError(-code, f"{tried}: {os.strerror(-code)}" + (f" ({reason})" if reason else ""))


def fsmount(context: int, flags: int = FSMOUNT_CLOEXEC, attributes: int = 0) -> int:
    """A detached mount of a configured context, as a descriptor."""
    return _checked(lib().td_fsmount(context, flags, attributes), "make a mount of the file system context")


def move_mount(from_fd: int, from_path: str, to_fd: int, to_path: str, flags: int = MOVE_MOUNT_F_EMPTY_PATH) -> None:
    code = lib().td_move_mount(from_fd, os.fsencode(from_path), to_fd, os.fsencode(to_path), flags)
    _checked(code, "move a mount", to_path)


def open_tree(directory: int, path: str, flags: int = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC) -> int:
    """A descriptor of a mount tree; with OPEN_TREE_CLONE of a detached copy of it."""
    return _checked(lib().td_open_tree(directory, os.fsencode(path), flags), "open the mount tree", path)


def mount_setattr(
    directory: int, path: str, flags: int, *, set: int = 0, clear: int = 0, propagation: int = 0, userns: int = -1
) -> None:
    _checked(
        lib().td_mount_setattr(directory, os.fsencode(path), flags, set, clear, propagation, userns),
        "change the attributes of a mount",
        path,
    )


def syncfs(fd: int) -> None:
    """Write everything of the file system that holds the descriptor to its disk."""
    _checked(lib().td_syncfs(fd), "write the file system to disk")


def begin_writeback(fd: int) -> None:
    """Asks the disk to begin with what was written to a file; waits for nothing, and a refusal does not matter."""
    lib().td_begin_writeback(fd)


def close_range(first: int, last: int = 0xFFFFFFFF, flags: int = 0) -> None:
    _checked(lib().td_close_range(first, last, flags), f"close descriptors {first} to {last}")


def renameat2(from_fd: int, from_path: str, to_fd: int, to_path: str, flags: int = RENAME_NOREPLACE) -> None:
    _checked(
        lib().td_renameat2(from_fd, os.fsencode(from_path), to_fd, os.fsencode(to_path), flags),
        f"rename {from_path} to",
        to_path,
    )


def setns(fd: int, type: int = 0) -> None:
    """Move the calling thread into a namespace."""
    _checked(lib().td_setns(fd, type), "enter a namespace")


def act_as(user: int, group: int) -> None:
    """Let the calling thread make files as somebody else; it keeps its capabilities."""
    _checked(lib().td_act_as(user, group), "act as another user")


def clone_root(mount_namespace: int) -> int:
    """A detached mount of the root of another mount namespace, without what is mounted below it."""
    return _checked(lib().td_clone_root(mount_namespace), "clone the root of a mount namespace")


def furnished_root(tree: int, at: str, mounts: Sequence[tuple[int, str]]) -> tuple[int, int]:
    """A detached mount with others in it, in a mount namespace that nobody else sees; at: any directory.

    mounts: detached mounts and their paths, resolved within the tree. Returns descriptors of the root (O_PATH) and of the
    namespace, which lives for as long as the second is open.
    """
    from tuidock.native._kernel import ffi

    names = [ffi.new("char[]", os.fsencode(path)) for _, path in mounts]
    fds = ffi.new("int[]", [fd for fd, _ in mounts])
    namespace: Any = ffi.new("int *")
    targets = ffi.new("const char *[]", names)
    root = lib().td_furnished_root(tree, os.fsencode(at), fds, targets, len(names), namespace)
    return _checked(root, "put mounts together"), int(namespace[0])


def copy_log(segment: int, offset: int, end: int, out: int, err: int, *, timestamps: bool = False) -> int:
    """Copy the CRI lines of a log segment without their prefixes; returns the offset behind the last one copied.

    out and err are descriptors for the two streams, -1 drops one. end -1 is the segment's end.
    """
    from tuidock.native._kernel import ffi

    position = ffi.new("int64_t *", offset)
    _checked(lib().td_log_copy(segment, position, end, out, err, timestamps), "copy the log")
    return int(position[0])


def remove_tree(path: str) -> None:
    """Removes a file, or a directory of any depth with all below it, never through a link; absent is fine."""
    _checked(lib().td_remove_tree(AT_FDCWD, os.fsencode(path)), "remove", path)
