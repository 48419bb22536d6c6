"""The configuration file, ~/.config/tuidock/config.yaml.

How the file is read is in `engine.options.settings`, as the command line needs the ports too. Something wrong in it is one
clear sentence for the person and the default for the program; the app starts in any case.

    theme: nord                       # a name of themes/*.yaml or one of Textual's
    confirm: always                   # always | destructive | never
    mouse: true
    ascii: false                      # states as * o = ~ ! instead of glyphs
    ports: 49000-49900                # where -P publishes
    trash: {keep: 24h, size: 10%}     # what was removed can come back so long; keep: 0 for never
    registries:                       # see engine.registry.settings
      mirrors: [https://mirror.example]
      insecure: [registry.example:5000]
    keymap:
      preset: vim                     # default | vim | k9s | lazydocker
      container.stop: ctrl+t          # id: keys, separated by commas; `?` lists the ids
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tuidock.engine.options.settings import DEFAULT_PORTS, cache_path, config_path, load_data, parse_ports, parse_trash

__all__ = ["DEFAULT_PORTS", "Config", "cache_path", "check", "config_path", "load"]

CONFIRM = ("always", "destructive", "never")


class Config(NamedTuple):
    """What the file says; problems are sentences about what it says wrongly."""

    theme: str = ""
    confirm: str = "always"
    mouse: bool = True
    ascii: bool = False
    ports: tuple[int, int] = DEFAULT_PORTS
    preset: str = "default"
    keys: Mapping[str, str] = {}
    problems: tuple[str, ...] = ()
    theme_kept: bool = False  # the theme is not named in the file: the person chose it last


def load(path: str = "", cache: str = "") -> Config:
    """Reads the file; the default configuration when there is none."""
    data, problem = load_data(path, cache)
    return Config(problems=(problem,)) if problem else check(data)


def check(data: object) -> Config:
    """The configuration that the data of the file means."""
    if data is None:
        return Config()
    if not isinstance(data, dict):
        return Config(problems=("config.yaml must consist of `name: value` lines; the defaults are used",))
    config = Config()
    problems: list[str] = []
    for key, value in data.items():
        if key == "theme" and isinstance(value, str):
            config = config._replace(theme=value)
        elif key == "confirm" and value in CONFIRM:
            config = config._replace(confirm=str(value))
        elif key == "mouse" and isinstance(value, bool):
            config = config._replace(mouse=value)
        elif key == "ascii" and isinstance(value, bool):
            config = config._replace(ascii=value)
        elif key == "ports" and (ports := parse_ports(value)) is not None:
            config = config._replace(ports=ports)
        elif key == "trash" and parse_trash(value) is not None:
            continue  # the engine reads it
        elif key == "registries" and isinstance(value, dict):
            continue  # whoever speaks to a registry reads it, and complains
        elif key == "keymap" and isinstance(value, dict):
            preset, keys, wrong = _keymap(value)
            problems += wrong
            config = config._replace(preset=preset, keys=keys)
        else:
            problems.append(_complaint(str(key), value))
    return config._replace(problems=tuple(problems))


def _complaint(key: str, value: object) -> str:
    expected = {
        "theme": "the name of a theme",
        "confirm": "always, destructive or never",
        "mouse": "true or false",
        "ascii": "true or false",
        "ports": "a range such as 49000-49900",
        "trash": "as {keep: 24h, size: 10%}",
        "registries": "`mirrors:` and `insecure:` lines",
        "keymap": "a list of `id: keys` lines",
    }
    if key in expected:
        return f"config.yaml: {key} must be {expected[key]}, not {value!r}"
    return f"config.yaml: there is no setting {key!r}{_nearest(key, list(expected))}"


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}" if len(known) < 10 else ""


def _keymap(data: Mapping[object, object]) -> tuple[str, dict[str, str], list[str]]:
    from tuidock.app.bindings import BY_ID, PRESETS

    preset, problems = "default", []
    keys: dict[str, str | None] = {}
    for key, value in data.items():
        if key == "preset":
            if value in PRESETS:
                preset = str(value)
            else:
                problems.append(f"config.yaml: keymap.preset must be one of {', '.join(PRESETS)}, not {value!r}")
        elif key not in BY_ID:
            problems.append(f"config.yaml: keymap has no action {key!r}{_nearest(str(key), list(BY_ID))}")
        elif isinstance(value, list) and all(isinstance(each, str) for each in value):
            keys[str(key)], wrong = _keys(str(key), value)
            problems += wrong
        elif isinstance(value, str | int) and not isinstance(value, bool):
            keys[str(key)], wrong = _keys(str(key), str(value).split(","))
            problems += wrong
        else:
            problems.append(f"config.yaml: keymap.{key} must be keys separated by commas, not {value!r}")
    return preset, {key: each for key, each in keys.items() if each is not None}, problems


def _keys(action: str, written: list[str]) -> tuple[str | None, list[str]]:
    """The keys of an action as Textual names them, None when none of them exists and the default stays."""
    from tuidock.app.keys import textual_key

    wanted = [each.strip() for each in written if each.strip()]
    found = [name for each in wanted if (name := textual_key(each))]
    wrong = [
        f"config.yaml: keymap.{action}: there is no key {each!r}; keys are written as t, T, ctrl+t, f5, enter or slash"
        for each in wanted
        if not textual_key(each)
    ]
    return (None if wanted and not found else ",".join(found)), wrong
