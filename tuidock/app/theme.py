"""Colour themes: YAML files in themes/, read into Textual themes.

A theme of one's own goes to ~/.config/tuidock/themes; one with a fault is left out with one sentence about it, and the
app starts in any case. Importing a YAML parser costs as much as starting Python, so what was read is kept as JSON
beside names, times and sizes of the files. With NO_COLOR the choice falls on a theme that follows the terminal's own
palette, because only for those Textual sends no colour at all; on an unknown terminal that is a safe choice, too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

DEFAULT: Final = "tuidock-dark"
PLAIN: Final = "terminal-dark"
_COLOURS: Final = (
    "primary", "secondary", "warning", "error", "success", "accent",
    "foreground", "background", "surface", "panel", "boost",
)  # fmt: skip
_REQUIRED: Final = ("primary", "warning", "error", "success", "accent", "foreground", "background")
_FEW_COLOURS: Final = ("linux", "vt100", "vt220", "xterm", "screen", "ansi", "dumb")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_VARIABLE: Final = re.compile(r"[a-z][a-z0-9-]{0,59}")
_VALUE: Final = re.compile(r"[#\w%., ()-]{1,60}")


def shipped_directory() -> Path:
    """themes/ of a checkout, so that an edit shows at once; else what the package brought along."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent / "themes"
    return checkout if (package.parent / "pyproject.toml").exists() and checkout.is_dir() else package / "themes"


def user_directory(environ: Mapping[str, str] = os.environ) -> Path:
    home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home) / "tuidock" / "themes"


def theme_names(available: Mapping[str, Theme]) -> list[str]:
    """Those of tuidock and of the person first, then Textual's."""
    return sorted(available, key=lambda name: (name in BUILTIN_THEMES, name))


def default_theme(environ: Mapping[str, str] = os.environ) -> str:
    """The theme when nobody chose one: the terminal's palette under NO_COLOR and on terminals of few colours."""
    if environ.get("NO_COLOR") or environ.get("TERM", "") in _FEW_COLOURS:
        return PLAIN
    return DEFAULT


def checked(values: object, name: str) -> tuple[Theme | None, list[str]]:
    """A theme from what a file says, and what is wrong with it."""
    if not isinstance(values, dict):
        return None, [f"theme {name}: the file is not a list of `name: value` lines"]
    problems: list[str] = []
    arguments: dict[str, Any] = {"name": name}
    if not _NAME.fullmatch(name):
        problems.append(f"theme {name!r}: a name has small letters, digits and dashes")
    known = {*_COLOURS, "dark", "ansi", "variables", "luminosity_spread", "text_alpha"}
    for key, value in values.items():
        if key not in known:
            problems.append(f"theme {name}: unknown key {key!r}; known are {', '.join(sorted(known))}")
        elif key in _COLOURS:
            try:
                Color.parse(str(value))
                arguments[key] = str(value)
            except ColorParseError:
                problems.append(f"theme {name}: {key}: {value!r} is no colour; write '#rrggbb' in quotes or ansi_blue")
        elif key in ("dark", "ansi"):
            if isinstance(value, bool):
                arguments[key] = value
            else:
                problems.append(f"theme {name}: {key} is true or false, not {value!r}")
        elif key == "variables":
            variables, wrong = _variables(value, name)
            arguments[key] = variables
            problems += wrong
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
            arguments[key] = float(value)
        else:
            problems.append(f"theme {name}: {key} is a number from 0 to 1, not {value!r}")
    problems += [f"theme {name}: {key} is missing" for key in _REQUIRED if key not in values]
    return (None, problems) if problems else (Theme(**arguments), [])


def _variables(values: object, name: str) -> tuple[dict[str, str], list[str]]:
    if not isinstance(values, dict):
        return {}, [f"theme {name}: variables is a list of `name: value` lines"]
    wrong = [
        f"theme {name}: the variable {key!r}: {value!r} has characters that a style cannot have"
        for key, value in values.items()
        if not (_VARIABLE.fullmatch(str(key)) and _VALUE.fullmatch(str(value)))
    ]
    return {str(key): str(value) for key, value in values.items()}, wrong


def load_themes(extra_directory: str = "", environ: Mapping[str, str] = os.environ) -> tuple[list[Theme], list[str]]:
    """Shipped themes, then one's own (which win by name), and a sentence for each fault."""
    directories = [shipped_directory(), Path(extra_directory) if extra_directory else user_directory(environ)]
    files = [file for directory in directories for file in sorted(directory.glob("*.yaml"))]
    contents, problems = _read(files, environ)
    themes: dict[str, Theme] = {}
    for file in files:
        if str(file) in contents:
            theme, wrong = checked(contents[str(file)], file.stem)
            problems += wrong
            if theme is not None:
                themes[theme.name] = theme
    return list(themes.values()), problems


def _read(files: list[Path], environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """What the files say, from the cache when none has changed since."""
    stamp = []
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            continue
        stamp.append([str(file), stat.st_mtime_ns, stat.st_size])
    cache = Path(environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "tuidock" / "themes.json"
    try:
        kept = json.loads(cache.read_text("utf-8"))
        if kept["stamp"] == stamp:
            return dict(kept["contents"]), []
    except (OSError, ValueError, KeyError, TypeError):
        pass
    contents, problems = _parse(files)
    if not problems:
        _keep(cache, {"stamp": stamp, "contents": contents})
    return contents, problems


def _parse(files: list[Path]) -> tuple[dict[str, Any], list[str]]:
    import yaml

    contents: dict[str, Any] = {}
    problems: list[str] = []
    for file in files:
        try:
            contents[str(file)] = yaml.safe_load(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            problems.append(f"theme {file.stem}: cannot read {file}: {' '.join(str(error).split())}")
    return contents, problems


def _keep(cache: Path, value: dict[str, Any]) -> None:
    temporary = cache.with_name(f"{cache.name}.{os.getpid()}")
    try:
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_text(json.dumps(value), "utf-8")
        os.replace(temporary, cache)
    except (OSError, TypeError, ValueError):
        pass  # without a cache the next start is a little slower
