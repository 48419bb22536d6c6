"""The layer extractor as an object: limits in, progress and findings out, stoppable from another thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tuidock.native import lib

LAYER = 1
KEEP_OWNER = 2
USERXATTR = 4
EARLY = 8
NO_DEVICES = 16


class ExtractError(OSError):
    """bad_content: the archive is at fault; else the machine is, and errno says how. reason is not cleaned."""

    def __init__(self, code: int, reason: str, *, bad_content: bool) -> None:
        super().__init__(code, reason if bad_content else f"{reason}: {os.strerror(code)}")
        self.reason, self.bad_content = reason, bad_content


class Extractor:
    """One extraction of a tar stream into a directory.

    lower: descriptors of the layers below, topmost first, for the looks of directories that the archive only implies.
    follow: a pipe whose bytes say that the file being read has grown, and whose end says that it is complete.
    """

    def __init__(
        self,
        flags: int = LAYER,
        *,
        max_entries: int = 10_000_000,
        max_bytes: int = 1 << 62,
        lower: Sequence[int] = (),
        follow: int = -1,
    ) -> None:
        from tuidock.native._kernel import ffi

        self._lower = ffi.new("int[]", list(lower))
        state: Any = ffi.new("struct td_extract *")
        state.flags = flags
        state.max_entries, state.max_bytes = max_entries, max_bytes
        state.follow = follow
        state.lower, state.lowers = self._lower, len(lower)
        self._state = state

    def run(self, tar: int, root: int) -> None:
        """Reads the descriptor to its end and fills the directory; the interpreter lock is free meanwhile.

        Raises ExtractError; the directory is then half full and to be thrown away.
        """
        from tuidock.native._kernel import ffi

        code = lib().td_extract(tar, root, self._state)
        if code < 0:
            reason = ffi.string(self._state.message)
            assert isinstance(reason, bytes)
            raise ExtractError(-code, reason.decode("utf-8", "replace"), bad_content=bool(self._state.bad_content))

    def stop(self) -> None:
        """Makes `run` in another thread end with ECANCELED soon."""
        self._state.stop = 1

    @property
    def bytes_read(self) -> int:
        return int(self._state.bytes_read)

    @property
    def entries(self) -> int:
        return int(self._state.entries)

    @property
    def file_bytes(self) -> int:
        """Sum of the sizes of all regular files."""
        return int(self._state.file_bytes)

    @property
    def skipped_devices(self) -> int:
        return int(self._state.skipped_devices)

    @property
    def skipped_xattrs(self) -> int:
        return int(self._state.skipped_xattrs)

    @property
    def implied(self) -> int:
        """How many directories the archive uses without naming them."""
        return int(self._state.implied)

    @property
    def root_seen(self) -> bool:
        """Whether the archive says how its root directory looks."""
        return bool(self._state.root_seen)
