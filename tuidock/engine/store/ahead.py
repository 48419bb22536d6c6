"""Unpacking a layer while its archive is still being read.

In an image archive the layers come before the document that says what they are. So whatever looks like an uncompressed
tar is unpacked at once, by a thread that follows the ingest as it grows; afterwards the draft is taken for the layer, or
thrown away. Nothing depends on it: when it fails, the layer is unpacked in the ordinary way, which says why.
"""

from __future__ import annotations

import os
import threading

from tuidock.engine.store.content import Ingest
from tuidock.engine.store.layers import room
from tuidock.engine.store.snapshots import Draft, Snapshots
from tuidock.native.extractor import ExtractError, Extractor

#: What `looks_like_tar` wants to see (bytes).
HEADER = 512
#: Smaller layers are not worth a thread (bytes).
WORTHWHILE = 1 << 18


def looks_like_tar(first: bytes) -> bool:
    """Whether the first bytes are those of an uncompressed tar."""
    return first[257:262] == b"ustar"


class Ahead:
    """One such unpacking; `close` it in any case."""

    def __init__(self, snapshots: Snapshots, blob: Ingest) -> None:
        self._draft: Draft | None = snapshots.draft()
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writer, False)
        self._tar = os.open(blob.path, os.O_RDONLY | os.O_CLOEXEC)
        self._extractor = Extractor(max_bytes=room(self._draft.path), follow=self._reader)
        self._failed = False
        self._thread = threading.Thread(target=self._run, args=(self._draft.root,), name="tuidock-ahead", daemon=True)
        self._thread.start()

    def _run(self, root: int) -> None:
        try:
            self._extractor.run(self._tar, root)
        except ExtractError:
            self._failed = True

    def grown(self) -> None:
        """The ingest has more bytes now."""
        try:
            os.write(self._writer, b"\0")
        except BlockingIOError:
            pass  # enough news are waiting

    def complete(self) -> None:
        """The ingest will not grow any more."""
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1

    def take(self, *, has_parent: bool) -> tuple[Draft, Extractor] | None:
        """The filled draft, now the caller's, and what was found; None when the layer has to be unpacked anew.

        A layer that implies directories must see those of the layers below, which were not known.
        """
        self.complete()
        self._thread.join()
        if self._draft is None or self._failed or (has_parent and self._extractor.implied):
            return None
        draft, self._draft = self._draft, None
        draft.size = self._extractor.file_bytes
        return draft, self._extractor

    def close(self) -> None:
        """Stops it; a draft that was not taken goes."""
        self._extractor.stop()
        self.complete()
        self._thread.join()
        if self._tar >= 0:
            os.close(self._tar)
            os.close(self._reader)
            self._tar = -1
        if self._draft is not None:
            self._draft.close()
            self._draft = None
