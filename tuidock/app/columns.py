"""Which columns a person has hidden, kept over sessions. Not in the configuration file, which belongs to the person."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from tuidock.app.model import KINDS

Hidden = dict[str, set[str]]
#: What a row is, and how it is: never hidden.
ALWAYS = ("name", "state")


def path(environ: Mapping[str, str] = os.environ) -> str:
    home = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "tuidock", "columns.json")


def load(environ: Mapping[str, str] = os.environ) -> Hidden:
    """Keys of the hidden columns by the name of the pane; nothing when the file is missing or damaged."""
    try:
        with open(path(environ), encoding="utf-8") as file:
            kept = json.load(file)
        return {kind: {str(key) for key in kept[kind]} - {*ALWAYS} for kind in KINDS if kind in kept}
    except (OSError, ValueError, TypeError):
        return {}


def save(hidden: Hidden, environ: Mapping[str, str] = os.environ) -> None:
    """Keeps them; when that is not possible they are hidden for this session only."""
    target = path(environ)
    temporary = f"{target}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({kind: sorted(keys) for kind, keys in hidden.items() if keys}, file)
        os.replace(temporary, target)
    except OSError:
        pass
