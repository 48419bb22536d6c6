"""--platform `os[/architecture[/variant]]`, in the names that images use."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named

_ARCHITECTURES = {
    "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm", "i386": "386",
}  # fmt: skip
#: What containerd takes for a platform when it stands alone.
_SYSTEMS = frozenset(("linux", "windows", "darwin", "freebsd", "android", "netbsd", "openbsd", "solaris", "wasip1"))
_MACHINES = frozenset(
    ("386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64",
     "s390x", "sparc64", "wasm")
)  # fmt: skip


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
        if parts[0] in _SYSTEMS:
            return Platform(parts[0], architecture_of(machine))
        if architecture_of(parts[0]) not in _MACHINES:
            raise InvalidArgument(f'"{raw}": unknown operating system or architecture; write it like linux/amd64')
        return Platform("linux", architecture_of(parts[0]))
    return Platform(parts[0], architecture_of(parts[1]), parts[2] if len(parts) == 3 else "")
