"""The layer extractor as an object: limits in, progress and findings out, stoppable from another thread."""

from __future__ import annotations

import os

from tuidock.native import lib
from tuidock.native.counted import Counter, Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LAYER = 1
KEEP_OWNER = 2
USERXATTR = 4
EARLY = 8
NO_DEVICES = 16
HOLES = 32


class ExtractError(OSError):
    """bad_content: the archive is at fault; else the machine is, and errno says how. reason is not cleaned."""

    def __init__(self, code: int, reason: str, *, bad_content: bool) -> None:
        super().__init__(code, reason if bad_content else f"{reason}: {os.strerror(code)}")
        self.reason, self.bad_content = reason, bad_content


class Extractor(Work):
    """One extraction of a tar stream into a directory.

    lower: descriptors of the layers below, topmost first, for the looks of directories that the archive only implies.
    follow: a pipe whose bytes say that the file being read has grown, and whose end says that it is complete.
    """

    bytes_read, entries = Counter(), Counter()
    #: Sum of the sizes of all regular files.
    file_bytes = Counter()
    skipped_devices, skipped_xattrs = Counter(), Counter()
    #: How many directories the archive uses without naming them.
    implied = Counter()

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

        super().__init__("struct td_extract")
        self._lower = ffi.new("int[]", list(lower))
        state = self.state
        state.flags = flags
        state.max_entries, state.max_bytes = max_entries, max_bytes
        state.follow = follow
        state.lower, state.lowers = self._lower, len(lower)

    def run(self, tar: int, root: int) -> None:
        """Reads the descriptor to its end and fills the directory.

        Raises ExtractError; the directory is then half full and to be thrown away.
        """
        code = lib().td_extract(tar, root, self.state)
        if code < 0:
            raise ExtractError(-code, self._reason(), bad_content=bool(self.state.bad_content))

    @property
    def root_seen(self) -> bool:
        """Whether the archive says how its root directory looks."""
        return bool(self.state.root_seen)
