"""The theme that a person has chosen last, kept over sessions beside the columns. config.yaml wins where it names one."""

from __future__ import annotations

import os
from collections.abc import Mapping


def path(environ: Mapping[str, str] = os.environ) -> str:
    home = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "tuidock", "theme")


def theme(environ: Mapping[str, str] = os.environ) -> str:
    """Its name; "" when none was chosen or the file is damaged."""
    try:
        with open(path(environ), encoding="utf-8") as file:
            name = file.read(64).strip()
    except (OSError, ValueError):
        return ""
    return name if name.replace("-", "").isalnum() and name.isascii() else ""


def keep_theme(name: str, environ: Mapping[str, str] = os.environ) -> bool:
    """False when that is not possible, and it is for this session only."""
    target = path(environ)
    temporary = f"{target}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(f"{name}\n")
        os.replace(temporary, target)
    except OSError:
        return False
    return True
