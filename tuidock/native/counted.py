"""Work of C that takes long: it runs without the interpreter lock, and other threads read its counters and stop it.

All of that goes by one structure, which both sides see; `state` is it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Counter:
    """A number of the structure, as an attribute of the same name."""

    def __set_name__(self, owner: type[Work], name: str) -> None:
        self._name = name

    def __get__(self, work: Work, owner: type[Work]) -> int:
        return int(getattr(work.state, self._name))


class Work:
    """kind: the structure's type in C; it begins with zeros."""

    def __init__(self, kind: str) -> None:
        from tuidock.native._kernel import ffi

        self.state: Any = ffi.new(f"{kind} *")

    def stop(self) -> None:
        """Makes `run` in another thread end with ECANCELED soon."""
        self.state.stop = 1

    def _reason(self) -> str:
        """What it left as message: names in it are not cleaned."""
        from tuidock.native._kernel import ffi

        raw = ffi.string(self.state.message)
        assert isinstance(raw, bytes)
        return raw.decode("utf-8", "replace")
