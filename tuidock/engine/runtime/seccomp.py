"""Seccomp: the file with the compiled filter that a container's shim loads.

Compiling takes milliseconds and depends only on the profile, the capabilities and the kernel, so the result lies in the
cache under a name made of these and a start only looks whether it is there.
"""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument, SystemFailure
from tuidock.engine.files import write_atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Digest of what the compiler makes; tests/engine/runtime/test_seccomp.py says when it has to change.
GENERATION: Final = "dc4b97667bdf"
#: More than any real profile; read whole.
_PROFILE_LIMIT: Final = 1 << 20


def filter_path(cache: str, capabilities: int, profile: str = "") -> str:
    """Path of the filter (an array of struct sock_filter) for a container with these capabilities (its bounding set).

    profile is the text of a profile in docker's JSON format, "" the default one. Raises InvalidArgument for a profile
    that makes no sense.
    """
    system = os.uname()
    key = f"seccomp-{GENERATION}-{system.machine}-{system.release}-{capabilities:x}".replace("/", "_")
    if profile:
        from hashlib import sha256

        key += "-" + sha256(profile.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    path = f"{cache}/{key}"
    try:
        known = os.stat(path)
        if known.st_size and not known.st_size % 8:
            return path
    except OSError:
        pass
    from tuidock.engine.runtime import seccomp_compiler

    code = seccomp_compiler.build(profile, capabilities, system.machine, system.release)
    try:
        os.makedirs(cache, mode=0o700, exist_ok=True)
        write_atomic(path, code)
    except OSError as error:
        raise SystemFailure(f"cannot store the compiled seccomp filter in {cache}: {error.strerror}") from error
    return path


def split_option(option: str) -> tuple[str, str]:
    """The two halves of a --security-opt, which `=` or docker's old `:` holds together, whichever comes first."""
    key = option[: min(at for at in (option.find("="), option.find(":"), len(option)) if at >= 0)]
    return key, option[len(key) + 1 :]


def read_profile(path: str) -> str:
    """The text of a profile that a person named with --security-opt seccomp=FILE."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_PROFILE_LIMIT + 1)
    except OSError as error:
        raise InvalidArgument(f"opening seccomp profile ({path}) failed: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidArgument(f"seccomp profile {path} is not UTF-8 text") from None
    if len(text) > _PROFILE_LIMIT:
        raise InvalidArgument(f"seccomp profile {path} is larger than {_PROFILE_LIMIT >> 20} MiB")
    return text
