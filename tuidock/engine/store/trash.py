"""Removing directories in two steps: rename into the trash under a lock, unlink there without one.

So no half removed tree is ever visible under its name, and a reader of the list of layers never waits for unlinks.
"""

from __future__ import annotations

import os

from tuidock.engine.paths import Paths
from tuidock.native import remove_tree


def discard(paths: Paths, path: str) -> str:
    """Moves a directory or file to the trash and answers where it lies now; "" when it was not there."""
    os.makedirs(paths.trash, mode=0o700, exist_ok=True)
    target = f"{paths.trash}/{os.urandom(8).hex()}"
    try:
        os.rename(path, target)
    except FileNotFoundError:
        return ""
    return target


def empty(target: str) -> None:
    """Unlinks what `discard` answered; what cannot be unlinked stays for the next sweep."""
    if target:
        try:
            remove_tree(target)
        except OSError:
            pass


def sweep(paths: Paths) -> int:
    """Empties the whole trash of what dead processes left; answers how many trees."""
    try:
        names = os.listdir(paths.trash)
    except FileNotFoundError:
        return 0
    for name in names:
        empty(f"{paths.trash}/{name}")
    return len(names)
