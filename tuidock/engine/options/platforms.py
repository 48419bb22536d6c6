"""--platform `os[/architecture[/variant]]`, in the names that images use."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named

_ARCHITECTURES = {
    "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm", "i386": "386",
}  # fmt: skip


class Platform(Named):
    """variant "" fits any."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, self))


def architecture_of(machine: str) -> str:
    """What uname calls a machine, in the words of images."""
    return _ARCHITECTURES.get(machine.lower(), machine.lower())


def parse_platform(raw: str, machine: str) -> Platform:
    """The platform; what it leaves out is this machine's. Raises InvalidArgument."""
    parts = raw.lower().split("/")
    if len(parts) > 3 or not all(part and part.replace("-", "a").replace("_", "a").isalnum() for part in parts):
        raise InvalidArgument(f'"{raw}" is no platform: it is written like linux/amd64')
    if len(parts) == 1:
        known = parts[0] in ("linux", "windows", "darwin", "freebsd")
        return Platform(parts[0] if known else "linux", architecture_of(machine if known else parts[0]))
    return Platform(parts[0], architecture_of(parts[1]), parts[2] if len(parts) == 3 else "")
