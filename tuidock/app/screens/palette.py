"""Textual's command palette, closing once."""

from __future__ import annotations

from textual.command import CommandPalette

from tuidock.app.screens.closing import ClosesOnce


class Palette(ClosesOnce, CommandPalette):
    """Everything that can be done, to search in."""
