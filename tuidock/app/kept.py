"""What is kept over sessions, in $XDG_STATE_HOME/tuidock: where it lies and how it is written; and single words of it, the
theme that a person has chosen last, the keymap, that the tour was seen. config.yaml wins where it names one."""

from __future__ import annotations

import os
from collections.abc import Mapping


def path(name: str = "theme", environ: Mapping[str, str] = os.environ) -> str:
    home = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "tuidock", name)


def word(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """ "" when nothing was kept or the file is damaged."""
    try:
        with open(path(name, environ), encoding="utf-8") as file:
            found = file.read(64).strip()
    except (OSError, ValueError):
        return ""
    return found if found.replace("-", "").isalnum() and found.isascii() else ""


def keep(name: str, value: str, environ: Mapping[str, str] = os.environ) -> bool:
    """False when that is not possible, and it is for this session only."""
    return write(path(name, environ), f"{value}\n")


def write(target: str, text: str) -> bool:
    """The whole file in one step, with its directory; False when that is not possible."""
    temporary = f"{target}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, target)
    except OSError:
        return False
    return True
