"""Which shells a container has, found in its files: asking a program that may not be there would be a guess.

Everything goes by openat2(RESOLVE_IN_ROOT) from the root of its init process, so a link of the container leads nowhere
else, and nothing of the container is executed.
"""

from __future__ import annotations

import os
import stat

from tuidock import native
from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.moves import open_root
from tuidock.engine.errors import WrongState
from tuidock.engine.instance import Instance
from tuidock.engine.runtime.status import read_pid
from tuidock.engine.types import Container

#: The best first; each in the directories where distributions and Nix have it.
NAMES = ("bash", "zsh", "fish", "ash", "dash", "ksh", "sh")
_DIRECTORIES = ("/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/busybox", "/run/current-system/sw/bin")
#: Login shells that say nothing: those that end at once, and the plainest, which is there for want of a choice.
_NO_CHOICE = ("nologin", "false", "true", "sync", "halt", "shutdown", "sh")
_MOST = 1 << 20


def shells(instance: Instance, container: Container, user: str = "") -> tuple[str, ...]:
    """Paths, the best first: the user's own by /etc/passwd, then the usual ones. () when it has none.

    user as in `exec -u`; "" is the container's own. Raises WrongState when it does not run.
    """
    root = _root(instance, container)
    try:
        user = user or str(request_of(instance, container.id)[0].get("User") or "")
        wanted = [_login_shell(root, user.partition(":")[0] or "0")]
        wanted += [f"{directory}/{name}" for name in NAMES for directory in _DIRECTORIES]
        found: dict[tuple[int, int], str] = {}
        for path in wanted:
            if path and (identity := _executable(root, path)) is not None:
                found.setdefault(identity, path)
        return tuple(found.values())
    finally:
        os.close(root)


def _root(instance: Instance, container: Container) -> int:
    record = read_pid(instance.paths, container.id)
    if record is not None and record.init[0]:
        try:
            return open_root(record)
        except OSError:
            pass
    raise WrongState(f"container {container.name} is not running")


def _executable(root: int, path: str) -> tuple[int, int] | None:
    """Device and inode of a program, None when there is none: names of one program count once."""
    try:
        fd = native.open_in_root(root, path, native.O_PATH)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
    finally:
        os.close(fd)
    if not stat.S_ISREG(status.st_mode) or not status.st_mode & 0o111:
        return None
    # busybox is every shell at once, by the name that it is called by
    return status.st_dev, status.st_ino


def _login_shell(root: int, user: str) -> str:
    """What /etc/passwd says for a name or number, "" when it says nothing that is a shell."""
    try:
        fd = native.open_file_in_root(root, "/etc/passwd")
    except OSError:
        return ""
    with open(fd, "rb") as file:
        text = file.read(_MOST).decode("utf-8", "replace")
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= 7 and user in (fields[0], fields[2]):
            path = fields[6].strip()
            return path if path.startswith("/") and os.path.basename(path) not in _NO_CHOICE else ""
    return ""
