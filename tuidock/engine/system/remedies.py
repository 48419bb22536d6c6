"""The command lines that mend what the doctor finds, for the package manager that this machine has."""

from __future__ import annotations

import os
import shutil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

#: Where programs of the administrator lie, also for who has a short PATH.
PATH: Final = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
#: The program that installs, and what is said to it; the first that is there is the machine's.
_MANAGERS: Final = {
    "apt-get": "apt-get install", "dnf": "dnf install", "yum": "yum install", "zypper": "zypper install",
    "pacman": "pacman -S", "apk": "apk add", "emerge": "emerge", "xbps-install": "xbps-install",
}  # fmt: skip
#: Packages that are not called as Debian calls them: by manager, "" for all others.
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "uidmap": {"apt-get": "uidmap", "apk": "shadow-uidmap", "pacman": "shadow", "zypper": "shadow", "": "shadow-utils"},
    "busybox-static": {"apt-get": "busybox-static", "apk": "busybox-static", "": "busybox"},
    "apparmor": {"zypper": "apparmor-parser", "": "apparmor"},
    "git": {"emerge": "dev-vcs/git", "": "git"},
}


def install(package: str) -> str:
    """How the package, by Debian's name, gets onto this machine; "" when no package manager is known here."""
    for program, words in _MANAGERS.items():
        if shutil.which(program, path=PATH) is not None:
            names = _NAMES.get(package, {})
            return f"{words} {names.get(program) or names.get('') or package}"
    return ""
