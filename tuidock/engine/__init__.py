"""The engine: everything that tuidock does with containers, without a screen. `Engine` is its door."""

from tuidock.engine.engine import Engine

__all__ = ["Engine"]
