"""`volume create -o type=... -o device=... -o o=...`: docker's local driver, from its options to a file system. Pure.

type, device and o mean what they mean to mount(8). Words of /etc/fstab that say nothing to the kernel (defaults, rw, user,
_netdev ...) are left out; `bind` and `rbind` in o make a host directory of the device, whatever the type is.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named
from tuidock.engine.options.values import parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("type", "device", "o", "size")
_NEEDS = {"device": ("type",), "type": ("device",), "o": ("device", "type")}
_SILENT = frozenset(
    ("rw", "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "_netdev", "nofail", "relatime")
)
_BINDS = ("bind", "rbind")


class FileSystem(Named):
    """What a volume shows: type is bind, tmpfs or a file system of the kernel; words are its mount options."""

    type: str
    device: str
    words: tuple[str, ...] = ()


def check(options: Mapping[str, str]) -> None:
    """Raises InvalidArgument, in docker's words where it has them."""
    for key, value in options.items():
        if key not in _KEYS:
            raise InvalidArgument(f'invalid option: "{key}"; there are {", ".join(_KEYS)}')
        if any(char < " " or char == "\x7f" for char in value):
            raise InvalidArgument(f"volume option {key}: {value!r:.100} has a control character in it")
    is_memory = options.get("type") == "tmpfs"
    for key in options:
        for needed in _NEEDS.get(key, ()):
            if needed not in options and not (is_memory and needed == "device"):
                raise InvalidArgument(f'missing required option: "{needed}"')
    if "size" in options:
        parse_size(options["size"])
        if options.get("type") not in (None, "tmpfs"):
            raise InvalidArgument(f"a volume of type {options['type']} has the size of its device; leave size out")
    found = file_system(options)
    if found is None:
        return
    if found.type == "bind" and not found.device.startswith("/"):
        raise InvalidArgument(f"the device of a bind is an absolute path, not '{found.device}'")
    if found.type in ("none", "") or not found.type.replace("-", "a").replace("_", "a").replace(".", "a").isalnum():
        raise InvalidArgument(f"'{found.type}' is no type of a file system; name one, or add o=bind for a directory")
    if "ro" in found.words and "rw" in str(options.get("o")).split(","):
        raise InvalidArgument("o has both ro and rw in it")


def file_system(options: Mapping[str, str]) -> FileSystem | None:
    """The file system that checked options mean; None for a directory of the data root."""
    if "type" not in options:
        return None
    words = [word for word in options.get("o", "").split(",") if word and word not in _SILENT]
    device = options.get("device", "")
    if any(word in _BINDS for word in words):
        kept = [word for word in words if word not in _BINDS]
        return FileSystem("bind", device, (*kept, *(["nonrecursive"] if "rbind" not in words else [])))
    if options["type"] == "tmpfs" and "size" in options:
        words = [word for word in words if not word.startswith("size=")]
        words.append(f"size={parse_size(options['size'])}")
    return FileSystem(options["type"].lower(), device, tuple(words))


def quota(options: Mapping[str, str]) -> int:
    """Bytes that a directory of the data root may hold; 0 = no limit."""
    return parse_size(options["size"]) if "size" in options and "type" not in options else 0
