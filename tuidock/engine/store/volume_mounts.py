"""Volumes with a file system of their own: `-o type=tmpfs|nfs|ext4|...`, and directories of the host by `o=bind`.

Each container mounts them inside its own mount namespace (runtime/spec.py), so that no kill leaves a mount; the kernel
gives all of them the same super block. Only a tmpfs would be another one each time, so it is mounted on the volume's
_data for as long as a container uses it, and a sweep takes it away when nobody does.

Whoever else wants the content gets a descriptor of its root, from a detached mount where that is needed.
"""

from __future__ import annotations

import errno
import os

from tuidock import native
from tuidock.engine.errors import EngineError, SystemFailure, Unsupported
from tuidock.engine.files import locked, refuse
from tuidock.engine.options import volume_driver
from tuidock.engine.paths import Paths
from tuidock.engine.state import State, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tuidock.engine.options.volume_driver import FileSystem

_MNT_DETACH = 2
_ATTRIBUTES = {
    "ro": native.MOUNT_ATTR_RDONLY, "nosuid": native.MOUNT_ATTR_NOSUID, "nodev": native.MOUNT_ATTR_NODEV,
    "noexec": native.MOUNT_ATTR_NOEXEC, "noatime": native.MOUNT_ATTR_NOATIME,
}  # fmt: skip
#: Words about the mount and not about the file system, which fsconfig(2) does not know.
_OF_THE_MOUNT = frozenset((*_ATTRIBUTES, "suid", "dev", "exec", "nodiratime", "strictatime", "nonrecursive")) - {"ro"}
_NETWORKED = ("nfs", "nfs4", "cifs", "smb3")
_EXPLAINED = {
    errno.ENOENT: "the device does not exist",
    errno.ENOTBLK: "it is no block device",
    errno.EINVAL: "it holds no such file system, or an option is wrong",
    errno.ECONNREFUSED: "the server refuses the connection",
}


def options_of(state: State, name: str) -> dict[str, str]:
    """The driver options of a volume, {} for most."""
    row = state.read().execute("SELECT options FROM volumes WHERE name = ?", (name,)).fetchone()
    return unpack(row[0].removeprefix("{}")) if row else {}


def resolved(found: FileSystem, name: str) -> FileSystem:
    """The file system as the kernel wants it: known to it, and the server of a network file system by its address.

    Raises Unsupported, SystemFailure.
    """
    if found.type == "bind":
        if not os.path.isdir(found.device):
            raise SystemFailure(f"cannot mount volume {name}: the directory {found.device} does not exist; make it")
        return found
    try:
        os.close(native.fsopen(found.type))
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        raise Unsupported(
            f"cannot mount volume {name}: this kernel has no file system {found.type}; load its module "
            f"(modprobe {found.type}) or install the package that brings it"
        ) from None
    if found.type not in _NETWORKED:
        return found
    return found._replace(words=_with_address(found, name))


def _with_address(found: FileSystem, name: str) -> tuple[str, ...]:
    from socket import gaierror, getaddrinfo

    given = next((word[5:] for word in found.words if word.startswith("addr=")), "")
    host = given or (found.device.partition(":")[0] if found.type.startswith("nfs") else "")
    if not host:
        return found.words
    try:
        address = str(getaddrinfo(host.strip("[]"), None)[0][4][0])
    except (gaierror, UnicodeError) as error:
        raise SystemFailure(f"cannot mount volume {name}: its server {host} has no address: {error}") from None
    return (*(word for word in found.words if not word.startswith("addr=")), f"addr={address}")


