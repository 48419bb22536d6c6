"""The layer writer as an object: a directory in, a tar stream out, stoppable from another thread."""

from __future__ import annotations

import os

from tuidock.native import lib
from tuidock.native.counted import Counter, Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LAYER = 1
ROOT = 2
USERXATTR = 4


class TarError(OSError):
    """Why it failed; errno says how. reason holds raw names of the tree."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, f"{reason}: {os.strerror(code)}")
        self.reason = reason


class TarWriter(Work):
    """One directory on its way into a tar stream.

    omit: paths without a leading slash that are left out with all below them.
    """

    bytes_written, entries = Counter(), Counter()
    #: Sum of the sizes of all regular files.
    file_bytes = Counter()
    skipped_sockets = Counter()
    #: Names of a layer that would read as whiteouts.
    skipped_names = Counter()

    def __init__(self, flags: int = LAYER, *, omit: Sequence[str] = ()) -> None:
        from tuidock.native._kernel import ffi

        super().__init__("struct td_tar")
        self._names = [ffi.new("char[]", os.fsencode(path)) for path in omit]
        self._omit = ffi.new("const char *[]", self._names)
        self.state.flags = flags
        self.state.omit, self.state.omits = self._omit, len(self._names)

    def run(self, root: int, out: int) -> None:
        """Writes everything to the descriptor. Raises TarError."""
        code = lib().td_tar_write(root, out, self.state)
        if code < 0:
            raise TarError(-code, self._reason())
