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
    lists:                            # see app.lists
      containers: {columns: [name, state, cpu, memory], sort: cpu, reverse: true, group: project}
    language: zh                      # en | zh | auto, which follows LC_ALL, LC_MESSAGES and LANG
    terminal:                         # shells and attached containers; see app.terminal
      exec: pane                      # pane: inside the app | full: the whole terminal is given away, as with docker
      leader: ctrl+]                  # the app's own keys are behind it
      detach: ctrl-p,ctrl-q           # as docker's --detach-keys
    keymap:
      preset: vim                     # tuidock | lazydocker | k9s | vim
      container.stop: ctrl+t          # id: keys, separated by commas; `?` lists the ids
    plugins:                          # see app.plugins
      - {name: Scan, key: ctrl+t, panes: [images], command: [trivy, image, "{name}"], run: output, reads: true}

The app reads it again when it is saved: see `app.settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tuidock.app.lists import Listing, configured
from tuidock.app.words import LANGUAGES
from tuidock.engine.options.settings import DEFAULT_PORTS, cache_path, config_path, load_data, parse_ports, parse_trash

if TYPE_CHECKING:
    from tuidock.app.plugins import Plugin

__all__ = ["DEFAULT_PORTS", "Config", "cache_path", "check", "config_path", "load"]

CONFIRM = ("always", "destructive", "never")
#: What each setting must be, for the sentence about one that is not.
EXPECTED = {
    "theme": "the name of a theme",
    "confirm": "always, destructive or never",
    "mouse": "true or false",
    "ascii": "true or false",
    "language": f"auto, {' or '.join(LANGUAGES)}",
    "ports": "a range such as 49000-49900",
    "trash": "as {keep: 24h, size: 10%}",
    "registries": "`mirrors:` and `insecure:` lines",
    "lists": "`containers:`, `images:` ... with their columns, sort and group",
    "terminal": "as {exec: pane, leader: ctrl+], detach: ctrl-p,ctrl-q}",
    "keymap": "a list of `id: keys` lines",
    "plugins": "a list of commands, each with name: and command:",
}
#: Where a setting stands: "config.yaml" or "config.yaml, line 3".
Where = Callable[..., str]


class Config(NamedTuple):
    """What the file says; problems are sentences about what it says wrongly."""

    theme: str = ""
    confirm: str = "always"
    mouse: bool = True
    ascii: bool = False
    ports: tuple[int, int] = DEFAULT_PORTS
    preset: str = ""
    keys: Mapping[str, str] = {}
    lists: Mapping[str, Listing] = {}
    language: str = ""
    plugins: tuple[Plugin, ...] = ()
    exec_in: str = "pane"
    leader: str = "ctrl+right_square_bracket"
    detach_keys: str = ""
    problems: tuple[str, ...] = ()
    theme_kept: bool = False  # the theme is not named in the file: the person chose it last
    preset_kept: bool = False


def load(path: str = "", cache: str = "") -> Config:
    """Reads the file; the default configuration when there is none."""
    data, problem = load_data(path, cache)
    return Config(problems=(problem,)) if problem else check(data, _where(path or config_path()))


def _where(path: str) -> Where:
    """Tells the line of a setting. The file is read for that when something is wrong with it, not before."""
    lines: dict[tuple[str, ...], int] = {}

    def where(*keys: str) -> str:
        if not lines:
            lines.update(_lines(path))
        return f"config.yaml, line {lines[keys]}" if keys in lines else "config.yaml"

    return where


def _lines(path: str) -> dict[tuple[str, ...], int]:
    """The lines of the settings and of what stands directly in them."""
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            root = yaml.compose(file, yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    found: dict[tuple[str, ...], int] = {}
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        found[(str(key.value),)] = key.start_mark.line + 1
        if isinstance(value, yaml.MappingNode):
            for inner, _ in value.value:
                found[(str(key.value), str(inner.value))] = inner.start_mark.line + 1
        elif isinstance(value, yaml.SequenceNode):
            for at, each in enumerate(value.value, 1):
                found[(str(key.value), str(at))] = each.start_mark.line + 1
    return found


def check(data: object, where: Where = lambda *keys: "config.yaml") -> Config:
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
        elif key == "language" and value in ("auto", *LANGUAGES):
            config = config._replace(language="" if value == "auto" else str(value))
        elif key == "ports" and (ports := parse_ports(value)) is not None:
            config = config._replace(ports=ports)
        elif key == "trash" and parse_trash(value) is not None:
            continue  # the engine reads it
        elif key == "registries" and isinstance(value, dict):
            continue  # whoever speaks to a registry reads it, and complains
        elif key == "lists" and isinstance(value, dict):
            listings, wrong = configured(value)
            problems += wrong
            config = config._replace(lists=listings)
        elif key == "terminal" and (terminal := _terminal(value)) is not None:
            config = config._replace(**terminal)
        elif key == "keymap" and isinstance(value, dict):
            preset, keys, wrong = _keymap(value, where)
            problems += wrong
            config = config._replace(preset=preset, keys=keys)
        elif key == "plugins" and isinstance(value, list):
            from tuidock.app import plugins

            found, wrong = plugins.check(value, where)
            problems += wrong
            config = config._replace(plugins=found)
        else:
            problems.append(_complaint(str(key), value, where))
    return config._replace(problems=tuple(problems))


def _terminal(value: object) -> dict[str, Any] | None:
    """The settings of `terminal:`; None when one of them is none."""
    from tuidock.app.keys import textual_key
    from tuidock.engine.errors import InvalidArgument
    from tuidock.engine.options.detach_keys import check_detach_keys

    if not isinstance(value, dict) or not set(value) <= {"exec", "leader", "detach"}:
        return None
    found: dict[str, Any] = {}
    if "exec" in value:
        found["exec_in"] = str(value["exec"])
    if "leader" in value:
        found["leader"] = textual_key(str(value["leader"]))
    if "detach" in value:
        found["detach_keys"] = str(value["detach"])
    try:
        check_detach_keys(found.get("detach_keys", ""))
    except InvalidArgument:
        return None
    return found if found.get("exec_in", "pane") in ("pane", "full") and found.get("leader", "-") else None


def _complaint(key: str, value: object, where: Where) -> str:
    if key in EXPECTED:
        return f"{where(key)}: {key} must be {EXPECTED[key]}, not {value!r}"
    return f"{where(key)}: there is no setting {key!r}{_nearest(key, list(EXPECTED))}"


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}" if len(known) < 15 else ""


def _keymap(data: Mapping[object, object], where: Where) -> tuple[str, dict[str, str], list[str]]:
    from tuidock.app.bindings import BY_ID, PRESET_NAMES, PRESETS

    preset, problems = "", []
    # Keys of the other screens are looked at when the app is there: see keymaps.
    rooms = {identity.partition(".")[0] for identity in BY_ID} - {"log"}
    keys: dict[str, str | None] = {}
    for key, value in data.items():
        if key == "preset":
            if (name := PRESET_NAMES.get(str(value), str(value))) in PRESETS:
                preset = name
            else:
                problems.append(
                    f"{where('keymap', 'preset')}: keymap.preset must be one of {', '.join(PRESETS)}, not {value!r}"
                )
        elif key not in BY_ID and str(key).partition(".")[0] in rooms:
            problems.append(
                f"{where('keymap', str(key))}: keymap has no action {key!r}{_nearest(str(key), list(BY_ID))}"
            )
        elif isinstance(value, list) and all(isinstance(each, str) for each in value):
            keys[str(key)], wrong = _keys(str(key), value, where)
            problems += wrong
        elif isinstance(value, str | int) and not isinstance(value, bool):
            keys[str(key)], wrong = _keys(str(key), str(value).split(","), where)
            problems += wrong
        else:
            problems.append(
                f"{where('keymap', str(key))}: keymap.{key} must be keys separated by commas, not {value!r}"
            )
    return preset, {key: each for key, each in keys.items() if each is not None}, problems


def _keys(action: str, written: list[str], where: Where) -> tuple[str | None, list[str]]:
    """The keys of an action as Textual names them, None when none of them exists and the default stays."""
    from tuidock.app.keys import textual_key

    wanted = [each.strip() for each in written if each.strip()]
    found = [name for each in wanted if (name := textual_key(each))]
    wrong = [
        f"{where('keymap', action)}: keymap.{action}: there is no key {each!r}; "
        "keys are written as t, T, ctrl+t, f5, enter or slash"
        for each in wanted
        if not textual_key(each)
    ]
    return (None if wanted and not found else ",".join(found)), wrong