def detached(found: FileSystem, name: str, *, read_only: bool = False) -> int:
    """A mount of it that nobody sees, as a descriptor, without devices and setuid. Raises EngineError."""
    found = resolved(found, name)
    try:
        mount = native.open_tree(native.AT_FDCWD, found.device) if found.type == "bind" else _new_mount(found)
    except OSError as error:
        raise _refused(error, found, name) from error
    attributes = native.MOUNT_ATTR_NOSUID | native.MOUNT_ATTR_NODEV | (native.MOUNT_ATTR_RDONLY if read_only else 0)
    try:
        native.mount_setattr(mount, "", native.AT_EMPTY_PATH, set=attributes)
    except OSError as error:
        os.close(mount)
        raise refuse(error, f"mount volume {name}") from error
    return mount


def _new_mount(found: FileSystem) -> int:
    context = native.fsopen(found.type)
    try:
        native.fsconfig(context, native.FSCONFIG_SET_STRING, "source", found.device or found.type)
        for word in found.words:
            key, equals, value = word.partition("=")
            if equals:
                native.fsconfig(context, native.FSCONFIG_SET_STRING, key, value)
            elif key not in _OF_THE_MOUNT:
                native.fsconfig(context, native.FSCONFIG_SET_FLAG, key)
        native.fsconfig(context, native.FSCONFIG_CMD_CREATE)
        attributes = 0
        for word in found.words:
            attributes |= _ATTRIBUTES.get(word, 0)
        return native.fsmount(context, native.FSMOUNT_CLOEXEC, attributes)
    finally:
        os.close(context)


def _refused(error: OSError, found: FileSystem, name: str) -> EngineError:
    why = _EXPLAINED.get(error.errno or 0, os.strerror(error.errno or 0))
    return SystemFailure(f"cannot mount volume {name} ({found.type} of {found.device or 'memory'}): {why}")


def open_root(state: State, paths: Paths, name: str, *, read_only: bool = False) -> int:
    """A descriptor of the directory that containers see in a volume that exists. Raises EngineError."""
    found = volume_driver.file_system(options_of(state, name))
    if found is not None and found.type != "tmpfs":
        mount = detached(found, name, read_only=read_only)
        try:
            return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
        finally:
            os.close(mount)
    path = data_path(paths, name)
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise refuse(error, f"open {path}") from error


def data_path(paths: Paths, name: str) -> str:
    return f"{paths.volumes}/{name}/_data"


def is_mounted(path: str) -> bool:
    """Whether something is mounted on the directory."""
    try:
        return os.stat(path).st_dev != os.stat(os.path.dirname(path)).st_dev
    except FileNotFoundError:
        return False


def attach_memory(paths: Paths, name: str, found: FileSystem) -> None:
    """Mounts a tmpfs on the volume's directory, unless it is there. Raises EngineError."""
    path = data_path(paths, name)
    with locked(f"{paths.volumes}/{name}/lock"):
        if is_mounted(path):
            return
        try:
            mount = _new_mount(found._replace(device="tmpfs"))
            try:
                native.mount_setattr(mount, "", native.AT_EMPTY_PATH, set=native.MOUNT_ATTR_NODEV)
                native.move_mount(mount, "", native.AT_FDCWD, path)
            finally:
                os.close(mount)
        except OSError as error:
            raise _refused(error, found, name) from error


def detach_memory(paths: Paths, name: str, busy: Callable[[], bool] = lambda: False) -> bool:
    """Takes the tmpfs away again unless somebody is busy with it; True when that was done."""
    path = data_path(paths, name)
    if not is_mounted(path):
        return False
    with locked(f"{paths.volumes}/{name}/lock"):
        return is_mounted(path) and not busy() and _unmount(path)


def _unmount(path: str) -> bool:
    import ctypes

    return not ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(path), _MNT_DETACH)


def memory_volumes(state: State) -> Mapping[str, FileSystem]:
    """The volumes whose content is a tmpfs."""
    found = {}
    for name, options in state.read().execute("SELECT name, options FROM volumes WHERE options NOT IN ('', '{}')"):
        system = volume_driver.file_system(unpack(options.removeprefix("{}")))
        if system is not None and system.type == "tmpfs":
            found[name] = system
    return found
