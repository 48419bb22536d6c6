"""Layers: commit, export, differences, what is in which layer."""

from __future__ import annotations

from tuidock.engine.doors.base import Door


class Layers(Door):
    """The files of containers and images, seen as layers."""
