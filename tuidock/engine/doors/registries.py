"""Registries: pull, push, search, login, logout."""

from __future__ import annotations

from tuidock.engine.doors.base import Door


class Registries(Door):
    """What comes from registries and goes to them."""
