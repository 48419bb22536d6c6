"""Builds: images from Dockerfiles, and the cache that they fill."""

from __future__ import annotations

from tuidock.engine.doors.base import Door


class Builds(Door):
    """Images from Dockerfiles."""
