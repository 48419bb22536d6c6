"""Names of files while a person types them: what a path may go on with, and which file is meant."""

from __future__ import annotations

import os
from collections.abc import Sequence

#: A directory with more names than that is not read to its end while somebody types.
_MOST = 4_000


def absolute(text: str) -> str:
    """The file that is meant; "" for nothing."""
    text = text.strip()
    return os.path.abspath(os.path.expanduser(text)) if text else ""


def completions(text: str, directories: bool = False) -> list[str]:
    """What the text may become, directories with a slash at their end; hidden names only when asked for."""
    head, start = os.path.split(text)
    where = os.path.expanduser(head) if head else "."
    found = []
    try:
        with os.scandir(where) as entries:
            for at, entry in enumerate(entries):
                if at > _MOST:
                    break
                if not entry.name.startswith(start) or (entry.name.startswith(".") and not start.startswith(".")):
                    continue
                is_directory = entry.is_dir()
                if is_directory or not directories:
                    found.append(os.path.join(head, entry.name) + ("/" if is_directory else ""))
    except OSError:
        return []
    return sorted(each for each in found if each.isprintable())


def common(found: Sequence[str]) -> str:
    """What all of them begin with, as a shell completes."""
    if not found:
        return ""
    first, last = min(found), max(found)
    at = 0
    while at < min(len(first), len(last)) and first[at] == last[at]:
        at += 1
    return first[:at]
