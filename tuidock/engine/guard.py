"""A small process that gives a terminal back when the program that had it was killed by what nobody can catch.

It sleeps in a read until that program ends, as `tuidock-shim guard` (native/src/shim/guard.c); the app spawns it once the
first frame stands. It hears of the end before the shell does, because descriptors go first, and does nothing when the
terminal was given back, which it is told of.
"""

from __future__ import annotations

import os

from tuidock import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PIPE = 3
TAKEN, GIVEN_BACK = b"t", b"r"


class Guard:
    """attributes: those of the terminal before it was taken. One that cannot be started is none, and no reason to fail."""

    def __init__(self, terminal: int, attributes: list[Any]) -> None:
        self._pipe = -1
        # They have to be known, not read by the guard: it may look when the app has changed them already.
        flags = [str(int(each)) for each in attributes[:4]]
        reader, writer = os.pipe2(os.O_CLOEXEC)
        actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, reader, _PIPE)]
        actions += [(os.POSIX_SPAWN_DUP2, terminal, number) for number in (0, 1, 2)]
        try:
            os.posix_spawn(native.shim_path(), ["tuidock-shim", "guard", *flags], {}, file_actions=actions, setsid=True)
            self._pipe = writer
        except OSError:
            os.close(writer)
        finally:
            os.close(reader)

    def tell(self, word: bytes) -> None:
        if self._pipe >= 0:
            try:
                os.write(self._pipe, word)
            except OSError:
                os.close(self._pipe)
                self._pipe = -1
