"""What layers look like on top of each other: a detached overlay that nobody else sees, read-only and without devices.

It is a descriptor and not a place, so nothing is left behind whatever happens.
"""

from __future__ import annotations

import errno
import os
import shutil
import string
import threading

from tuidock import native
from tuidock.engine import rootless
from tuidock.engine.errors import Unsupported
from tuidock.engine.paths import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_OPTION_LIMIT = 255
_CLONE_FS = 0x200
_SEALED = native.MOUNT_ATTR_RDONLY | native.MOUNT_ATTR_NOSUID | native.MOUNT_ATTR_NODEV | native.MOUNT_ATTR_NOATIME

_WRITABLE = native.MOUNT_ATTR_NOSUID | native.MOUNT_ATTR_NODEV


def open_merged(scratch: str, lower: Sequence[str]) -> int:
    """A descriptor of the merged tree of layers, topmost first: the only layer, or a detached read-only overlay.

    scratch: a directory of the caller's own, in which old kernels need names for the layers. Raises OSError.
    """
    if len(lower) == 1:
        return os.open(lower[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return _overlay([("lowerdir+", layer) for layer in lower])
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return _overlay_by_one_option(scratch, lower)


def open_writable(scratch: str, lower: Sequence[str], upper: str, work: str) -> int:
    """The same with a directory on top that takes what is written; nobody else may have it mounted. Raises OSError."""
    own = (("upperdir", upper), ("workdir", work))
    try:
        return _overlay([*(("lowerdir+", layer) for layer in lower), *own], _WRITABLE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return _overlay_by_one_option(scratch, lower, own)


def _overlay(options: list[tuple[str, str]], attributes: int = _SEALED) -> int:
    context = native.fsopen("overlay")
    try:
        for key, value in options:
            _set_path(context, key, value)
        if rootless.is_active():
            native.fsconfig(context, native.FSCONFIG_SET_FLAG, "userxattr")
        native.fsconfig(context, native.FSCONFIG_CMD_CREATE)
        return native.fsmount(context, native.FSMOUNT_CLOEXEC, attributes)
    finally:
        os.close(context)


def _set_path(context: int, key: str, path: str) -> None:
    """A path that is too long for an option, or has a character with a meaning there, goes by its descriptor's name."""
    if key == "lowerdir" or (len(os.fsencode(path)) <= _OPTION_LIMIT and not set(path) & set(":\\")):
        native.fsconfig(context, native.FSCONFIG_SET_STRING, key, path)
        return
    fd = os.open(path, native.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        native.fsconfig(context, native.FSCONFIG_SET_STRING, key, f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def _overlay_by_one_option(scratch: str, lower: Sequence[str], own: Sequence[tuple[str, str]] = ()) -> int:
    """Before Linux 6.8: all layers in one option of at most 255 bytes, so under the shortest names that there are.

    They are relative to the working directory of a thread that shares it with no other.
    """
    names = [_short_name(number) for number in range(len(lower))]
    if len(":".join(names)) > _OPTION_LIMIT:
        raise Unsupported(f"an image of {len(lower)} layers cannot be read before Linux 6.8; upgrade the kernel")
    directory = f"{scratch}/_layers"
    if os.path.isdir(directory):
        shutil.rmtree(directory)
    os.mkdir(directory, 0o700)
    result: list[int | BaseException] = []

    def mount() -> None:
        try:
            _own_working_directory()
            os.chdir(directory)
            options = [("lowerdir", ":".join(names)), *((key, key) for key, _ in own)]
            result.append(_overlay(options, _WRITABLE if own else _SEALED))
        except BaseException as error:
            result.append(error)

    try:
        for name, layer in zip(names, lower, strict=True):
            os.symlink(layer, f"{directory}/{name}")
        for key, path in own:
            os.symlink(path, f"{directory}/{key}")
        thread = threading.Thread(target=mount)
        thread.start()
        thread.join()
    finally:
        shutil.rmtree(directory)
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def _short_name(number: int) -> str:
    digits = string.digits + string.ascii_letters
    return digits[number] if number < 62 else digits[number // 62 - 1] + digits[number % 62]


def _own_working_directory() -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_FS):
        raise OSError(ctypes.get_errno(), "give the thread a working directory of its own")


def sealed(path: str) -> int:
    """A directory as a detached mount of its own, in which no device can be opened and nothing changed. Raises OSError."""
    return seal(native.open_tree(native.AT_FDCWD, path))


def seal(mount: int) -> int:
    """The same for a detached mount that is there already; it is closed when that fails."""
    try:
        if rootless.is_active():  # where the host's way of keeping access times is not ours to change
            native.mount_setattr(mount, "", native.AT_EMPTY_PATH, set=_SEALED & ~native.MOUNT_ATTR_ATIME)
        else:
            native.mount_setattr(mount, "", native.AT_EMPTY_PATH, set=_SEALED, clear=native.MOUNT_ATTR_ATIME)
    except OSError:
        os.close(mount)
        raise
    return mount


def open_layers(paths: Paths, lower: Sequence[str]) -> int:
    """The merged tree of any number of layers, topmost first, sealed; whiteouts show nowhere in it. Raises OSError."""
    empty = paths.cache + "/empty"
    os.makedirs(empty, mode=0o700, exist_ok=True)
    if not lower:
        return sealed(empty)
    return open_merged(paths.cache, lower if len(lower) > 1 else (*lower, empty))
