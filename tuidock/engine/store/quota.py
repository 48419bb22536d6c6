"""The size of a volume that is a directory: a project quota, where the file system has them (ext4 and xfs mounted with
prjquota).

The directory gets a project id of its own, which all files in it inherit, and the project a limit. Programs with
CAP_SYS_RESOURCE go beyond it, which containers do not have by default.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct

from tuidock.engine.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_GET_ATTRIBUTES: Final = 0x801C581F  # FS_IOC_FSGETXATTR and FS_IOC_FSSETXATTR of linux/fs.h
_SET_ATTRIBUTES: Final = 0x401C5820
_ATTRIBUTES: Final = struct.Struct("IIIII8x")  # struct fsxattr: xflags, extsize, nextents, projid, cowextsize
_INHERIT: Final = 0x200
_QUOTACTL_FD: Final = 443  # the same on all architectures
_SET_QUOTA: Final = 0x800008 << 8 | 2  # QCMD(Q_SETQUOTA, PRJQUOTA)
_QUOTA: Final = struct.Struct("8QI4x")  # struct if_dqblk
_LIMITS_OF_BLOCKS: Final = 1
_BLOCK: Final = 1024


def limit(directory: str, size: int) -> None:
    """Lets an empty directory hold at most size bytes. Raises Unsupported, with what is missing."""
    project = int.from_bytes(os.urandom(4), "little") | 1 << 20
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags, extent, extents, _, cow = _ATTRIBUTES.unpack(fcntl.ioctl(fd, _GET_ATTRIBUTES, bytes(_ATTRIBUTES.size)))
        fcntl.ioctl(fd, _SET_ATTRIBUTES, _ATTRIBUTES.pack(flags | _INHERIT, extent, extents, project, cow))
        blocks = -(-size // _BLOCK)
        quota = ctypes.create_string_buffer(
            _QUOTA.pack(blocks, blocks, 0, 0, 0, 0, 0, 0, _LIMITS_OF_BLOCKS), _QUOTA.size
        )
        library = ctypes.CDLL(None, use_errno=True)
        if library.syscall(_QUOTACTL_FD, fd, ctypes.c_uint(_SET_QUOTA), ctypes.c_uint(project), quota):
            raise OSError(ctypes.get_errno(), "set the quota")
    except OSError as error:
        raise Unsupported(
            f"the size of {directory} cannot be limited ({os.strerror(error.errno or 0)}): its file system has no project "
            "quota; mount an xfs or ext4 with prjquota there, or use -o type=tmpfs, or a device of its own"
        ) from None
    finally:
        os.close(fd)
