"""Simplified Chinese: every text of the app by its English source, a module for each part of the app."""

from __future__ import annotations

from collections.abc import Mapping

from tuidock.app.words.zh import actions, forms, keys, lists, screens

SENTENCES: Mapping[str, str] = {
    **actions.SENTENCES,
    **keys.SENTENCES,
    **forms.SENTENCES,
    **screens.SENTENCES,
    **lists.SENTENCES,
}
