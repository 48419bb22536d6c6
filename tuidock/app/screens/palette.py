"""The command palette: every action that is possible now, and commands of one's own, to search in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from tuidock.app.bindings import ACTIONS, keys_of, label_of, possible, show_keys
from tuidock.app.model import row_name
from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.words import tr
from tuidock.engine.clean import clean


class Palette(ClosesOnce, CommandPalette):
    """Textual's, closing once."""


class TuidockCommands(Provider):
    """Every action that is possible now, for the palette."""

    def _offers(self) -> list[tuple[str, str, Callable[[], None]]]:
        from tuidock.app.screens.main import MainScreen

        screen = self.screen
        if not isinstance(screen, MainScreen):
            return []
        situation = screen.situation
        keymap = screen.tuidock.keymap
        offers: list[tuple[str, str, Callable[[], None]]] = []
        for action in ACTIONS:
            if not action.screen or action.id == "app.palette" or not possible(action, situation):
                continue
            keys = show_keys(keys_of(action, keymap))
            label = label_of(action, situation)
            about = f"{tr(action.help)}  ({keys})" if keys else tr(action.help)
            row = situation.row
            if action.when is not None and row is not None and not situation.marked:
                label += f" {clean(row_name(row))}"
            offers.append((label, about, partial(screen.action_do, action.id)))
        from tuidock.app.actions import plugins

        for plugin in plugins.possible(screen):
            keys = f"  ({show_keys(plugin.key)})" if plugin.key else ""
            about = f"{clean(plugin.help) or tr('A command of your own')}{keys}"
            offers.append((clean(plugin.name), about, partial(plugins.begin, screen, plugin)))
        return offers

    async def discover(self) -> Hits:
        for label, about, call in self._offers():
            yield DiscoveryHit(label, call, help=about)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for label, about, call in self._offers():
            score = max(matcher.match(label), 0.6 * matcher.match(about))
            if score > 0:
                yield Hit(score, matcher.highlight(label), call, help=about)
