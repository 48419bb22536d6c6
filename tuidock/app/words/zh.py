"""Simplified Chinese: every text of the app by its English source."""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {}
