"""--chown and the owner of a WORKDIR: names looked up in the image's own passwd and group files.

Those files are the image's, so they are opened inside it, without waiting for a FIFO, and read only up to a limit
(CVE-2024-9676).
"""

from __future__ import annotations

import os

from tuidock import native
from tuidock.engine.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT = 1 << 20
_LARGEST = (1 << 32) - 2


def owner_of(root: int, text: str) -> tuple[int, int]:
    """USER[:GROUP] as numbers. A name's group is that of passwd, a number's group the same number.

    Raises InvalidArgument for a name that the image does not know.
    """
    user, colon, group = text.partition(":")
    if user.isascii() and user.isdecimal():
        uid = gid = _number(user)
    else:
        uid, gid = _user(root, user) if user else (0, 0)
    if colon and group:
        gid = _number(group) if group.isascii() and group.isdecimal() else _group(root, group)
    return uid, gid


def _number(text: str) -> int:
    if len(text) > 10 or int(text) > _LARGEST:
        raise InvalidArgument(f"{text!r:.40} is no id of a user or group")
    return int(text)


def _user(root: int, name: str) -> tuple[int, int]:
    for fields in _lines(root, "etc/passwd"):
        if fields[0] == name and len(fields) > 3 and fields[2].isdecimal() and fields[3].isdecimal():
            return _number(fields[2]), _number(fields[3])
    raise InvalidArgument(f"the image has no user {name!r:.60} in its /etc/passwd; give a number, or create it before")


def _group(root: int, name: str) -> int:
    for fields in _lines(root, "etc/group"):
        if fields[0] == name and len(fields) > 2 and fields[2].isdecimal():
            return _number(fields[2])
    raise InvalidArgument(f"the image has no group {name!r:.60} in its /etc/group; give a number, or create it before")


def _lines(root: int, path: str) -> Iterator[list[str]]:
    try:
        fd = native.open_file_in_root(root, path)
    except OSError:
        return
    try:
        raw = b""
        while len(raw) < _LIMIT and (part := os.read(fd, _LIMIT - len(raw))):
            raw += part
    finally:
        os.close(fd)
    for line in raw.decode("utf-8", "replace").split("\n"):
        yield line.split(":")
