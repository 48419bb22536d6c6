"""tuidock: containers with an engine of its own, in the terminal."""

__version__ = "0.3.0"
