"""The configuration file, ~/.config/tuidock/config.yaml.

Importing a YAML parser costs as much as starting Python, so what was read is kept as JSON beside the modification time
and the size of the file. Something wrong in the file is one clear sentence for the person and the default for the
program; the app starts in any case.

    theme: nord                       # a name of themes/*.yaml or one of Textual's
    confirm: always                   # always | destructive | never
    mouse: true
    ascii: false                      # states as * o = ~ ! instead of glyphs
    ports: 49000-49900                # where -P publishes
    keymap:
      preset: vim                     # default | vim | k9s | lazydocker
      container.stop: ctrl+t          # id: keys, separated by commas; `?` lists the ids
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

CONFIRM = ("always", "destructive", "never")
DEFAULT_PORTS = (49000, 49900)


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


def config_path(environ: Mapping[str, str] = os.environ) -> str:
    home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(home, "tuidock", "config.yaml")


def cache_path(environ: Mapping[str, str] = os.environ) -> str:
    home = environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "tuidock", "config.json")


def load(path: str = "", cache: str = "") -> Config:
    """Reads the file; the default configuration when there is none."""
    path, cache = path or config_path(), cache or cache_path()
    try:
        stat = os.stat(path)
    except OSError:
        return Config()
    import json

    stamp = [path, stat.st_mtime_ns, stat.st_size]
    try:
        with open(cache, encoding="utf-8") as file:
            kept = json.load(file)
        if kept["stamp"] == stamp:
            return check(kept["data"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    data, problem = _read_yaml(path)
    if problem:
        return Config(problems=(problem,))
    try:
        os.makedirs(os.path.dirname(cache), mode=0o700, exist_ok=True)
        temporary = f"{cache}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({"stamp": stamp, "data": data}, file)
        os.replace(temporary, cache)
    except (OSError, TypeError, ValueError):
        pass  # a cache that cannot be written is only slower
    return check(data)


def _read_yaml(path: str) -> tuple[Any, str]:
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            return yaml.safe_load(file), ""
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}:" if mark is not None else ""
        reason = str(getattr(error, "problem", "") or "it cannot be read").strip()
        return None, f"config.yaml is not valid YAML,{place} {reason}; the defaults are used"
    except (OSError, ValueError) as error:
        return None, f"config.yaml cannot be read ({error}); the defaults are used"


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
        elif key == "ports" and (ports := _ports(value)) is not None:
            config = config._replace(ports=ports)
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
        "keymap": "a list of `id: keys` lines",
    }
    if key in expected:
        return f"config.yaml: {key} must be {expected[key]}, not {value!r}"
    return f"config.yaml: there is no setting {key!r}{_nearest(key, list(expected))}"


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}" if len(known) < 10 else ""


def _ports(value: object) -> tuple[int, int] | None:
    first, separator, last = str(value).partition("-")
    if not (separator and first.strip().isdigit() and last.strip().isdigit()):
        return None
    low, high = int(first), int(last)
    return (low, high) if 0 < low <= high < 65536 else None


def _keymap(data: Mapping[object, object]) -> tuple[str, dict[str, str], list[str]]:
    from tuidock.app.bindings import BY_ID, PRESETS

    preset, keys, problems = "default", {}, []
    for key, value in data.items():
        if key == "preset":
            if value in PRESETS:
                preset = str(value)
            else:
                problems.append(f"config.yaml: keymap.preset must be one of {', '.join(PRESETS)}, not {value!r}")
        elif key not in BY_ID:
            problems.append(f"config.yaml: keymap has no action {key!r}{_nearest(str(key), list(BY_ID))}")
        elif isinstance(value, list) and all(isinstance(each, str) for each in value):
            keys[str(key)] = ",".join(value)
        elif isinstance(value, str | int) and not isinstance(value, bool):
            keys[str(key)] = str(value)
        else:
            problems.append(f"config.yaml: keymap.{key} must be keys separated by commas, not {value!r}")
    return preset, keys, problems
