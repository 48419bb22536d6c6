"""A file that is there completely or not at all: what is written has no name until it is whole.

Such a file (O_TMPFILE) goes with the process that writes it, so not even a kill leaves half an archive beside the asked
name. Where the file system knows none, it has a name of its own until then.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


@contextmanager
def whole_file(path: str) -> Iterator[BinaryIO]:
    """What is written gets the name when the block ends well. A device or pipe is written directly. Raises OSError."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            yield file
        return
    path = os.path.realpath(path)
    part = f"{path}.{os.getpid()}.part"
    try:
        fd = os.open(os.path.dirname(path), os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666)
        named = False
    except OSError:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        named = True
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            if not named:
                os.link(f"/proc/self/fd/{fd}", part, src_dir_fd=fd, follow_symlinks=True)  # with a descriptor: linkat
                named = True
        os.replace(part, path)
        named = False
    finally:
        if named:
            os.unlink(part)
