"""The app's side of the configuration: themes, keymap, commands of one's own, and reading all of it again when it changes.

The directory of config.yaml and that of the themes are watched by inotify, on the event loop: nothing runs until somebody
saves. A file with a fault changes nothing, and one sentence says where it is. What the screen was built with - ascii,
language, ports, lists - counts from the next start.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from textual.constants import DEFAULT_THEME
from textual.theme import BUILTIN_THEMES, Theme

from tuidock.app import config as files
from tuidock.app import kept
from tuidock.app import theme as themes
from tuidock.app.bindings import ACTIONS, BY_ID, keymap_of
from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from textual.timer import Timer

    from tuidock.app.app import TuidockApp
    from tuidock.app.config import Config
    from tuidock.app.logs.watch import DirectoryWatch
    from tuidock.app.plugins import Plugin

#: Seconds after a change until the file is read: an editor writes it in several steps.
SETTLED = 0.2
#: What counts from the next start.
LATER = ("ascii", "language", "ports", "lists")


class Settings:
    """Mixed into the app."""

    _own_themes: dict[str, Theme]
    _watch: DirectoryWatch | None = None
    _reading: Timer | None = None
    _stamp: tuple[int, int] = (0, 0)

    # -- themes -------------------------------------------------------------------------------------------------------

    @property
    def available_themes(self) -> dict[str, Theme]:
        """Textual's and those of themes/*.yaml."""
        return {**BUILTIN_THEMES, **self._own_themes}

    def _choose_theme(self: TuidockApp) -> None:  # type: ignore[misc]
        """The theme has to be known before the app is made: changing it afterwards costs a whole pass over all styles
        at the start, and under NO_COLOR the filter that sends no colours is chosen by the first theme."""
        loaded, problems = themes.load_themes()
        self._own_themes = {theme.name: theme for theme in loaded}
        self.problems += problems
        wanted = self.config.theme
        if wanted and wanted not in self.available_themes:
            if not self.config.theme_kept:
                self.problems.append(tr("config.yaml: there is no theme {name!r}; `:theme` lists them", name=wanted))
            wanted = ""
        self._reactive_theme = wanted if wanted and not os.environ.get("NO_COLOR") else self._default_theme()

    def _default_theme(self) -> str:
        """Without colours only a theme of the terminal's own palette sends none."""
        default = themes.default_theme(os.environ)
        return default if default in self._own_themes else DEFAULT_THEME

    def choose_theme(self: TuidockApp, name: str) -> None:  # type: ignore[misc]
        """From now on, also in later sessions - unless config.yaml names one."""
        self.theme = name
        if self.config.theme and not self.config.theme_kept:
            self.say(tr("{name} in this session; config.yaml says {other}.", name=name, other=self.config.theme))
        elif kept.keep("theme", name):
            self.config = self.config._replace(theme=name, theme_kept=True)
            if not self.is_headless:
                self.set_timer(0.5, self._keep_colours)

    # -- keys ---------------------------------------------------------------------------------------------------------

    def use_keymap(self: TuidockApp, preset: str) -> None:  # type: ignore[misc]
        """From now on, also in later sessions - unless config.yaml names one."""
        problems = self._set_keymap(preset)
        for problem in problems:
            self.say(problem, "warning")
        if self.config.preset and not self.config.preset_kept:
            self.say(
                tr("Keymap {name} in this session; config.yaml says {other}.", name=preset, other=self.config.preset)
            )
        else:
            kept.keep("keymap", preset)
            self.config = self.config._replace(preset=preset, preset_kept=True)
            self.say(tr("Keymap {name}.", name=preset))
        self._draw_keys()

    def _set_keymap(self: TuidockApp, preset: str) -> list[str]:  # type: ignore[misc]
        own = self.config.keys
        keymap, problems = keymap_of(preset, own)
        if self.config.plugins:
            problems += self._give_keys_to_plugins(keymap)
        if any(identity not in BY_ID for identity in own):
            from tuidock.app.keymaps import settle

            problems += settle(own, keymap)
        self.keymap = keymap
        # Textual takes an empty string for "as before"; a key that nobody can press takes the key away.
        self.set_keymap({identity: keys or f"no-key-{identity}" for identity, keys in keymap.items()})
        return problems

    def _give_keys_to_plugins(self: TuidockApp, keymap: dict[str, str]) -> list[str]:  # type: ignore[misc]
        """A key that was given to a command on purpose is not the action's any more that has it by default."""
        from tuidock.app.keymaps import settle_in

        scope = {action.id: action.keys for action in ACTIONS}
        given = {f"plugin {each.id}": each.key for each in self.config.plugins if each.key}
        problems = []
        for name in given:
            problems += settle_in({**scope, **given}, name, {**self.config.keys, **given}, keymap)
        for name in given:
            keymap.pop(name, None)
        return problems

    def plugin_of(self: TuidockApp, key: str) -> Plugin | None:  # type: ignore[misc]
        """The command of one's own with that key."""
        return next((each for each in self.config.plugins if each.key == key), None)

    def _draw_keys(self: TuidockApp) -> None:  # type: ignore[misc]
        if (main := self.main) is not None:
            main._situation_seen = None
            main.refresh_keys()
        for screen in self.screen_stack:
            draw = getattr(screen, "draw_keys", None)
            if draw is not None:
                draw()

    def show_tour_once(self: TuidockApp) -> None:  # type: ignore[misc]
        """For somebody who sees the app for the first time."""
        if kept.word("tour"):
            return
        from tuidock.app.screens import tour

        if tour.wanted(self.read_only) and self.screen is self.main:
            tour.begin(self)

    # -- reading it again ---------------------------------------------------------------------------------------------

    def watch_settings(self: TuidockApp) -> None:  # type: ignore[misc]
        """From now on what is saved counts at once."""
        import asyncio

        from tuidock.app.logs.watch import DirectoryWatch

        self._stamp = _stamp(files.config_path())
        try:
            self._watch = DirectoryWatch([os.path.dirname(files.config_path()), str(themes.user_directory())])
        except OSError:
            return  # no more watches to be had: it counts from the next start
        asyncio.get_running_loop().add_reader(self._watch.fd, self._settings_changed)

    def unwatch_settings(self: TuidockApp) -> None:  # type: ignore[misc]
        import asyncio

        watch, self._watch = self._watch, None
        if watch is not None:
            asyncio.get_running_loop().remove_reader(watch.fd)
            watch.close()

    def _settings_changed(self: TuidockApp) -> None:  # type: ignore[misc]
        if self._watch is None or not self._watch.drain():
            return
        if self._reading is not None:
            self._reading.stop()
        self._reading = self.set_timer(SETTLED, self.reload_settings)

    def reload_settings(self: TuidockApp) -> None:  # type: ignore[misc]
        """Takes over what has changed; nothing of a file with a fault."""
        self._reload_themes()
        stamp = _stamp(files.config_path())
        if stamp == self._stamp:
            return
        self._stamp = stamp
        fresh = files.load()
        before = self.config
        if not fresh.theme:
            fresh = fresh._replace(theme=before.theme if before.theme_kept else "", theme_kept=before.theme_kept)
        if not fresh.preset:
            fresh = fresh._replace(preset=before.preset if before.preset_kept else "", preset_kept=before.preset_kept)
        if fresh.theme and fresh.theme not in self.available_themes:
            problem = tr("config.yaml: there is no theme {name!r}; `:theme` lists them", name=fresh.theme)
            fresh = fresh._replace(problems=(*fresh.problems, problem))
        if fresh.problems:
            for problem in fresh.problems[:3]:
                self.say(_kept_as_they_were(problem), "warning")
            return
        if fresh == before._replace(problems=()):
            return
        self._take_over(fresh)

    def _take_over(self: TuidockApp, fresh: Config) -> None:  # type: ignore[misc]
        before, self.config = self.config, fresh
        if fresh.theme != before.theme:
            self.theme = fresh.theme if fresh.theme and not os.environ.get("NO_COLOR") else self._default_theme()
            if not self.is_headless:
                self.set_timer(0.5, self._keep_colours)
        if fresh.mouse != before.mouse and fresh.mouse != self._mouse_on:
            self.toggle_mouse()
        for problem in self._set_keymap(fresh.preset):
            self.say(problem, "warning")
        self._draw_keys()
        later = [name for name in LATER if getattr(fresh, name) != getattr(before, name)]
        if later:
            self.say(tr("config.yaml was read again; {names} from the next start.", names=", ".join(later)))
        else:
            self.say(tr("config.yaml was read again."))

    def _reload_themes(self: TuidockApp) -> None:  # type: ignore[misc]
        loaded, problems = themes.load_themes()
        found = {theme.name: theme for theme in loaded}
        for problem in problems[:3]:
            self.say(clean(problem), "warning")
        now = self.current_theme
        # One that is faulty now, or gone while it is worn, stays as it was.
        found = {**{name: theme for name, theme in self._own_themes.items() if problems or name == self.theme}, **found}
        if found != self._own_themes:
            self._own_themes = found
            if self.current_theme != now:
                self._watch_theme(self.theme)


def _stamp(path: str) -> tuple[int, int]:
    """Tells one state of the file from the next; directories above it change for other reasons, too."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _kept_as_they_were(problem: str) -> str:
    return clean(problem.removesuffix("; the defaults are used")) + tr("; the settings stay as they were")
