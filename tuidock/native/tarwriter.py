"""The layer writer as an object: a directory in, a tar stream out, stoppable from another thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tuidock.native import lib

LAYER = 1
ROOT = 2
USERXATTR = 4


class TarError(OSError):
    """Why it failed; errno says how. reason holds raw names of the tree."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, f"{reason}: {os.strerror(code)}")
        self.reason = reason


class TarWriter:
    """One directory on its way into a tar stream.

    omit: paths without a leading slash that are left out with all below them.
    """

    def __init__(self, flags: int = LAYER, *, omit: Sequence[str] = ()) -> None:
        from tuidock.native._kernel import ffi

        self._names = [ffi.new("char[]", os.fsencode(path)) for path in omit]
        self._omit = ffi.new("const char *[]", self._names)
        state: Any = ffi.new("struct td_tar *")
        state.flags = flags
        state.omit, state.omits = self._omit, len(self._names)
        self._state = state

    def run(self, root: int, out: int) -> None:
        """Writes everything to the descriptor; the interpreter lock is free meanwhile. Raises TarError."""
        from tuidock.native._kernel import ffi

        code = lib().td_tar_write(root, out, self._state)
        if code < 0:
            reason = ffi.string(self._state.message)
            assert isinstance(reason, bytes)
            raise TarError(-code, reason.decode("utf-8", "replace"))

    def stop(self) -> None:
        """Makes `run` in another thread end with ECANCELED soon."""
        self._state.stop = 1

    @property
    def bytes_written(self) -> int:
        return int(self._state.bytes_written)

    @property
    def entries(self) -> int:
        return int(self._state.entries)

    @property
    def file_bytes(self) -> int:
        """Sum of the sizes of all regular files."""
        return int(self._state.file_bytes)

    @property
    def skipped_sockets(self) -> int:
        return int(self._state.skipped_sockets)

    @property
    def skipped_names(self) -> int:
        """Names of a layer that would read as whiteouts."""
        return int(self._state.skipped_names)
