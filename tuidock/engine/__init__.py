"""The engine: everything that tuidock does with containers, without a screen. `Engine` is its door."""

from __future__ import annotations

__all__ = ["Engine"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.engine.engine import Engine


def __getattr__(name: str) -> object:
    """Loads the door when somebody asks for it: parsing a command line needs only `engine.options`."""
    if name == "Engine":
        from tuidock.engine.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
