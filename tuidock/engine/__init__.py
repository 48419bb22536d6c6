"""The engine: everything that tuidock does with containers, without a screen. `Engine` is its door."""

from __future__ import annotations

__all__ = ["Engine", "examine"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.engine.engine import Engine
    from tuidock.engine.system.doctor import examine


def __getattr__(name: str) -> object:
    """Loads the door when somebody asks for it: parsing a command line needs only `engine.options`."""
    if name == "Engine":
        from tuidock.engine.engine import Engine

        return Engine
    if name == "examine":  # of the machine, which needs no data root and so no Engine
        from tuidock.engine.system.doctor import examine

        return examine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
